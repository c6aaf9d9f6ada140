package sample

import (
	"math"
	"math/rand/v2"
)

// stream is one of the independent sequences of a seed, so that a change to one
// table leaves the others as they are.
type stream uint64

// The streams. Their numbers are part of what a seed means.
const (
	streamPeople stream = iota + 1
	streamCatalog
	streamCustomers
	streamDeliveries
	streamReviews
	streamVideos
	streamServices
)

// dice decides by chance.
type dice struct{ *rand.Rand }

func newDice(seed uint64, s stream) dice {
	return dice{rand.New(rand.NewPCG(seed, uint64(s)))} //nolint:gosec // G404: the data shall be repeatable, not secret
}

// chance is true with probability p.
func (d dice) chance(p float64) bool { return d.Float64() < p }

// early returns an index below n; low ones are likelier, so that the first
// hundredth gets a tenth of all draws, and the first one by far the most.
func (d dice) early(n int) int {
	u := d.Float64()
	return int(float64(n) * u * u)
}

// regular returns an index below n; low ones are likelier, up to ten times as
// likely as the average.
func (d dice) regular(n int) int {
	u := d.Float64()
	return int(float64(n) * u * (0.1 + 0.9*u))
}

// between returns a number from low up to high.
func (d dice) between(low, high float64) float64 { return low + (high-low)*d.Float64() }

// logNormal returns a positive number whose median is median.
func (d dice) logNormal(median, sigma float64) float64 {
	return median * math.Exp(sigma*d.NormFloat64())
}

// choice is a text with its weight.
type choice struct {
	text   string
	weight float64
}

// choose returns one of the texts. Their weights add up to 1; what rounding
// leaves over goes to the last.
func (d dice) choose(choices []choice) string {
	u := d.Float64()
	for _, c := range choices {
		if u -= c.weight; u < 0 {
			return c.text
		}
	}
	return choices[len(choices)-1].text
}

// cents rounds an amount to cents.
func cents(amount float64) float64 { return math.Round(amount*100) / 100 }

// hundredths rounds a score to two digits, as scoring systems export them.
func hundredths(score float64) float64 { return math.Round(score*100) / 100 }

// share splits total into parts proportional to the weights; the parts add up to
// total.
func share(total int, weights []float64) []int {
	var sum float64
	for _, w := range weights {
		sum += w
	}
	parts := make([]int, len(weights))
	given, passed := 0, 0.0
	for i, w := range weights {
		passed += w
		upTo := int(math.Round(float64(total) * passed / sum))
		parts[i] = upTo - given
		given = upTo
	}
	return parts
}

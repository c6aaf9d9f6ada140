package plugintest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
)

// ProgramID is the program of the suites' candidates.
const ProgramID = "product-reviews"

// Candidate returns a candidate with everything a row can say. Tests change
// what they are about.
func Candidate() *ceap.Candidate {
	return &ceap.Candidate{
		Key: ceap.Key{
			CustomerID: "CUST-001", ProgramID: ProgramID, Marketplace: "US", SubjectType: "product", SubjectID: "PROD-123",
		},
		EventDate:    AsOf().AddDate(0, 0, -2),
		DeliveryDate: AsOf().AddDate(0, 0, -1),
		TimingWindow: "morning",
		OrderValue:   ceap.Decimal("29.99"),
		Currency:     "USD",
		Channels:     []ceap.ChannelFlag{{Channel: "email", Eligible: true}, {Channel: "sms", Eligible: false}},
		Extra: []ceap.Attribute{
			{Name: "category", Value: ceap.String("garden")},
			{Name: "fraud_score", Value: ceap.Decimal("0.1")},
			{Name: "quality_score", Value: ceap.Decimal("0.9")},
			{Name: "trust_score", Value: ceap.Decimal("0.8")},
		},
	}
}

// With returns a copy of the candidate that has the extra attribute.
func With(c *ceap.Candidate, name string, value ceap.Value) *ceap.Candidate {
	d := Clone([]*ceap.Candidate{c})[0]
	d.Extra = slices.DeleteFunc(d.Extra, func(a ceap.Attribute) bool { return a.Name == name })
	d.Extra = append(d.Extra, ceap.Attribute{Name: name, Value: value})
	slices.SortFunc(d.Extra, func(a, b ceap.Attribute) int { return strings.Compare(a.Name, b.Name) })
	return d
}

// Candidates returns n different candidates, the same ones each time: with
// everything, with nothing, and with much in between.
func Candidates(n int) []*ceap.Candidate {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same candidates each time
	batch := make([]*ceap.Candidate, n)
	for i := range batch {
		batch[i] = random(rng, i)
	}
	return batch
}

func random(rng *rand.Rand, i int) *ceap.Candidate {
	c := &ceap.Candidate{
		Key: ceap.Key{
			CustomerID: fmt.Sprintf("CUST-%d", i%37), ProgramID: ProgramID, Marketplace: "US",
			SubjectType: "product", SubjectID: fmt.Sprintf("PROD-%d", i),
		},
		EventDate: AsOf().Add(-time.Duration(rng.IntN(60*24)) * time.Hour),
		Currency:  "USD",
	}
	if rng.IntN(2) == 0 {
		c.DeliveryDate = c.EventDate.AddDate(0, 0, 1)
	}
	c.TimingWindow = pick(rng, append(ceap.TimingWindows(), "")...)
	c.OrderValue = number(rng, 100)
	c.MediaEligible = pick(rng, ceap.Null(), ceap.Bool(true), ceap.Bool(false))
	for _, channel := range []string{"email", "push", "sms"} {
		if rng.IntN(3) > 0 {
			c.Channels = append(c.Channels, ceap.ChannelFlag{Channel: channel, Eligible: rng.IntN(2) == 0})
		}
	}
	c.Extra = append(c.Extra, ceap.Attribute{Name: "category", Value: ceap.String(pick(rng, "garden", "toys", ""))})
	for _, name := range []string{"fraud_score", "quality_score", "trust_score"} {
		if rng.IntN(3) > 0 {
			c.Extra = append(c.Extra, ceap.Attribute{Name: name, Value: number(rng, 1)})
		}
	}
	for _, model := range []string{"propensity", "quality", "trust"} {
		score := ceap.Score{ModelID: model, State: ceap.ScoreUnscored, Reason: ceap.ReasonModelError}
		if rng.IntN(4) > 0 {
			score = ceap.Score{ModelID: model, Value: rng.Float64(), State: ceap.ScoreModel}
			score.HasConfidence = rng.IntN(2) == 0
			if score.HasConfidence {
				score.Confidence = rng.Float64()
			}
			c.Score, c.Scored = score.Value, true
		}
		c.Scores = append(c.Scores, score)
	}
	return c
}

// number returns a number up to most, or now and then something that is none.
func number(rng *rand.Rand, most float64) ceap.Value {
	switch rng.IntN(8) {
	case 0:
		return ceap.Null()
	case 1:
		return ceap.Int(int64(rng.IntN(int(most) + 1)))
	case 2:
		return ceap.Decimal("0.5")
	default:
		return ceap.Float(rng.Float64() * most)
	}
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// Clone copies candidates with all they refer to.
func Clone(batch []*ceap.Candidate) []*ceap.Candidate {
	copies := make([]*ceap.Candidate, len(batch))
	for i, c := range batch {
		d := *c
		d.Channels, d.Extra = slices.Clone(c.Channels), slices.Clone(c.Extra)
		d.Scores = slices.Clone(c.Scores)
		copies[i] = &d
	}
	return copies
}

package plugin

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// durationPattern is the form of durations, for the decoder and for the schema.
const durationPattern = `^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h|d))+$`

// parseDuration reads a duration such as "30s", "1h30m" or "7d". A day has 24
// hours. Durations are never negative.
func parseDuration(text string) (time.Duration, error) {
	if !regexp.MustCompile(durationPattern).MatchString(text) {
		return 0, fmt.Errorf("%q is not a duration", text)
	}
	var total float64
	for rest := text; rest != ""; {
		digits := strings.IndexAny(rest, "dhms")
		number, err := strconv.ParseFloat(rest[:digits], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration: %w", text, err)
		}
		rest = rest[digits:]
		for _, u := range durationUnits() {
			if after, ok := strings.CutPrefix(rest, u.name); ok {
				total += math.Round(number * float64(u.length))
				rest = after
				break
			}
		}
	}
	if total >= math.MaxInt64 {
		return 0, fmt.Errorf("the duration %q is too long", text)
	}
	return time.Duration(total), nil
}

type durationUnit struct {
	name   string
	length time.Duration
}

// durationUnits lists the units, "ms" before "m" so that the longer name is
// tried first.
func durationUnits() []durationUnit {
	return []durationUnit{
		{"ms", time.Millisecond}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second},
	}
}

// formatDuration returns the text that [parseDuration] reads as d, for whole
// milliseconds: "1h30m" rather than "1h30m0s".
func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range []durationUnit{
		{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
	} {
		if n := d / u.length; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d %= u.length
		}
	}
	return b.String()
}

package program

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
)

// DateBound is a bound of plausible dates, as written: a calendar date
// (YYYY-MM-DD), or days before or after the run's clock (now, now+7d, now-30d).
type DateBound string

// dateBoundPattern is the form of date bounds, for decoder and schema.
const dateBoundPattern = `^(now([+-][0-9]{1,5}d)?|[0-9]{4}-[0-9]{2}-[0-9]{2})$`

// UnmarshalText reads a bound.
func (b *DateBound) UnmarshalText(text []byte) error {
	if !regexp.MustCompile(dateBoundPattern).Match(text) {
		return ceap.Errorf(ceap.CodeInvalid, "%q is not a date bound", text).
			WithHint(`use a calendar date such as 2020-01-01, or "now", "now+7d", "now-30d"`)
	}
	if _, relative := DateBound(text).days(); !relative {
		if _, err := ceap.ParseDate(string(text)); err != nil {
			return err
		}
	}
	*b = DateBound(text)
	return nil
}

// JSONSchema implements [plugin.Schemer].
func (*DateBound) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "pattern": dateBoundPattern}
}

// days returns how many days after the clock the bound is, and whether it is
// relative to the clock at all.
func (b DateBound) days() (days int, relative bool) {
	offset, relative := strings.CutPrefix(string(b), "now")
	days, _ = strconv.Atoi(strings.TrimSuffix(offset, "d")) // "" is 0 days
	return days, relative
}

// resolve returns the first and the last instant of the bound: of a calendar
// date its day in the zone, else the very moment.
func (b DateBound) resolve(asOf time.Time, zone *time.Location) (first, last time.Time) {
	if days, relative := b.days(); relative {
		at := asOf.AddDate(0, 0, days).UTC()
		return at, at
	}
	date, _ := ceap.ParseDate(string(b)) // UnmarshalText has checked it
	// Values are cut to the microsecond, so none lies between this and the next day.
	return date.In(zone).UTC(), date.AddDays(1).In(zone).Add(-time.Microsecond).UTC()
}

// after reports whether b is surely later than other: both are of one form.
func (b DateBound) after(other DateBound) bool {
	days, relative := b.days()
	otherDays, otherRelative := other.days()
	switch {
	case relative != otherRelative:
		return false
	case relative:
		return days > otherDays
	default:
		return b > other
	}
}

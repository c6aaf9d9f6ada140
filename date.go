package ceap

import (
	"fmt"
	"time"
)

// Date is a civil date, counted in days from 1970-01-01. Its text is
// YYYY-MM-DD. It is comparable, and the zero Date is 1970-01-01.
type Date int32

const day = 24 * time.Hour

// ParseDate reads a real calendar date in the form YYYY-MM-DD.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, Errorf(CodeInvalid, "%q is not a calendar date of the form YYYY-MM-DD", text)
	}
	return DateOf(t), nil
}

// DateOf returns the civil date of t in t's own zone.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / int64(day/time.Second)) //nolint:gosec // years that time.Time can print fit
}

// In returns the first instant of the date in zone.
func (d Date) In(zone *time.Location) time.Time {
	y, m, dd := time.Unix(int64(d)*int64(day/time.Second), 0).UTC().Date()
	return time.Date(y, m, dd, 0, 0, 0, 0, zone)
}

// AddDays returns the date n days later.
func (d Date) AddDays(n int) Date { return d + Date(n) } //nolint:gosec // far from the bounds of int32

// String returns YYYY-MM-DD.
func (d Date) String() string { return d.In(time.UTC).Format(time.DateOnly) }

// MarshalText returns YYYY-MM-DD.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads YYYY-MM-DD.
func (d *Date) UnmarshalText(text []byte) error {
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// DateRange is a range of civil dates, inclusive at both ends (D36).
type DateRange struct {
	Start Date `json:"start"`
	End   Date `json:"end"`
}

// Validate returns an error of [CodeInvalid] if the range starts after it ends.
func (r DateRange) Validate() error {
	if r.Start > r.End {
		return Errorf(CodeInvalid, "the date range starts on %s, after its end on %s", r.Start, r.End).
			WithHint("swap the two dates")
	}
	return nil
}

// String returns "2026-01-26 to 2026-01-27".
func (r DateRange) String() string { return fmt.Sprintf("%s to %s", r.Start, r.End) }

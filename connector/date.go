package connector

import (
	"math"
	"strconv"
	"time"

	"github.com/ceap-platform/ceap"
)

const (
	ruleDate = "a date is YYYY-MM-DD, YYYY-MM-DDThh:mm:ss with or without an offset, or epoch milliseconds"

	microsPerSecond = int64(1e6)
	secondsPerDay   = int64(86_400)
)

// readDate returns v as microseconds since 1970, and the rule that v breaks or
// "". NULL is for callers to ask about first. A date or time without an offset
// is one of zone; nil means UTC. In the hour that a zone skips or repeats, the
// choice is that of [time.Date].
//
// The forms are those of D26, as text, where blanks around are ignored:
//
//	2026-01-26
//	2026-01-26T12:34  2026-01-26 12:34:56.000    T or a blank, seconds or not
//	...Z  ... Z  ... UTC  ...+01:00  ...+0100  ...+01
//	1769430896000    epoch milliseconds: 12 to 14 digits, also as a number
//
// Fractions of a second are cut to microseconds.
func readDate(v ceap.Value, zone *time.Location) (int64, string) {
	switch v.Kind() {
	case ceap.KindString:
		text := trimBlank(v.Text())
		if text == "" {
			return 0, ruleEmpty
		}
		if micros, ok := parseDate(text, zone); ok {
			return micros, ""
		}
	case ceap.KindInt:
		if n := v.Int(); n >= 1e11 && n < 1e14 {
			return n * 1000, ""
		}
	case ceap.KindTime:
		return v.Micros(), ""
	case ceap.KindLocal:
		if zone == nil {
			return v.Micros(), ""
		}
		t := time.UnixMicro(v.Micros()).UTC()
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone).UnixMicro(), ""
	case ceap.KindDate:
		return dateMicros(v.Date(), zone), ""
	default:
	}
	return 0, ruleDate
}

// dateMicros returns the first instant of the date. Engines have dates for
// "infinity", which lie far beyond what microseconds can count.
func dateMicros(d ceap.Date, zone *time.Location) int64 {
	const limit = 100_000_000 // days, about 273,000 years, well within 64 bits of microseconds
	switch {
	case d > limit:
		return math.MaxInt64
	case d < -limit:
		return math.MinInt64
	case zone == nil:
		return int64(d) * secondsPerDay * microsPerSecond
	default:
		return d.In(zone).UnixMicro()
	}
}

// clock is a date and time as written, and its offset if it has one.
type clock struct {
	year, month, day     int
	hour, minute, second int
	micros               int64
	offset               int // seconds east of UTC
	hasOffset            bool
}

func parseDate(s string, zone *time.Location) (int64, bool) {
	if len(s) >= 12 && len(s) <= 14 && s[0] != '0' && isDigits(s) {
		millis, err := strconv.ParseInt(s, 10, 64)
		return millis * 1000, err == nil
	}
	var c clock
	if !c.parseDay(s) {
		return 0, false
	}
	if len(s) > len(time.DateOnly) && !c.parseTime(s[len(time.DateOnly):]) {
		return 0, false
	}
	if zone != nil && !c.hasOffset {
		t := time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, 0, zone)
		return t.UnixMicro() + c.micros, true
	}
	seconds := daysSince1970(c.year, c.month, c.day)*secondsPerDay + int64(c.hour*3600+c.minute*60+c.second-c.offset)
	return seconds*microsPerSecond + c.micros, true
}

// parseDay reads the YYYY-MM-DD that s begins with.
func (c *clock) parseDay(s string) bool {
	if len(s) < len(time.DateOnly) || s[4] != '-' || s[7] != '-' {
		return false
	}
	century, year, month, day := twoDigits(s), twoDigits(s[2:]), twoDigits(s[5:]), twoDigits(s[8:])
	if century < 0 || year < 0 || month < 1 || month > 12 || day < 1 {
		return false
	}
	c.year, c.month, c.day = century*100+year, month, day
	return day <= daysIn(c.year, month)
}

// parseTime reads what follows the day, from its T or blank on.
func (c *clock) parseTime(s string) bool {
	if len(s) < len("T15:04") || s[0] != 'T' && s[0] != ' ' || s[3] != ':' {
		return false
	}
	c.hour, c.minute = twoDigits(s[1:]), twoDigits(s[4:])
	s = s[len("T15:04"):]
	if len(s) >= len(":05") && s[0] == ':' {
		c.second = twoDigits(s[1:])
		s = s[len(":05"):]
		if s != "" && s[0] == '.' {
			n := c.parseFraction(s[1:])
			if n == 0 {
				return false
			}
			s = s[1+n:]
		}
	}
	return inBounds(c.hour, 23) && inBounds(c.minute, 59) && inBounds(c.second, 59) && c.parseOffset(s)
}

// parseFraction reads the digits that s begins with as a fraction of a second,
// and returns how many there are.
func (c *clock) parseFraction(s string) int {
	n, unit := 0, microsPerSecond/10
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		c.micros += int64(s[n]-'0') * unit
		unit /= 10
		n++
	}
	return n
}

// parseOffset reads what follows the time.
func (c *clock) parseOffset(s string) bool {
	switch s {
	case "":
		return true
	case "Z", " Z", " UTC":
		c.hasOffset = true
		return true
	}
	if len(s) < len("+01") || s[0] != '+' && s[0] != '-' {
		return false
	}
	hours, minutes := twoDigits(s[1:]), 0
	switch rest := s[len("+01"):]; {
	case len(rest) == 3 && rest[0] == ':':
		minutes = twoDigits(rest[1:])
	case len(rest) == 2:
		minutes = twoDigits(rest)
	case rest != "":
		return false
	}
	if !inBounds(hours, 23) || !inBounds(minutes, 59) {
		return false
	}
	c.hasOffset, c.offset = true, hours*3600+minutes*60
	if s[0] == '-' {
		c.offset = -c.offset
	}
	return true
}

// twoDigits returns the number that s begins with, or -1 if it does not begin
// with two digits.
func twoDigits(s string) int {
	if len(s) < 2 {
		return -1
	}
	tens, ones := s[0]-'0', s[1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return int(tens)*10 + int(ones)
}

func inBounds(n, most int) bool { return n >= 0 && n <= most }

func daysIn(year, month int) int {
	switch {
	case month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	default:
		return 31
	}
}

// daysSince1970 counts days in eras of 400 years that begin in March, so that the
// leap day is the last of its year.
func daysSince1970(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	const daysToEpoch = 719_468 // from 0000-03-01 to 1970-01-01
	era := year / 400
	if year < 0 {
		era = -1
	}
	ofEra := year - era*400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return int64(era*146_097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - daysToEpoch)
}

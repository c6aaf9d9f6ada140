package program

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
)

// Schedule is when a program runs by itself, as EventBridge Scheduler writes it:
// cron(minute hour day month weekday year), rate(1 day) or at(2026-01-27T06:00:00).
// Times are those of the program's time zone.
type Schedule string

// schedulePattern is the outer form of a schedule, for the JSON Schema. What it
// cannot say is checked when a document is read.
const schedulePattern = `^(cron\(.+\)|rate\(.+\)|at\(.+\)|\S+( +\S+){4,5})$`

const scheduleHint = `write it like "0 2 * * *" or "cron(0 2 ? * MON-FRI *)", "rate(1 day)" or "at(2026-01-27T06:00:00)"`

// UnmarshalText reads a schedule. A cron expression may have the five fields of
// crontab, or the six of AWS, and may stand without cron(...); what comes of it has
// six.
func (s *Schedule) UnmarshalText(text []byte) error {
	read, err := parseSchedule(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	*s = read
	return nil
}

// JSONSchema implements [plugin.Schemer].
func (*Schedule) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "pattern": schedulePattern}
}

func parseSchedule(text string) (Schedule, error) {
	kind, inside := "cron", text
	if open := strings.IndexByte(text, '('); open >= 0 && strings.HasSuffix(text, ")") {
		kind, inside = text[:open], text[open+1:len(text)-1]
	}
	switch kind {
	case "rate":
		return parseRate(inside)
	case "at":
		if _, err := time.Parse("2006-01-02T15:04:05", inside); err != nil {
			return "", scheduleError("%q is no time", inside).WithHint("write it like at(2026-01-27T06:00:00), in the program's time zone")
		}
		return Schedule("at(" + inside + ")"), nil
	case "cron":
		return parseCron(inside)
	default:
		return "", scheduleError("there are no schedules of the kind %q", kind).WithHint(scheduleHint)
	}
}

func scheduleError(format string, args ...any) *ceap.Error {
	return ceap.Errorf(ceap.CodeInvalid, format, args...)
}

// parseRate reads the value and unit of a rate. AWS insists on 1 minute and 5
// minutes.
func parseRate(text string) (Schedule, error) {
	m := regexp.MustCompile(`^([1-9][0-9]{0,5}) (minute|hour|day)(s?)$`).FindStringSubmatch(text)
	if m == nil {
		return "", scheduleError("%q is no rate", text).WithHint("write it like rate(6 hours) or rate(1 day): minutes, hours or days")
	}
	unit := m[2]
	if m[1] != "1" {
		unit += "s"
	}
	return Schedule("rate(" + m[1] + " " + unit + ")"), nil
}

// cronField is a field of a cron expression as AWS has it.
type cronField struct {
	name     string
	low      int
	high     int
	names    []string // of low, low+1, ...
	specials string   // a pattern of what only this field may hold; "" if nothing
}

// The fields of a cron expression.
func minuteField() cronField { return cronField{"minute", 0, 59, nil, ""} }
func hourField() cronField   { return cronField{"hour", 0, 23, nil, ""} }
func dayField() cronField {
	return cronField{"day of the month", 1, 31, nil, `\?|L|LW|([1-9]|[12][0-9]|3[01])W`}
}

func monthField() cronField {
	return cronField{"month", 1, 12, strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"), ""}
}

func weekdayField() cronField {
	return cronField{"day of the week", 1, 7, strings.Fields(weekdays), `\?|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5])`}
}
func yearField() cronField { return cronField{"year", 1970, 2199, nil, ""} }

const weekdays = "SUN MON TUE WED THU FRI SAT"

// parseCron reads the fields of a cron expression: minute, hour, day, month, weekday
// and, with six, the year.
func parseCron(text string) (Schedule, error) {
	fields := strings.Fields(strings.ToUpper(text))
	switch len(fields) {
	case 5:
		var err error
		if fields, err = fromCrontab(fields); err != nil {
			return "", err
		}
	case 6:
	default:
		return "", scheduleError("%q has %d fields; a cron expression has 5, or 6 with the year", text, len(fields)).WithHint(scheduleHint)
	}
	for i, f := range []cronField{minuteField(), hourField(), dayField(), monthField(), weekdayField(), yearField()} {
		if err := f.check(fields[i]); err != nil {
			return "", err
		}
	}
	if (fields[2] == "?") == (fields[4] == "?") {
		return "", scheduleError("one of the days, and not both, is ? in a cron expression of 6 fields, and here they are %q and %q", fields[2], fields[4]).
			WithHint(`write ? for the day that is not asked for, as in "cron(0 2 * * ? *)" or "cron(0 2 ? * MON *)"`)
	}
	return Schedule("cron(" + strings.Join(fields, " ") + ")"), nil
}

// check returns what is wrong with the text of the field.
func (f cronField) check(text string) error {
	if f.specials != "" && regexp.MustCompile("^("+f.specials+")$").MatchString(text) {
		return nil
	}
	for item := range strings.SplitSeq(text, ",") {
		if _, err := f.values(item); err != nil {
			return err
		}
	}
	return nil
}

// values returns the values that an item of the field's list stands for: *, 5,
// 1-5, 10-40/15, */15, MON.
func (f cronField) values(item string) ([]int, error) {
	span, stepText, stepped := strings.Cut(item, "/")
	low, high, step := f.low, f.high, 1
	if span != "*" {
		first, last, isRange := strings.Cut(span, "-")
		var ok, lastOK bool
		low, ok = f.value(first)
		high, lastOK = low, true
		switch {
		case isRange:
			high, lastOK = f.value(last)
		case stepped:
			high = f.high // 5/15 is every 15 from 5 on
		}
		if !ok || !lastOK {
			return nil, f.wrong(item)
		}
		if low > high {
			return nil, scheduleError("the %s %q goes backwards", f.name, item).WithHint("put the lower one first, or list the values")
		}
	}
	if stepped {
		n, err := strconv.Atoi(stepText)
		if err != nil || n < 1 || n > f.high {
			return nil, f.wrong(item)
		}
		step = n
	}
	var out []int
	for v := low; v <= high; v += step {
		out = append(out, v)
	}
	return out, nil
}

// value returns the number that a number or name stands for.
func (f cronField) value(text string) (int, bool) {
	if i := slices.Index(f.names, text); i >= 0 {
		return f.low + i, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= f.low && n <= f.high && !strings.HasPrefix(text, "+")
}

func (f cronField) wrong(item string) error {
	allowed := fmt.Sprintf("%d to %d", f.low, f.high)
	if f.names != nil {
		allowed += fmt.Sprintf(", or %s to %s", f.names[0], f.names[len(f.names)-1])
	}
	return scheduleError("%q is no %s", item, f.name).WithHint("use %s, alone, in lists (1,15), ranges (1-5) and steps (*/15)", allowed)
}

// fromCrontab returns the six fields of AWS for the five of crontab, where Sunday
// is 0 or 7, and * stands where AWS wants ?.
func fromCrontab(fields []string) ([]string, error) {
	day, weekday := fields[2], fields[4]
	switch {
	case weekday == "*" || weekday == "?":
		weekday = "?"
		if day == "?" {
			day = "*"
		}
	case day == "*" || day == "?":
		day = "?"
		var err error
		if weekday, err = crontabWeekdays(weekday); err != nil {
			return nil, err
		}
	default:
		// crontab means either of them; AWS knows no such thing.
		return nil, scheduleError("it names days of the month and days of the week, of which AWS takes one").
			WithHint("write * for one of the two, as in %q", strings.Join([]string{fields[0], fields[1], "*", fields[3], weekday}, " "))
	}
	return []string{fields[0], fields[1], day, fields[3], weekday, "*"}, nil
}

// crontabWeekdays returns the names of the days that a crontab field stands for.
func crontabWeekdays(text string) (string, error) {
	if f := weekdayField(); regexp.MustCompile("^("+f.specials+")$").MatchString(text) && !regexp.MustCompile("^[0-9]").MatchString(text) {
		return text, nil // MON#1 means one thing only
	}
	names := strings.Fields(weekdays)
	f := cronField{"day of the week", 0, 7, append(slices.Clone(names), "SUN"), ""}
	var chosen [7]bool
	for item := range strings.SplitSeq(text, ",") {
		if strings.HasPrefix(item, "*/") {
			item = "0-6" + item[1:] // 7 is 0 once more
		}
		if strings.HasSuffix(item, "-SUN") {
			item = strings.TrimSuffix(item, "SUN") + "7"
		}
		values, err := f.values(item)
		if err != nil {
			return "", err
		}
		for _, v := range values {
			chosen[v%7] = true
		}
	}
	var out []string
	for i, yes := range chosen {
		if yes {
			out = append(out, names[i])
		}
	}
	return strings.Join(out, ","), nil
}

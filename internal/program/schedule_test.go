package program_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/program"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]program.Schedule{
		"0 2 * * *":                     "cron(0 2 * * ? *)",
		" 0  2 * * * ":                  "cron(0 2 * * ? *)",
		"0 2 * * 1":                     "cron(0 2 ? * MON *)",
		"0 2 * * 1-5":                   "cron(0 2 ? * MON,TUE,WED,THU,FRI *)",
		"0 2 * * mon-fri":               "cron(0 2 ? * MON,TUE,WED,THU,FRI *)",
		"0 2 * * 0":                     "cron(0 2 ? * SUN *)",
		"0 2 * * 7":                     "cron(0 2 ? * SUN *)",
		"0 2 * * 5-7":                   "cron(0 2 ? * SUN,FRI,SAT *)",
		"0 2 * * fri-sun":               "cron(0 2 ? * SUN,FRI,SAT *)",
		"0 2 * * */2":                   "cron(0 2 ? * SUN,TUE,THU,SAT *)",
		"0 2 * * MON#1":                 "cron(0 2 ? * MON#1 *)",
		"*/15 8-18 1,15 jan-jun/2 *":    "cron(*/15 8-18 1,15 JAN-JUN/2 ? *)",
		"0 2 1 * ?":                     "cron(0 2 1 * ? *)",
		"cron(0 2 * * *)":               "cron(0 2 * * ? *)",
		"cron(0 2 ? * 2 *)":             "cron(0 2 ? * 2 *)", // Monday, as AWS counts
		"cron(0 2 ? * MON-FRI *)":       "cron(0 2 ? * MON-FRI *)",
		"0 2 ? * 2#1 2026-2030":         "cron(0 2 ? * 2#1 2026-2030)",
		"cron(0 2 L * ? *)":             "cron(0 2 L * ? *)",
		"cron(0 2 15W * ? *)":           "cron(0 2 15W * ? *)",
		"cron(0 2 ? * 6L *)":            "cron(0 2 ? * 6L *)",
		"rate(1 day)":                   "rate(1 day)",
		"rate(1 days)":                  "rate(1 day)",
		"rate(6 hour)":                  "rate(6 hours)",
		"at(2026-01-27T06:00:00)":       "at(2026-01-27T06:00:00)",
		"cron(5/10 0-6/2 * FEB,3 ? *)":  "cron(5/10 0-6/2 * FEB,3 ? *)",
		"cron(0 2 ? * SUN,TUE 1970/4)":  "cron(0 2 ? * SUN,TUE 1970/4)",
		"cron(59 23 31 12 ? 2199)":      "cron(59 23 31 12 ? 2199)",
		"0 0 LW * *":                    "cron(0 0 LW * ? *)",
		"0 0 * * sat":                   "cron(0 0 ? * SAT *)",
		"0 0 ? * sat":                   "cron(0 0 ? * SAT *)",
		"cron(0 2 ? * TUE-THU *)":       "cron(0 2 ? * TUE-THU *)",
		"0 2 * * 0,3,6":                 "cron(0 2 ? * SUN,WED,SAT *)",
		"cron(0 0/6 1-7,15-21/2 * ? *)": "cron(0 0/6 1-7,15-21/2 * ? *)",
	} {
		var got program.Schedule
		if err := got.UnmarshalText([]byte(given)); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", given, got, err, want)
		}
		var again program.Schedule
		if err := again.UnmarshalText([]byte(got)); err != nil || again != got {
			t.Errorf("%q, read again, is %q, %v", got, again, err)
		}
	}
}

func TestSchedule_Refused(t *testing.T) {
	t.Parallel()
	for given, words := range map[string]string{
		"":                        "0 fields",
		"daily":                   "1 fields",
		"@daily":                  "1 fields",
		"60 2 * * *":              `"60" is no minute`,
		"0 24 * * *":              `"24" is no hour`,
		"0 2 0 * *":               `"0" is no day of the month`,
		"0 2 * 13 *":              `"13" is no month`,
		"0 2 * * 8":               `"8" is no day of the week`,
		"0 2 1 * 1":               "takes one",
		"0 2 * * * *":             "one of the days",
		"cron(0 2 ? * ? *)":       "one of the days",
		"0 0 2 * * ?":             "no year", // with seconds
		"cron(0 2 ? * FRI-MON *)": "goes backwards",
		"cron(0 2 * * ? 1969)":    `"1969" is no year`,
		"0 5-2 * * *":             "goes backwards",
		"*/0 2 * * *":             `"*/0" is no minute`,
		"1,,2 2 * * *":            `"" is no minute`,
		"+1 2 * * *":              `"+1" is no minute`,
		"rate(0 days)":            "no rate",
		"rate(1 week)":            "no rate",
		"rate(1day)":              "no rate",
		"at(2026-02-30T06:00:00)": "no time",
		"at(2026-01-27)":          "no time",
		"every(1 day)":            `kind "every"`,
		"cron(0 2 * * ? *":        "is no minute",
	} {
		var got program.Schedule
		err := got.UnmarshalText([]byte(given))
		if ceap.ErrorCode(err) != ceap.CodeInvalid || !strings.Contains(err.Error(), words) || got != "" {
			t.Errorf("%q: %q, %v; want %q", given, got, err, words)
		}
	}
}

// What is accepted has the form of AWS, and reads as itself again.
func TestSchedule_Form(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^(cron\([^ ()]+( [^ ()]+){5}\)|rate\([1-9]\d* (minute|hour|day)s?\)|at\([-0-9T:]+\))$`)
	field := rapid.SampledFrom([]string{"*", "?", "0", "1", "5", "7", "31", "MON", "JAN", "1-5", "*/2", "1,3", "L", "MON#1", "6L", "2026"})
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(field, 4, 7).Draw(t, "fields"), " ")
		var read, again program.Schedule
		if read.UnmarshalText([]byte(text)) != nil {
			return
		}
		accepted++
		if !form.MatchString(string(read)) {
			t.Fatalf("%q is %q", text, read)
		}
		if err := again.UnmarshalText([]byte(read)); err != nil || again != read {
			t.Fatalf("%q is %q, and that is %q: %v", text, read, again, err)
		}
	})
	t.Logf("%d accepted", accepted)
}

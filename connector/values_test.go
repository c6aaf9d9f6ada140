package connector_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

func TestMapper_Map_numbers(t *testing.T) {
	t.Parallel()
	good := map[ceap.Value]ceap.Value{
		ceap.String("29.99"):                ceap.Float(29.99),
		ceap.String(" 29.90\t"):             ceap.Float(29.9),
		ceap.Decimal("29.90"):               ceap.Float(29.9),
		ceap.String("0029.90"):              ceap.Float(29.9),
		ceap.String("-7"):                   ceap.Int(-7),
		ceap.String("+7"):                   ceap.Int(7),
		ceap.String("-0.00"):                ceap.Int(0),
		ceap.String(".5"):                   ceap.Float(0.5),
		ceap.String("5."):                   ceap.Int(5),
		ceap.String("1.0E10"):               ceap.Int(10000000000),
		ceap.String("1.5e-3"):               ceap.Float(0.0015),
		ceap.String("9007199254740993"):     ceap.Int(9007199254740993),
		ceap.String("12345678901234567.89"): ceap.Decimal("12345678901234567.89"),
		ceap.String("0.0000001"):            ceap.Float(1e-7),
		ceap.Float(1.25):                    ceap.Float(1.25),
		ceap.Int(3):                         ceap.Int(3),
		ceap.Null():                         ceap.Null(),
	}
	for in, want := range good {
		t.Run(fmt.Sprintf("%s %s", in.Kind(), in), func(t *testing.T) {
			t.Parallel()
			c, err := mapOne(t, "order_value", in, request())
			if err != nil || c.OrderValue != want {
				t.Errorf("got %s %v and %v, want %s %v", c.OrderValue.Kind(), c.OrderValue, err, want.Kind(), want)
			}
		})
	}
	bad := []ceap.Value{
		ceap.String("12,50"), ceap.String("1,000.00"), ceap.String("NaN"), ceap.String("Infinity"), ceap.String("-inf"), ceap.String("0x1F"), ceap.String("1_000"),
		ceap.String("$5"), ceap.String("1e999"), ceap.String("1.2.3"), ceap.String("--1"), ceap.String("+-1"), ceap.String("."), ceap.String("-"), ceap.String("e5"),
		ceap.String("1e"), ceap.String("1e1.5"), ceap.String("1 000"), ceap.String("١"), ceap.String(""), ceap.String("  "),
		ceap.Bool(true), ceap.Time(day(1)),
	}
	for _, in := range bad {
		t.Run(fmt.Sprintf("refuses %s %q", in.Kind(), in), func(t *testing.T) {
			t.Parallel()
			_, err := mapOne(t, "order_value", in, request())
			if invalid := asInvalid(t, err); invalid.Code != ceap.ReasonBadValue || invalid.Field != "orderValue" || invalid.Value != in.String() {
				t.Errorf("got %+v", invalid)
			}
		})
	}
}

func TestMapper_Map_booleans(t *testing.T) {
	t.Parallel()
	yes := []ceap.Value{ceap.Bool(true), ceap.Int(1), ceap.Decimal("1.0"), ceap.String("true"), ceap.String("TRUE"), ceap.String("tRuE"), ceap.String("t"), ceap.String("T"), ceap.String("yes"), ceap.String("Yes"), ceap.String("1"), ceap.String(" true\n")}
	no := []ceap.Value{ceap.Null(), ceap.Bool(false), ceap.Int(0), ceap.String("false"), ceap.String("False"), ceap.String("F"), ceap.String("NO"), ceap.String("0")}
	bad := []ceap.Value{ceap.Int(2), ceap.Float(0.5), ceap.String(""), ceap.String("y"), ceap.String("n"), ceap.String("on"), ceap.String("1.0"), ceap.String("true!"), ceap.Time(day(1))}
	check := func(v ceap.Value, want bool) {
		t.Run(fmt.Sprintf("%s %q", v.Kind(), v), func(t *testing.T) {
			t.Parallel()
			c, err := mapOne(t, "email_eligible", v, request())
			if diff := cmp.Diff([]ceap.ChannelFlag{{Channel: "email", Eligible: want}}, c.Channels); err != nil || diff != "" {
				t.Errorf("got %v %s", err, diff)
			}
			c, err = mapOne(t, "media_eligible", v, request())
			if media := ceap.Bool(want); err != nil || c.MediaEligible != media && !v.IsNull() || v.IsNull() && !c.MediaEligible.IsNull() {
				t.Errorf("got %v and mediaEligible %v", err, c.MediaEligible)
			}
		})
	}
	for _, v := range yes {
		check(v, true)
	}
	for _, v := range no {
		check(v, false)
	}
	for _, v := range bad {
		t.Run(fmt.Sprintf("refuses %s %q", v.Kind(), v), func(t *testing.T) {
			t.Parallel()
			for column, field := range map[string]string{"email_eligible": "emailEligible", "media_eligible": "mediaEligible"} {
				_, err := mapOne(t, column, v, request())
				if invalid := asInvalid(t, err); invalid.Code != ceap.ReasonBadValue || invalid.Field != field {
					t.Errorf("got %+v", invalid)
				}
			}
		})
	}
}

func TestMapper_Map_dates(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatalf("loading a time zone: %v", err)
	}
	noon := time.Date(2026, 1, 26, 12, 34, 56, 0, time.UTC)
	good := map[string]struct {
		v      ceap.Value
		utc    time.Time
		berlin time.Time
	}{
		"date only":              {ceap.String("2026-01-26"), day(26), day(26).Add(-time.Hour)},
		"the guide's":            {ceap.String("2026-01-27T00:00:00Z"), day(27), day(27)},
		"without offset":         {ceap.String("2026-01-26T12:34:56"), noon, noon.Add(-time.Hour)},
		"to the minute":          {ceap.String("2026-01-26T12:34"), noon.Add(-56 * time.Second), noon.Add(-56*time.Second - time.Hour)},
		"offset":                 {ceap.String("2026-01-26T12:34:56+01:00"), noon.Add(-time.Hour), noon.Add(-time.Hour)},
		"offset without colon":   {ceap.String("2026-01-26T12:34:56-0530"), noon.Add(330 * time.Minute), noon.Add(330 * time.Minute)},
		"offset of hours":        {ceap.String("2026-01-26 12:34:56+00"), noon, noon},
		"warehouse":              {ceap.String("2026-01-26 12:34:56.000"), noon, noon.Add(-time.Hour)},
		"warehouse with UTC":     {ceap.String("2026-01-26 12:34:56.000 UTC"), noon, noon},
		"blank and Z":            {ceap.String("2026-01-26 12:34:56 Z"), noon, noon},
		"cut to microseconds":    {ceap.String("2026-01-26T12:34:56.123456999Z"), noon.Add(123456 * time.Microsecond), noon.Add(123456 * time.Microsecond)},
		"blanks around":          {ceap.String(" 2026-01-26\r\n"), day(26), day(26).Add(-time.Hour)},
		"epoch milliseconds":     {ceap.Int(noon.UnixMilli()), noon, noon},
		"the same in text":       {ceap.String(fmt.Sprint(noon.UnixMilli())), noon, noon},
		"timestamp":              {ceap.Time(noon), noon, noon},
		"local timestamp":        {ceap.Local(noon), noon, noon.Add(-time.Hour)},
		"civil date":             {ceap.CivilDate(ceap.DateOf(noon)), day(26), day(26).Add(-time.Hour)},
		"hour that a zone skips": {ceap.String("2025-03-30T02:30:00"), time.Date(2025, 3, 30, 2, 30, 0, 0, time.UTC), time.Date(2025, 3, 30, 1, 30, 0, 0, time.UTC)},
		"leap day":               {ceap.String("2024-02-29T23:59:59Z"), time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC)},
	}
	inBerlin := request()
	inBerlin.Zone = berlin
	for name, test := range good {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for req, want := range map[*connector.Request]time.Time{new(request()): test.utc, &inBerlin: test.berlin} {
				c, err := mapOne(t, "delivery_date", test.v, *req)
				if err != nil || !c.DeliveryDate.Equal(want) || c.DeliveryDate.Location() != time.UTC {
					t.Errorf("in %v: got %v and %v, want %v", req.Zone, c.DeliveryDate, err, want)
				}
			}
		})
	}
	for _, text := range []string{
		"", "20260126", "26.01.2026", "01/26/2026", "2026-1-26", "2026-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "2026-01-26T", "2026-01-26T12", "2026-01-26T1:00",
		"2026-01-26T24:00:00", "2026-01-26T12:60", "2026-01-26T12:00:60", "2026-01-26T12:00:00.", "2026-01-26T12:00:00,5", "2026-01-26T12:00:00+1", "2026-01-26T12:00:00+24:00",
		"2026-01-26T12:00:00+01:60", "2026-01-26Z", "2026-01-26 UTC", "2026-01-26T12:00:00 Europe/Berlin", "2026-01-26T12:00:00 +01:00", "2026-01-26t12:00:00z", "2026-W05-1",
		"1769430896", "01769430896000", "-1769430896000", "176943089600000", "tomorrow", "2026-01-26\x00", "２０２６-01-26",
	} {
		t.Run(fmt.Sprintf("refuses %q", text), func(t *testing.T) {
			t.Parallel()
			_, err := mapOne(t, "delivery_date", ceap.String(text), request())
			if invalid := asInvalid(t, err); invalid.Code != ceap.ReasonBadValue || invalid.Field != "deliveryDate" {
				t.Errorf("got %+v", invalid)
			}
		})
	}
	for _, v := range []ceap.Value{ceap.Bool(true), ceap.Int(20260126), ceap.Int(1769430896), ceap.Float(1769430896000.5)} {
		t.Run(fmt.Sprintf("refuses the %s %v", v.Kind(), v), func(t *testing.T) {
			t.Parallel()
			_, err := mapOne(t, "delivery_date", v, request())
			if invalid := asInvalid(t, err); invalid.Code != ceap.ReasonBadValue {
				t.Errorf("got %+v", invalid)
			}
		})
	}
}

func TestMapper_Map_dateRange(t *testing.T) {
	t.Parallel()
	latest := asOf().Add(7 * 24 * time.Hour)
	narrow := request()
	narrow.Rules.MinDate, narrow.Rules.MaxDate = day(10), day(20)
	tests := map[string]struct {
		v   ceap.Value
		req connector.Request
		ok  bool
	}{
		"the first instant":   {ceap.String("2020-01-01"), request(), true},
		"one before it":       {ceap.String("2019-12-31T23:59:59.999999Z"), request(), false},
		"the last instant":    {ceap.Time(latest), request(), true},
		"one after it":        {ceap.Time(latest.Add(time.Microsecond)), request(), false},
		"epoch in year 1973":  {ceap.Int(100000000000), request(), false},
		"epoch in year 5138":  {ceap.Int(99999999999999), request(), false},
		"settable, first":     {ceap.Time(day(10)), narrow, true},
		"settable, before":    {ceap.Time(day(9)), narrow, false},
		"settable, last":      {ceap.Time(day(20)), narrow, true},
		"settable, after":     {ceap.Time(day(21)), narrow, false},
		"a date of infinity":  {ceap.CivilDate(1<<31 - 1), request(), false},
		"of minus infinity":   {ceap.CivilDate(-1 << 31), request(), false},
		"year 0":              {ceap.String("0000-01-01"), request(), false},
		"year 9999":           {ceap.String("9999-12-31T23:59:59Z"), request(), false},
		"offset moves it in":  {ceap.String("2019-12-31T23:30:00-01:00"), request(), true},
		"offset moves it out": {ceap.String("2020-01-01T00:30:00+01:00"), request(), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMapper(t, columns(minimal+" delivery_date"), nil, test.req)
			row := minimalRow(test.v)
			row[3] = test.v
			var c ceap.Candidate
			err := m.Map(connector.Record{Row: 1, Values: row}, &c)
			if test.ok {
				if err != nil {
					t.Errorf("Map: %v", err)
				}
				return
			}
			invalid := asInvalid(t, err)
			if invalid.Code != ceap.ReasonDateOutOfRange || invalid.Field != "eventDate, deliveryDate" || invalid.Value != test.v.String() {
				t.Errorf("got %+v", invalid)
			}
		})
	}
	_, err := mapOne(t, "delivery_date", ceap.String("1999-12-31"), request())
	wantText(t, err.Error(), `deliveryDate is "1999-12-31"; dates from 2020-01-01T00:00:00Z to 2026-02-04T06:00:00Z are accepted`)
}

func TestMapper_Map_channels(t *testing.T) {
	t.Parallel()
	email := map[string]bool{"email": true}
	tests := map[string]struct {
		columns  string
		defaults map[string]bool
		values   []ceap.Value
		want     string // + eligible, - not eligible, ! BAD_VALUE
	}{
		"NULL is not eligible":                   {"email_eligible", email, []ceap.Value{ceap.Null()}, "-email"},
		"no column, no default":                  {"", nil, nil, ""},
		"no column, a default":                   {"sms_eligible", email, []ceap.Value{ceap.Bool(true)}, "+email +sms"},
		"a default of false":                     {"", map[string]bool{"sms": false}, nil, "-sms"},
		"sorted, other channels":                 {"sms_eligible in_app_eligible fax_eligible", nil, []ceap.Value{ceap.Bool(true), ceap.Bool(true), ceap.Bool(false)}, "-fax +in-app +sms"},
		"object":                                 {"channel_eligibility", nil, []ceap.Value{ceap.String(`{"sms": 1, "inApp": "yes", "email": true, "push": null}`)}, "+email +in-app -push +sms"},
		"object of nothing":                      {"channel_eligibility", nil, []ceap.Value{ceap.String(`{}`)}, ""},
		"object NULL":                            {"channel_eligibility", nil, []ceap.Value{ceap.Null()}, ""},
		"object and flag, both must say yes":     {"email_eligible channel_eligibility", nil, []ceap.Value{ceap.Bool(true), ceap.String(`{"email": false}`)}, "-email"},
		"object and flag, the flag says no":      {"email_eligible channel_eligibility", nil, []ceap.Value{ceap.Bool(false), ceap.String(`{"email": true}`)}, "-email"},
		"object says one thing twice":            {"channel_eligibility", nil, []ceap.Value{ceap.String(`{"email": false, "email": true}`)}, "-email"},
		"object silent, the default speaks":      {"channel_eligibility", email, []ceap.Value{ceap.String(`{"sms": true}`)}, "+email +sms"},
		"object NULL, the default does not":      {"channel_eligibility", email, []ceap.Value{ceap.Null()}, "-email"},
		"object beats the default":               {"channel_eligibility", email, []ceap.Value{ceap.String(`{"email": false}`)}, "-email"},
		"object is a list":                       {"channel_eligibility", nil, []ceap.Value{ceap.String(`["email"]`)}, "!"},
		"object is not JSON":                     {"channel_eligibility", nil, []ceap.Value{ceap.String(`{email=true}`)}, "!"},
		"object is cut off":                      {"channel_eligibility", nil, []ceap.Value{ceap.String(`{"email": true`)}, "!"},
		"object and more":                        {"channel_eligibility", nil, []ceap.Value{ceap.String(`{"email": true} x`)}, "!"},
		"object of objects":                      {"channel_eligibility", nil, []ceap.Value{ceap.String(`{"email": {}}`)}, "!"},
		"object without booleans":                {"channel_eligibility", nil, []ceap.Value{ceap.String(`{"email": "perhaps"}`)}, "!"},
		"object with media, which is no channel": {"channel_eligibility", nil, []ceap.Value{ceap.String(`{"media": true}`)}, "!"},
		"object with a nameless channel":         {"channel_eligibility", nil, []ceap.Value{ceap.String(`{"": true}`)}, "!"},
		"object is empty text":                   {"channel_eligibility", nil, []ceap.Value{ceap.String("")}, "!"},
		"object is a boolean":                    {"channel_eligibility", nil, []ceap.Value{ceap.Bool(true)}, "!"},
		"object is too long":                     {"channel_eligibility", nil, []ceap.Value{ceap.String(`{"email": true` + strings.Repeat(" ", 65536) + `}`)}, "!"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := request()
			req.Rules.DefaultEligibility = test.defaults
			var c ceap.Candidate
			err := newMapper(t, columns(minimal+" "+test.columns), nil, req).Map(connector.Record{Row: 1, Values: minimalRow(test.values...)}, &c)
			if test.want == "!" {
				if invalid := asInvalid(t, err); invalid.Field != "channelEligibility" {
					t.Errorf("got %+v", invalid)
				}
				return
			}
			if err != nil {
				t.Fatalf("Map: %v", err)
			}
			var got []string
			for _, f := range c.Channels {
				got = append(got, map[bool]string{true: "+", false: "-"}[f.Eligible]+f.Channel)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

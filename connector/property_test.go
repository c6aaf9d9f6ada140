package connector_test

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// anyID draws ids of any characters that are not white space only.
func anyID() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.OneOf(rapid.StringN(1, 40, 100), rapid.SampledFrom([]string{"#", "%", "%23", "a#b", "a%25b", "#SUBJ#", " x", "x\n", "\x00"})).Draw(t, "id")
		if strings.TrimSpace(s) == "" {
			return "x" + s
		}
		return s
	})
}

// anyInstant draws instants within the default range, to the microsecond.
func anyInstant() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.Int64Range(day(1).AddDate(-6, 0, 0).UnixMicro(), asOf().UnixMicro()),
		func(us int64) time.Time { return time.UnixMicro(us).UTC() })
}

// anyExtra draws values that an attribute holds as they are.
func anyExtra() *rapid.Generator[ceap.Value] {
	return rapid.OneOf(
		rapid.Just(ceap.Null()), rapid.Map(rapid.Bool(), ceap.Bool), rapid.Map(rapid.Int64(), ceap.Int),
		rapid.Map(rapid.Float64Range(-1e18, 1e18), ceap.Float), rapid.Map(rapid.String(), ceap.String),
		rapid.Just(ceap.Decimal("12345678901234567890.10")),
	)
}

// TestI10_rowToCandidateAndBack turns rows into candidates and reads every value
// back from where it must be, whatever the order and spelling of the columns.
func TestI10_rowToCandidateAndBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type field struct {
			columns []string // spellings
			value   ceap.Value
			back    func(*ceap.Candidate) ceap.Value
		}
		text := func(s string) ceap.Value { return ceap.String(s) }
		extra := func(name string) func(*ceap.Candidate) ceap.Value {
			return func(c *ceap.Candidate) ceap.Value {
				v, ok := c.Attribute(name)
				if !ok {
					t.Fatalf("no attribute %s", name)
				}
				return v
			}
		}
		flag := func(channel string) func(*ceap.Candidate) ceap.Value {
			return func(c *ceap.Candidate) ceap.Value {
				eligible, known := c.Eligible(channel)
				if !known {
					t.Fatalf("no channel %s", channel)
				}
				return ceap.Bool(eligible)
			}
		}
		fields := []field{
			{[]string{"customer_id", "customerId", "CUSTOMERID"}, text(anyID().Draw(t, "customer")), func(c *ceap.Candidate) ceap.Value { return text(c.CustomerID) }},
			{[]string{"subject_type", "subjectType"}, text(anyID().Draw(t, "type")), func(c *ceap.Candidate) ceap.Value { return text(c.SubjectType) }},
			{[]string{"subject_id", "subjectId"}, text(anyID().Draw(t, "subject")), func(c *ceap.Candidate) ceap.Value { return text(c.SubjectID) }},
			{[]string{"event_date", "eventDate"}, ceap.Time(anyInstant().Draw(t, "event")), func(c *ceap.Candidate) ceap.Value { return ceap.Time(c.EventDate) }},
			{[]string{"delivery_date", "deliverydate"}, ceap.Time(anyInstant().Draw(t, "delivery")), func(c *ceap.Candidate) ceap.Value { return ceap.Time(c.DeliveryDate) }},
			{[]string{"order_value", "ORDER_VALUE"}, ceap.Float(rapid.Float64Range(-1e15, 1e15).Draw(t, "value")), func(c *ceap.Candidate) ceap.Value { return c.OrderValue }},
			{[]string{"timing_window"}, text(rapid.SampledFrom(append(ceap.TimingWindows(), "")).Draw(t, "window")), func(c *ceap.Candidate) ceap.Value { return text(c.TimingWindow) }},
			{[]string{"currency"}, text(rapid.StringMatching("[A-Z]{3}").Draw(t, "currency")), func(c *ceap.Candidate) ceap.Value { return text(c.Currency) }},
			{[]string{"email_eligible", "emailEligible"}, ceap.Bool(rapid.Bool().Draw(t, "email")), flag("email")},
			{[]string{"in_app_eligible", "inAppEligible", "INAPPELIGIBLE"}, ceap.Bool(rapid.Bool().Draw(t, "in-app")), flag("in-app")},
			{[]string{"media_eligible"}, ceap.Bool(rapid.Bool().Draw(t, "media")), func(c *ceap.Candidate) ceap.Value { return c.MediaEligible }},
			{[]string{"order_id"}, anyExtra().Draw(t, "extra"), extra("order_id")},
			{[]string{"Order_Id"}, anyExtra().Draw(t, "extra of another case"), extra("Order_Id")},
		}
		fields = rapid.Permutation(fields).Draw(t, "order")
		cs, row := make([]connector.Column, len(fields)), make([]ceap.Value, len(fields))
		for i, f := range fields {
			cs[i], row[i] = connector.Column{Name: rapid.SampledFrom(f.columns).Draw(t, "spelling")}, f.value
		}
		m, err := connector.NewMapper(cs, nil, request())
		if err != nil {
			t.Fatalf("NewMapper: %v", err)
		}
		var c ceap.Candidate
		if err := m.Map(connector.Record{Row: 1, Values: row}, &c); err != nil {
			t.Fatalf("Map: %v", err)
		}
		for i, f := range fields {
			if got := f.back(&c); got != f.value {
				t.Errorf("%s: got %s %v, want %s %v", cs[i].Name, got.Kind(), got, f.value.Kind(), f.value)
			}
		}
	})
}

// TestI9_textIsTheSameAsTypedValues maps a row once as typed values and once as
// the text that an engine without types gives. Such an engine writes a large
// float64 with an exponent, since plain digits are a whole number, exactly.
func TestI9_textIsTheSameAsTypedValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		row := minimalRow(
			ceap.Float(rapid.Float64().Draw(t, "value")), ceap.Time(anyInstant().Draw(t, "delivery")), ceap.Bool(rapid.Bool().Draw(t, "email")),
		)
		row[0] = ceap.Int(rapid.Int64().Draw(t, "customer"))
		asText := make([]ceap.Value, len(row))
		for i, v := range row {
			asText[i] = ceap.String(v.String())
			if f, _ := v.Number(); v.Kind() == ceap.KindFloat && math.Abs(f) >= 1e7 {
				asText[i] = ceap.String(strconv.FormatFloat(f, 'E', -1, 64))
			}
		}
		m, err := connector.NewMapper(columns(minimal+" order_value delivery_date email_eligible"), nil, request())
		if err != nil {
			t.Fatalf("NewMapper: %v", err)
		}
		var a, b ceap.Candidate
		errA, errB := m.Map(connector.Record{Row: 1, Values: row}, &a), m.Map(connector.Record{Row: 1, Values: asText}, &b)
		if errA != nil || errB != nil {
			t.Fatalf("Map: %v and %v", errA, errB)
		}
		if a.Key != b.Key || a.OrderValue != b.OrderValue || !a.DeliveryDate.Equal(b.DeliveryDate) || a.Channels[0] != b.Channels[0] {
			t.Errorf("%v %v %v %v\nbut from text\n%v %v %v %v", a.Key, a.OrderValue, a.DeliveryDate, a.Channels, b.Key, b.OrderValue, b.DeliveryDate, b.Channels)
		}
	})
}

func TestI12_anyIDsStayUnchangedAndKeysDiffer(t *testing.T) {
	t.Parallel()
	m := newMapper(t, columns(minimal), nil, request())
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) ceap.Key {
			row := minimalRow()
			ids := rapid.SliceOfN(anyID(), 3, 3).Draw(t, name)
			for i, id := range ids {
				row[i] = ceap.String(id)
			}
			var c ceap.Candidate
			if err := m.Map(connector.Record{Row: 1, Values: row}, &c); err != nil {
				t.Fatalf("Map: %v", err)
			}
			if c.CustomerID != ids[0] || c.SubjectType != ids[1] || c.SubjectID != ids[2] {
				t.Fatalf("got %+v for %q", c.Key, ids)
			}
			back, err := ceap.ParseKey(c.PK(), c.SK())
			if err != nil || back != c.Key {
				t.Fatalf("the key %v comes back as %v, %v", c.Key, back, err)
			}
			return c.Key
		}
		a, b := draw("one"), draw("other")
		if (a == b) != (a.PK() == b.PK() && a.SK() == b.SK()) {
			t.Errorf("%v and %v share a key", a, b)
		}
	})
}

func TestI13_missingRequiredValuesStopTheRow(t *testing.T) {
	t.Parallel()
	m := newMapper(t, columns(minimal), nil, request())
	names := []string{"customerId", "subjectType", "subjectId", "eventDate"}
	rapid.Check(t, func(t *rapid.T) {
		row := minimalRow()
		var missing []string
		for i, name := range names {
			if rapid.Bool().Draw(t, "drop "+name) {
				row[i] = rapid.SampledFrom([]ceap.Value{ceap.Null(), ceap.String(""), ceap.String("  "), ceap.String("\u2003\n")}).Draw(t, name)
				missing = append(missing, name)
			}
		}
		var c ceap.Candidate
		err := m.Map(connector.Record{Row: 1, Values: row}, &c)
		if len(missing) == 0 {
			if err != nil {
				t.Fatalf("Map: %v", err)
			}
			return
		}
		if want := "Missing required fields: " + strings.Join(missing, ", "); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

// dateOracle says what a date in text means, by way of package time.
func dateOracle(text string) (time.Time, bool) {
	text = strings.Trim(text, " \t\n\v\f\r")
	if regexp.MustCompile(`^[1-9][0-9]{11,13}$`).MatchString(text) {
		ms, err := strconv.ParseInt(text, 10, 64)
		return time.UnixMilli(ms).UTC(), err == nil
	}
	form := regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]+)?( ?Z| UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?)?$`).FindStringSubmatch(text)
	if form == nil || form[3] == "" && form[4] != "" {
		return time.Time{}, false
	}
	clock, seconds, fraction, offset := form[2], form[3], form[4], strings.TrimSpace(form[5])
	if clock == "" {
		clock = "00:00"
	}
	if seconds == "" {
		seconds = ":00"
	}
	switch {
	case offset == "" || offset == "UTC" || offset == "Z":
		offset = "+00:00"
	case len(offset) == 3:
		offset += ":00"
	case len(offset) == 5:
		offset = offset[:3] + ":" + offset[3:]
	}
	if hours, err := strconv.Atoi(offset[1:3]); err != nil || hours > 23 {
		return time.Time{}, false // package time takes 24
	}
	if minutes, err := strconv.Atoi(offset[4:]); err != nil || minutes > 59 {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, form[1]+"T"+clock+seconds+offset)
	if err != nil {
		return time.Time{}, false
	}
	micros := (fraction + "0000000")[min(1, len(fraction)):][:6]
	n, err := strconv.Atoi(micros)
	return at.Add(time.Duration(n) * time.Microsecond).UTC(), err == nil
}

// checkDate holds the mapper against the oracle and the range (I14).
func checkDate(t interface {
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}, m *connector.Mapper, text string,
) {
	var c ceap.Candidate
	row := minimalRow(ceap.String(text))
	err := m.Map(connector.Record{Row: 1, Values: row}, &c)
	want, known := dateOracle(text)
	inRange := !want.Before(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) && !want.After(asOf().Add(7*24*time.Hour))
	switch invalid, _ := err.(*connector.Invalid); { //nolint:errorlint // Map returns it unwrapped
	case known && inRange:
		if err != nil || !c.DeliveryDate.Equal(want) {
			t.Errorf("%q: got %v and %v, want %v", text, c.DeliveryDate, err, want)
		}
	case invalid == nil:
		t.Errorf("%q: got %v and %v, want an *Invalid", text, c.DeliveryDate, err)
	case known && invalid.Code != ceap.ReasonDateOutOfRange || !known && invalid.Code != ceap.ReasonBadValue:
		t.Errorf("%q: got %+v", text, invalid)
	}
}

func TestI14_datesAreAcceptedExactlyWhenKnownAndInRange(t *testing.T) {
	t.Parallel()
	m := newMapper(t, columns(minimal+" delivery_date"), nil, request())
	parts := func(values ...string) *rapid.Generator[string] { return rapid.SampledFrom(values) }
	rapid.Check(t, func(t *rapid.T) {
		text := parts("", "", "", " ", "x").Draw(t, "before") +
			fmt.Sprintf("%04d-%02d-%02d", rapid.IntRange(2018, 2028).Draw(t, "year"), rapid.IntRange(0, 13).Draw(t, "month"), rapid.IntRange(0, 32).Draw(t, "day")) +
			parts("", "T", " ", "t").Draw(t, "T") +
			parts("", "00:00", "12:34", "23:59", "24:00", "12:60", "1:00").Draw(t, "time") +
			parts("", ":56", ":59", ":60", ":5").Draw(t, "seconds") +
			parts("", ".", ".5", ".123456789", ",5").Draw(t, "fraction") +
			parts("", "Z", " Z", " UTC", "UTC", "+01:00", "-0530", "+14", "+24:00", "+01:60", " +01:00").Draw(t, "offset")
		checkDate(t, m, text)
		checkDate(t, m, rapid.StringMatching(`[0-9]{10,16}`).Draw(t, "epoch"))
		checkDate(t, m, rapid.String().Draw(t, "anything"))
	})
}

// numberOracle says which exact number a text is.
func numberOracle(text string) (*big.Rat, bool) {
	text = strings.Trim(text, " \t\n\v\f\r")
	if !regexp.MustCompile(`^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$`).MatchString(text) {
		return nil, false
	}
	if f, err := strconv.ParseFloat(text, 64); err != nil || math.IsInf(f, 0) {
		return nil, false
	} else if strings.ContainsAny(text, "eE") {
		return new(big.Rat).SetFloat64(f), true // such text comes from a float64
	}
	return new(big.Rat).SetString(text)
}

func checkNumber(t interface {
	Errorf(format string, args ...any)
}, m *connector.Mapper, text string,
) {
	var c ceap.Candidate
	err := m.Map(connector.Record{Row: 1, Values: minimalRow(ceap.String(text))}, &c)
	want, ok := numberOracle(text)
	if len(text) > 65536 {
		ok = false
	}
	if !ok {
		if invalid, _ := err.(*connector.Invalid); invalid == nil || invalid.Field != "orderValue" { //nolint:errorlint // Map returns it unwrapped
			t.Errorf("%q: got %v and %v, want an *Invalid", text, c.OrderValue, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%q: %v", text, err)
		return
	}
	if c.OrderValue.Kind() == ceap.KindFloat {
		got, _ := c.OrderValue.Number()
		if f, _ := want.Float64(); f != got || c.OrderValue != ceap.Float(got) {
			t.Errorf("%q: got %v, want %v", text, got, f)
		}
		return
	}
	if got, ok := new(big.Rat).SetString(c.OrderValue.String()); !ok || got.Cmp(want) != 0 {
		t.Errorf("%q: got %s %v", text, c.OrderValue.Kind(), c.OrderValue)
	}
}

func TestI10_numbersInTextKeepTheirValue(t *testing.T) {
	t.Parallel()
	m := newMapper(t, columns(minimal+" order_value"), nil, request())
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[-+]?[0-9]{0,20}\.?[0-9]{0,20}([eE][-+]?[0-9]{1,3})?`).Draw(t, "number")
		checkNumber(t, m, text)
		checkNumber(t, m, rapid.String().Draw(t, "anything"))
	})
}

func FuzzDate(f *testing.F) {
	for _, text := range []string{"2026-01-26", "2026-01-26T12:34:56.789+01:00", "2026-01-26 12:34:56.000 UTC", "1769430896000", "2024-02-29T23:59Z", "2026-01-26T12:34:56+0130"} {
		f.Add(text)
	}
	m, err := connector.NewMapper(columns(minimal+" delivery_date"), nil, request())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) { checkDate(t, m, text) })
}

func FuzzNumber(f *testing.F) {
	for _, text := range []string{"29.99", "-0.0", "1.0E10", "12,50", "NaN", "0x1p3", "12345678901234567890.1", ".5", "5.", "1e309"} {
		f.Add(text)
	}
	m, err := connector.NewMapper(columns(minimal+" order_value"), nil, request())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) { checkNumber(t, m, text) })
}

// FuzzMap maps rows of any text, and holds what is accepted against the rules.
func FuzzMap(f *testing.F) {
	f.Add("CUST-1", "PROD-1", "2026-01-26", "29.99", "true", `{"email":true}`, "morning", "USD")
	f.Add("#%", "\xff", "x", "1,5", "maybe", `{`, "noon", "Euro")
	m, err := connector.NewMapper(columns("customer_id subject_id event_date order_value sms_eligible channel_eligibility timing_window currency"),
		texts("subjectType=product extra.id=customer_id"), request())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, customer, subject, date, value, flag, channels, window, currency string) {
		var row []ceap.Value
		for _, text := range []string{customer, subject, date, value, flag, channels, window, currency} {
			row = append(row, ceap.String(text))
		}
		var c ceap.Candidate
		err := m.Map(connector.Record{Row: 1, Values: row}, &c)
		if err != nil {
			if invalid := asInvalid(t, err); invalid.Field == "" || invalid.Reason == "" || utf8.RuneCountInString(invalid.Value) > 200 {
				t.Errorf("got %+v", invalid)
			}
			return
		}
		if c.CustomerID != customer || c.SubjectID != subject || !utf8.ValidString(customer+subject) || strings.TrimSpace(customer) == "" {
			t.Errorf("ids %q and %q became %v", customer, subject, c.Key)
		}
		if _, ok := dateOracle(date); !ok {
			t.Errorf("accepted the date %q", date)
		}
		if _, ok := numberOracle(value); !ok {
			t.Errorf("accepted the number %q", value)
		}
		if len(c.PK()) > 2048 || len(c.SK()) > 1024 || len(c.Currency) != 3 {
			t.Errorf("got %+v", c)
		}
		for i := 1; i < len(c.Channels); i++ {
			if c.Channels[i-1].Channel >= c.Channels[i].Channel {
				t.Errorf("channels are not sorted: %v", c.Channels)
			}
		}
	})
}

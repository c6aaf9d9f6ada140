package ceap_test

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
)

func TestValue_Text(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 26, 12, 34, 56, 789123456, time.FixedZone("", 3600))
	for _, c := range []struct {
		value      ceap.Value
		kind       ceap.Kind
		text, json string
	}{
		{ceap.Null(), ceap.KindNull, "", "null"},
		{ceap.Bool(true), ceap.KindBool, "true", "true"},
		{ceap.Int(math.MinInt64), ceap.KindInt, "-9223372036854775808", "-9223372036854775808"},
		{ceap.Float(29), ceap.KindInt, "29", "29"},
		{ceap.Float(29.5), ceap.KindFloat, "29.5", "29.5"},
		{ceap.Float(math.Copysign(0, -1)), ceap.KindInt, "0", "0"},
		{ceap.Float(1e300), ceap.KindFloat, "1e+300", "1e+300"},
		{ceap.Float(math.NaN()), ceap.KindString, "NaN", `"NaN"`},
		{ceap.Decimal("49.99"), ceap.KindFloat, "49.99", "49.99"},
		{ceap.Decimal("49.990"), ceap.KindDecimal, "49.990", "49.990"},
		{ceap.Decimal("12345678901234567890"), ceap.KindDecimal, "12345678901234567890", "12345678901234567890"},
		{ceap.Decimal("007"), ceap.KindString, "007", `"007"`},
		{ceap.Decimal("1,5"), ceap.KindString, "1,5", `"1,5"`},
		{ceap.String("a\"\n😀"), ceap.KindString, "a\"\n😀", `"a\"\n😀"`},
		{ceap.Time(at), ceap.KindTime, "2026-01-26T11:34:56.789123Z", `"2026-01-26T11:34:56.789123Z"`},
		{ceap.Local(at), ceap.KindLocal, "2026-01-26T12:34:56.789123", `"2026-01-26T12:34:56.789123"`},
		{ceap.CivilDate(ceap.DateOf(at)), ceap.KindDate, "2026-01-26", `"2026-01-26"`},
	} {
		if c.value.Kind() != c.kind || c.value.String() != c.text || string(c.value.AppendJSON(nil)) != c.json {
			t.Errorf("%v %q %s, want %v %q %s", c.value.Kind(), c.value, c.value.AppendJSON(nil), c.kind, c.text, c.json)
		}
	}
}

// value draws a value of a kind that JSON keeps.
func value(t *rapid.T) ceap.Value {
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return ceap.Null()
	case 1:
		return ceap.Bool(rapid.Bool().Draw(t, "bool"))
	case 2:
		return ceap.Int(rapid.Int64().Draw(t, "int"))
	case 3:
		return ceap.Float(rapid.Float64().Draw(t, "float"))
	case 4:
		return ceap.Decimal(rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?`).Draw(t, "decimal"))
	default:
		return ceap.String(rapid.String().Draw(t, "text"))
	}
}

func TestI10_ValuesSurviveJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := value(t)
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got ceap.Value
		if err := json.Unmarshal(data, &got); err != nil || got != want {
			t.Fatalf("%s became %v %q, was %v %q (%v)", data, got.Kind(), got, want.Kind(), want, err)
		}
	})
}

func TestValue_EqualNumbersAreEqualValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64Range(-1e15, 1e15).Draw(t, "number")
		if text := strconv.FormatFloat(f, 'f', -1, 64); f != 0 && ceap.Decimal(text) != ceap.Float(f) {
			t.Fatalf("%s read as text is not the number", text)
		}
	})
}

func TestDate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := ceap.Date(rapid.Int32Range(-700_000, 2_900_000).Draw(t, "date")) // the years 53 to 9909
		got, err := ceap.ParseDate(d.String())
		if err != nil || got != d || ceap.DateOf(d.In(time.UTC)) != d || d.AddDays(1) != d+1 {
			t.Fatalf("%s became %s, %v", d, got, err)
		}
	})
	for _, text := range []string{"", "2026-02-30", "2026-1-1", "2026-01-01T00:00:00Z", "01/02/2026"} {
		if _, err := ceap.ParseDate(text); ceap.ErrorCode(err) != ceap.CodeInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := (ceap.DateRange{Start: 2, End: 1}).Validate(); ceap.ErrorCode(err) != ceap.CodeInvalid {
		t.Errorf("a range that ends before it starts: %v", err)
	}
}

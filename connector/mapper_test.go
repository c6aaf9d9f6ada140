package connector_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

func day(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }

func valuesEqual() cmp.Option { return cmp.Comparer(func(a, b ceap.Value) bool { return a == b }) }

func TestMapper_Map(t *testing.T) {
	t.Parallel()
	m := newMapper(t, guideColumns(), guideMappings(), request())
	want := ceap.Candidate{
		Key:       ceap.Key{CustomerID: "CUST-001", ProgramID: "product-reviews", Marketplace: "US", SubjectType: "product", SubjectID: "PROD-123"},
		EventDate: day(26), DeliveryDate: day(26),
		OrderValue: ceap.Float(29.99), Currency: "USD",
		Channels: []ceap.ChannelFlag{{Channel: "email", Eligible: true}, {Channel: "sms"}},
		Extra:    []ceap.Attribute{{Name: "order_id", Value: ceap.String("ORD-1")}, {Name: "product_category", Value: ceap.String("books")}},
	}

	t.Run("the guide's row", func(t *testing.T) {
		t.Parallel()
		var got ceap.Candidate
		if err := m.Map(connector.Record{Row: 1, Values: guideRow()}, &got); err != nil {
			t.Fatalf("Map: %v", err)
		}
		if diff := cmp.Diff(want, got, valuesEqual()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a candidate that is used again keeps nothing of the row before", func(t *testing.T) {
		t.Parallel()
		full := newMapper(t, columns(minimal+" deliveryDate timingWindow mediaEligible currency orderValue emailEligible a"), nil, request())
		var got ceap.Candidate
		row := minimalRow(ceap.String("2026-01-27"), ceap.String("night"), ceap.Bool(true), ceap.String("EUR"), ceap.Int(5), ceap.Bool(true), ceap.Int(1))
		if err := full.Map(connector.Record{Row: 1, Values: row}, &got); err != nil {
			t.Fatalf("Map: %v", err)
		}
		empty := minimalRow(ceap.Null(), ceap.Null(), ceap.Null(), ceap.Null(), ceap.Null(), ceap.Null(), ceap.Null())
		if err := full.Map(connector.Record{Row: 2, Values: empty}, &got); err != nil {
			t.Fatalf("Map: %v", err)
		}
		want := ceap.Candidate{
			Key:       ceap.Key{CustomerID: "c1", ProgramID: "product-reviews", Marketplace: "US", SubjectType: "product", SubjectID: "p1"},
			EventDate: day(26), Currency: "USD",
			Channels: []ceap.ChannelFlag{{Channel: "email"}}, Extra: []ceap.Attribute{{Name: "a"}},
		}
		if diff := cmp.Diff(want, got, valuesEqual()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("scores and meta are not its business", func(t *testing.T) {
		t.Parallel()
		got := ceap.Candidate{Scored: true, Score: 0.5, Meta: ceap.Meta{RunID: "r1"}}
		if err := m.Map(connector.Record{Row: 1, Values: guideRow()}, &got); err != nil {
			t.Fatalf("Map: %v", err)
		}
		if !got.Scored || got.Score != 0.5 || got.Meta.RunID != "r1" {
			t.Errorf("Map changed %+v", got)
		}
	})
	t.Run("a row of another width", func(t *testing.T) {
		t.Parallel()
		var got ceap.Candidate
		invalid := asInvalid(t, m.Map(connector.Record{Row: 1, Values: guideRow()[:3]}, &got))
		wantText(t, invalid.Reason, "3 values for 9 columns")
	})
	t.Run("times become text in extras, and NULL, empty text and false differ", func(t *testing.T) {
		t.Parallel()
		m := newMapper(t, columns(minimal+" t l d n e f"), nil, request())
		at := time.Date(2026, 1, 2, 3, 4, 5, 600000000, time.UTC)
		var got ceap.Candidate
		row := minimalRow(ceap.Time(at), ceap.Local(at), ceap.CivilDate(ceap.DateOf(at)), ceap.Null(), ceap.String(""), ceap.Bool(false))
		if err := m.Map(connector.Record{Row: 1, Values: row}, &got); err != nil {
			t.Fatalf("Map: %v", err)
		}
		want := []ceap.Attribute{
			{Name: "d", Value: ceap.String("2026-01-02")},
			{Name: "e", Value: ceap.String("")},
			{Name: "f", Value: ceap.Bool(false)},
			{Name: "l", Value: ceap.String("2026-01-02T03:04:05.6")},
			{Name: "n"},
			{Name: "t", Value: ceap.String("2026-01-02T03:04:05.6Z")},
		}
		if diff := cmp.Diff(want, got.Extra, valuesEqual()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestMapper_Map_missingFields(t *testing.T) {
	t.Parallel()
	m := newMapper(t, columns(minimal), nil, request())
	for name, v := range map[string]ceap.Value{"NULL": ceap.Null(), "empty text": ceap.String(""), "white space": ceap.String(" \t\u00a0")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c ceap.Candidate
			invalid := asInvalid(t, m.Map(connector.Record{Row: 7, Values: []ceap.Value{v, v, v, v}}, &c))
			want := &connector.Invalid{
				Code: ceap.ReasonMissingField, Field: "customerId, subjectType, subjectId, eventDate",
				Reason: "Missing required fields: customerId, subjectType, subjectId, eventDate",
			}
			if diff := cmp.Diff(want, invalid); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMapper_Map_reportsEverythingWrongWithARow(t *testing.T) {
	t.Parallel()
	m := newMapper(t, columns(minimal+" order_value email_eligible timing_window"), nil, request())
	row := minimalRow(ceap.String("12,50"), ceap.String("maybe"), ceap.Int(3))
	row[0] = ceap.Null()
	var c ceap.Candidate
	invalid := asInvalid(t, m.Map(connector.Record{Row: 1, Values: row}, &c))
	want := &connector.Invalid{
		Code: ceap.ReasonMissingField, Field: "customerId, orderValue, timingWindow, emailEligible",
		Reason: "Missing required fields: customerId; " +
			`orderValue is "12,50"; a number has digits and at most one point, no thousands separators; ` +
			"timingWindow is the integer 3; a timing window is one of morning, afternoon, evening, night, business, any; " +
			`emailEligible is "maybe"; a boolean is true or false, t or f, yes or no, 1 or 0`,
	}
	if diff := cmp.Diff(want, invalid); diff != "" {
		t.Error(diff)
	}
	if c.SubjectID != "p1" || !c.EventDate.Equal(day(26)) {
		t.Errorf("the readable fields are not filled: %+v", c)
	}
}

func TestMapper_Map_ids(t *testing.T) {
	t.Parallel()
	good := map[string]struct {
		v    ceap.Value
		want string
	}{
		"blanks around stay":      {ceap.String(" c 1 "), " c 1 "},
		"leading zeros stay":      {ceap.String("00001"), "00001"},
		"key separators":          {ceap.String("a#b%23"), "a#b%23"},
		"control characters":      {ceap.String("a\x00b"), "a\x00b"},
		"not only blanks":         {ceap.String("\u00a0x"), "\u00a0x"},
		"whole number":            {ceap.Int(-42), "-42"},
		"whole number of 20 digs": {ceap.Decimal("12345678901234567890"), "12345678901234567890"},
	}
	for name, test := range good {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := minimalRow()
			row[0] = test.v
			var c ceap.Candidate
			if err := newMapper(t, columns(minimal), nil, request()).Map(connector.Record{Row: 1, Values: row}, &c); err != nil {
				t.Fatalf("Map: %v", err)
			}
			if c.CustomerID != test.want {
				t.Errorf("got %q, want %q", c.CustomerID, test.want)
			}
		})
	}
	bad := map[string]ceap.Value{
		"fraction": ceap.Float(1.5), "huge float": ceap.Float(1e300), "decimal with fraction": ceap.Decimal("1.50"), "boolean": ceap.Bool(true),
		"time": ceap.Time(day(1)), "date": ceap.CivilDate(3), "not UTF-8": ceap.String("a\xff"),
	}
	for name, v := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := minimalRow()
			row[2] = v
			var c ceap.Candidate
			invalid := asInvalid(t, newMapper(t, columns(minimal), nil, request()).Map(connector.Record{Row: 1, Values: row}, &c))
			if invalid.Code != ceap.ReasonBadValue || invalid.Field != "subjectId" {
				t.Errorf("got %+v", invalid)
			}
		})
	}
}

func TestMapper_Map_lengths(t *testing.T) {
	t.Parallel()
	// SK is "PROG#product-reviews#MKT#US#SUBJ#product#" and the id: 41 bytes before it.
	tests := map[string]struct {
		field string
		row   []ceap.Value
		ok    bool
	}{
		"customer fits":                {"", []ceap.Value{ceap.String(strings.Repeat("c", 2043))}, true},
		"customer is a byte too long":  {"customerId", []ceap.Value{ceap.String(strings.Repeat("c", 2044))}, false},
		"escapes count in a customer":  {"customerId", []ceap.Value{ceap.String(strings.Repeat("#", 682))}, false},
		"customer of escapes fits":     {"", []ceap.Value{ceap.String(strings.Repeat("#", 681))}, true},
		"subject fits":                 {"", []ceap.Value{ceap.String("c"), ceap.String("product"), ceap.String(strings.Repeat("s", 1024-41))}, true},
		"subject is a byte too long":   {"subjectId", []ceap.Value{ceap.String("c"), ceap.String("product"), ceap.String(strings.Repeat("s", 1024-40))}, false},
		"escapes count in a subject":   {"subjectId", []ceap.Value{ceap.String("c"), ceap.String("product"), ceap.String(strings.Repeat("%", 328))}, false},
		"the longer one is at fault":   {"subjectType", []ceap.Value{ceap.String("c"), ceap.String(strings.Repeat("t", 1200))}, false},
		"an extra fits":                {"", minimalRow(ceap.String(strings.Repeat("x", 65536))), true},
		"an extra is a byte too long":  {"extra.a", minimalRow(ceap.String(strings.Repeat("x", 65537))), false},
		"extras together are too long": {"extra", minimalRow(ceap.String(strings.Repeat("x", 65536)), ceap.String(strings.Repeat("x", 65536)), ceap.String(strings.Repeat("x", 65536)), ceap.String(strings.Repeat("x", 65536))), false},
	}
	m := newMapper(t, columns(minimal+" a b c d"), nil, request())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := minimalRow(ceap.Null(), ceap.Null(), ceap.Null(), ceap.Null())
			copy(row, test.row)
			var c ceap.Candidate
			err := m.Map(connector.Record{Row: 1, Values: row}, &c)
			if test.ok {
				if err != nil {
					t.Fatalf("Map: %v", err)
				}
				if len(c.PK()) > 2048 || len(c.SK()) > 1024 {
					t.Errorf("keys of %d and %d bytes", len(c.PK()), len(c.SK()))
				}
				return
			}
			if invalid := asInvalid(t, err); invalid.Code != ceap.ReasonTooLong || invalid.Field != test.field || len(invalid.Value) > 200 {
				t.Errorf("got %+v", invalid)
			}
		})
	}
}

func TestMapper_Map_mismatch(t *testing.T) {
	t.Parallel()
	m := newMapper(t, columns(minimal+" program_id marketplace"), nil, request())
	tests := map[string]struct {
		program, marketplace ceap.Value
		code                 string
		reason               string
	}{
		"the run's own":           {ceap.String("product-reviews"), ceap.String("US"), "", ""},
		"blanks do not matter":    {ceap.String(" product-reviews"), ceap.String("US "), "", ""},
		"NULL means the run's":    {ceap.Null(), ceap.Null(), "", ""},
		"empty means the run's":   {ceap.String(""), ceap.String(" "), "", ""},
		"another marketplace":     {ceap.Null(), ceap.String("DE"), ceap.ReasonMarketplaceMismatch, `marketplace is "DE"; this run is for "US"`},
		"case matters":            {ceap.Null(), ceap.String("us"), ceap.ReasonMarketplaceMismatch, `marketplace is "us"; this run is for "US"`},
		"another program":         {ceap.String("video-ratings"), ceap.Null(), ceap.ReasonProgramMismatch, `programId is "video-ratings"; this run is for "product-reviews"`},
		"the program comes first": {ceap.String("video-ratings"), ceap.String("DE"), ceap.ReasonProgramMismatch, `"video-ratings"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c ceap.Candidate
			err := m.Map(connector.Record{Row: 1, Values: minimalRow(test.program, test.marketplace)}, &c)
			if test.code == "" {
				if err != nil || c.ProgramID != "product-reviews" || c.Marketplace != "US" {
					t.Errorf("got %v and %v", err, c.Key)
				}
				return
			}
			mismatch, ok := errors.AsType[*connector.Mismatch](err)
			if !ok || mismatch.Code != test.code {
				t.Fatalf("got %v, want %s", err, test.code)
			}
			wantText(t, mismatch.Reason, test.reason)
		})
	}
	t.Run("a row that is also invalid is invalid", func(t *testing.T) {
		t.Parallel()
		var c ceap.Candidate
		row := minimalRow(ceap.Null(), ceap.String("DE"))
		row[0] = ceap.Null()
		_ = asInvalid(t, m.Map(connector.Record{Row: 1, Values: row}, &c))
	})
}

func TestMapper_Map_optionalText(t *testing.T) {
	t.Parallel()
	euro := request()
	euro.Rules.Currency = "EUR"
	tests := map[string]struct {
		column string
		v      ceap.Value
		req    connector.Request
		want   string // "!" means BAD_VALUE
	}{
		"window":               {"timing_window", ceap.String("Morning "), request(), "morning"},
		"window NULL":          {"timing_window", ceap.Null(), request(), ""},
		"window empty":         {"timing_window", ceap.String(""), request(), ""},
		"window unknown":       {"timing_window", ceap.String("noon"), request(), "!"},
		"window number":        {"timing_window", ceap.Int(1), request(), "!"},
		"currency":             {"currency", ceap.String(" gbp"), euro, "GBP"},
		"currency NULL":        {"currency", ceap.Null(), euro, "EUR"},
		"currency empty":       {"currency", ceap.String(""), request(), "USD"},
		"currency too long":    {"currency", ceap.String("Euro"), request(), "!"},
		"currency with digit":  {"currency", ceap.String("US1"), request(), "!"},
		"currency is a symbol": {"currency", ceap.String("€"), request(), "!"},
		"currency number":      {"currency", ceap.Int(978), request(), "!"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := mapOne(t, test.column, test.v, test.req)
			if test.want == "!" {
				if invalid := asInvalid(t, err); invalid.Code != ceap.ReasonBadValue {
					t.Errorf("got %+v", invalid)
				}
				return
			}
			got := c.Currency
			if test.column == "timing_window" {
				got = c.TimingWindow
			}
			if err != nil || got != test.want {
				t.Errorf("got %q and %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestMapper_Map_showsTwoHundredCharacters(t *testing.T) {
	t.Parallel()
	for length, want := range map[int]string{
		200: strings.Repeat("ä", 200),
		201: strings.Repeat("ä", 197) + "...",
		999: strings.Repeat("ä", 197) + "...",
	} {
		_, err := mapOne(t, "order_value", ceap.String(strings.Repeat("ä", length)), request())
		invalid := asInvalid(t, err)
		if invalid.Value != want {
			t.Errorf("%d characters: got %q", length, invalid.Value)
		}
		wantText(t, invalid.Reason, `orderValue is "`+want+`"; `)
	}
}

func TestMapper_Map_badValuesOfOtherFields(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		v     ceap.Value
		field string
		code  string
	}{
		"program_id":  {ceap.Bool(true), "programId", ceap.ReasonBadValue},
		"marketplace": {ceap.String("U\xff"), "marketplace", ceap.ReasonBadValue},
		"order_value": {ceap.String(strings.Repeat("1", 65537)), "orderValue", ceap.ReasonTooLong},
		"note":        {ceap.String("\xff"), "extra.note", ceap.ReasonBadValue},
	}
	for column, test := range tests {
		_, err := mapOne(t, column, test.v, request())
		if invalid := asInvalid(t, err); invalid.Field != test.field || invalid.Code != test.code {
			t.Errorf("%s: got %+v", column, invalid)
		}
	}
}

func BenchmarkMapper_Map(b *testing.B) {
	m, err := connector.NewMapper(guideColumns(), guideMappings(), request())
	if err != nil {
		b.Fatal(err)
	}
	asText := guideRow()
	for i, v := range asText {
		asText[i] = ceap.String(v.String())
	}
	for name, row := range map[string][]ceap.Value{"typed": guideRow(), "text": asText} {
		rec := connector.Record{Row: 1, Values: row}
		b.Run(name+"/reused", func(b *testing.B) {
			var c ceap.Candidate
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Map(rec, &c); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/new", func(b *testing.B) {
			batch := make([]ceap.Candidate, 1024)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				c := &batch[i%len(batch)]
				c.Channels, c.Extra = nil, nil
				if err := m.Map(rec, c); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

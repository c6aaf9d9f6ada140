package connector_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

func TestNewMapper_guide(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		columns  []connector.Column
		mappings connector.FieldMappings
		want     []string // target=source(how)
	}{
		"program file": {guideColumns(), guideMappings(), []string{
			"customerId=customer_id(column)", "subjectType=product(constant)", "subjectId=product_id(column)", "eventDate=delivery_date(column)",
			"programId=run(run)", "marketplace=marketplace(column)", "orderValue=order_value(column)", "currency=(absent)",
			"deliveryDate=delivery_date(column)", "timingWindow=(absent)", "mediaEligible=(absent)", "channelEligibility=(absent)",
			"emailEligible=email_eligible(column)", "pushEligible=(absent)", "smsEligible=sms_eligible(column)",
			"extra.order_id=order_id(column)", "extra.product_category=product_category(column)",
		}},
		"stored item": {
			columns("customer_id product_id delivery_date"),
			texts("customerId=customer_id subjectId=product_id subjectType=product eventDate=delivery_date marketplace=US"),
			[]string{
				"customerId=customer_id(column)", "subjectType=product(constant)", "subjectId=product_id(column)", "eventDate=delivery_date(column)",
				"programId=run(run)", "marketplace=US(constant)", "orderValue=(absent)", "currency=(absent)",
				"deliveryDate=delivery_date(column)", "timingWindow=(absent)", "mediaEligible=(absent)", "channelEligibility=(absent)",
				"emailEligible=(absent)", "pushEligible=(absent)", "smsEligible=(absent)",
			},
		},
		"example 2, without mappings": {
			columns("customer_id subject_id subject_type event_date watch_percentage marketplace email_eligible push_eligible program_id"), nil,
			[]string{
				"customerId=customer_id(column)", "subjectType=subject_type(column)", "subjectId=subject_id(column)", "eventDate=event_date(column)",
				"programId=program_id(column)", "marketplace=marketplace(column)", "orderValue=(absent)", "currency=(absent)",
				"deliveryDate=(absent)", "timingWindow=(absent)", "mediaEligible=(absent)", "channelEligibility=(absent)",
				"emailEligible=email_eligible(column)", "pushEligible=push_eligible(column)", "smsEligible=(absent)",
				"extra.watch_percentage=watch_percentage(column)",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, n := range newMapper(t, test.columns, test.mappings, request()).Resolution().Notes {
				if n.ConnectorID != "deliveries" {
					t.Errorf("note %+v lacks the connector", n)
				}
				got = append(got, fmt.Sprintf("%s=%s(%s)", n.Target, n.Source, n.How))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNewMapper_resolution(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		columns  string
		mappings connector.FieldMappings
		target   string
		source   string
		how      string
	}{
		"case does not matter (D15)":             {"CUSTOMER_ID subjectType subjectId eventDate", texts("customerId=customer_id"), "customerId", "CUSTOMER_ID", "column"},
		"the exact case wins (D15)":              {"CUST cust subjectType subjectId eventDate", texts("customerId=cust"), "customerId", "cust", "column"},
		"a column beats a constant (D15)":        {minimal + " Product", texts("subjectType=product"), "subjectType", "Product", "column"},
		"an explicit constant beats it (D17)":    {minimal + " product", connector.FieldMappings{"subjectType": connector.FromConstant(ceap.String("product"))}, "subjectType", "product", "constant"},
		"an explicit column (D17)":               {minimal + " kind", connector.FieldMappings{"subjectType": connector.FromColumn("KIND")}, "subjectType", "kind", "column"},
		"constant for an optional target (D17)":  {minimal, connector.FieldMappings{"orderValue": connector.FromConstant(ceap.Float(9.5))}, "orderValue", "9.5", "constant"},
		"by name, ignoring underscores (D20)":    {"CUSTOMERID subject_type subjectId Event_Date", nil, "customerId", "CUSTOMERID", "column"},
		"partial mapping is filled up (D20)":     {minimal, texts("customerId=customer_id"), "eventDate", "event_date", "column"},
		"one column, two targets (D21)":          {minimal + " delivery_date", texts("eventDate=delivery_date"), "deliveryDate", "delivery_date", "column"},
		"a mapped target frees its column (D22)": {minimal + " cust", texts("customerId=cust"), "extra.customer_id", "customer_id", "column"},
		"extra under another name (D22)":         {minimal + " loyalty", texts("extra.tier=loyalty"), "extra.tier", "loyalty", "column"},
		"extra constant":                         {minimal, connector.FieldMappings{"extra.source": connector.FromConstant(ceap.String("batch"))}, "extra.source", "batch", "constant"},
		"extras differing by case (D22)":         {minimal + " Note note", nil, "extra.Note", "Note", "column"},
		"any channel by name (D30)":              {minimal + " in_app_eligible", nil, "inAppEligible", "in_app_eligible", "column"},
		"a channel of its own (D30)":             {minimal + " fax_eligible", nil, "faxEligible", "fax_eligible", "column"},
		"upper case channel (D30)":               {minimal + " WHATSAPPELIGIBLE", nil, "whatsappEligible", "WHATSAPPELIGIBLE", "column"},
		"mapped channel (D30)":                   {minimal + " ok", texts("voiceEligible=ok"), "voiceEligible", "ok", "column"},
		"media is no channel (D30)":              {minimal + " media_eligible", nil, "mediaEligible", "media_eligible", "column"},
		"nothing but the word is no channel":     {minimal + " eligible", nil, "extra.eligible", "eligible", "column"},
		"map of channels (D30)":                  {minimal + " channel_eligibility", nil, "channelEligibility", "channel_eligibility", "column"},
		"marketplace as a constant (D19)":        {minimal, texts("marketplace=US"), "marketplace", "US", "constant"},
		"program as a constant (D19)":            {minimal, texts("programId=product-reviews"), "programId", "product-reviews", "constant"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := note(t, newMapper(t, columns(test.columns), test.mappings, request()), test.target)
			if got.Source != test.source || got.How != test.how {
				t.Errorf("got %+v, want %s (%s)", got, test.source, test.how)
			}
		})
	}
	t.Run("a column that a mapping uses is no channel of its own", func(t *testing.T) {
		t.Parallel()
		m := newMapper(t, columns(minimal+" customer_eligible"), texts("emailEligible=customer_eligible"), request())
		for _, n := range m.Resolution().Notes {
			if n.Target == "customerEligible" || n.Target == "extra.customer_eligible" {
				t.Errorf("unexpected note %+v", n)
			}
		}
	})
}

func TestNewMapper_refuses(t *testing.T) {
	t.Parallel()
	push := request()
	push.Rules.DefaultEligibility = map[string]bool{"push": true}
	constant := func(target string, v ceap.Value) connector.FieldMappings {
		return connector.FieldMappings{target: connector.FromConstant(v)}
	}
	tests := map[string]struct {
		columns  string
		mappings connector.FieldMappings
		req      connector.Request
		path     string
		words    []string
	}{
		"constant customer (D16)":    {minimal, constant("customerId", ceap.String("c")), request(), "fieldMappings.customerId", []string{"must come from the data"}},
		"constant subject (D16)":     {minimal, constant("subjectId", ceap.String("c")), request(), "fieldMappings.subjectId", []string{"must come from the data"}},
		"constant date (D16)":        {minimal, constant("eventDate", ceap.String("2026-01-01")), request(), "fieldMappings.eventDate", []string{"must come from the data"}},
		"unknown column (D18)":       {minimal, texts("customerId=custmer_id"), request(), "fieldMappings.customerId", []string{`no column "custmer_id"`, `the nearest is "customer_id"`, "customer_id, subject_type, subject_id, event_date"}},
		"unknown optional (D18)":     {minimal, texts("orderValue=total"), request(), "fieldMappings.orderValue", []string{`no column "total"`, `{"constant": "total"}`}},
		"explicit column (D17)":      {minimal, connector.FieldMappings{"subjectType": connector.FromColumn("product")}, request(), "fieldMappings.subjectType", []string{`no column "product"`}},
		"other marketplace (D19)":    {minimal, texts("marketplace=UK"), request(), "fieldMappings.marketplace", []string{`"UK"`, `"US"`}},
		"other program (D19)":        {minimal, constant("programId", ceap.String("video-ratings")), request(), "fieldMappings.programId", []string{`"video-ratings"`, `"product-reviews"`}},
		"two columns fit (D20)":      {minimal + " customerId", nil, request(), "fieldMappings.customerId", []string{"AMBIGUOUS_COLUMN", `"customer_id", "customerId"`}},
		"two flags fit (D20)":        {minimal + " email_eligible emailEligible", nil, request(), "fieldMappings.emailEligible", []string{"AMBIGUOUS_COLUMN"}},
		"two cases fit (D15)":        {minimal + " KIND kinD", texts("subjectType=kind"), request(), "fieldMappings.subjectType", []string{"AMBIGUOUS_COLUMN"}},
		"missing targets (D24)":      {"customer_id subject_type", nil, request(), "fieldMappings", []string{"Missing required fields: subjectId, eventDate", "the columns are customer_id, subject_type"}},
		"no columns at all (D24)":    {"", nil, request(), "fieldMappings", []string{"Missing required fields: customerId, subjectType, subjectId, eventDate"}},
		"duplicate columns":          {minimal + " a a", nil, request(), "", []string{`two columns "a"`}},
		"unknown target":             {minimal, texts("custmerId=customer_id"), request(), "fieldMappings.custmerId", []string{`the nearest is "customerId"`, `"extra.custmerId"`}},
		"target in snake case":       {minimal, texts("email_eligible=customer_id"), request(), "fieldMappings.email_eligible", []string{`"emailEligible"`}},
		"target without a channel":   {minimal, texts("Eligible=customer_id"), request(), "fieldMappings.Eligible", []string{"unknown target"}},
		"extra without a name":       {minimal, texts("extra.=customer_id"), request(), "fieldMappings.extra.", []string{"unknown target"}},
		"extra of a column's name":   {minimal + " tier level", texts("extra.tier=level"), request(), "fieldMappings.extra.tier", []string{`a column "tier" of its own`}},
		"two targets of one channel": {minimal, texts("inAppEligible=customer_id inappEligible=customer_id"), request(), "fieldMappings.inappEligible", []string{`"in-app"`}},
		"empty source":               {minimal, texts("orderValue="), request(), "fieldMappings.orderValue", []string{"empty"}},
		"empty constant":             {minimal, constant("subjectType", ceap.String(" ")), request(), "fieldMappings.subjectType", []string{"empty"}},
		"constant is no number":      {minimal, constant("orderValue", ceap.String("12,50")), request(), "fieldMappings.orderValue", []string{`"12,50"`}},
		"constant is out of range":   {minimal, constant("deliveryDate", ceap.String("1999-01-01")), request(), "fieldMappings.deliveryDate", []string{"1999-01-01"}},
		"constant is no flag":        {minimal, constant("emailEligible", ceap.String("maybe")), request(), "fieldMappings.emailEligible", []string{"maybe"}},
		"constant is no map":         {minimal, constant("channelEligibility", ceap.String("[]")), request(), "fieldMappings.channelEligibility", []string{"JSON object"}},
		"constant of another type":   {minimal, constant("subjectType", ceap.Bool(true)), request(), "fieldMappings.subjectType", []string{"boolean true"}},
		"assumed consent (D29)":      {minimal, nil, push, "defaultEligibility.push", []string{"pushEligible"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := connector.NewMapper(columns(test.columns), test.mappings, test.req)
			if m != nil || ceap.ErrorCode(err) != ceap.CodeInvalid {
				t.Fatalf("got %v and %v, want an error of code invalid", m, err)
			}
			problems, ok := errors.AsType[ceap.Problems](err)
			if !ok || len(problems) != 1 || problems[0].Path != test.path {
				t.Fatalf("got %v, want one problem at %q", err, test.path)
			}
			wantText(t, err.Error(), test.words...)
		})
	}
	t.Run("everything at once, in one order", func(t *testing.T) {
		t.Parallel()
		var first string
		for range 20 {
			_, err := connector.NewMapper(columns("a email_eligible emailEligible sms_eligible smsEligible"),
				texts("customerId=cust subjectId=prod orderValue=val smsEligible=x voiceEligible=y extra.b=c extra.d=e"), request())
			if first == "" {
				first = err.Error()
			}
			if err.Error() != first {
				t.Fatalf("got\n%v\nafter\n%s", err, first)
			}
		}
		wantText(t, first, "cust", "prod", "val", "AMBIGUOUS_COLUMN", "Missing required fields: subjectType, eventDate", "extra.b", "extra.d", `"x"`, `"y"`)
	})
}

func TestNewMapper_warnings(t *testing.T) {
	t.Parallel()
	german := request()
	german.Marketplace = "DE"
	euro := german
	euro.Rules.Currency = "EUR"
	tests := map[string]struct {
		columns  string
		mappings connector.FieldMappings
		req      connector.Request
		want     string // "" means none
	}{
		"a constant with an underscore (D15)": {minimal, texts("subjectType=prod_type"), request(), `"prod_type" is no column`},
		"a letter away from a column (D15)":   {minimal + " kind", texts("subjectType=kindd"), request(), `the column "kind" is one letter away`},
		"swapped letters (D15)":               {minimal + " kind", texts("subjectType=knid"), request(), `the column "kind" is one letter away`},
		"an explicit constant (D15)":          {minimal, connector.FieldMappings{"subjectType": connector.FromConstant(ceap.String("prod_type"))}, request(), ""},
		"a plain constant (D15)":              {minimal, texts("subjectType=product"), request(), ""},
		"constant marketplace (D25)":          {minimal, texts("marketplace=US"), request(), "rows of other marketplaces cannot be told apart"},
		"the run's marketplace (D25)":         {minimal, nil, request(), ""},
		"dollars in Germany (D31)":            {minimal + " order_value", nil, german, "count as USD"},
		"euros in Germany (D31)":              {minimal + " order_value", nil, euro, ""},
		"currency column (D31)":               {minimal + " order_value currency", nil, german, ""},
		"a slip of the pen":                   {minimal + " emial_eligible", nil, request(), `the channel "email" is one letter away`},
		"a channel of its own":                {minimal + " fax_eligible", nil, request(), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newMapper(t, columns(test.columns), test.mappings, test.req).Resolution().Warnings
			if test.want == "" {
				if len(got) != 0 {
					t.Errorf("unexpected warnings %q", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("got warnings %q", got)
			}
			wantText(t, got[0], test.want)
		})
	}
}

func TestMappingSource_UnmarshalJSON(t *testing.T) {
	t.Parallel()
	t.Run("reads what it writes", func(t *testing.T) {
		t.Parallel()
		text := `{"a":"x","b":{"column":"x\"y"},"c":{"constant":"y"},"d":{"constant":1.5},"e":{"constant":false},"f":{"constant":12345678901234567890}}`
		var m connector.FieldMappings
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("Unmarshal: %v", err)
		}
		want := connector.FieldMappings{
			"a": connector.FromText("x"), "b": connector.FromColumn(`x"y`), "c": connector.FromConstant(ceap.String("y")),
			"d": connector.FromConstant(ceap.Float(1.5)), "e": connector.FromConstant(ceap.Bool(false)),
			"f": connector.FromConstant(ceap.Decimal("12345678901234567890")),
		}
		if diff := cmp.Diff(want, m, cmp.Comparer(func(a, b connector.MappingSource) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
		got, err := json.Marshal(m)
		if err != nil || string(got) != text {
			t.Errorf("got %s and %v", got, err)
		}
	})
	for _, text := range []string{
		`null`, `1`, `true`, `[]`, `{}`, `{"column":"a","constant":"b"}`, `{"columns":"a"}`, `{"Column":"a"}`, `{"column":1}`, `{"column":null}`,
		`{"constant":null}`, `{"constant":{}}`, `{"constant":["a"]}`,
	} {
		t.Run("refuses "+text, func(t *testing.T) {
			t.Parallel()
			var s connector.MappingSource
			if err := json.Unmarshal([]byte(text), &s); ceap.ErrorCode(err) != ceap.CodeInvalid {
				t.Errorf("got %v and %v", s, err)
			}
		})
	}
}

// TestI16_oneSourcePerTarget also holds the order of the mappings and of the
// notes: neither changes between calls.
func TestI16_oneSourcePerTarget(t *testing.T) {
	t.Parallel()
	cs := columns(minimal + " delivery_date a B c in_app_eligible fax_eligible sms_eligible channel_eligibility")
	mappings := texts("eventDate=delivery_date voiceEligible=a extra.z=c extra.y=c subjectType=product")
	var first connector.Resolution
	for i := range 20 {
		got := newMapper(t, cs, mappings, request()).Resolution()
		if i == 0 {
			first = got
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Fatal(diff)
		}
	}
	var targets []string
	for _, n := range first.Notes {
		if slices.Contains(targets, n.Target) {
			t.Errorf("two notes about %s", n.Target)
		}
		targets = append(targets, n.Target)
		if !slices.Contains([]string{"column", "constant", "run", "absent"}, n.How) {
			t.Errorf("note %+v", n)
		}
	}
	for _, c := range cs {
		if !slices.ContainsFunc(first.Notes, func(n ceap.MappingNote) bool { return n.How == "column" && n.Source == c.Name }) {
			t.Errorf("column %s is lost (D22)", c.Name)
		}
	}
	if got := strings.Join(targets[len(targets)-5:], " "); got != "extra.B extra.event_date extra.subject_type extra.y extra.z" {
		t.Errorf("the last notes are about %s", got)
	}
}

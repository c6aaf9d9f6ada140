package connector_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// asOf is the clock of every run here.
func asOf() time.Time { return time.Date(2026, 1, 28, 6, 0, 0, 0, time.UTC) }

func request() connector.Request {
	return connector.Request{
		ProgramID: "product-reviews", Marketplace: "US", ConnectorID: "deliveries", AsOf: asOf(),
	}
}

// columns returns columns of the names in the space-separated list.
func columns(list string) []connector.Column {
	var cs []connector.Column
	for name := range strings.FieldsSeq(list) {
		cs = append(cs, connector.Column{Name: name})
	}
	return cs
}

// guideColumns and guideMappings are those of the guide's program-config.json.
func guideColumns() []connector.Column {
	return columns("customer_id product_id order_id delivery_date order_value product_category marketplace email_eligible sms_eligible")
}

func guideMappings() connector.FieldMappings {
	return texts("customerId=customer_id subjectId=product_id subjectType=product eventDate=delivery_date " +
		"orderValue=order_value marketplace=marketplace emailEligible=email_eligible smsEligible=sms_eligible")
}

func guideRow() []ceap.Value {
	return []ceap.Value{
		ceap.String("CUST-001"), ceap.String("PROD-123"), ceap.String("ORD-1"), ceap.String("2026-01-26"),
		ceap.Float(29.99), ceap.String("books"), ceap.String("US"), ceap.Bool(true), ceap.Bool(false),
	}
}

// texts returns mappings written as "target=text target=text".
func texts(list string) connector.FieldMappings {
	m := connector.FieldMappings{}
	for pair := range strings.FieldsSeq(list) {
		target, text, _ := strings.Cut(pair, "=")
		m[target] = connector.FromText(text)
	}
	return m
}

func newMapper(t *testing.T, cs []connector.Column, mappings connector.FieldMappings, req connector.Request) *connector.Mapper {
	t.Helper()
	m, err := connector.NewMapper(cs, mappings, req)
	if err != nil {
		t.Fatalf("NewMapper: %v", err)
	}
	return m
}

// note returns how the target was resolved.
func note(t *testing.T, m *connector.Mapper, target string) ceap.MappingNote {
	t.Helper()
	for _, n := range m.Resolution().Notes {
		if n.Target == target {
			return n
		}
	}
	t.Fatalf("no note about %s in %+v", target, m.Resolution().Notes)
	return ceap.MappingNote{}
}

// minimal are the columns that every candidate needs, and a good row of them, to
// which tests add one column each.
const minimal = "customer_id subject_type subject_id event_date"

func minimalRow(more ...ceap.Value) []ceap.Value {
	return append([]ceap.Value{ceap.String("c1"), ceap.String("product"), ceap.String("p1"), ceap.String("2026-01-26")}, more...)
}

// mapOne maps a minimal row with one further column.
func mapOne(t *testing.T, column string, v ceap.Value, req connector.Request) (ceap.Candidate, error) {
	t.Helper()
	m := newMapper(t, columns(minimal+" "+column), nil, req)
	var c ceap.Candidate
	err := m.Map(connector.Record{Row: 1, Values: minimalRow(v)}, &c)
	return c, err
}

func asInvalid(t *testing.T, err error) *connector.Invalid {
	t.Helper()
	invalid, ok := errors.AsType[*connector.Invalid](err)
	if !ok {
		t.Fatalf("got %v, want an *Invalid", err)
	}
	return invalid
}

func wantText(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
}

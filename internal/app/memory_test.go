//go:build cgo

package app_test

import (
	"context"
	"io"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

// memory is a connector that hands out a row for each customer.
type memory []string

func (m memory) Extract(context.Context, connector.Request) (connector.Stream, error) {
	return &memoryStream{rest: m}, nil
}

func (memory) Transform(columns []connector.Column, req connector.Request) (connector.Transform, error) {
	return connector.NewMapper(columns, connector.FieldMappings{}, req)
}

type memoryStream struct {
	rest []string
	row  int64
}

func (*memoryStream) Columns() []connector.Column {
	return []connector.Column{{Name: "customer_id"}, {Name: "subject_type"}, {Name: "subject_id"}, {Name: "event_date"}, {Name: "email_eligible"}}
}

func (s *memoryStream) Next() ([]connector.Record, error) {
	if len(s.rest) == 0 {
		return nil, io.EOF
	}
	s.row++
	values := []ceap.Value{ceap.String(s.rest[0]), ceap.String("product"), ceap.String("P-1"), ceap.String("2026-01-26"), ceap.Bool(true)}
	s.rest = s.rest[1:]
	return []connector.Record{{Row: s.row, Values: values}}, nil
}

func (*memoryStream) Close() error { return nil }

// node reads JSON as a configuration.
func node(t *testing.T, text string) *plugin.Node {
	t.Helper()
	n, err := plugin.FromJSON("test.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

package connectortest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// Request returns the request of the suite: the guide's program for US, from
// 2026-01-26 to 2026-01-27.
func Request() connector.Request {
	asOf := time.Date(2026, 1, 28, 6, 0, 0, 0, time.UTC)
	start := ceap.DateOf(time.Date(2026, 1, 26, 0, 0, 0, 0, time.UTC))
	return connector.Request{
		ProgramID: "product-reviews", Marketplace: "US", ConnectorID: "conformance",
		Range: ceap.DateRange{Start: start, End: start.AddDays(1)},
		RunID: "run-1", BatchID: "batch-1", AsOf: asOf,
	}
}

// Deliveries returns a fixture of n rows in the columns of the guide's main
// table, whose row i (from 1) is the candidate of customer CUST-i, with the
// guide's mappings.
func Deliveries(n int) Fixture {
	f := Fixture{
		Columns: []Column{
			{"customer_id", ceap.KindString},
			{"product_id", ceap.KindString},
			{"order_id", ceap.KindString},
			{"delivery_date", ceap.KindString},
			{"order_value", ceap.KindFloat},
			{"marketplace", ceap.KindString},
			{"email_eligible", ceap.KindBool},
		},
		Mappings: connector.FieldMappings{
			"customerId": connector.FromText("customer_id"), "subjectId": connector.FromText("product_id"),
			"subjectType": connector.FromText("product"), "eventDate": connector.FromText("delivery_date"),
		},
	}
	for i := 1; i <= n; i++ {
		f.Rows = append(f.Rows, []ceap.Value{
			ceap.String(fmt.Sprintf("CUST-%05d", i)), ceap.String(fmt.Sprintf("PROD-%d", i%7)), ceap.String(fmt.Sprintf("ORD-%d", i)),
			ceap.String("2026-01-26"), ceap.Float(float64(i) + 0.25), ceap.String("US"), ceap.Bool(i%3 > 0),
		})
	}
	return f
}

// Row is a record that has been copied out of its stream.
type Row struct {
	Row    int64
	Values []ceap.Value
}

// ReadAll reads the stream to its end and closes it.
func ReadAll(t *testing.T, stream connector.Stream) []Row {
	t.Helper()
	var rows []Row
	for {
		batch, err := stream.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("Next after %d rows: %v", len(rows), err)
		}
		if len(batch) == 0 {
			t.Fatalf("Next after %d rows returned none and no error", len(rows))
		}
		rows = append(rows, copyRows(batch)...)
	}
	if err := stream.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	return rows
}

// copyRows copies records, but not their strings, which streams must leave alone.
func copyRows(batch []connector.Record) []Row {
	rows := make([]Row, len(batch))
	for i, rec := range batch {
		rows[i] = Row{Row: rec.Row, Values: slices.Clone(rec.Values)}
	}
	return rows
}

func (s suite) extract(t *testing.T, c connector.Connector) connector.Stream {
	t.Helper()
	stream, err := c.Extract(t.Context(), Request())
	if err != nil {
		t.Fatalf("Extract: %v", err)
	}
	t.Cleanup(func() { _ = stream.Close() })
	return stream
}

// checkRows holds rows against those of the fixture.
func (s suite) checkRows(t *testing.T, f Fixture, got []Row) {
	t.Helper()
	if len(got) != len(f.Rows) {
		t.Fatalf("got %d rows, want %d", len(got), len(f.Rows))
	}
	for i, row := range got {
		if row.Row != int64(i)+1 {
			t.Fatalf("the row after %d others has Row %d", i, row.Row)
		}
		if len(row.Values) != len(f.Columns) {
			t.Fatalf("row %d has %d values, want %d", row.Row, len(row.Values), len(f.Columns))
		}
		for j, want := range f.Rows[i] {
			if !s.Same(want, row.Values[j]) {
				t.Fatalf("row %d, %s: got %s %q, want %s %q", row.Row, f.Columns[j].Name, row.Values[j].Kind(), row.Values[j], want.Kind(), want)
			}
		}
	}
}

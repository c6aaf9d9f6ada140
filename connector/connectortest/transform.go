package connectortest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

func (s suite) testTransform(t *testing.T) {
	t.Parallel()
	t.Run("rows become candidates", s.testCandidates)
	t.Run("the resolution names every column once", s.testResolution)
	t.Run("an unknown column stops before the first row", s.testUnknownColumn)
	t.Run("bad rows are invalid, others mismatched", s.testBadRows)
}

// transform opens the fixture and returns its rows with their transform.
func (s suite) transform(t *testing.T, f Fixture) (connector.Transform, []Row) {
	t.Helper()
	c := s.open(t, f)
	stream := s.extract(t, c)
	columns := stream.Columns()
	rows := ReadAll(t, stream)
	transform, err := c.Transform(columns, Request())
	if err != nil {
		t.Fatalf("Transform: %v", err)
	}
	return transform, rows
}

// testCandidates maps from several goroutines, as the engine does.
func (s suite) testCandidates(t *testing.T) {
	t.Parallel()
	f := Deliveries(50)
	transform, rows := s.transform(t, f)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var c ceap.Candidate
			for i, row := range rows {
				if err := transform.Map(connector.Record{Row: row.Row, Values: row.Values}, &c); err != nil {
					t.Errorf("mapping row %d: %v", row.Row, err)
					return
				}
				checkDelivery(t, f.Rows[i], &c)
			}
		})
	}
	wg.Wait()
}

// checkDelivery holds a candidate against its row of [Deliveries].
func checkDelivery(t *testing.T, row []ceap.Value, c *ceap.Candidate) {
	t.Helper()
	req := Request()
	want := ceap.Key{
		CustomerID: row[0].Text(), ProgramID: req.ProgramID, Marketplace: req.Marketplace,
		SubjectType: "product", SubjectID: row[1].Text(),
	}
	if c.Key != want {
		t.Errorf("got the key %v, want %v", c.Key, want)
	}
	if at := req.Range.Start.In(time.UTC); !c.EventDate.Equal(at) || !c.DeliveryDate.Equal(at) {
		t.Errorf("%v: got the dates %v and %v, want %v", c.Key, c.EventDate, c.DeliveryDate, at)
	}
	if c.OrderValue != row[4] {
		t.Errorf("%v: got the order value %v, want %v", c.Key, c.OrderValue, row[4])
	}
	if flags := []ceap.ChannelFlag{{Channel: "email", Eligible: row[6].Bool()}}; !slices.Equal(c.Channels, flags) {
		t.Errorf("%v: got the channels %v, want %v", c.Key, c.Channels, flags)
	}
	if v, ok := c.Attribute("order_id"); !ok || v != row[2] {
		t.Errorf("%v: got the attribute %v, want %v", c.Key, v, row[2])
	}
}

func (s suite) testResolution(t *testing.T) {
	t.Parallel()
	f := Deliveries(1)
	transform, _ := s.transform(t, f)
	notes := transform.Resolution().Notes
	for _, c := range f.Columns {
		if !slices.ContainsFunc(notes, func(n ceap.MappingNote) bool { return n.Source == c.Name && n.How == "column" }) {
			t.Errorf("no target takes the column %s: %+v", c.Name, notes)
		}
	}
	var targets []string
	for _, n := range notes {
		if n.ConnectorID != Request().ConnectorID {
			t.Errorf("the note %+v names another connector", n)
		}
		targets = append(targets, n.Target)
	}
	slices.Sort(targets)
	if len(slices.Compact(slices.Clone(targets))) != len(targets) {
		t.Errorf("a target has two notes: %q", targets)
	}
}

func (s suite) testUnknownColumn(t *testing.T) {
	t.Parallel()
	f := Deliveries(1)
	f.Mappings["customerId"] = connector.FromText("custmer_id")
	c := s.open(t, f)
	transform, err := c.Transform(s.extract(t, c).Columns(), Request())
	if ceap.ErrorCode(err) != ceap.CodeInvalid {
		t.Fatalf("got %v and %v, want an error of code invalid", transform, err)
	}
	for _, want := range []string{"customerId", `"custmer_id"`, `"customer_id"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %s", err, want)
		}
	}
}

func (s suite) testBadRows(t *testing.T) {
	t.Parallel()
	f := Deliveries(4)
	f.Rows[1][0] = ceap.Null()
	f.Rows[2][3] = ceap.String("26.01.2026")
	f.Rows[3][5] = ceap.String("DE")
	transform, rows := s.transform(t, f)
	codes := []string{"", ceap.ReasonMissingField, ceap.ReasonBadValue, ceap.ReasonMarketplaceMismatch}
	for i, row := range rows {
		var c ceap.Candidate
		code := ""
		err := transform.Map(connector.Record{Row: row.Row, Values: row.Values}, &c)
		if invalid, ok := errors.AsType[*connector.Invalid](err); ok {
			code = invalid.Code
		} else if mismatch, ok := errors.AsType[*connector.Mismatch](err); ok {
			code = mismatch.Code
		}
		if code != codes[i] {
			t.Errorf("row %d: got %v, want %q", row.Row, err, codes[i])
		}
	}
}

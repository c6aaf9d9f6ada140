// Package enginetest is the conformance suite of warehouse engines.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// Harness is an engine with what the suite cannot write in every dialect.
type Harness struct {
	Engine   warehouse.Engine
	Style    warehouse.Style
	Database string // it exists, and has no table "no_such_table"

	Many   string // 10,000 rows of n, from 1 in order, and a text 'row <n>'
	Slow   string // a query that runs for minutes
	Broken string // a query that fails after at least one row, over data or values that are wrong
	Whole  bool   // a query that fails has no rows, as the engine keeps them until the last is there
	Types  []Type // beyond those that the suite asks of every engine
}

// Type is an expression of SQL and the value that it must arrive as.
type Type struct {
	SQL  string
	Want ceap.Value
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Harness){
		"streams rows in order":            streams,
		"strings outlive their batch":      stringsLive,
		"types":                            types,
		"parameters":                       parameters,
		"no rows":                          noRows,
		"cancel while the query runs":      cancelRunning,
		"cancel between batches":           cancelBetween,
		"close early and twice":            closeEarly,
		"an error in the middle is no end": breaks,
		"one statement":                    oneStatement,
		"errors name the place and say who has to act":    classifies,
		"describe agrees with the query and does not run": describes,
		"queries run side by side":                        concurrent,
		"inspect says what was looked at":                 inspects,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

// statement compiles a query for the guide's range.
func (h Harness) statement(t *testing.T, query string) warehouse.Statement {
	t.Helper()
	q, problems := warehouse.ParseQuery(query)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s, err := q.Compile(h.Style, values())
	if err != nil {
		t.Fatal(err)
	}
	s.Database = h.Database
	return s
}

func values() map[string]string {
	start, _ := ceap.ParseDate("2026-01-26")
	req := connector.Request{
		ProgramID: "o'clock", Marketplace: "US", Range: ceap.DateRange{Start: start, End: start.AddDays(1)},
	}
	return req.Placeholders()
}

func (h Harness) open(t *testing.T, ctx context.Context, query string) warehouse.Rows { //nolint:revive // t comes first in tests
	t.Helper()
	rows, err := h.Engine.Query(ctx, h.statement(t, query))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rows.Close() })
	return rows
}

// all returns copies of all records.
func (h Harness) all(t *testing.T, query string) []connector.Record {
	t.Helper()
	rows := h.open(t, t.Context(), query)
	var out []connector.Record
	for {
		batch, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			t.Fatal("an empty batch")
		}
		for _, r := range batch {
			out = append(out, connector.Record{Row: r.Row, Values: append([]ceap.Value(nil), r.Values...)})
		}
	}
}

func streams(t *testing.T, h Harness) {
	got := h.all(t, h.Many)
	if len(got) != 10000 {
		t.Fatalf("%d rows instead of 10000", len(got))
	}
	for i, r := range got {
		if n := int64(i + 1); r.Row != n || r.Values[0] != ceap.Int(n) {
			t.Fatalf("record %d: row %d, n %v", n, r.Row, r.Values[0])
		}
	}
}

func stringsLive(t *testing.T, h Harness) {
	for i, r := range h.all(t, h.Many) {
		if want := fmt.Sprintf("row %d", i+1); r.Values[1].Text() != want {
			t.Fatalf("row %d: %q", r.Row, r.Values[1].Text())
		}
	}
}

func types(t *testing.T, h Harness) {
	date, _ := ceap.ParseDate("2026-01-26")
	for _, tc := range append([]Type{
		{"NULL", ceap.Null()},
		{"CAST(NULL AS VARCHAR)", ceap.Null()},
		{"''", ceap.String("")},
		{"false", ceap.Bool(false)},
		{"true", ceap.Bool(true)},
		{"CAST(-7 AS TINYINT)", ceap.Int(-7)},
		{"CAST(-7 AS SMALLINT)", ceap.Int(-7)},
		{"CAST(-7 AS INTEGER)", ceap.Int(-7)},
		{"CAST(-9223372036854775808 AS BIGINT)", ceap.Int(-1 << 63)},
		{"CAST('0.1' AS REAL)", ceap.Float(0.1)},
		{"CAST('1e300' AS DOUBLE)", ceap.Float(1e300)},
		{"CAST('NaN' AS DOUBLE)", ceap.String("NaN")},
		{"CAST('Infinity' AS DOUBLE)", ceap.String("+Inf")},
		{"CAST('29.90' AS DECIMAL(10,2))", ceap.Decimal("29.90")},
		{"CAST('-0.05' AS DECIMAL(4,2))", ceap.Decimal("-0.05")},
		{"CAST('12345678901234567890123456.78' AS DECIMAL(38,2))", ceap.Decimal("12345678901234567890123456.78")},
		{"'007'", ceap.String("007")},
		{"'Grüße, 東京 👋'", ceap.String("Grüße, 東京 👋")},
		{"DATE '2026-01-26'", ceap.CivilDate(date)},
		{"TIMESTAMP '2026-01-26 12:34:56.789'", ceap.Local(time.Date(2026, 1, 26, 12, 34, 56, 789e6, time.UTC))},
	}, h.Types...) {
		t.Run(tc.SQL, func(t *testing.T) {
			t.Parallel()
			got := h.all(t, "SELECT "+tc.SQL+" AS v")
			if len(got) != 1 || got[0].Values[0] != tc.Want {
				t.Errorf("got %v, want %v of kind %s", got, tc.Want, tc.Want.Kind())
			}
		})
	}
}

func parameters(t *testing.T, h Harness) {
	for query, want := range map[string]string{
		"SELECT 'x' AS v WHERE '2026-01-26' = '{startDate}' AND '2026-01-27' = '{endDate}' AND '2026-01-27' = '{date}'": "x",
		"SELECT 'x' AS v WHERE 'US' = '{marketplace}' AND 'o''clock' = '{programId}'":                                   "x",
		"SELECT 'dt={startDate}/{programId}' AS v":                                                                      "dt=2026-01-26/o'clock",
		"SELECT '{{startDate}} {3}' AS v":                                                                               "{startDate} {3}",
		"SELECT 'x' AS v WHERE DATE '{startDate}' = DATE '2026-01-26'":                                                  "x",
		"SELECT 'x' AS v WHERE '{startDate}' < '{endDate}' AND '{startDate}' = '2026-01-26'":                            "x",
	} {
		got := h.all(t, query)
		if len(got) != 1 || got[0].Values[0].Text() != want {
			t.Errorf("%s: %v", query, got)
		}
	}
}

func noRows(t *testing.T, h Harness) {
	rows := h.open(t, t.Context(), "SELECT 'x' AS v, 1 AS n WHERE 1 = 2")
	if names := []string{rows.Columns()[0].Name, rows.Columns()[1].Name}; !cmp.Equal(names, []string{"v", "n"}) {
		t.Errorf("columns %v", names)
	}
	for range 2 {
		if batch, err := rows.Next(); !errors.Is(err, io.EOF) || batch != nil {
			t.Errorf("got %v, %v", batch, err)
		}
	}
}

// soon is how long an engine may take to notice that it was cancelled.
const soon = 10 * time.Second

func cancelRunning(t *testing.T, h Harness) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	rows, err := h.Engine.Query(ctx, h.statement(t, h.Slow))
	if err == nil {
		defer rows.Close() //nolint:errcheck // the error of Next is what counts
		for err == nil {
			_, err = rows.Next()
		}
	}
	if errors.Is(err, io.EOF) || time.Since(start) > soon {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

func cancelBetween(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows := h.open(t, ctx, h.Many)
	if _, err := rows.Next(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := rows.Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after the cancel: %v", err)
	}
}

func closeEarly(t *testing.T, h Harness) {
	rows := h.open(t, t.Context(), h.Many)
	if _, err := rows.Next(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := rows.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
	if _, err := rows.Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after closing: %v", err)
	}
}

func breaks(t *testing.T, h Harness) {
	rows, err := h.Engine.Query(t.Context(), h.statement(t, h.Broken))
	n := 0
	for err == nil {
		var batch []connector.Record
		batch, err = rows.Next()
		n += len(batch)
	}
	if rows != nil {
		defer rows.Close() //nolint:errcheck // the error above is what counts
		if _, again := rows.Next(); again == nil || errors.Is(again, io.EOF) {
			t.Errorf("after the error: %v", again)
		}
	}
	if ceap.ErrorCode(err) != ceap.CodeInvalid || n == 0 && !h.Whole {
		t.Errorf("after %d rows: %v", n, err)
	}
}

func oneStatement(t *testing.T, h Harness) {
	for _, sql := range []string{"SELECT 1; SELECT 2", "", "DROP TABLE no_such_table", "INSERT INTO no_such_table SELECT 1"} {
		rows, err := h.Engine.Query(t.Context(), warehouse.Statement{Database: h.Database, SQL: sql})
		if err == nil {
			_ = rows.Close()
		}
		if ceap.ErrorCode(err) != ceap.CodeInvalid {
			t.Errorf("%q: %v", sql, err)
		}
	}
}

func classifies(t *testing.T, h Harness) {
	for query, want := range map[string][]string{
		"SELECT *\nFROM no_such_table":                                 {"no_such_table", "2:6"},
		"SELECT 'é' AS x,\n  no_such_column FROM (SELECT 1 AS y) AS t": {"no_such_column", "2:3"},
		"SELECT 'é' AS x WHERE '{startDate}' = 'x' AND no_such_column": {"no_such_column", "1:47"},
		"SELECT 'é' FROM FROM x":                                       {"1:17"},
		"SELECT no_such_function(1)":                                   {"no_such_function"},
	} {
		rows, err := h.Engine.Query(t.Context(), h.statement(t, query))
		if err == nil {
			_, err = rows.Next()
			_ = rows.Close()
		}
		if ceap.ErrorCode(err) != ceap.CodeInvalid {
			t.Errorf("%s: code %q: %v", query, ceap.ErrorCode(err), err)
			continue
		}
		for _, w := range append(want, "Query execution failed: ") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: no %q in %q", query, w, err)
			}
		}
	}
}

func describes(t *testing.T, h Harness) {
	d, ok := h.Engine.(warehouse.Describer)
	if !ok {
		t.Skip("the engine is no Describer")
	}
	got, err := d.Describe(t.Context(), h.statement(t, h.Many))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h.open(t, t.Context(), h.Many).Columns(), got); diff != "" {
		t.Error(diff)
	}
	start := time.Now()
	if _, err := d.Describe(t.Context(), h.statement(t, h.Slow)); err != nil || time.Since(start) > soon {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

func concurrent(t *testing.T, h Harness) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			rows, err := h.Engine.Query(t.Context(), h.statement(t, h.Many))
			n := 0
			for err == nil {
				var batch []connector.Record
				batch, err = rows.Next()
				n += len(batch)
			}
			if !errors.Is(err, io.EOF) || n != 10000 {
				t.Errorf("%d rows, then %v", n, err)
			}
			if rows != nil {
				_ = rows.Close()
			}
		})
	}
	wg.Wait()
}

func inspects(t *testing.T, h Harness) {
	in, ok := h.Engine.(warehouse.Inspector)
	if !ok {
		t.Skip("the engine is no Inspector")
	}
	start, _ := ceap.ParseDate("2026-01-26")
	scope := warehouse.Scope{Range: ceap.DateRange{Start: start, End: start}, Marketplace: "US"}
	for query, wantFailed := range map[string]bool{h.Many: false, "SELECT * FROM no_such_table": true, "SELECT 1 AS n WHERE 1 = 2": true} {
		checks := in.Inspect(t.Context(), h.statement(t, query), scope)
		failed := false
		for _, c := range checks {
			if c.Name == "" || c.Detail == "" || c.Status == "" {
				t.Errorf("%s: incomplete check %+v", query, c)
			}
			failed = failed || c.Status == connector.CheckFailed
		}
		if len(checks) == 0 || failed != wantFailed {
			t.Errorf("%s: %+v", query, checks)
		}
	}
}

//go:build cgo

// The examples run on DuckDB, which needs cgo.

package examples_test

import (
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // asks the file itself
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/store"
)

// run is what a README says of a run.
type run struct {
	program, marketplace string
	start, end           string
	counts               ceap.Counts
}

func TestExamples(t *testing.T) {
	t.Parallel()
	const from, to = "2026-01-26", "2026-01-27"
	created := func(c ceap.Counts) ceap.Counts {
		c.Created = c.Stored
		return c
	}
	for folder, runs := range map[string][]run{
		"quick-start": {
			{"quick-start", "US", from, to, created(ceap.Counts{Extracted: 3, Stored: 3})},
		},
		"guide": {
			{"product-reviews", "US", from, to, created(ceap.Counts{Extracted: 5, Stored: 3, Rejected: 2})},
			{"product-reviews-not-exists", "US", from, to, created(ceap.Counts{Extracted: 6, Stored: 4, Rejected: 2})},
			{"product-reviews-not-exists", "UK", from, to, created(ceap.Counts{Extracted: 1, Stored: 1})},
			{"video-ratings", "US", from, to, created(ceap.Counts{Extracted: 4, Stored: 2, Rejected: 1, Duplicate: 1})},
			{"video-ratings-not-exists", "US", from, to, created(ceap.Counts{Extracted: 3, Stored: 1, Rejected: 1, Duplicate: 1})},
			{"service-surveys", "US", from, to, created(ceap.Counts{Extracted: 5, Stored: 2, Rejected: 3})},
			{"service-surveys-not-exists", "US", from, to, created(ceap.Counts{Extracted: 4, Stored: 1, Rejected: 3})},
		},
		"music": {
			{"music-feedback", "US", "1997-03-01", "1997-03-31", created(ceap.Counts{Extracted: 6, Stored: 6})},
		},
	} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			a := open(t, folder, "")
			for _, r := range runs {
				r.check(t, a)
			}
		})
	}
}

// TestMusic_CDNOW runs the music shop's program over real purchases.
func TestMusic_CDNOW(t *testing.T) {
	t.Parallel()
	data := os.Getenv("CEAP_TESTDATA")
	if data == "" {
		t.Skip("left out: the CDNOW purchases; set CEAP_TESTDATA to the folder that holds cdnow/purchases.csv")
	}
	purchases := filepath.Join(data, "cdnow")
	a := open(t, "music", purchases)
	want := ordersBySQL(t, filepath.Join(purchases, "purchases.csv"))
	r := run{"music-feedback", "US", "1997-03-01", "1997-03-31", ceap.Counts{
		Extracted: int64(len(want)), Stored: int64(len(want)), Created: int64(len(want)),
	}}
	r.check(t, a)
	if diff := cmp.Diff(want, storedOrders(t, a)); diff != "" {
		t.Errorf("orders (-SQL over the file +candidates):\n%s", diff)
	}
	r.counts.Created, r.counts.Unchanged = 0, r.counts.Stored // I4: the orders' ids are the same in every run
	r.check(t, a)
}

// ordersBySQL asks the file itself, apart from CEAP and its program, for the
// orders of March 1997 worth at least $20: customer, day and value, sorted.
func ordersBySQL(t *testing.T, file string) []string {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // in memory
	rows, err := db.QueryContext(t.Context(), `SELECT customer_id || ' ' || purchase_date || ' ' || printf('%.2f', order_value::DOUBLE)
		FROM read_csv(?, all_varchar = true) WHERE purchase_date LIKE '199703%' AND order_value::DOUBLE >= 20 ORDER BY 1`, file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var order string
		if err := rows.Scan(&order); err != nil {
			t.Fatal(err)
		}
		out = append(out, order)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	if len(out) == 0 || !strings.HasPrefix(out[0], "0") {
		t.Fatalf("%d orders; the first lacks its leading zeros: %v", len(out), out[:min(1, len(out))])
	}
	return out
}

// storedOrders lists the stored candidates in the same form, and checks that they
// come best first.
func storedOrders(t *testing.T, a *app.App) []string {
	t.Helper()
	var out []string
	last := 2.0
	q := store.Query{ProgramID: "music-feedback", Channel: "email", Limit: 1000}
	for {
		page, err := a.Candidates(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Candidates {
			value, _ := c.OrderValue.Number()
			out = append(out, fmt.Sprintf("%s %s %.2f", c.CustomerID, c.EventDate.Format("20060102"), value))
			if want := min(value/100, 1); c.Score > last || math.Abs(c.Score-want) > 1e-9 {
				t.Errorf("%s scored %v after %v; want %v", c.Key, c.Score, last, want)
			}
			last = c.Score
		}
		if page.Next == "" {
			slices.Sort(out)
			return out
		}
		q.Cursor = page.Next
	}
}

// open opens a copy of an example, whose folder stays as it is. The files of the
// folder purchases, if it is not "", replace the music shop's.
func open(t *testing.T, folder, purchases string) *app.App {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, ".ceap")); err != nil { // left by whoever tried the example
		t.Fatal(err)
	}
	if purchases != "" {
		if err := os.Remove(filepath.Join(dir, "warehouse/music/purchases/purchases.csv")); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(dir, "warehouse/music/purchases"), os.DirFS(purchases)); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := config.Load(config.Sources{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC) }
	a, err := app.New(t.Context(), c, builtin.All(), app.Deps{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return a
}

func (r run) check(t *testing.T, a *app.App) {
	t.Helper()
	input := ceap.RunInput{ProgramID: r.program, Marketplace: r.marketplace, DateRange: &ceap.DateRange{}}
	for text, date := range map[string]*ceap.Date{r.start: &input.DateRange.Start, r.end: &input.DateRange.End} {
		if err := date.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	result, err := a.Run(t.Context(), app.RunRequest{Input: pipeline.Input{RunInput: input}}, nil)
	if err != nil {
		t.Errorf("%s in %s: %v", r.program, r.marketplace, err)
		return
	}
	if result.Status != ceap.RunSucceeded {
		t.Errorf("%s in %s ended %s: %s", r.program, r.marketplace, result.Status, result.Message)
	}
	if diff := cmp.Diff(r.counts, result.Counts); diff != "" {
		t.Errorf("%s in %s (-README +run):\n%s", r.program, r.marketplace, diff)
	}
	for _, s := range result.Scores {
		if s.Unscored > 0 || s.Fallback > 0 {
			t.Errorf("%s in %s: model %s gave %d candidates no score: %s", r.program, r.marketplace, s.ModelID, s.Unscored+s.Fallback, s.Reason)
		}
	}
}

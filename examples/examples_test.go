//go:build cgo

// The examples run on DuckDB, which needs cgo.

package examples_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/pipeline"
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
	// Counted with awk: the orders of March 1997 that are worth $20 or more.
	r := run{"music-feedback", "US", "1997-03-01", "1997-03-31", ceap.Counts{Extracted: 6452, Stored: 6452, Created: 6452}}
	r.check(t, a)
	r.counts.Created, r.counts.Unchanged = 0, 6452 // I4: the orders' ids are the same in every run
	r.check(t, a)
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

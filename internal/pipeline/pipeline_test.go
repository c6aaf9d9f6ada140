//go:build cgo

// A run needs a store, and the one there is needs cgo.

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/sqlite"
)

func noon() time.Time { return time.Date(2026, 1, 27, 12, 0, 0, 0, time.UTC) }

// house is a runner with a real store and a journal in memory.
type house struct {
	roles   store.Roles
	runner  *pipeline.Runner
	journal *journal // of the latest attempt

	programID string // in place of the definition's; "" for none
}

type journal struct {
	outcomes []ceap.Outcome
	complete bool
	closed   bool
	fail     error
}

func (j *journal) Write(outcomes []ceap.Outcome) error {
	j.outcomes = append(j.outcomes, outcomes...)
	return j.fail
}
func (j *journal) Close(complete bool) error { j.closed, j.complete = true, complete; return nil }
func (j *journal) Discard()                  {}

func open(tb testing.TB) *house {
	tb.Helper()
	s, err := sqlite.Open(tb.Context(), filepath.Join(tb.TempDir(), "ceap.db"), 8)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	h := &house{roles: s.Roles()}
	var ids atomic.Int64
	h.runner = &pipeline.Runner{
		Candidates: h.roles.Candidates, Runs: h.roles.Runs, Logger: slog.New(slog.DiscardHandler), Now: noon,
		NewID: func() string { return "run-" + strconv.FormatInt(ids.Add(1), 10) },
		OpenJournal: func(context.Context, ceap.Run) (pipeline.Journal, error) {
			h.journal = &journal{}
			return h.journal, nil
		},
		TempDir: tb.TempDir(), Workers: 2,
	}
	return h
}

// fork returns a house with the same store, whose runs have a program of their
// own there: opening a store takes longer than running a program.
func (h *house) fork() *house {
	runner := *h.runner
	f := &house{roles: h.roles, runner: &runner, programID: "program-" + h.runner.NewID()}
	f.runner.OpenJournal = func(context.Context, ceap.Run) (pipeline.Journal, error) {
		f.journal = &journal{}
		return f.journal, nil
	}
	return f
}

func (h *house) run(tb testing.TB, d *pipeline.Definition, in pipeline.Input) ceap.RunResult {
	tb.Helper()
	res, err := h.try(tb.Context(), d, in)
	if err != nil {
		tb.Fatalf("running: %v", err)
	}
	return res
}

func (h *house) try(ctx context.Context, d *pipeline.Definition, in pipeline.Input) (ceap.RunResult, error) {
	if in.DateRange == nil {
		today := ceap.DateOf(noon())
		in.DateRange = &ceap.DateRange{Start: today.AddDays(-1), End: today}
	}
	if h.programID != "" {
		d.ProgramID = h.programID
	}
	in.ProgramID, in.Marketplace = d.ProgramID, d.Marketplace
	return h.runner.Run(ctx, func(time.Time) (*pipeline.Definition, error) { return d, nil }, in, &pipeline.Meter{})
}

func batch(id string) pipeline.Input { return pipeline.Input{RunInput: ceap.RunInput{BatchID: id}} }

// columns of the rows that these tests use.
func source(rows ...[]ceap.Value) *connectortest.Fake {
	f := &connectortest.Fake{BatchSize: 3, Rows: rows}
	for _, name := range []string{"customer_id", "subject_id", "event_date", "order_value", "email_eligible", "n"} {
		f.Columns = append(f.Columns, connector.Column{Name: name, Type: "VARCHAR"})
	}
	f.Mappings = connector.FieldMappings{"subjectType": connector.FromText("product")}
	return f
}

func row(customer, subject, date string, value float64, n int64) []ceap.Value {
	return []ceap.Value{ceap.String(customer), ceap.String(subject), ceap.String(date), ceap.Float(value), ceap.Bool(true), ceap.Int(n)}
}

func program(sources ...*connectortest.Fake) *pipeline.Definition {
	d := &pipeline.Definition{
		ProgramID: "product-reviews", Marketplace: "US", Hash: "h1", Enabled: true, TTL: 720 * time.Hour, MaxErrorRate: 0.05,
		Rules: connector.Rules{MinDate: noon().AddDate(-1, 0, 0), MaxDate: noon().AddDate(0, 0, 7)},
	}
	for i, s := range sources {
		d.Sources = append(d.Sources, pipeline.Source{ID: "source-" + strconv.Itoa(i+1), Connector: s})
	}
	return d
}

// rule is a filter made of a function.
type rule struct {
	say   func(*ceap.Candidate) filter.Verdict
	err   error
	reads []string
}

func (r rule) Apply(_ context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
	for i, c := range batch {
		verdicts[i] = r.say(c)
	}
	return r.err
}
func (r rule) ReadsScores() []string { return r.reads }

// best is a Ranker.
type best struct {
	rule
	limits []filter.Limit
}

func (b best) Limits() []filter.Limit { return b.limits }
func (b best) Apply(_ context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
	filter.ApplyLimits(b.limits, batch, verdicts)
	return nil
}

type model func(*ceap.Candidate) (float64, error)

func (m model) Score(_ context.Context, batch []*ceap.Candidate, results []scorer.Result) error {
	for i, c := range batch {
		results[i].Value, results[i].Err = m(c)
	}
	return nil
}

func number(c *ceap.Candidate) int64 { v, _ := c.Attribute("n"); return v.Int() }

func outcomes(j *journal) []string {
	var out []string
	for _, o := range j.outcomes {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s/%d %s %s %s", o.ConnectorID, o.Row, o.Kind, o.FilterID, o.ReasonCode)))
	}
	return out
}

func same(tb testing.TB, what string, want, got any) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestRunner_EveryKindOfOutcome(t *testing.T) {
	t.Parallel()
	h := open(t)
	bad := row("c5", "p", "never", 1, 0)
	first := source(row("c1", "p", "2026-01-26", 1, 0), row("c2", "p", "2026-01-26", 1, 0), row("c2", "p", "2026-01-27", 2, 0), bad, row("", "p", "2026-01-26", 1, 0))
	second := source(row("c1", "p", "2026-01-27", 9, 0), row("c3", "p", "2026-01-26", 1, 0), row("c4", "p", "2026-01-26", 1, 7))
	d := program(first, second)
	d.Filters = []pipeline.Filter{{ID: "lucky", Filter: rule{say: func(c *ceap.Candidate) filter.Verdict {
		if number(c) == 7 {
			return filter.Verdict{Code: "UNLUCKY", Reason: "n is 7"}
		}
		return filter.Verdict{}
	}}}}
	res := h.run(t, d, batch("b1"))
	same(t, "counts", ceap.Counts{Extracted: 8, Invalid: 2, Duplicate: 2, Rejected: 1, Stored: 3, Created: 3}, res.Counts)
	same(t, "status", ceap.RunSucceeded, res.Status)
	same(t, "outcomes", []string{
		"source-1/4 invalid  BAD_VALUE", "source-1/5 invalid  MISSING_FIELD",
		"source-1/1 created", "source-2/1 duplicate  DUPLICATE_ROW", // the connector listed first wins (D14)
		"source-1/3 created", "source-1/2 duplicate  DUPLICATE_ROW", // within it the later event
		"source-2/2 created", "source-2/3 rejected lucky UNLUCKY",
	}, outcomes(h.journal))
	same(t, "duplicate names the winner", "row 1 of source-1 is the same candidate and comes first", h.journal.outcomes[3].Reason)
	same(t, "funnel", []ceap.FunnelStep{
		{Step: "extract", In: 8, Out: 8},
		{Step: "map and validate", In: 8, Out: 6},
		{Step: "deduplicate", In: 6, Out: 4},
		{Step: "filter lucky", In: 4, Out: 3},
		{Step: "store", In: 3, Out: 3},
	}, res.Funnel)
	same(t, "open streams", 0, first.OpenStreams()+second.OpenStreams())
	c, err := h.roles.Candidates.Get(t.Context(), ceap.Key{CustomerID: "c1", ProgramID: d.ProgramID, Marketplace: "US", SubjectType: "product", SubjectID: "p"})
	if err != nil || c.Meta.ConnectorID != "source-1" || c.Meta.RunID != res.RunID || c.OrderValue != ceap.Int(1) {
		t.Errorf("stored %+v, %v", c, err)
	}
}

func TestRunner_BatchID(t *testing.T) {
	t.Parallel()
	h := open(t)
	s := source(row("c1", "p", "2026-01-26", 1, 0))
	d := program(s)
	first := h.run(t, d, batch("b1"))
	again := h.run(t, d, batch("b1"))
	if !again.Replayed || again.RunID != first.RunID || s.Extracts() != 1 {
		t.Errorf("the same batch was not replayed: %+v, %d extracts", again, s.Extracts())
	}
	other := batch("b1")
	other.DateRange = &ceap.DateRange{Start: 1, End: 2}
	if _, err := h.try(t.Context(), d, other); ceap.ErrorCode(err) != ceap.CodeConflict {
		t.Errorf("other input: %v", err)
	}
	fresh := h.run(t, d, batch("b2"))
	same(t, "counts of another batch", ceap.Counts{Extracted: 1, Stored: 1, Unchanged: 1}, fresh.Counts)
	same(t, "result hash", first.ResultHash, fresh.ResultHash)
	backwards := batch("b3")
	backwards.DateRange = &ceap.DateRange{Start: 2, End: 1}
	if _, err := h.try(t.Context(), d, backwards); ceap.ErrorCode(err) != ceap.CodeInvalid {
		t.Errorf("a range that starts after its end: %v", err)
	}
}

func TestRunner_DryRunAndExtractOnlyLeaveNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	d := program(source(row("c1", "p", "2026-01-26", 1, 0), row("", "p", "2026-01-26", 1, 0)))
	dry := batch("b1")
	dry.DryRun = true
	same(t, "dry run", ceap.Counts{Extracted: 2, Invalid: 1, Stored: 1, Created: 1}, h.run(t, d, dry).Counts)
	extract := batch("b1")
	extract.Stage = pipeline.StageExtract
	res := h.run(t, d, extract)
	same(t, "extract only", ceap.Counts{Extracted: 2, Invalid: 1}, res.Counts)
	if len(res.InvalidReasons) != 1 || len(res.Mappings) == 0 || res.Status != ceap.RunSucceeded {
		t.Errorf("extract only: %+v", res)
	}
	page, err := h.roles.Candidates.Find(t.Context(), store.Query{CustomerID: "c1", Now: noon()})
	runs, err2 := h.roles.Runs.Find(t.Context(), store.RunQuery{})
	if err != nil || err2 != nil || len(page.Candidates) > 0 || len(runs) > 0 || h.journal != nil {
		t.Errorf("left behind: %v %v %v %v", page, runs, err, err2)
	}
}

func TestRunner_Statuses(t *testing.T) {
	t.Parallel()
	breaks := rule{say: func(*ceap.Candidate) filter.Verdict { return filter.Verdict{} }, err: errors.New("no connection")}
	one := func() *connectortest.Fake { return source(row("c1", "p", "2026-01-26", 1, 0)) }
	failing := source(row("c1", "p", "2026-01-26", 1, 0), row("c2", "p", "2026-01-26", 1, 0))
	failing.NextErr, failing.FailAfter, failing.BatchSize = ceap.Errorf(ceap.CodeUnavailable, "Query execution failed: gone"), 1, 1
	missing := one()
	missing.ExtractErr = ceap.Errorf(ceap.CodeInvalid, "no such table")
	for _, c := range []struct {
		name    string
		program func() *pipeline.Definition
		status  ceap.RunStatus
		counts  ceap.Counts
		message string
		code    ceap.Code
	}{
		{"no rows", func() *pipeline.Definition { return program(source()) }, ceap.RunEmpty, ceap.Counts{}, "No candidates extracted", ""},
		{"no rows where rows are expected (D49)", func() *pipeline.Definition { d := program(source()); d.ExpectRows = true; return d }, ceap.RunFailed, ceap.Counts{}, "No candidates extracted", ""},
		{"disabled (D13)", func() *pipeline.Definition {
			d := program(one())
			d.Enabled, d.Disabled = false, "enabled is false"
			return d
		}, ceap.RunSkipped, ceap.Counts{}, "enabled is false", ""},
		{"a filter breaks (D54)", func() *pipeline.Definition {
			d := program(one())
			d.Filters = []pipeline.Filter{{ID: "f", Filter: breaks}}
			return d
		}, ceap.RunPartial, ceap.Counts{Extracted: 1, Rejected: 1}, `FILTER_ERROR; the first: the filter "f" broke: `, ""},
		{"the source fails in the middle (I3)", func() *pipeline.Definition { return program(failing) }, ceap.RunFailed, ceap.Counts{Extracted: 1, Failed: 1}, "Query execution failed", ceap.CodeUnavailable},
		{"the source cannot be read", func() *pipeline.Definition { return program(missing) }, ceap.RunFailed, ceap.Counts{}, "no such table", ceap.CodeInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			res, err := h.try(t.Context(), c.program(), batch("b"))
			same(t, "status", c.status, res.Status)
			same(t, "counts", c.counts, res.Counts)
			same(t, "code", c.code, ceap.ErrorCode(err))
			if !strings.Contains(res.Message, c.message) {
				t.Errorf("message %q lacks %q", res.Message, c.message)
			}
			if err != nil && h.journal.complete {
				t.Error("the journal of a failed run says it is complete")
			}
			runs, err := h.roles.Runs.Find(t.Context(), store.RunQuery{BatchID: "b"})
			if err != nil || len(runs) != 1 || runs[0].Result.Status != c.status {
				t.Errorf("recorded %v, %v", runs, err)
			}
		})
	}
}

// TestI3_LostRowsFailTheRun gives a store that answers for fewer rows than it was
// asked about.
func TestI3_LostRowsFailTheRun(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.runner.Candidates = forgetful{h.roles.Candidates}
	res, err := h.try(t.Context(), program(source(row("c1", "p", "2026-01-26", 1, 0), row("c2", "p", "2026-01-26", 1, 0))), batch("b"))
	if err == nil || res.Status != ceap.RunFailed || !res.Counts.Balanced() || res.Counts.Failed != 2 {
		t.Errorf("%+v, %v", res.Counts, err)
	}
}

type forgetful struct{ store.Candidates }

func (f forgetful) Upsert(ctx context.Context, batch []*ceap.Candidate, o store.UpsertOptions) ([]store.UpsertResult, error) {
	results, err := f.Candidates.Upsert(ctx, batch, o)
	return results[:len(results)-1], err
}

func TestRunner_FailedRowsAreTriedAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	var rows [][]ceap.Value
	for i := range 40 {
		rows = append(rows, row(fmt.Sprintf("c%02d", i), "p", "2026-01-26", 1, 0))
	}
	d := program(source(rows...))
	flaky := &conflicting{Candidates: h.roles.Candidates}
	h.runner.Candidates = flaky
	res := h.run(t, d, batch("b"))
	same(t, "status", ceap.RunPartial, res.Status)
	same(t, "counts", ceap.Counts{Extracted: 40, Stored: 39, Created: 39, Failed: 1}, res.Counts)
	same(t, "failures", []ceap.ReasonCount{{ReasonCode: ceap.ReasonVersionConflict, Count: 1, Reason: "lost twice"}}, res.Failures)
	d.MaxErrorRate = 0.01
	same(t, "status above maxErrorRate (D48)", ceap.RunFailed, h.run(t, d, batch("b2")).Status)
	h.runner.Candidates = h.roles.Candidates
	res = h.run(t, d, batch("b"))
	same(t, "status when tried again (D44)", ceap.RunSucceeded, res.Status)
	same(t, "counts when tried again", ceap.Counts{Extracted: 40, Stored: 40, Created: 40}, res.Counts)
	if !res.Resumed || res.Attempt != 2 || res.RunID != "run-1" {
		t.Errorf("not resumed: %+v", res)
	}
}

// conflicting fails the first candidate of each batch.
type conflicting struct{ store.Candidates }

func (c *conflicting) Upsert(ctx context.Context, batch []*ceap.Candidate, o store.UpsertOptions) ([]store.UpsertResult, error) {
	results, err := c.Candidates.Upsert(ctx, batch[1:], o)
	return append([]store.UpsertResult{{Kind: ceap.OutcomeFailed, Code: ceap.ReasonVersionConflict, Reason: "lost twice"}}, results...), err
}

func TestRunner_CancelAndResume(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	d := program(source(row("c1", "p", "2026-01-26", 1, 0)))
	d.Filters = []pipeline.Filter{{ID: "stop", Filter: rule{say: func(*ceap.Candidate) filter.Verdict { cancel(); return filter.Verdict{} }}}}
	res, err := h.try(ctx, d, batch("b"))
	same(t, "status", ceap.RunCancelled, res.Status)
	same(t, "code", ceap.CodeCancelled, ceap.ErrorCode(err))
	same(t, "counts", ceap.Counts{Extracted: 1, Failed: 1}, res.Counts)
	res = h.run(t, d, batch("b"))
	same(t, "status when run again", ceap.RunSucceeded, res.Status)
	same(t, "counts when run again", ceap.Counts{Extracted: 1, Stored: 1, Created: 1}, res.Counts)
}

func TestRunner_APanicInAPlugInFailsTheRowsNotTheProcess(t *testing.T) {
	t.Parallel()
	h := open(t)
	d := program(source(row("c1", "p", "2026-01-26", 1, 0)))
	d.Filters = []pipeline.Filter{{ID: "f", Filter: rule{say: func(*ceap.Candidate) filter.Verdict { panic("ouch") }}}}
	res := h.run(t, d, batch("b"))
	same(t, "status", ceap.RunPartial, res.Status)
	if !strings.Contains(h.journal.outcomes[0].Reason, "ouch") {
		t.Errorf("reason: %s", h.journal.outcomes[0].Reason)
	}
}

func TestRunner_Scores(t *testing.T) {
	t.Parallel()
	fallback := 30.0
	constant := func(v float64) model { return func(*ceap.Candidate) (float64, error) { return v, nil } }
	broken := model(func(*ceap.Candidate) (float64, error) { return 0, errors.New("down") })
	missing := model(func(*ceap.Candidate) (float64, error) { return 0, &scorer.NotConfigured{Need: "set endpointName"} })
	for _, c := range []struct {
		name   string
		models []pipeline.Model
		scored bool
		score  float64
		states []ceap.ScoreState
		reason []string
	}{
		{"one", []pipeline.Model{{ID: "a", Scorer: constant(0.4), Weight: 2}}, true, 0.4, []ceap.ScoreState{"model"}, []string{""}},
		{"weights are normalised (D57)", []pipeline.Model{{ID: "a", Scorer: constant(0.2), Weight: 3}, {ID: "b", Scorer: constant(1), Weight: 1}}, true, 0.4, []ceap.ScoreState{"model", "model"}, []string{"", ""}},
		{"over the models that answered", []pipeline.Model{{ID: "a", Scorer: constant(0.2), Weight: 3}, {ID: "b", Scorer: broken, Weight: 5}}, true, 0.2, []ceap.ScoreState{"model", "unscored"}, []string{"", "MODEL_ERROR"}},
		{"a fallback stands in, in the model's scale (D56, D58)", []pipeline.Model{{ID: "a", Scorer: missing, Weight: 1, Fallback: &fallback, Min: 10, Max: 50}}, true, 0.5, []ceap.ScoreState{"fallback"}, []string{"MODEL_NOT_CONFIGURED"}},
		{"without one there is no score (I28)", []pipeline.Model{{ID: "a", Scorer: missing, Weight: 1}}, false, 0, []ceap.ScoreState{"unscored"}, []string{"MODEL_NOT_CONFIGURED"}},
		{"outside its scale is an error", []pipeline.Model{{ID: "a", Scorer: constant(1.5), Weight: 1}}, false, 0, []ceap.ScoreState{"unscored"}, []string{"MODEL_ERROR"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			d := program(source(row("c1", "p", "2026-01-26", 1, 0), row("c2", "p", "2026-01-26", 1, 0)))
			d.Models = c.models
			res := h.run(t, d, batch("b"))
			got, err := h.roles.Candidates.Get(t.Context(), ceap.Key{CustomerID: "c1", ProgramID: d.ProgramID, Marketplace: "US", SubjectType: "product", SubjectID: "p"})
			if err != nil {
				t.Fatal(err)
			}
			if got.Scored != c.scored || got.Score < c.score-1e-9 || got.Score > c.score+1e-9 {
				t.Errorf("score %v %v", got.Scored, got.Score)
			}
			unanswered := 0
			for i, s := range got.Scores {
				same(t, "state", c.states[i], s.State)
				same(t, "reason", c.reason[i], s.Reason)
				sc := res.Scores[i]
				same(t, "count", int64(2), map[ceap.ScoreState]int64{ceap.ScoreModel: sc.Scored, ceap.ScoreFallback: sc.Fallback, ceap.ScoreUnscored: sc.Unscored}[s.State])
				if s.State != ceap.ScoreModel {
					unanswered++
				}
			}
			same(t, "one warning for each model without an answer", unanswered, len(res.Warnings))
		})
	}
}

func TestStages_ScoringStandsBeforeTheFirstFilterThatReadsAScore(t *testing.T) {
	t.Parallel()
	pass := func(reads ...string) filter.Filter {
		return rule{say: func(*ceap.Candidate) filter.Verdict { return filter.Verdict{} }, reads: reads}
	}
	names := func(d *pipeline.Definition) string {
		s, err := pipeline.NewStages(d)
		if err != nil {
			return string(ceap.ErrorCode(err))
		}
		var out []string
		for _, step := range s.Plan() {
			out = append(out, step.Name)
		}
		return strings.Join(out, " ")
	}
	d := program()
	d.Filters = []pipeline.Filter{{ID: "a", Filter: pass()}, {ID: "b", Filter: pass("m")}, {ID: "c", Filter: pass()}}
	same(t, "no such model (D55)", "invalid", names(d))
	d.Models = []pipeline.Model{{ID: "m", Weight: 1}}
	same(t, "plan", "a score b c", names(d))
	d.Filters = d.Filters[:1]
	same(t, "no filter needs it", "a score", names(d))
	d.Filters = []pipeline.Filter{{ID: "any", Filter: pass("*")}}
	same(t, "any score", "score any", names(d))
	d.Models = nil
	same(t, "any score without a model", "invalid", names(d))
}

// TestRunner_FiltersAndModelsSeeTheWholeCandidate keeps what a filter, a limit and
// a model are shown.
func TestRunner_FiltersAndModelsSeeTheWholeCandidate(t *testing.T) {
	t.Parallel()
	h := open(t)
	d := program(source(row("c1", "p", "2026-01-26", 0.5, 4)))
	var seen []ceap.Candidate
	look := func(c *ceap.Candidate) {
		shown := *c
		shown.Scores, shown.Score, shown.Scored = nil, 0, false
		shown.Channels, shown.Extra = slices.Clone(c.Channels), slices.Clone(c.Extra)
		seen = append(seen, shown)
	}
	d.Models = []pipeline.Model{{ID: "m", Weight: 1, Scorer: model(func(c *ceap.Candidate) (float64, error) { look(c); return 0.5, nil })}}
	d.Filters = []pipeline.Filter{
		{ID: "f", Filter: rule{say: func(c *ceap.Candidate) filter.Verdict { look(c); return filter.Verdict{} }}},
		{ID: "best", Filter: best{rule{reads: []string{"*"}}, []filter.Limit{{Per: "run", Max: 1, Group: func(c *ceap.Candidate) (string, error) { look(c); return "", nil }}}}},
		{ID: "g", Filter: rule{say: func(c *ceap.Candidate) filter.Verdict { look(c); return filter.Verdict{} }}},
	}
	h.run(t, d, batch("b"))
	want := ceap.Candidate{
		Key:       ceap.Key{CustomerID: "c1", ProgramID: d.ProgramID, Marketplace: "US", SubjectType: "product", SubjectID: "p"},
		EventDate: time.Date(2026, 1, 26, 0, 0, 0, 0, time.UTC), OrderValue: ceap.Float(0.5), Currency: "USD",
		Channels: []ceap.ChannelFlag{{Channel: "email", Eligible: true}}, Extra: []ceap.Attribute{{Name: "n", Value: ceap.Int(4)}},
	}
	if len(seen) != 4 {
		t.Fatalf("%d looks", len(seen))
	}
	for i, got := range seen {
		got.Meta = ceap.Meta{}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b ceap.Value) bool { return a == b })); diff != "" {
			t.Errorf("look %d (-want +got):\n%s", i, diff)
		}
	}
}

// world draws a program's rows with all kinds of trouble.
func world(t *rapid.T) [][]ceap.Value {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []ceap.Value {
		r := row(
			rapid.SampledFrom([]string{"c1", "c2", "c3", "c\x00", "c", " ", "é"}).Draw(t, "customer"),
			rapid.SampledFrom([]string{"p1", "p2", "p#%"}).Draw(t, "subject"),
			rapid.SampledFrom([]string{"2026-01-25", "2026-01-26", "2026-01-26T10:00:00Z", "yesterday", "1999-01-01"}).Draw(t, "date"),
			float64(rapid.IntRange(0, 5).Draw(t, "value"))/4,
			int64(rapid.IntRange(0, 9).Draw(t, "n")),
		)
		if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
			r[rapid.IntRange(0, 2).Draw(t, "field")] = ceap.Null()
		}
		return r
	}), 0, 60).Draw(t, "rows")
}

func worldly(sources ...*connectortest.Fake) *pipeline.Definition {
	d := program(sources...)
	d.MaxErrorRate = 1
	d.Models = []pipeline.Model{{ID: "value", Weight: 1, Scorer: model(func(c *ceap.Candidate) (float64, error) {
		f, _ := c.OrderValue.Number()
		return f / 2, nil
	})}}
	d.Filters = []pipeline.Filter{
		{ID: "odd", Filter: rule{say: func(c *ceap.Candidate) filter.Verdict {
			switch number(c) {
			case 1:
				return filter.Verdict{Code: "ODD", Reason: "n is 1"}
			case 2:
				return filter.Verdict{Err: errors.New("n is 2")}
			}
			return filter.Verdict{}
		}}},
		{ID: "best", Filter: best{rule{reads: []string{"*"}}, []filter.Limit{
			{Per: "customer", Max: 2, Group: func(c *ceap.Candidate) (string, error) { return c.CustomerID, nil }},
			{Per: "run", Max: 6, Group: func(*ceap.Candidate) (string, error) { return "", nil }},
		}}},
		{ID: "late", Filter: rule{say: func(c *ceap.Candidate) filter.Verdict {
			if number(c) == 3 {
				return filter.Verdict{Code: "THREE", Reason: "n is 3"}
			}
			return filter.Verdict{}
		}}},
	}
	return d
}

// decided lists what became of rows apart from their positions.
func decided(j *journal) []string {
	var out []string
	for _, o := range j.outcomes {
		out = append(out, fmt.Sprintf("%q %q %s %s %s %s", o.CustomerID, o.SubjectID, o.EventDate, o.Kind, o.FilterID, o.ReasonCode))
	}
	slices.Sort(out)
	return out
}

func TestI1_I2_EveryRowHasOneOutcomeAndTheCountsBalance(t *testing.T) {
	t.Parallel()
	base := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		h := base.fork()
		rows := world(rt)
		cut := rapid.IntRange(0, len(rows)).Draw(rt, "cut")
		res := h.run(t, worldly(source(rows[:cut]...), source(rows[cut:]...)), batch("b"))
		if !res.Counts.Balanced() || res.Counts.Extracted != int64(len(rows)) {
			rt.Fatalf("counts %+v of %d rows", res.Counts, len(rows))
		}
		seen := map[string]int{}
		for _, o := range h.journal.outcomes {
			seen[fmt.Sprintf("%s/%d", o.ConnectorID, o.Row)]++
			if (o.ReasonCode == "") != o.Kind.Stored() || (o.Reason == "") != o.Kind.Stored() {
				rt.Fatalf("an outcome without a reason, or stored with one: %+v", o)
			}
		}
		for i := range rows {
			id := fmt.Sprintf("source-1/%d", i+1)
			if i >= cut {
				id = fmt.Sprintf("source-2/%d", i-cut+1)
			}
			if seen[id] != 1 {
				rt.Fatalf("row %s has %d outcomes", id, seen[id])
			}
		}
	})
}

func TestI8_TheOrderAndPagesOfASourceDoNotMatter(t *testing.T) {
	t.Parallel()
	base := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		rows := world(rt)
		h1, h2 := base.fork(), base.fork()
		first := h1.run(t, worldly(source(rows...)), batch("b"))
		shuffled := slices.Clone(rows)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		s := source(shuffled...)
		s.BatchSize = rapid.IntRange(1, 50).Draw(rt, "batch size")
		second := h2.run(t, worldly(s), batch("b"))
		if diff := cmp.Diff(decided(h1.journal), decided(h2.journal)); diff != "" {
			rt.Fatalf("outcomes differ:\n%s", diff)
		}
		if first.Counts != second.Counts || first.ResultHash != second.ResultHash {
			rt.Fatalf("counts or hash differ: %+v %+v", first.Counts, second.Counts)
		}
	})
}

// TestI7 interrupts a run at a random call of the store and runs it again.
func TestI7_AnInterruptedRunEndsAsOneThatWasNot(t *testing.T) {
	t.Parallel()
	base := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		rows := world(rt)
		whole, cut := base.fork(), base.fork()
		want := whole.run(t, worldly(source(rows...)), batch("b"))
		cut.runner.Candidates = &dying{Candidates: cut.roles.Candidates, after: rapid.IntRange(0, 2).Draw(rt, "calls"), half: rapid.Bool().Draw(rt, "half")}
		if res, err := cut.try(t.Context(), worldly(source(rows...)), batch("b")); err != nil && (res.Status != ceap.RunFailed || !res.Counts.Balanced()) {
			rt.Fatalf("interrupted: %+v, %v", res, err)
		}
		cut.runner.Candidates = cut.roles.Candidates
		got := cut.run(t, worldly(source(rows...)), batch("b"))
		if got.Counts != want.Counts || got.ResultHash != want.ResultHash || got.Status != want.Status {
			rt.Fatalf("resumed:\n%+v\nwhole:\n%+v", got.Counts, want.Counts)
		}
		if diff := cmp.Diff(outcomes(whole.journal), outcomes(cut.journal)); diff != "" {
			rt.Fatalf("journals differ:\n%s", diff)
		}
	})
}

// dying answers some calls and then fails for good; half of the batch it fails on
// may have been written.
type dying struct {
	store.Candidates
	after int
	half  bool
}

func (d *dying) Upsert(ctx context.Context, batch []*ceap.Candidate, o store.UpsertOptions) ([]store.UpsertResult, error) {
	if d.after--; d.after >= 0 {
		return d.Candidates.Upsert(ctx, batch, o)
	}
	if d.half {
		if _, err := d.Candidates.Upsert(ctx, batch[:len(batch)/2], o); err != nil {
			return nil, err
		}
	}
	return nil, ceap.Errorf(ceap.CodeUnavailable, "the disk is full")
}

// TestI23 checks the capacity limits against the contract's own ApplyLimits on
// the whole run.
func TestI23_RankStepsMatchTheContract(t *testing.T) {
	t.Parallel()
	base := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		h := base.fork()
		var rows [][]ceap.Value
		n := rapid.IntRange(0, 80).Draw(rt, "rows")
		for i := range n {
			rows = append(rows, row(fmt.Sprintf("c%d", rapid.IntRange(0, 9).Draw(rt, "customer")), fmt.Sprintf("p%d", i),
				fmt.Sprintf("2026-01-2%d", rapid.IntRange(5, 7).Draw(rt, "day")), float64(rapid.IntRange(0, 5).Draw(rt, "value"))/4, int64(i%4)))
		}
		limits := []filter.Limit{
			{Per: "customer", Max: rapid.IntRange(1, 4).Draw(rt, "max"), Group: func(c *ceap.Candidate) (string, error) { return c.CustomerID, nil }},
			{Per: "group", Max: rapid.IntRange(1, 20).Draw(rt, "max"), Group: func(c *ceap.Candidate) (string, error) {
				if number(c) == 3 {
					return "", errors.New("no group")
				}
				return strconv.FormatInt(number(c), 10), nil
			}},
		}
		d := program(source(rows...))
		d.MaxErrorRate = 1
		d.Models = []pipeline.Model{{ID: "value", Weight: 1, Scorer: model(func(c *ceap.Candidate) (float64, error) {
			f, _ := c.OrderValue.Number()
			return f, nil // above 1 it is outside the scale, and the candidate unscored
		})}}
		var all []*ceap.Candidate
		d.Filters = []pipeline.Filter{{ID: "best", Filter: best{rule{reads: []string{"*"}}, limits}}}
		h.run(t, d, batch("b"))
		for _, r := range rows {
			c := &ceap.Candidate{Key: ceap.Key{CustomerID: r[0].Text(), ProgramID: d.ProgramID, Marketplace: "US", SubjectType: "product", SubjectID: r[1].Text()}}
			c.EventDate, _ = time.Parse(time.DateOnly, r[2].Text())
			c.OrderValue, c.Extra = r[3], []ceap.Attribute{{Name: "n", Value: r[5]}}
			if f, _ := r[3].Number(); f <= 1 {
				c.Score, c.Scored = f, true
			}
			all = append(all, c)
		}
		verdicts := make([]filter.Verdict, len(all))
		filter.ApplyLimits(limits, all, verdicts)
		want := map[string]string{}
		for i, v := range verdicts {
			want[all[i].SubjectID] = v.Code
			if v.Err != nil {
				want[all[i].SubjectID] = ceap.ReasonFilterError
			}
		}
		for _, o := range h.journal.outcomes {
			if o.ReasonCode != want[o.SubjectID] {
				rt.Fatalf("%s: %q, want %q", o.SubjectID, o.ReasonCode, want[o.SubjectID])
			}
		}
	})
}

// TestRunner_MoreRowsThanMemory makes the run sort on disk.
func TestRunner_MoreRowsThanMemory(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.runner.SortMemory = 1 << 20
	rng := rand.New(rand.NewPCG(3, 4))
	var rows [][]ceap.Value
	distinct := map[string]bool{}
	for range 30_000 {
		customer := fmt.Sprintf("CUST-%06d", rng.IntN(20_000))
		distinct[customer] = true
		rows = append(rows, row(customer, "p", "2026-01-26", rng.Float64(), int64(rng.IntN(100))))
	}
	s := source(rows...)
	s.BatchSize = 1000
	res := h.run(t, program(s), batch("b"))
	n := int64(len(distinct))
	same(t, "counts", ceap.Counts{Extracted: 30_000, Duplicate: 30_000 - n, Stored: n, Created: n}, res.Counts)
	if !slices.IsSortedFunc(h.journal.outcomes, func(a, b ceap.Outcome) int { return strings.Compare(a.CustomerID, b.CustomerID) }) {
		t.Error("the journal is not in the order of keys")
	}
}

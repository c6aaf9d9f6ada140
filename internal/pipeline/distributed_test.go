//go:build cgo

package pipeline_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/filter"
	journals "github.com/ceap-platform/ceap/internal/journal"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/store"
)

// parted is a fake source that can be read in parts of a few rows.
type parted struct {
	*connectortest.Fake
	size int

	mu      sync.Mutex
	starts  []string
	polls   int   // how often Poll says that it is still at work
	pollErr error // what Poll says then
	stops   int
}

type slice struct{ From, To int }

func (p *parted) Start(_ context.Context, req connector.Request, job connector.Job) (connector.Ticket, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ExtractErr != nil {
		return connector.Ticket{}, p.ExtractErr
	}
	p.starts = append(p.starts, job.ID)
	return connector.Ticket{ConnectorID: req.ConnectorID, StartedAt: noon(), Data: json.RawMessage(`"t"`)}, nil
}

func (p *parted) Poll(context.Context, connector.Request, connector.Ticket) (connector.Progress, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.polls--; p.polls >= 0 {
		return connector.Progress{State: "RUNNING"}, nil
	}
	return connector.Progress{Done: true}, p.pollErr
}

func (p *parted) Parts(context.Context, connector.Request, connector.Ticket) (connector.Parts, error) {
	parts := connector.Parts{Columns: p.Columns, Report: p.Told}
	for from := 0; from < len(p.Rows); from += p.size {
		to := min(from+p.size, len(p.Rows))
		data, _ := json.Marshal(slice{from, to})
		parts.List = append(parts.List, connector.Part{FirstRow: int64(from + 1), Rows: int64(to - from), Bytes: 1000, Data: data})
	}
	return parts, nil
}

func (p *parted) ExtractPart(ctx context.Context, req connector.Request, part connector.Part) (connector.Stream, error) {
	var s slice
	if err := json.Unmarshal(part.Data, &s); err != nil {
		return nil, err
	}
	piece := &connectortest.Fake{Columns: p.Columns, Rows: p.Rows[s.From:s.To], Mappings: p.Mappings, BatchSize: p.BatchSize}
	stream, err := piece.Extract(ctx, req)
	return &shifted{stream, part.FirstRow - 1}, err
}

func (p *parted) Stop(context.Context, connector.Request, connector.Ticket) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stops++
	return nil
}

// shifted gives rows the positions that they have in the whole.
type shifted struct {
	connector.Stream
	by int64
}

func (s *shifted) Next() ([]connector.Record, error) {
	batch, err := s.Stream.Next()
	for i := range batch {
		batch[i].Row += s.by
	}
	return batch, err
}

// leases hands out leases over the runs of a store.
type leases struct {
	store.Runs
	mu     sync.Mutex
	owner  string
	claim  store.Claim
	stolen bool
}

func (l *leases) Lease(ctx context.Context, run *ceap.Run, owner string, _ time.Duration) (*ceap.Run, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner == owner {
		found, err := l.Find(ctx, store.RunQuery{ProgramID: run.Result.ProgramID, BatchID: run.Result.BatchID})
		if err != nil || len(found) == 0 {
			return nil, false, err
		}
		run.RunID = found[0].RunID
		return &found[0], true, nil
	}
	prior, claim, err := l.Begin(ctx, run)
	if err == nil && claim != nil {
		l.owner, l.claim = owner, claim
	}
	return prior, claim != nil, err
}

func (l *leases) Renew(_ context.Context, _ ceap.Run, owner string, _ time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner != owner || l.stolen {
		return ceap.Errorf(ceap.CodeConflict, "another owner")
	}
	return nil
}

func (l *leases) Unlease(_ context.Context, _ ceap.Run, owner string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner != owner || l.claim == nil {
		return nil
	}
	l.owner = ""
	return l.claim.Release()
}

// mapped is a house whose runs go through the steps of several processes.
type mapped struct {
	*house
	distributed *pipeline.Distributed
	leases      *leases
	dies        func(step, part string) bool // whether a process dies before it answers
	again       bool                         // whether every step is repeated
	owners      int
}

func distribute(h *house) *mapped {
	l := &leases{Runs: h.roles.Runs}
	return &mapped{house: h, leases: l, dies: func(string, string) bool { return false }, distributed: &pipeline.Distributed{
		Runner: h.runner, Leases: l, Artifacts: h.roles.Artifacts, PartRows: 3,
	}}
}

// try runs the program as the state machine does.
func (m *mapped) try(ctx context.Context, d *pipeline.Definition, in pipeline.Input) (ceap.RunResult, error) {
	if in.DateRange == nil {
		today := ceap.DateOf(noon())
		in.DateRange = &ceap.DateRange{Start: today.AddDays(-1), End: today}
	}
	if m.programID != "" {
		d.ProgramID = m.programID
	}
	in.ProgramID, in.Marketplace = d.ProgramID, d.Marketplace
	open := func(time.Time) (*pipeline.Definition, error) { return d, nil }
	m.owners++
	owner := fmt.Sprintf("execution-%d", m.owners)
	w, done, err := m.distributed.Plan(ctx, open, in, owner, json.RawMessage(`"snapshot"`))
	if err != nil {
		return ceap.RunResult{}, err
	}
	if done != nil {
		return *done, nil
	}
	var failure *pipeline.Failure
	if err := m.steps(ctx, open, w); err != nil {
		failure = &pipeline.Failure{Code: ceap.ErrorCode(err), Message: err.Error()}
	}
	return m.distributed.Reduce(ctx, open, w, failure)
}

func (m *mapped) steps(ctx context.Context, open pipeline.Opener, w pipeline.Work) error {
	times := 1
	if m.again {
		times = 2
	}
	for range times {
		if err := m.distributed.Start(ctx, open, w); err != nil {
			return err
		}
	}
	for {
		waiting, err := m.distributed.Check(ctx, open, w)
		if err != nil {
			return err
		}
		if waiting.Done {
			break
		}
	}
	var todo pipeline.Manifest
	for range times {
		var err error
		if todo, err = m.distributed.BuildParts(ctx, open, w); err != nil {
			return err
		}
	}
	if err := m.each(ctx, open, w, todo, m.distributed.Extract); err != nil {
		return err
	}
	for range times {
		var err error
		if todo, _, err = m.distributed.BuildShards(ctx, w); err != nil {
			return err
		}
	}
	if todo.Count == 0 {
		return nil
	}
	return m.each(ctx, open, w, todo, m.distributed.Store)
}

func (m *mapped) each(ctx context.Context, open pipeline.Opener, w pipeline.Work, todo pipeline.Manifest,
	step func(context.Context, pipeline.Opener, pipeline.Work, pipeline.Part) (pipeline.PartReport, error),
) error {
	parts, err := m.distributed.ReadParts(ctx, todo)
	if err != nil {
		return err
	}
	rand.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	for _, part := range parts {
		for {
			_, err = step(ctx, open, w, part)
			if !m.again || !m.dies("after", part.ID) {
				break
			}
		}
		if m.dies("child", part.ID) {
			continue // its answer is lost, and so is the child
		}
		if m.again {
			if _, err := step(ctx, open, w, part); err != nil {
				return err
			}
		}
		_ = err // a child that fails leaves no report, which Reduce notices
	}
	return nil
}

// outcomesOf returns the run's journal in the order of its rows.
func (m *mapped) outcomesOf(tb testing.TB, runID string) []ceap.Outcome {
	tb.Helper()
	j, err := journals.Open(tb.Context(), m.roles.Artifacts, runID)
	if err != nil {
		tb.Fatal(err)
	}
	var out []ceap.Outcome
	for o, err := range j.All(tb.Context()) {
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, o)
	}
	sortOutcomes(out)
	return out
}

func sortOutcomes(out []ceap.Outcome) {
	slices.SortFunc(out, func(a, b ceap.Outcome) int {
		return cmp.Or(cmp.Compare(a.ConnectorID, b.ConnectorID), cmp.Compare(a.Row, b.Row))
	})
}

// comparable returns a result without what differs from run to run.
func comparable(res ceap.RunResult) ceap.RunResult {
	res.RunID, res.CorrelationID, res.Stages = "", "", nil
	res.StartedAt, res.EndedAt, res.DurationMs = time.Time{}, time.Time{}, 0
	res.Mappings = slices.Clone(res.Mappings)
	for i := range res.Mappings {
		if res.Mappings[i].Note == res.ProgramID {
			res.Mappings[i].Note = ""
		}
	}
	res.ProgramID = ""
	return res
}

// stored returns the program's candidates, without the ids of runs.
func (h *house) stored(tb testing.TB, programID string) []ceap.Candidate {
	tb.Helper()
	page, err := h.roles.Candidates.Find(tb.Context(), store.Query{ProgramID: programID, Marketplace: "US", Channel: "*", Now: noon(), Limit: 1000})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range page.Candidates {
		c := &page.Candidates[i]
		c.ProgramID, c.Meta.RunID, c.Meta.CreatedRunID, c.Meta.CorrelationID = "", "", "", ""
	}
	return page.Candidates
}

// TestI8_I9_PartsGiveWhatOneProcessGives compares runs by steps with runs in one
// process: programs with several sources, duplicates across parts, invalid rows,
// filters, scores and limits of the whole run, cut into parts of any size, with
// steps repeated and children that die after their work.
func TestI8_I9_PartsGiveWhatOneProcessGives(t *testing.T) {
	t.Parallel()
	shared := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		rows := func(label string) [][]ceap.Value {
			return rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) []ceap.Value {
				return row(
					rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g\x00h", "é", ""}).Draw(rt, "customer"), rapid.SampledFrom([]string{"p", "q"}).Draw(rt, "subject"),
					rapid.SampledFrom([]string{"2026-01-25", "2026-01-26", "2026-01-27T10:00:00Z", "never"}).Draw(rt, "date"),
					rapid.SampledFrom([]float64{1, 2, 29.99}).Draw(rt, "value"), rapid.Int64Range(0, 9).Draw(rt, "n"))
			}), 0, 40).Draw(rt, label)
		}
		ranked := rapid.Bool().Draw(rt, "ranked")
		first, second := rows("first"), rows("second")
		build := func(sources ...connector.Connector) *pipeline.Definition {
			d := program()
			for i, s := range sources {
				d.Sources = append(d.Sources, pipeline.Source{ID: fmt.Sprintf("source-%d", i+1), Connector: s})
			}
			d.Filters = []pipeline.Filter{{ID: "lucky", Filter: rule{say: func(c *ceap.Candidate) filter.Verdict {
				if number(c) == 7 {
					return filter.Verdict{Code: "UNLUCKY", Reason: "n is 7"}
				}
				return filter.Verdict{}
			}}}}
			d.Models = []pipeline.Model{{ID: "m", Weight: 1, Scorer: model(func(c *ceap.Candidate) (float64, error) {
				if number(c) == 3 {
					return 0, errors.New("3 is no feature")
				}
				return float64(number(c)) / 10, nil
			})}}
			if ranked {
				d.Filters = append(d.Filters, pipeline.Filter{ID: "best", Filter: best{rule{reads: []string{"*"}}, []filter.Limit{
					{Per: "subject", Max: 3, Group: func(c *ceap.Candidate) (string, error) { return c.SubjectID, nil }},
				}}})
			}
			return d
		}
		one, many := shared.fork(), distribute(shared.fork())
		want, err := one.try(t.Context(), build(source(first...), source(second...)), batch("b"))
		if err != nil {
			rt.Fatal(err)
		}
		many.distributed.PartRows = rapid.Int64Range(1, 12).Draw(rt, "part rows")
		many.again = rapid.Bool().Draw(rt, "again")
		size := rapid.IntRange(1, 9).Draw(rt, "piece")
		sources := []connector.Connector{&parted{Fake: source(first...), size: size, polls: 2}, &parted{Fake: source(second...), size: size}}
		if rapid.Bool().Draw(rt, "whole") {
			sources[1] = source(second...)
		}
		got, err := many.try(t.Context(), build(sources...), batch("b"))
		if err != nil {
			rt.Fatal(err)
		}
		alike(rt, "result", comparable(want), comparable(got))
		alike(rt, "candidates", one.stored(t, one.programID), many.stored(t, many.programID))
		outcomes := many.outcomesOf(t, got.RunID)
		sortOutcomes(one.journal.outcomes)
		for _, list := range [][]ceap.Outcome{one.journal.outcomes, outcomes} {
			for i := range list {
				list[i].ProgramID = ""
			}
		}
		if len(one.journal.outcomes)+len(outcomes) > 0 {
			alike(rt, "journal", one.journal.outcomes, outcomes)
		}
	})
}

// alike is same for a property.
func alike(rt *rapid.T, what string, want, got any) {
	rt.Helper()
	values := gocmp.Comparer(func(a, b ceap.Value) bool { return a == b })
	if diff := gocmp.Diff(want, got, values, cmpopts.EquateEmpty()); diff != "" {
		rt.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func fortyRows() [][]ceap.Value {
	var rows [][]ceap.Value
	for i := range 40 {
		rows = append(rows, row(fmt.Sprintf("c%02d", i), "p", "2026-01-26", 1, int64(i)))
	}
	return rows
}

func partedProgram(rows [][]ceap.Value) (*pipeline.Definition, *parted) {
	p := &parted{Fake: source(rows...), size: 4}
	d := program()
	d.Sources = []pipeline.Source{{ID: "source-1", Connector: p}}
	return d, p
}

func TestDistributed_APartThatFailsForGoodFailsItsRowsAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	m := distribute(open(t))
	d, p := partedProgram(fortyRows())
	m.runner.Candidates = &refusing{Candidates: m.roles.Candidates, customer: "c07"}
	res, err := m.try(t.Context(), d, batch("b"))
	if err != nil {
		t.Fatal(err)
	}
	if res.Status != ceap.RunFailed && res.Status != ceap.RunPartial || res.Counts.Failed == 0 || res.Counts.Failed == 40 || !res.Counts.Balanced() {
		t.Errorf("%s %+v", res.Status, res.Counts)
	}
	if !strings.Contains(res.Message, "the disk of c07 is on fire") || !strings.Contains(res.Message, `batchId "b"`) || res.Failures[0].ReasonCode != ceap.ReasonPartFailed {
		t.Errorf("message %q, failures %+v", res.Message, res.Failures)
	}
	j, err := journals.Open(t.Context(), m.roles.Artifacts, res.RunID)
	if err != nil || j.Manifest().Complete || j.Manifest().Rows != 40-res.Counts.Failed {
		t.Errorf("journal %+v, %v", j.Manifest(), err)
	}
	m.runner.Candidates = m.roles.Candidates
	again, err := m.try(t.Context(), d, batch("b"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "status", ceap.RunSucceeded, again.Status)
	same(t, "counts", ceap.Counts{Extracted: 40, Stored: 40, Created: 40}, again.Counts)
	if !again.Resumed || again.Attempt != 2 || len(p.starts) != 1 {
		t.Errorf("resumed %v, attempt %d, queries %v", again.Resumed, again.Attempt, p.starts)
	}
	same(t, "rows in the journal", 40, len(m.outcomesOf(t, again.RunID)))
	replayed, err := m.try(t.Context(), d, batch("b"))
	if err != nil || !replayed.Replayed || replayed.ResultHash != again.ResultHash {
		t.Errorf("replayed %+v, %v", replayed.Replayed, err)
	}
}

// refusing fails every batch that holds the customer.
type refusing struct {
	store.Candidates
	customer string
}

func (r *refusing) Upsert(ctx context.Context, batch []*ceap.Candidate, o store.UpsertOptions) ([]store.UpsertResult, error) {
	if slices.ContainsFunc(batch, func(c *ceap.Candidate) bool { return c.CustomerID == r.customer }) {
		return nil, ceap.Errorf(ceap.CodeUnavailable, "the disk of %s is on fire", r.customer)
	}
	return r.Candidates.Upsert(ctx, batch, o)
}

func TestDistributed_RowsThatFailedAreTriedAgain(t *testing.T) {
	t.Parallel()
	m := distribute(open(t))
	d, _ := partedProgram(fortyRows())
	d.MaxErrorRate = 0.5
	m.runner.Candidates = &conflicting{Candidates: m.roles.Candidates}
	res, err := m.try(t.Context(), d, batch("b"))
	if err != nil || res.Status != ceap.RunPartial || res.Failures[0].ReasonCode != ceap.ReasonVersionConflict {
		t.Errorf("%s %+v, %v", res.Status, res.Failures, err)
	}
	m.runner.Candidates = m.roles.Candidates
	again, err := m.try(t.Context(), d, batch("b"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "status", ceap.RunSucceeded, again.Status)
	same(t, "counts", ceap.Counts{Extracted: 40, Stored: 40, Created: 40}, again.Counts)
}

func TestDistributed_WhatStopsARunBeforeItsPartsAreDone(t *testing.T) {
	t.Parallel()
	failed := ceap.Errorf(ceap.CodeInvalid, "Query execution failed: no such table")
	for name, c := range map[string]struct {
		prepare func(*mapped, *pipeline.Definition, *parted)
		message string
		code    ceap.Code
		counts  ceap.Counts
		stops   int
	}{
		"the query cannot start": {func(_ *mapped, _ *pipeline.Definition, p *parted) { p.ExtractErr = failed }, "no such table", ceap.CodeInvalid, ceap.Counts{}, 0},
		"the query fails":        {func(_ *mapped, _ *pipeline.Definition, p *parted) { p.pollErr = failed }, "no such table", ceap.CodeInvalid, ceap.Counts{}, 1},
		"a mapping names no column": {func(_ *mapped, _ *pipeline.Definition, p *parted) {
			p.Mappings = connector.FieldMappings{"customerId": connector.FromText("custmer_id")}
		}, "custmer_id", ceap.CodeInvalid, ceap.Counts{}, 1},
		"a part to extract is lost": {func(_ *mapped, d *pipeline.Definition, p *parted) {
			d.Sources[0].Connector = &torn{p}
		}, "the file is torn", ceap.CodeUnavailable, ceap.Counts{Extracted: 40, Failed: 40}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := distribute(open(t))
			d, p := partedProgram(fortyRows())
			c.prepare(m, d, p)
			res, err := m.try(t.Context(), d, batch("b"))
			same(t, "status", ceap.RunFailed, res.Status)
			same(t, "code", c.code, ceap.ErrorCode(err))
			same(t, "counts", c.counts, res.Counts)
			same(t, "stops", c.stops, p.stops)
			if !strings.Contains(res.Message, c.message) {
				t.Errorf("message %q", res.Message)
			}
			same(t, "candidates", 0, len(m.stored(t, d.ProgramID)))
			if m.leases.owner != "" {
				t.Error("the lease is still held")
			}
		})
	}
}

// torn cannot read its second part.
type torn struct{ *parted }

func (t *torn) ExtractPart(ctx context.Context, req connector.Request, part connector.Part) (connector.Stream, error) {
	if part.FirstRow == 5 {
		return nil, ceap.Errorf(ceap.CodeUnavailable, "the file is torn")
	}
	return t.parted.ExtractPart(ctx, req, part)
}

func TestDistributed_AnOwnerThatLostItsLeaseStops(t *testing.T) {
	t.Parallel()
	m := distribute(open(t))
	d, _ := partedProgram(fortyRows())
	today := ceap.DateOf(noon())
	in := batch("b")
	in.ProgramID, in.Marketplace, in.DateRange = d.ProgramID, d.Marketplace, &ceap.DateRange{Start: today, End: today}
	open := func(time.Time) (*pipeline.Definition, error) { return d, nil }
	w, _, err := m.distributed.Plan(t.Context(), open, in, "one", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.distributed.Plan(t.Context(), open, in, "two", nil); ceap.ErrorCode(err) != ceap.CodeConflict {
		t.Errorf("a second owner: %v", err)
	}
	m.leases.stolen = true
	if err := m.distributed.Start(t.Context(), open, w); ceap.ErrorCode(err) != ceap.CodeConflict {
		t.Errorf("after the lease was lost: %v", err)
	}
	m.leases.stolen = false
	d.Hash = "another program"
	if err := m.distributed.Start(t.Context(), open, w); ceap.ErrorCode(err) != ceap.CodeConflict {
		t.Errorf("with another program: %v", err)
	}
}

func TestDistributed_ADisabledProgramIsSkipped(t *testing.T) {
	t.Parallel()
	m := distribute(open(t))
	d, p := partedProgram(fortyRows())
	d.Enabled, d.Disabled = false, "enabled is false"
	res, err := m.try(t.Context(), d, batch("b"))
	if err != nil || res.Status != ceap.RunSkipped || len(p.starts) > 0 || m.leases.owner != "" {
		t.Errorf("%s, %v, %v", res.Status, err, p.starts)
	}
}

// marked is a source that remembers how far it was read.
type marked struct {
	*connectortest.Fake
	kept connector.Checkpoints
}

type markedStream struct {
	connector.Stream
	kept connector.Checkpoints
	key  connector.CheckpointKey
}

func (m *marked) Extract(ctx context.Context, req connector.Request) (connector.Stream, error) {
	stream, err := m.Fake.Extract(ctx, req)
	return &markedStream{stream, m.kept, connector.CheckpointKey{ProgramID: req.ProgramID, ConnectorID: req.ConnectorID}}, err
}

func (s *markedStream) Commit(ctx context.Context) error { return s.kept.Save(ctx, s.key, "end") }

// marksKept is where marks end.
type marksKept map[connector.CheckpointKey]string

func (k marksKept) Load(_ context.Context, key connector.CheckpointKey) (string, error) {
	return k[key], nil
}

func (k marksKept) Save(_ context.Context, key connector.CheckpointKey, mark string) error {
	k[key] = mark
	return nil
}

func TestCheckpointsAreKeptOnceTheRowsAreStored(t *testing.T) {
	t.Parallel()
	key := connector.CheckpointKey{ProgramID: "product-reviews", ConnectorID: "source-1"}
	for _, parts := range []bool{false, true} {
		t.Run(fmt.Sprintf("parts %t", parts), func(t *testing.T) {
			t.Parallel()
			m := distribute(open(t))
			kept := marksKept{}
			m.distributed.Marks = &pipeline.Marks{Kept: kept}
			fake := &marked{Fake: source(fortyRows()...), kept: kept}
			try := m.house.try
			if parts {
				try, fake.kept = m.try, m.distributed.Marks
			}
			d := program()
			d.Sources = []pipeline.Source{{ID: "source-1", Connector: fake}}
			m.runner.Candidates = &conflicting{Candidates: m.roles.Candidates}
			if res, err := try(t.Context(), d, batch("b")); err != nil || res.Status == ceap.RunSucceeded || len(kept) > 0 {
				t.Errorf("a run with failed rows: %s, %v, kept %v", res.Status, err, kept)
			}
			m.runner.Candidates = m.roles.Candidates
			if res, err := try(t.Context(), d, batch("b2")); err != nil || res.Status != ceap.RunSucceeded || kept[key] != "end" {
				t.Errorf("a run that succeeds: %s, %v, kept %v", res.Status, err, kept)
			}
			if fake.OpenStreams() != 0 {
				t.Errorf("%d streams are still open", fake.OpenStreams())
			}
		})
	}
}

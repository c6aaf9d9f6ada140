package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/store"
)

// Runner runs programs. Its fields are set once; then it is safe for concurrent
// use.
type Runner struct {
	Candidates store.Candidates
	Runs       store.Runs
	// OpenJournal starts the journal of an attempt of a run.
	OpenJournal func(ctx context.Context, run ceap.Run) (Journal, error)

	Logger *slog.Logger
	Now    func() time.Time
	NewID  func() string

	TempDir    string // for what does not fit into memory; "" means the system's
	SortMemory int    // bytes of each of two sort buffers. Default 48 MiB; more needs fewer files, less saves memory.
	Workers    int    // goroutines that filter and score. Default the number of CPUs.
}

// Input is what to run.
type Input struct {
	ceap.RunInput
	AsOf   time.Time // the run's clock; the wall clock if zero
	DryRun bool      // store nothing, use up no batchId
	Stage  string    // StageExtract ends the run after mapping and stores nothing (D50); "" runs all
}

// Opener opens the program for a run whose clock is asOf, since expressions and
// bounds of dates depend on it.
type Opener func(asOf time.Time) (*Definition, error)

// Run runs a program for one marketplace and date range. It returns a result for
// every run that began, also if it failed; the error then says why, with its
// code. Without a result (an empty RunID) nothing began: invalid for a bad
// input, conflict for a batch of other input or while another run of the program
// is in progress.
//
// Cancelling ctx ends the run as CANCELLED; the same input then resumes it.
func (r *Runner) Run(ctx context.Context, open Opener, in Input, meter *Meter) (ceap.RunResult, error) {
	var claim store.Claim
	begun, err := r.begin(ctx, open, in, func(run *ceap.Run) (prior *ceap.Run, held bool, err error) {
		prior, claim, err = r.Runs.Begin(ctx, run)
		return prior, claim != nil, err
	})
	if err != nil || begun.replayed {
		return begun.run.Result, err
	}
	if claim != nil {
		defer func() { _ = claim.Release() }() // the run is over either way, and a dead process gives its claim up
	}
	run := begun.run
	failure := r.attempt(ctx, begun.stages, &run, in, meter)
	if begun.recorded {
		failure = r.record(ctx, &run, failure)
	}
	return run.Result, failure
}

// record saves the record of a run that has ended, also when its user has
// cancelled it.
func (r *Runner) record(ctx context.Context, run *ceap.Run, failure error) error {
	if err := r.Runs.Save(context.WithoutCancel(ctx), *run); err != nil && failure == nil {
		run.Result.Status = ceap.RunFailed
		return fmt.Errorf("recording run %s: %w", run.RunID, err)
	}
	return failure
}

// begun is a run that may go on.
type begun struct {
	stages   *Stages
	run      ceap.Run
	recorded bool // it has a record and a claim
	replayed bool // it was finished before; there is nothing to do
}

// begin opens the program, completes the input, and claims the run if it is to
// be recorded.
func (r *Runner) begin(ctx context.Context, open Opener, in Input, claim func(*ceap.Run) (prior *ceap.Run, held bool, err error)) (begun, error) {
	now := r.Now().UTC().Truncate(time.Microsecond) // as stores keep times
	asOf := in.AsOf.UTC().Truncate(time.Microsecond)
	if in.AsOf.IsZero() {
		asOf = now
	}
	stages, err := openStages(open, asOf)
	if err != nil {
		return begun{}, err
	}
	res, err := r.complete(ctx, stages.definition, in, now, asOf)
	if err != nil {
		return begun{}, err
	}
	b := begun{
		stages: stages, run: ceap.Run{RunID: res.RunID, InputHash: inputHash(in, res), Result: res}, recorded: !in.DryRun && in.Stage == "",
	}
	if !b.recorded {
		return b, nil
	}
	prior, held, err := claim(&b.run)
	if err != nil {
		return begun{}, err
	}
	if !held {
		b.run.Result, b.replayed = replay(prior.Result, stages.definition), true
		return b, nil
	}
	if prior != nil {
		resume(&b.run, prior, in)
		b.stages, err = openStages(open, b.run.Result.AsOf)
	}
	return b, err
}

func openStages(open Opener, asOf time.Time) (*Stages, error) {
	d, err := open(asOf)
	if err != nil {
		return nil, err
	}
	if len(d.Sources) > maxSources {
		return nil, ceap.Errorf(ceap.CodeInvalid, "the program has %d connectors; at most %d are possible", len(d.Sources), maxSources)
	}
	return NewStages(d)
}

// maxSources is what fits into the byte that a spooled row has for its source.
const maxSources = 255

// complete fills in what the input left open.
func (r *Runner) complete(ctx context.Context, d *Definition, in Input, now, asOf time.Time) (ceap.RunResult, error) {
	res := ceap.RunResult{
		RunID: r.NewID(), BatchID: in.BatchID, CorrelationID: in.CorrelationID, ProgramID: d.ProgramID, ProgramName: d.ProgramName,
		ProgramHash: d.Hash, Marketplace: d.Marketplace, Status: ceap.RunRunning, AsOf: asOf, StartedAt: now,
		DryRun: in.DryRun, Stage: in.Stage, Attempt: 1, LeftOut: append([]string{}, d.LeftOut...),
		InvalidReasons: []ceap.InvalidReason{}, Rejections: []ceap.RejectionCount{}, Failures: []ceap.ReasonCount{},
		Scores: []ceap.ScoreCount{}, Funnel: []ceap.FunnelStep{}, Mappings: []ceap.MappingNote{}, Warnings: []string{}, Stages: []ceap.StageTime{},
	}
	if res.BatchID == "" {
		res.BatchID = "batch-" + res.RunID
	}
	if res.CorrelationID == "" {
		res.CorrelationID = res.RunID
	}
	if in.DateRange != nil {
		res.DateRange = *in.DateRange
		return res, in.DateRange.Validate()
	}
	rng, err := r.defaultRange(ctx, d, res.AsOf)
	res.DateRange = rng
	return res, err
}

// defaultRange is the range of a run that names none (D46): from the end of the
// last successful run to today, else yesterday to today, in UTC.
func (r *Runner) defaultRange(ctx context.Context, d *Definition, asOf time.Time) (ceap.DateRange, error) {
	today := ceap.DateOf(asOf)
	rng := ceap.DateRange{Start: today.AddDays(-1), End: today}
	for _, status := range []ceap.RunStatus{ceap.RunSucceeded, ceap.RunEmpty} {
		last, err := r.Runs.Find(ctx, store.RunQuery{ProgramID: d.ProgramID, Marketplace: d.Marketplace, Status: status, Limit: 1})
		if err != nil {
			return rng, fmt.Errorf("finding the last successful run: %w", err)
		}
		if len(last) > 0 && last[0].Result.DateRange.End <= today {
			rng.Start = last[0].Result.DateRange.End
			return rng, nil
		}
	}
	return rng, nil
}

// inputHash identifies the input as it was asked for (D44): a range or clock
// that was left open does not count.
func inputHash(in Input, res ceap.RunResult) string {
	asked := struct {
		ProgramID   string
		Marketplace string
		DateRange   *ceap.DateRange
		AsOf        time.Time
	}{res.ProgramID, res.Marketplace, in.DateRange, in.AsOf.UTC()}
	data, _ := json.Marshal(asked) // plain data always encodes
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// replay returns the result of a finished run once more.
func replay(res ceap.RunResult, d *Definition) ceap.RunResult {
	res.Replayed = true
	res.ReplayNote = fmt.Sprintf("batch %q finished at %s; this is its result. Use another batchId to run afresh.", res.BatchID, res.EndedAt.Format(time.RFC3339))
	if res.ProgramHash != d.Hash {
		res.ReplayNote += " The program has changed since."
	}
	return res
}

// resume takes over what an earlier attempt of the run had fixed: its id, clock
// and range, so that it ends as if it had never been interrupted (I7).
func resume(run, prior *ceap.Run, in Input) {
	run.Result.RunID, run.Result.Resumed, run.Result.Attempt = run.RunID, true, prior.Result.Attempt+1
	run.Result.AsOf = prior.Result.AsOf
	if in.CorrelationID == "" {
		run.Result.CorrelationID = prior.Result.CorrelationID
	}
	if in.DateRange == nil {
		run.Result.DateRange = prior.Result.DateRange
	}
}

// attempt runs the stages and completes the result.
func (r *Runner) attempt(ctx context.Context, stages *Stages, run *ceap.Run, in Input, meter *Meter) error {
	res := &run.Result
	if r.skip(ctx, stages.definition, res) {
		return nil
	}
	x := r.execution(stages, run, in, meter)
	x.log.InfoContext(ctx, "run started", "batch_id", res.BatchID, "range", res.DateRange.String(), "attempt", res.Attempt)
	err := x.run(ctx, *run, in)
	if err == nil && x.account.counts.Failed == 0 && x.account.broken == 0 {
		x.commit(ctx)
	}
	if closing := x.closeReading(); err == nil {
		err = closing
	}
	x.complete(ctx, res, in, err)
	x.log.InfoContext(ctx, "run ended", "status", string(res.Status), "extracted", res.Counts.Extracted, "stored", res.Counts.Stored, "failed", res.Counts.Failed)
	return x.verdict(ctx, res, err)
}

// skip ends the run of a disabled program (D13).
func (r *Runner) skip(ctx context.Context, d *Definition, res *ceap.RunResult) bool {
	if d.Enabled {
		return false
	}
	res.Status = ceap.RunSkipped
	res.Message = fmt.Sprintf("the program %q is disabled for %s: %s; nothing was read", d.ProgramID, d.Marketplace, d.Disabled)
	res.EndedAt = r.Now().UTC()
	r.Logger.InfoContext(ctx, "run skipped", "run_id", res.RunID, "program_id", d.ProgramID, "marketplace", d.Marketplace)
	return true
}

// execution returns the work on one attempt of a run, or on a part of it.
func (r *Runner) execution(stages *Stages, run *ceap.Run, in Input, meter *Meter) *execution {
	d, res := stages.definition, &run.Result
	x := &execution{
		runner: r, stages: stages, def: d, meter: meter, correlationID: res.CorrelationID, mapOnly: in.Stage == StageExtract,
		log:     r.Logger.With("run_id", res.RunID, "correlation_id", res.CorrelationID, "program_id", d.ProgramID, "marketplace", d.Marketplace),
		tempDir: cmp.Or(r.TempDir, os.TempDir()),
	}
	x.req = connector.Request{
		ProgramID: d.ProgramID, Marketplace: d.Marketplace, Range: res.DateRange, RunID: res.RunID, BatchID: res.BatchID,
		AsOf: res.AsOf, Zone: d.Zone, Rules: d.Rules,
	}
	x.opts = store.UpsertOptions{RunID: res.RunID, Now: res.AsOf, TTL: d.TTL, ReopenAfter: d.ReopenAfter, DryRun: in.DryRun}
	x.account = account{
		programID: d.ProgramID, marketplace: d.Marketplace, sources: d.Sources, meter: meter, journal: noJournal{},
		reasons: map[reasonKey]*reasonTally{}, rejects: make([]int64, len(stages.steps)), models: make([]modelTally, len(d.Models)),
	}
	x.warn(d.Warnings...)
	return x
}

// run goes through the stages, with the journal around them.
func (x *execution) run(ctx context.Context, run ceap.Run, in Input) (err error) {
	if !in.DryRun && in.Stage == "" {
		if x.account.journal, err = x.runner.OpenJournal(ctx, run); err != nil {
			return fmt.Errorf("starting the journal: %w", err)
		}
		defer x.account.journal.Discard()
	}
	it, err := x.extract(ctx)
	if err != nil {
		return x.stop(err)
	}
	if in.Stage == StageExtract {
		it.Close()
		return nil
	}
	if err := x.decide(ctx, it); err != nil {
		return x.stop(err)
	}
	x.decided = true
	if err := x.account.journal.Close(true); err != nil {
		return fmt.Errorf("finishing the journal: %w", err)
	}
	return nil
}

// stop ends the journal of a run that did not come to its end, so that it tells
// what is known, and returns err.
func (x *execution) stop(err error) error {
	if flushing := x.account.flush(); flushing == nil {
		if closing := x.account.journal.Close(false); closing != nil {
			x.log.Error("closing the journal of a stopped run", "error", closing)
		}
	}
	return err
}

// noJournal is the journal of a run that leaves nothing behind.
type noJournal struct{}

// Write implements [Journal].
func (noJournal) Write([]ceap.Outcome) error { return nil }

// Close implements [Journal].
func (noJournal) Close(bool) error { return nil }

// Discard implements [Journal].
func (noJournal) Discard() {}

func (r *Runner) sortMemory() int {
	if r.SortMemory > 0 {
		return r.SortMemory
	}
	return 48 << 20
}

func (r *Runner) workers() int {
	if r.Workers > 0 {
		return r.Workers
	}
	return runtime.GOMAXPROCS(0)
}

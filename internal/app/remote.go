package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/stage"
	"github.com/ceap-platform/ceap/store"
)

// RunOnStage runs a program that is stored on the stage by its state machine, and
// follows it to its end; results and errors are those of [App.Run]. The App's
// store must be the stage's. pause waits between two looks and returns early when
// ctx ends.
//
// Cancelling ctx stops the execution; the same batch then goes on.
func (a *App) RunOnStage(ctx context.Context, s *stage.Stage, req RunRequest, meter *pipeline.Meter, pause func(context.Context, time.Duration)) (ceap.RunResult, error) {
	if req.DryRun || req.Stage != "" || !req.AsOf.IsZero() {
		return ceap.RunResult{}, ceap.Errorf(ceap.CodeUnsupported, "a state machine runs all stages, stores, and takes the present for now").
			WithHint("leave --dry-run, --stage and --as-of out, or run here with the same settings")
	}
	in, err := a.stageInput(ctx, req)
	if err != nil {
		return ceap.RunResult{}, err
	}
	e, err := s.Start(ctx, strings.Join([]string{in.ProgramID, in.Marketplace, in.BatchID}, "-"), in)
	if err != nil {
		return ceap.RunResult{}, err
	}
	a.log.InfoContext(ctx, "execution started", "execution", e.ARN, "batch_id", in.BatchID)
	f := follower{app: a, stage: s, owner: e.ARN, in: in, meter: meter, pause: pause, seen: map[string]int64{}}
	for wait := time.Second; !e.Done(); wait = min(wait*3/2, 10*time.Second) {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return f.stop(context.WithoutCancel(ctx), e)
		}
		if e, err = s.Describe(ctx, e.ARN); err != nil {
			return ceap.RunResult{}, err
		}
		f.look(ctx)
	}
	return resultOf(e)
}

// stageInput completes the input of a run on the stage.
func (a *App) stageInput(ctx context.Context, req RunRequest) (ceap.RunInput, error) {
	in := req.RunInput
	if in.ProgramID == "" {
		in.ProgramID = req.Program
	}
	items, err := a.items(ctx, in.ProgramID)
	if err != nil {
		return in, err
	}
	if len(items) == 0 {
		missing, _ := a.notStored(ctx, in.ProgramID).(*ceap.Error) //nolint:errorlint // it is made here
		if missing == nil {
			return in, ceap.Errorf(ceap.CodeNotFound, "the program %q is not stored there", in.ProgramID)
		}
		return in, missing.WithHint("store it with `ceap program push`; %s", missing.Hint)
	}
	p, err := a.programOf(items, in.Marketplace)
	if err != nil {
		return in, err
	}
	in.ProgramID, in.Marketplace = p.ProgramID, p.Marketplace
	if in.BatchID == "" {
		in.BatchID = "batch-" + a.newID()
	}
	return in, nil
}

// follower watches an execution.
type follower struct {
	app   *App
	stage *stage.Stage
	owner string // the execution
	in    ceap.RunInput
	meter *pipeline.Meter
	pause func(context.Context, time.Duration)
	work  *pipeline.Work
	seen  map[string]int64
}

// record returns the record of the run, nil if it has none yet.
func (f *follower) record(ctx context.Context) (*ceap.Run, error) {
	roles, err := f.app.store()
	if err != nil {
		return nil, err
	}
	runs, err := roles.Runs.Find(ctx, store.RunQuery{ProgramID: f.in.ProgramID, Marketplace: f.in.Marketplace, BatchID: f.in.BatchID, Limit: 1})
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	return &runs[0], nil
}

// look shows how far the run is. That nothing can be seen does not matter to the
// run.
func (f *follower) look(ctx context.Context) {
	d, err := f.app.distributed()
	if err != nil {
		return
	}
	if f.work == nil {
		run, err := f.record(ctx)
		if err != nil || run == nil {
			return
		}
		w, err := d.WorkOf(ctx, run.RunID)
		if err != nil || w.Owner != f.owner {
			return // it is not planned yet; what is there is an earlier attempt's
		}
		f.work = &w
	}
	if err := d.Follow(ctx, *f.work, f.seen, f.meter); err != nil {
		f.app.log.DebugContext(ctx, "following a run", "error", err.Error())
	}
}

// resultOf returns the result of an execution that has ended.
func resultOf(e stage.Execution) (ceap.RunResult, error) {
	if res, ok := e.Result(); ok {
		return res, resultError(res)
	}
	code, message := stage.ErrorCode(e.Error), stage.CauseText(e.Cause)
	if code == ceap.CodeInternal {
		message = strings.TrimSpace("the execution " + e.ARN + " ended as " + e.Status + ": " + e.Error + " " + message)
	}
	return ceap.RunResult{}, &ceap.Error{Code: code, Message: message}
}

// resultError is the error of a run that did not come to its end, as Run has it.
func resultError(res ceap.RunResult) error {
	if res.ErrorCode == "" {
		return nil
	}
	return &ceap.Error{Code: res.ErrorCode, Message: res.Message}
}

// stop ends an execution and the run with it.
func (f *follower) stop(ctx context.Context, e stage.Execution) (ceap.RunResult, error) {
	cancelled := &ceap.Error{Code: ceap.CodeCancelled, Message: "the run was stopped"}
	if err := f.stage.Stop(ctx, e.ARN, "its user has stopped it"); err != nil {
		return ceap.RunResult{}, fmt.Errorf("the run goes on: %w", err)
	}
	// The step that plans may still be at work, and leave a lease behind.
	const looks, between = 4, 2 * time.Second
	for look := range looks {
		if f.look(ctx); f.work != nil {
			break
		}
		if look < looks-1 {
			f.pause(ctx, between)
		}
	}
	if f.work == nil {
		return ceap.RunResult{}, cancelled
	}
	return f.app.FinishWork(ctx, *f.work, &pipeline.Failure{Code: ceap.CodeCancelled, Message: "cancelled"})
}

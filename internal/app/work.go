package app

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/store"
)

// PlanWork begins a run that several processes work on, under a lease of the
// owner; see [pipeline.Distributed] for the steps, and pipeline.Distributed.Plan
// for results and errors. The program must be in the store. In addition it
// returns unsupported if the store has no leases.
func (a *App) PlanWork(ctx context.Context, in ceap.RunInput, owner string) (w pipeline.Work, done *ceap.RunResult, err error) {
	d, err := a.distributed()
	if err != nil {
		return w, nil, err
	}
	items, err := a.items(ctx, in.ProgramID)
	if err != nil {
		return w, nil, err
	}
	if len(items) == 0 {
		return w, nil, a.notStored(ctx, in.ProgramID)
	}
	open, err := a.itemOpener(items, in.Marketplace, d.Marks)
	if err != nil {
		return w, nil, err
	}
	p, err := a.programOf(items, in.Marketplace)
	if err != nil {
		return w, nil, err
	}
	in.ProgramID, in.Marketplace = p.ProgramID, p.Marketplace
	snapshot, err := json.Marshal(items)
	if err != nil {
		return w, nil, fmt.Errorf("encoding the program: %w", err)
	}
	return d.Plan(ctx, open, pipeline.Input{RunInput: in}, owner, snapshot)
}

// notStored says which programs the store has.
func (a *App) notStored(ctx context.Context, programID string) error {
	if programID == "" {
		return ceap.Errorf(ceap.CodeInvalid, "the input names no program").WithHint("set programId")
	}
	items, err := a.items(ctx, "")
	if err != nil {
		return err
	}
	return a.unknownProgram(programID, nil, items)
}

// programOf returns the program that the items are, for the marketplace, with
// the operator's switch.
func (a *App) programOf(items []ceap.ProgramItem, marketplace string) (*program.Program, error) {
	p, err := program.LoadItems(items, a.options()).Program(marketplace)
	if err != nil {
		return nil, err
	}
	return switchedBy(items, p), nil
}

// itemOpener returns how the program is opened for a run.
func (a *App) itemOpener(items []ceap.ProgramItem, marketplace string, marks *pipeline.Marks) (pipeline.Opener, error) {
	p, err := a.programOf(items, marketplace)
	if err != nil {
		return nil, err
	}
	return func(asOf time.Time) (*pipeline.Definition, error) { return a.definition(p, asOf, marks) }, nil
}

// distributed returns the engine of runs that several processes work on.
func (a *App) distributed() (*pipeline.Distributed, error) {
	roles, err := a.store()
	if err != nil {
		return nil, err
	}
	leases, ok := roles.Runs.(store.Leaser)
	if !ok {
		return nil, ceap.Errorf(ceap.CodeUnsupported, "the store %q lets one process work on a run, not several", a.config.Store.Type).
			WithHint("use the store dynamodb, or `ceap run`")
	}
	return &pipeline.Distributed{
		Runner: a.runner(roles), Leases: leases, Artifacts: roles.Artifacts, PartRows: int64(a.config.AWS.PartRows),
		Marks: &pipeline.Marks{Kept: checkpoints{a}},
	}, nil
}

// planned returns the engine and the program as it was when the run was planned.
func (a *App) planned(ctx context.Context, w pipeline.Work) (*pipeline.Distributed, pipeline.Opener, error) {
	d, err := a.distributed()
	if err != nil {
		return nil, nil, err
	}
	snapshot, err := d.Snapshot(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	var items []ceap.ProgramItem
	if err := json.Unmarshal(snapshot, &items); err != nil {
		return nil, nil, ceap.Errorf(ceap.CodeInternal, "reading the program of run %s: %w", w.RunID, err)
	}
	open, err := a.itemOpener(items, w.Marketplace, d.Marks)
	return d, open, err
}

// StartWork starts the queries of a run's connectors.
func (a *App) StartWork(ctx context.Context, w pipeline.Work) error {
	d, open, err := a.planned(ctx, w)
	if err != nil {
		return err
	}
	return d.Start(ctx, open, w)
}

// CheckWork reports whether the queries are done.
func (a *App) CheckWork(ctx context.Context, w pipeline.Work) (pipeline.Waiting, error) {
	d, open, err := a.planned(ctx, w)
	if err != nil {
		return pipeline.Waiting{}, err
	}
	return d.Check(ctx, open, w)
}

// Todo says where the parts of a step are listed, for a service that hands them
// out, and how many of them may be at work at a time.
type Todo struct {
	Bucket      string `json:"bucket"`
	Key         string `json:"key"`
	Count       int    `json:"count"`
	Concurrency int    `json:"concurrency"`
}

// ListParts lists the parts of a run that are to be extracted.
func (a *App) ListParts(ctx context.Context, w pipeline.Work) (Todo, error) {
	d, open, err := a.planned(ctx, w)
	if err != nil {
		return Todo{}, err
	}
	m, err := d.BuildParts(ctx, open, w)
	if err != nil {
		return Todo{}, err
	}
	return a.todo(ctx, d, m)
}

// ListShards lists the parts of a run that are to be stored; none if parts to
// extract are missing.
func (a *App) ListShards(ctx context.Context, w pipeline.Work) (Todo, error) {
	d, err := a.distributed()
	if err != nil {
		return Todo{}, err
	}
	m, _, err := d.BuildShards(ctx, w)
	if err != nil {
		return Todo{}, err
	}
	return a.todo(ctx, d, m)
}

func (a *App) todo(ctx context.Context, d *pipeline.Distributed, m pipeline.Manifest) (Todo, error) {
	t := Todo{Count: m.Count, Concurrency: max(1, min(m.Count, a.config.AWS.Concurrency))}
	if m.Count == 0 {
		return t, nil
	}
	locator, ok := d.Artifacts.(store.Locator)
	if !ok {
		return t, ceap.Errorf(ceap.CodeUnsupported, "the files of the store %q cannot be read by other services", a.config.Store.Type)
	}
	var err error
	t.Bucket, t.Key, err = locator.Locate(ctx, m.File)
	return t, err
}

// ExtractPart reads and maps a part of a run.
func (a *App) ExtractPart(ctx context.Context, w pipeline.Work, part pipeline.Part) (pipeline.PartReport, error) {
	d, open, err := a.planned(ctx, w)
	if err != nil {
		return pipeline.PartReport{}, err
	}
	return d.Extract(ctx, open, w, part)
}

// StorePart decides and stores a part of a run.
func (a *App) StorePart(ctx context.Context, w pipeline.Work, part pipeline.Part) (pipeline.PartReport, error) {
	d, open, err := a.planned(ctx, w)
	if err != nil {
		return pipeline.PartReport{}, err
	}
	return d.Store(ctx, open, w, part)
}

// FinishWork ends a run; see [pipeline.Distributed.Reduce].
func (a *App) FinishWork(ctx context.Context, w pipeline.Work, failure *pipeline.Failure) (ceap.RunResult, error) {
	d, open, err := a.planned(ctx, w)
	if err != nil {
		return ceap.RunResult{}, err
	}
	return d.Reduce(ctx, open, w, failure)
}

// ScheduledRun returns the input of the run that a schedule asks for which fired
// at the given time: its batch is named for that time in the program's time zone,
// so that a schedule that fires twice for it runs once. The range is left open (D46).
func (a *App) ScheduledRun(ctx context.Context, programID, marketplace string, at time.Time) (ceap.RunInput, error) {
	items, err := a.items(ctx, programID)
	if err != nil {
		return ceap.RunInput{}, err
	}
	if programID == "" || len(items) == 0 {
		return ceap.RunInput{}, a.notStored(ctx, programID)
	}
	p, err := a.programOf(items, marketplace)
	if err != nil {
		return ceap.RunInput{}, err
	}
	fired := at.In(p.Timezone).Format("2006-01-02T1504")
	return ceap.RunInput{ProgramID: p.ProgramID, Marketplace: p.Marketplace, BatchID: "scheduled-" + fired}, nil
}

package app

import (
	"context"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/journal"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

// RunRequest asks for a run.
type RunRequest struct {
	pipeline.Input
	// Program names the program: a file, or the id of one in the programs folder
	// or the store. "" means Input.ProgramID.
	Program string
}

// Run runs a program for one marketplace, and then sweeps what is kept no
// longer. The meter, which may be nil, shows how far it is. See pipeline.Runner
// for results and errors; in addition it returns invalid if the program is not
// fit to run, or if the marketplace is open and the program has several (D12),
// and not_found if there is no such program.
func (a *App) Run(ctx context.Context, req RunRequest, meter *pipeline.Meter) (ceap.RunResult, error) {
	p, err := a.programFor(ctx, req.Program, req.RunInput)
	if err != nil {
		return ceap.RunResult{}, err
	}
	req.ProgramID, req.Marketplace = p.ProgramID, p.Marketplace
	roles, err := a.store()
	if err != nil {
		return ceap.RunResult{}, err
	}
	if meter == nil {
		meter = &pipeline.Meter{}
	}
	open := func(asOf time.Time) (*pipeline.Definition, error) { return a.definition(p, asOf, checkpoints{a}) }
	result, err := a.runner(roles).Run(ctx, open, req.Input, meter)
	if result.RunID != "" && !req.DryRun && req.Stage == "" && ctx.Err() == nil {
		a.retain(ctx, result.AsOf)
	}
	return result, err
}

// runner returns a Runner over the store.
func (a *App) runner(roles *store.Roles) *pipeline.Runner {
	return &pipeline.Runner{
		Candidates: roles.Candidates, Runs: roles.Runs, Logger: a.log, Now: a.now, NewID: a.newID,
		TempDir: a.config.Path(a.config.TempDir), SortMemory: a.sortMem,
		OpenJournal: func(ctx context.Context, run ceap.Run) (pipeline.Journal, error) {
			w, err := journal.Create(ctx, roles.Artifacts, a.now, journal.Head{
				RunID: run.RunID, ProgramID: run.Result.ProgramID, Marketplace: run.Result.Marketplace, Attempt: run.Result.Attempt,
			})
			if err != nil {
				return nil, err
			}
			return runJournal{w, a}, nil
		},
	}
}

// runJournal is a journal's writer as the pipeline knows it.
type runJournal struct {
	*journal.Writer
	app *App
}

func (j runJournal) Close(complete bool) error { //nolint:revive // the pipeline's contract
	_, err := j.Writer.Close(complete)
	return err
}

// Discard removes what was written; a file that stays is only logged.
func (j runJournal) Discard() {
	if err := j.Writer.Discard(); err != nil {
		j.app.log.Error("discarding a journal", "error", err)
	}
}

// Runs returns the records of runs, latest first.
func (a *App) Runs(ctx context.Context, q store.RunQuery) ([]ceap.RunResult, error) {
	roles, err := a.store()
	if err != nil {
		return nil, err
	}
	runs, err := roles.Runs.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	results := make([]ceap.RunResult, len(runs))
	for i := range runs {
		results[i] = runs[i].Result
	}
	return results, nil
}

// RunByID returns the record of a run, by its id or by the beginning of it that
// no other recent run shares; "" means the latest run. Returns not_found if
// there is none.
func (a *App) RunByID(ctx context.Context, id string) (ceap.RunResult, error) {
	if id != "" {
		exact, err := a.Runs(ctx, store.RunQuery{RunID: id, Limit: 1})
		if err != nil {
			return ceap.RunResult{}, err
		}
		if len(exact) > 0 {
			return exact[0], nil
		}
	}
	recent, err := a.Runs(ctx, store.RunQuery{Limit: recentRuns})
	if err != nil {
		return ceap.RunResult{}, err
	}
	return pickRun(recent, id)
}

// recentRuns is how many runs are looked through for the beginning of an id.
const recentRuns = 1000

func pickRun(recent []ceap.RunResult, id string) (ceap.RunResult, error) {
	if len(recent) == 0 {
		return ceap.RunResult{}, ceap.Errorf(ceap.CodeNotFound, "there are no runs yet").WithHint("start one with `ceap run`")
	}
	if id == "" {
		return recent[0], nil
	}
	var found []ceap.RunResult
	var known []string
	for i := range recent {
		known = append(known, recent[i].RunID)
		if len(recent[i].RunID) > len(id) && recent[i].RunID[:len(id)] == id {
			found = append(found, recent[i])
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		err := &ceap.Error{Code: ceap.CodeNotFound, Message: "there is no run \"" + id + "\"", Hint: "`ceap runs list` shows them"}
		if near := plugin.Nearest(id, known); near != "" {
			err.Hint = "did you mean " + near + "? " + err.Hint
		}
		return ceap.RunResult{}, err
	default:
		return ceap.RunResult{}, ceap.Errorf(ceap.CodeInvalid, "%d runs start with %q", len(found), id).WithHint("give more of the id")
	}
}

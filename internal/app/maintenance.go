package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ceap-platform/ceap/internal/journal"
)

// Backup writes a consistent copy of the store to a new file, whose name counts
// from the project's folder, while others use it. Returns conflict if the file exists, and unsupported if the store has its
// own way of being backed up.
func (a *App) Backup(ctx context.Context, file string) error {
	roles, err := a.store()
	if err != nil {
		return err
	}
	return roles.Maintainer.Backup(ctx, a.config.Path(file))
}

// Swept is what a sweep removed.
type Swept struct {
	Candidates int64    `json:"candidates"` // expired or closed for good
	Journals   []string `json:"journals"`   // the runs whose rows can no longer be asked about
}

// Sweep removes candidates that are expired or closed for good, and the rows of
// journals that are kept no longer. What can be swept is, also with an error.
func (a *App) Sweep(ctx context.Context) (Swept, error) { return a.sweep(ctx, a.now()) }

func (a *App) sweep(ctx context.Context, now time.Time) (Swept, error) {
	swept := Swept{Journals: []string{}}
	roles, err := a.store()
	if err != nil {
		return swept, err
	}
	var errs []error
	if swept.Candidates, err = roles.Candidates.Sweep(ctx, now); err != nil {
		errs = append(errs, fmt.Errorf("sweeping candidates: %w", err))
	}
	manifests, err := journal.Sweep(ctx, roles.Artifacts, now, a.config.KeepJournal())
	if err != nil {
		errs = append(errs, fmt.Errorf("sweeping journals: %w", err))
	}
	for _, m := range manifests {
		swept.Journals = append(swept.Journals, m.RunID)
	}
	return swept, errors.Join(errs...)
}

// sweepTime bounds the sweep after a run, whose user waits for it; what is left
// is for the next one.
const sweepTime = 2 * time.Second

// retain sweeps after a run, as of the run's clock: one that is put back must not
// take away what it has just stored. The run is over and its result stands, so
// that what goes wrong here is logged only.
func (a *App) retain(ctx context.Context, asOf time.Time) {
	if now := a.now(); asOf.After(now) {
		asOf = now
	}
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	swept, err := a.sweep(ctx, asOf)
	if err != nil && ctx.Err() == nil {
		a.log.ErrorContext(ctx, "sweeping after a run", "error", err)
	}
	if swept.Candidates > 0 || len(swept.Journals) > 0 {
		a.log.InfoContext(ctx, "swept", "candidates", swept.Candidates, "journals", len(swept.Journals))
	}
}

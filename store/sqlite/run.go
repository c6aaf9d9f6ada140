//go:build cgo

package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

type runs Store

var _ store.Runs = (*runs)(nil)

// claim holds a lock on a file, which the system gives up when the process dies,
// however it does.
type claim struct {
	mu   sync.Mutex
	lock *flock.Flock
}

// Release implements [store.Claim].
func (c *claim) Release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lock == nil {
		return nil
	}
	lock := c.lock
	c.lock = nil
	return lock.Unlock()
}

// Begin implements [store.Runs].
func (r *runs) Begin(ctx context.Context, run *ceap.Run) (*ceap.Run, store.Claim, error) {
	s := (*Store)(r)
	res := &run.Result
	held, err := s.claim(res.ProgramID, res.Marketplace)
	if err != nil {
		return nil, nil, err
	}
	if held == nil {
		return nil, nil, r.inProgress(ctx, res)
	}
	var prior *ceap.Run
	err = s.update(ctx, "starting a run", func(tx *sql.Tx) error {
		found, err := queryRuns(ctx, tx, store.RunQuery{ProgramID: res.ProgramID, Marketplace: res.Marketplace, BatchID: res.BatchID, Limit: 1})
		if err != nil {
			return err
		}
		if len(found) > 0 {
			prior = &found[0]
			if prior.InputHash != run.InputHash {
				return batchConflict(prior.Result, *res)
			}
			if prior.Result.Status == ceap.RunSucceeded || prior.Result.Status == ceap.RunEmpty {
				return nil
			}
			run.RunID, run.Result.RunID = prior.RunID, prior.RunID
		}
		return saveRun(ctx, tx, *run)
	})
	finished := prior != nil && (prior.Result.Status == ceap.RunSucceeded || prior.Result.Status == ceap.RunEmpty)
	if err != nil || finished {
		_ = held.Release() // there is nothing to hold it for
		return prior, nil, err
	}
	return prior, held, nil
}

// claim takes the lock of a program and marketplace, or returns nil if another
// run holds it.
func (s *Store) claim(program, marketplace string) (*claim, error) {
	sum := sha256.Sum256([]byte(program + "\x00" + marketplace))
	dir := filepath.Join(filepath.Dir(s.path), "locks")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, storeError("claiming a run", s.path, &ceap.Error{Code: ceap.CodeUnavailable, Err: fmt.Errorf("making the folder of locks: %w", err)})
	}
	lock := flock.New(filepath.Join(dir, hex.EncodeToString(sum[:8])+".lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, &ceap.Error{Code: ceap.CodeUnavailable, Err: fmt.Errorf("claiming a run: %w", err)}
	}
	if !ok {
		return nil, nil //nolint:nilnil // another run holds it, which is for the caller to say
	}
	return &claim{lock: lock}, nil
}

func (r *runs) inProgress(ctx context.Context, res *ceap.RunResult) error {
	found, err := r.Find(ctx, store.RunQuery{ProgramID: res.ProgramID, Marketplace: res.Marketplace, Status: ceap.RunRunning, Limit: 1})
	if err != nil {
		return err
	}
	e := ceap.Errorf(ceap.CodeConflict, "a run of %q for %s is in progress", res.ProgramID, res.Marketplace)
	if len(found) > 0 {
		other := found[0].Result
		e = ceap.Errorf(ceap.CodeConflict, "run %s of %q for %s (batch %q) is in progress since %s",
			other.RunID, res.ProgramID, res.Marketplace, other.BatchID, other.StartedAt.Format(time.RFC3339))
	}
	return e.WithHint("wait until it has ended; see `ceap runs list`")
}

// batchConflict is D44's BATCH_CONFLICT.
func batchConflict(was, is ceap.RunResult) error {
	return ceap.Errorf(ceap.CodeConflict, "BATCH_CONFLICT: batch %q of %q for %s was run for %s, as of %s; now it is asked for %s, as of %s",
		is.BatchID, is.ProgramID, is.Marketplace, was.DateRange, was.AsOf.Format(time.RFC3339), is.DateRange, is.AsOf.Format(time.RFC3339)).
		WithHint("use another batchId to run afresh, or the same input to get the first result")
}

func saveRun(ctx context.Context, tx *sql.Tx, run ceap.Run) error {
	result, err := json.Marshal(run.Result)
	if err != nil {
		return err
	}
	res := run.Result
	_, err = tx.ExecContext(ctx, `INSERT INTO runs (run, program, marketplace, batch, status, started_at, input_hash, result) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (run) DO UPDATE SET status = excluded.status, started_at = excluded.started_at, input_hash = excluded.input_hash, result = excluded.result`,
		run.RunID, res.ProgramID, res.Marketplace, res.BatchID, string(res.Status), res.StartedAt.UnixMicro(), run.InputHash, string(result))
	return err
}

// Save implements [store.Runs].
func (r *runs) Save(ctx context.Context, run ceap.Run) error {
	s := (*Store)(r)
	return s.update(ctx, "recording a run", func(tx *sql.Tx) error { return saveRun(ctx, tx, run) })
}

// Find implements [store.Runs].
func (r *runs) Find(ctx context.Context, q store.RunQuery) ([]ceap.Run, error) {
	s := (*Store)(r)
	found, err := queryRuns(ctx, s.read, q)
	if err != nil {
		return nil, storeError("reading runs", s.path, err)
	}
	return found, nil
}

func queryRuns(ctx context.Context, db querier, q store.RunQuery) ([]ceap.Run, error) {
	var where []string
	var args []any
	for _, c := range []struct{ column, value string }{
		{"run", q.RunID}, {"program", q.ProgramID}, {"marketplace", q.Marketplace}, {"batch", q.BatchID}, {"status", string(q.Status)},
	} {
		if c.value != "" {
			where, args = append(where, c.column+" = ?"), append(args, c.value)
		}
	}
	query := "SELECT run, input_hash, result FROM runs"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	var out []ceap.Run
	var run ceap.Run
	var result string
	err := each(ctx, db, query+" ORDER BY started_at DESC, run DESC LIMIT ?", append(args, q.Limit), []any{&run.RunID, &run.InputHash, &result}, func() error {
		run.Result = ceap.RunResult{}
		if err := json.Unmarshal([]byte(result), &run.Result); err != nil {
			return errors.Join(fmt.Errorf("reading run %s", run.RunID), err)
		}
		out = append(out, run)
		return nil
	})
	return out, err
}

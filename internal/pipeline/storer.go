package pipeline

import (
	"cmp"
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap"
)

// storeRows is how many candidates are written at a time. The store may use one
// transaction for them, so it bounds both its cost per row and how long other
// writers wait.
const storeRows = 20_000

// storer writes the open rows to the store, batch after batch, and hands the
// batches to the account, which works beside it.
type storer struct {
	x       *execution
	waiting []*batch
	open    []*row
	keep    []*ceap.Candidate
	done    chan []*batch
	group   *errgroup.Group
	ctx     context.Context //nolint:containedctx // ends when the account fails, for the life of one segment
}

// newStorer starts a storer; its finish must be called.
func (x *execution) newStorer(ctx context.Context) *storer {
	s := &storer{x: x, done: make(chan []*batch, 1)}
	s.group, s.ctx = errgroup.WithContext(ctx)
	s.group.Go(func() error {
		for batches := range s.done {
			if err := s.settle(batches); err != nil {
				return err
			}
		}
		return s.x.account.flush()
	})
	return s
}

// settle brings the rows of batches to their end.
func (s *storer) settle(batches []*batch) error {
	for _, b := range batches {
		s.x.account.merge(b)
		for _, r := range b.refs {
			if err := s.x.account.finish(r); err != nil {
				return err
			}
		}
		s.x.pool.put(b)
	}
	return nil
}

func (s *storer) take(ctx context.Context, b *batch) error {
	s.waiting = append(s.waiting, b)
	for _, r := range b.refs {
		if r.open() {
			s.open = append(s.open, r)
		}
	}
	if len(s.open) < storeRows && len(s.waiting) < 4*storeRows/batchRows {
		return nil
	}
	return s.write(ctx)
}

// write stores the waiting rows.
func (s *storer) write(ctx context.Context) error {
	s.keep = s.keep[:0]
	for _, r := range s.open {
		s.prepare(&r.candidate)
		s.keep = append(s.keep, &r.candidate)
	}
	if len(s.keep) > 0 {
		results, err := s.x.runner.Candidates.Upsert(ctx, s.keep, s.x.opts)
		if err != nil {
			return fmt.Errorf("storing candidates: %w", err)
		}
		if len(results) != len(s.keep) {
			return ceap.Errorf(ceap.CodeInternal, "the store answered for %d of %d candidates", len(results), len(s.keep))
		}
		for i, r := range s.open {
			r.outcome, r.code, r.reason = results[i].Kind, results[i].Code, results[i].Reason
		}
	}
	batches := s.waiting
	s.waiting, s.open = nil, s.open[:0]
	select {
	case s.done <- batches:
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx) //nolint:contextcheck // the account's own context
	}
}

func (s *storer) prepare(c *ceap.Candidate) {
	c.Meta.RunID, c.Meta.CorrelationID = s.x.opts.RunID, s.x.correlationID
}

func (s *storer) finish(ctx context.Context, err error) error {
	if err == nil {
		err = s.write(ctx)
	}
	close(s.done)
	return cmp.Or(s.group.Wait(), err)
}

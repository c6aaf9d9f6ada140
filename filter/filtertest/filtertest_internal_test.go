package filtertest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
)

// filterFunc is a filter made of a function.
type filterFunc func(ctx context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error

func (f filterFunc) Apply(ctx context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
	return f(ctx, batch, verdicts)
}

// each makes a filter that judges one candidate at a time.
func each(judge func(c *ceap.Candidate) filter.Verdict) filter.Filter {
	return filterFunc(func(_ context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
		for i, c := range batch {
			verdicts[i] = judge(c)
		}
		return nil
	})
}

// Each promise of the contract is broken by a filter, and the check of that
// promise notices.
func TestChecks_noticeBrokenFilters(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	pass := filter.Verdict{}
	no := filter.Verdict{Code: "NO", Reason: "no"}
	sound := each(func(*ceap.Candidate) filter.Verdict { return pass })
	suite().CheckItself(t, sound, map[string]filter.Filter{
		"every verdict is complete": each(func(*ceap.Candidate) filter.Verdict { return filter.Verdict{Code: "no"} }),
		"stale verdicts are overwritten": filterFunc(func(_ context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
			for i, c := range batch {
				if c.TimingWindow == "" {
					verdicts[i] = no
				}
			}
			return nil
		}),
		"an empty batch is no error": filterFunc(func(_ context.Context, batch []*ceap.Candidate, _ []filter.Verdict) error {
			if len(batch) == 0 {
				return errors.New("nothing to do")
			}
			return nil
		}),
		"the order of a batch does not matter": filterFunc(func(_ context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
			for i := range batch {
				verdicts[i] = pass
				if i > 10 {
					verdicts[i] = no
				}
			}
			return nil
		}),
		"candidates are judged one by one": filterFunc(func(_ context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
			for i := range batch {
				verdicts[i] = pass
				if len(batch) > 1 {
					verdicts[i] = no
				}
			}
			return nil
		}),
		"candidates stay as they are": each(func(c *ceap.Candidate) filter.Verdict { c.Currency = "EUR"; return pass }),
		"many may call at once": each(func(*ceap.Candidate) filter.Verdict {
			if calls.Add(1) > 300 {
				return no
			}
			return pass
		}),
		"a cancelled context lets nobody pass": filterFunc(func(ctx context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
			for i := range batch {
				verdicts[i] = no
				if ctx.Err() != nil {
					verdicts[i] = pass
				}
			}
			return nil
		}),
		"only declared scores are read": each(func(c *ceap.Candidate) filter.Verdict {
			if c.Scored {
				return pass
			}
			return no
		}),
	})
}

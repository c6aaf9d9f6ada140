package scorertest

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/scorer"
)

// scorerFunc is a model made of a function.
type scorerFunc func(ctx context.Context, batch []*ceap.Candidate, results []scorer.Result) error

func (f scorerFunc) Score(ctx context.Context, batch []*ceap.Candidate, results []scorer.Result) error {
	return f(ctx, batch, results)
}

// each makes a model that scores one candidate at a time.
func each(value func(i int, c *ceap.Candidate) float64) scorer.Scorer {
	return scorerFunc(func(_ context.Context, batch []*ceap.Candidate, results []scorer.Result) error {
		for i, c := range batch {
			results[i] = scorer.Result{Value: value(i, c)}
		}
		return nil
	})
}

// Each promise of the contract is broken by a model, and the check of that
// promise notices.
func TestChecks_noticeBrokenModels(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	sound := each(func(_ int, c *ceap.Candidate) float64 { n, _ := c.OrderValue.Number(); return n })
	suite().CheckItself(t, sound, map[string]scorer.Scorer{
		"every result is complete": each(func(int, *ceap.Candidate) float64 { return math.NaN() }),
		"stale results are overwritten": scorerFunc(func(_ context.Context, batch []*ceap.Candidate, results []scorer.Result) error {
			for i := range batch {
				results[i].Value = 0.5
			}
			return nil
		}),
		"an empty batch is no error": scorerFunc(func(_ context.Context, batch []*ceap.Candidate, _ []scorer.Result) error {
			if len(batch) == 0 {
				return errors.New("nothing to do")
			}
			return nil
		}),
		"the order of a batch does not matter": each(func(i int, _ *ceap.Candidate) float64 { return float64(i) }),
		"candidates are scored one by one": scorerFunc(func(_ context.Context, batch []*ceap.Candidate, results []scorer.Result) error {
			for i := range batch {
				results[i] = scorer.Result{Value: float64(len(batch))}
			}
			return nil
		}),
		"candidates stay as they are": each(func(_ int, c *ceap.Candidate) float64 { c.Currency = "EUR"; return 0 }),
		"many may call at once":       each(func(int, *ceap.Candidate) float64 { return float64(calls.Add(1) / 300) }),
		"a cancelled context invents no score": scorerFunc(func(ctx context.Context, batch []*ceap.Candidate, results []scorer.Result) error {
			for i := range batch {
				results[i] = scorer.Result{Value: 0.3}
				if ctx.Err() != nil {
					results[i] = scorer.Result{Value: 0.5}
				}
			}
			return nil
		}),
		"models score independently": each(func(_ int, c *ceap.Candidate) float64 { return c.Score }),
	})
}

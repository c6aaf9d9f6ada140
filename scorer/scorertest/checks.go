package scorertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/scorer"
)

// checks lists the promises of the contract.
func checks() []check {
	return []check{
		{"every result is complete", checkResults},
		{"stale results are overwritten", checkStale},
		{"an empty batch is no error", checkEmpty},
		{"the order of a batch does not matter", checkOrder},
		{"candidates are scored one by one", checkOneByOne},
		{"candidates stay as they are", checkUnchanged},
		{"many may call at once", checkConcurrency},
		{"a cancelled context invents no score", checkCancelled},
		{"models score independently", checkIndependence},
	}
}

// answer is what a model said of a batch: results, or that it is not configured.
type answer struct {
	results []scorer.Result
	need    string
}

// score returns what a model that starts from unused results says.
func score(ctx context.Context, s scorer.Scorer, batch []*ceap.Candidate) (answer, error) {
	return scoreInto(ctx, s, batch, make([]scorer.Result, len(batch)))
}

func scoreInto(ctx context.Context, s scorer.Scorer, batch []*ceap.Candidate, results []scorer.Result) (answer, error) {
	err := s.Score(ctx, batch, results)
	if missing, ok := errors.AsType[*scorer.NotConfigured](err); ok {
		if missing.Need == "" {
			return answer{}, errors.New("the model is not configured but does not say what it needs")
		}
		return answer{need: missing.Need}, nil
	}
	if err != nil {
		return answer{}, fmt.Errorf("scoring: %w", err)
	}
	return answer{results: results}, nil
}

func checkResults(ctx context.Context, s scorer.Scorer, batch []*ceap.Candidate) error {
	a, err := score(ctx, s, batch)
	if err != nil {
		return err
	}
	finite := func(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
	for i, r := range a.results {
		switch {
		case r.Err != nil && (r.Value != 0 || r.HasConfidence):
			err = errors.New("it has a value beside the error")
		case r.Err == nil && !finite(r.Value):
			err = errors.New("the value is no finite number")
		case r.HasConfidence && !(r.Confidence >= 0 && r.Confidence <= 1):
			err = errors.New("the confidence is outside 0..1")
		}
		if err != nil {
			return fmt.Errorf("result %+v for %s: %w", r, batch[i].Key, err)
		}
	}
	return nil
}

func checkStale(ctx context.Context, s scorer.Scorer, batch []*ceap.Candidate) error {
	want, err := score(ctx, s, batch)
	if err != nil {
		return err
	}
	stale := make([]scorer.Result, len(batch))
	for i := range stale {
		stale[i] = scorer.Result{Value: -7, Confidence: -7, HasConfidence: true, Err: errors.New("stale")}
	}
	got, err := scoreInto(ctx, s, batch, stale)
	if err != nil {
		return err
	}
	return same(batch, want, got)
}

func checkEmpty(ctx context.Context, s scorer.Scorer, _ []*ceap.Candidate) error {
	_, err := score(ctx, s, nil)
	return err
}

func checkOrder(ctx context.Context, s scorer.Scorer, batch []*ceap.Candidate) error {
	want, err := score(ctx, s, batch)
	if err != nil {
		return err
	}
	reversed := slices.Clone(batch)
	slices.Reverse(reversed)
	got, err := score(ctx, s, reversed)
	if err != nil {
		return err
	}
	slices.Reverse(got.results)
	return same(batch, want, got)
}

func checkOneByOne(ctx context.Context, s scorer.Scorer, batch []*ceap.Candidate) error {
	want, err := score(ctx, s, batch)
	if err != nil {
		return err
	}
	var got answer
	for i := range batch {
		one, err := score(ctx, s, batch[i:i+1])
		if err != nil {
			return fmt.Errorf("scoring %s alone: %w", batch[i].Key, err)
		}
		got.need, got.results = one.need, append(got.results, one.results...)
	}
	return same(batch, want, got)
}

func checkUnchanged(ctx context.Context, s scorer.Scorer, batch []*ceap.Candidate) error {
	before := clone(batch)
	if _, err := score(ctx, s, batch); err != nil {
		return err
	}
	for i := range batch {
		if !reflect.DeepEqual(before[i], batch[i]) {
			return fmt.Errorf("the candidate %s was changed from\n%+v to\n%+v", before[i].Key, before[i], batch[i])
		}
	}
	return nil
}

func checkConcurrency(ctx context.Context, s scorer.Scorer, batch []*ceap.Candidate) error {
	want, err := score(ctx, s, batch)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		group.Go(func() {
			for range 5 {
				got, err := score(ctx, s, batch)
				if err == nil {
					err = same(batch, want, got)
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// checkCancelled allows a model that needs nothing from outside to go on.
func checkCancelled(ctx context.Context, s scorer.Scorer, batch []*ceap.Candidate) error {
	want, err := score(ctx, s, batch)
	if err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	got, err := score(cancelled, s, batch)
	if err == nil {
		return same(batch, want, got)
	}
	if !errors.Is(err, context.Canceled) && ceap.ErrorCode(err) != ceap.CodeCancelled {
		return fmt.Errorf("the error does not say that the context was cancelled: %w", err)
	}
	return nil
}

// checkIndependence takes away what other models said (I26).
func checkIndependence(ctx context.Context, s scorer.Scorer, batch []*ceap.Candidate) error {
	want, err := score(ctx, s, batch)
	if err != nil {
		return err
	}
	without := clone(batch)
	for _, c := range without {
		c.Score, c.Scored, c.Scores = 0, false, nil
	}
	got, err := score(ctx, s, without)
	if err != nil {
		return err
	}
	return same(batch, want, got)
}

// same returns an error for the first two results that differ.
func same(batch []*ceap.Candidate, want, got answer) error {
	if want.need != got.need || len(want.results) != len(got.results) {
		return fmt.Errorf("the model answers once %d results and %q, and once %d results and %q",
			len(want.results), want.need, len(got.results), got.need)
	}
	for i, w := range want.results {
		g := got.results[i]
		if w.Value != g.Value || w.Confidence != g.Confidence || w.HasConfidence != g.HasConfidence || text(w.Err) != text(g.Err) {
			return fmt.Errorf("the result for %s is once %+v and once %+v", batch[i].Key, w, g)
		}
	}
	return nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

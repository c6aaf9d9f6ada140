package scorertest

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin/plugintest"
	"github.com/ceap-platform/ceap/scorer"
)

// checks lists the promises of the contract.
func checks(s scorer.Scorer) []plugintest.Check {
	a := answers{plugintest.Answers[answer]{
		Fill:  filler(s),
		Stale: answer{Result: scorer.Result{Value: -7, Confidence: -7, HasConfidence: true, Err: errors.New("stale")}},
		Same:  same,
	}}
	return []plugintest.Check{
		{Name: "every result is complete", Run: a.checkComplete},
		{Name: "stale results are overwritten", Run: a.CheckStale},
		{Name: "an empty batch is no error", Run: a.CheckEmpty},
		{Name: "the order of a batch does not matter", Run: a.CheckOrder},
		{Name: "candidates are scored one by one", Run: a.CheckOneByOne},
		{Name: "candidates stay as they are", Run: a.CheckUnchanged},
		{Name: "many may call at once", Run: a.CheckConcurrency},
		{Name: "a cancelled context invents no score", Run: a.CheckCancelled},
		{Name: "models score independently", Run: a.checkIndependence},
	}
}

// answer is what a model says of a candidate: a result, or that the model is not
// configured.
type answer struct {
	scorer.Result
	Need string
}

// answers holds a model against its contract.
type answers struct{ plugintest.Answers[answer] }

func filler(s scorer.Scorer) func(context.Context, []*ceap.Candidate, []answer) error {
	return func(ctx context.Context, batch []*ceap.Candidate, answers []answer) error {
		results := make([]scorer.Result, len(batch))
		for i := range answers {
			results[i] = answers[i].Result
		}
		err := s.Score(ctx, batch, results)
		missing, ok := errors.AsType[*scorer.NotConfigured](err)
		switch {
		case ok && missing.Need == "":
			return errors.New("the model is not configured but does not say what it needs")
		case ok:
			for i := range answers {
				answers[i] = answer{Need: missing.Need}
			}
		case err != nil:
			return fmt.Errorf("scoring: %w", err)
		default:
			for i := range answers {
				answers[i] = answer{Result: results[i]}
			}
		}
		return nil
	}
}

func same(a, b answer) bool {
	return a.Need == b.Need && a.Value == b.Value && a.Confidence == b.Confidence &&
		a.HasConfidence == b.HasConfidence && a.Cached == b.Cached && plugintest.SameError(a.Err, b.Err)
}

func (a answers) checkComplete(ctx context.Context, batch []*ceap.Candidate) error {
	found, err := a.Of(ctx, batch)
	if err != nil {
		return err
	}
	for i := range found {
		if err := complete(found[i].Result); err != nil {
			return fmt.Errorf("result %+v for %s: %w", found[i].Result, batch[i].Key, err)
		}
	}
	return nil
}

func complete(r scorer.Result) error {
	switch {
	case r.Cached && r.Err == nil:
		return errors.New("a kept answer stands in, but nothing says why")
	case r.Err != nil && !r.Cached && (r.Value != 0 || r.HasConfidence):
		return errors.New("it has a value beside the error")
	case (r.Err == nil || r.Cached) && (math.IsNaN(r.Value) || math.IsInf(r.Value, 0)):
		return errors.New("the value is no finite number")
	case r.HasConfidence && !(r.Confidence >= 0 && r.Confidence <= 1):
		return errors.New("the confidence is outside 0..1")
	}
	return nil
}

// checkIndependence takes away what other models said (I26).
func (a answers) checkIndependence(ctx context.Context, batch []*ceap.Candidate) error {
	return a.CheckScores(ctx, batch, nil)
}

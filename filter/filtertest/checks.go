package filtertest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin/plugintest"
)

// checks lists the promises of the contract.
func checks(f filter.Filter) []plugintest.Check {
	v := verdicts{filter: f, Answers: plugintest.Answers[filter.Verdict]{
		Fill:  filler(f),
		Stale: filter.Verdict{Code: "STALE", Reason: "left from another batch", Err: errors.New("stale")},
		Same: func(a, b filter.Verdict) bool {
			return a.Code == b.Code && a.Reason == b.Reason && plugintest.SameError(a.Err, b.Err)
		},
	}}
	return []plugintest.Check{
		{Name: "every verdict is complete", Run: v.checkComplete},
		{Name: "stale verdicts are overwritten", Run: v.CheckStale},
		{Name: "an empty batch is no error", Run: v.CheckEmpty},
		{Name: "the order of a batch does not matter", Run: v.CheckOrder},
		{Name: "candidates are judged one by one", Run: v.checkOneByOne},
		{Name: "candidates stay as they are", Run: v.CheckUnchanged},
		{Name: "many may call at once", Run: v.CheckConcurrency},
		{Name: "a cancelled context lets nobody pass", Run: v.CheckCancelled},
		{Name: "only declared scores are read", Run: v.checkScores},
	}
}

// verdicts holds a filter against its contract.
type verdicts struct {
	plugintest.Answers[filter.Verdict]
	filter filter.Filter
}

func filler(f filter.Filter) func(context.Context, []*ceap.Candidate, []filter.Verdict) error {
	return func(ctx context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
		if err := f.Apply(ctx, batch, verdicts); err != nil {
			return fmt.Errorf("applying the filter: %w", err)
		}
		return nil
	}
}

func (v verdicts) checkComplete(ctx context.Context, batch []*ceap.Candidate) error {
	found, err := v.Of(ctx, batch)
	if err != nil {
		return err
	}
	for i := range found {
		if err := complete(found[i]); err != nil {
			return fmt.Errorf("verdict %+v on %s: %w", found[i], batch[i].Key, err)
		}
	}
	return nil
}

func complete(v filter.Verdict) error {
	switch {
	case v.Err != nil && (v.Code != "" || v.Reason != ""):
		return errors.New("it has a code or a reason beside the error")
	case v.Code == "" && v.Reason != "":
		return errors.New("it has a reason but no code")
	case v.Code != "" && !regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`).MatchString(v.Code):
		return errors.New("the code has not the form CHANNEL_INELIGIBLE")
	case v.Code != "" && v.Reason == "":
		return errors.New("it has a code but no reason")
	}
	return nil
}

// checkOneByOne leaves out filters that rank: they keep the best of a whole
// run. Their verdicts must be those of their limits.
func (v verdicts) checkOneByOne(ctx context.Context, batch []*ceap.Candidate) error {
	ranker, ok := v.filter.(filter.Ranker)
	if !ok {
		return v.CheckOneByOne(ctx, batch)
	}
	got, err := v.Of(ctx, batch)
	if err != nil {
		return err
	}
	want := make([]filter.Verdict, len(batch))
	filter.ApplyLimits(ranker.Limits(), batch, want)
	return v.Compare(batch, want, got)
}

// checkScores takes away the scores that the filter does not say it reads.
func (v verdicts) checkScores(ctx context.Context, batch []*ceap.Candidate) error {
	var reads []string
	if reader, ok := v.filter.(filter.ScoreReader); ok {
		reads = reader.ReadsScores()
	}
	if slices.Contains(reads, "*") {
		return nil
	}
	return v.CheckScores(ctx, batch, reads)
}

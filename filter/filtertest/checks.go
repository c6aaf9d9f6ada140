package filtertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"sync"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
)

// checks lists the promises of the contract.
func checks() []check {
	return []check{
		{"every verdict is complete", checkVerdicts},
		{"stale verdicts are overwritten", checkStale},
		{"an empty batch is no error", checkEmpty},
		{"the order of a batch does not matter", checkOrder},
		{"candidates are judged one by one", checkOneByOne},
		{"candidates stay as they are", checkUnchanged},
		{"many may call at once", checkConcurrency},
		{"a cancelled context lets nobody pass", checkCancelled},
		{"only declared scores are read", checkScores},
	}
}

// apply returns the verdicts of a filter that starts from unused ones.
func apply(ctx context.Context, f filter.Filter, batch []*ceap.Candidate) ([]filter.Verdict, error) {
	verdicts := make([]filter.Verdict, len(batch))
	if err := f.Apply(ctx, batch, verdicts); err != nil {
		return nil, fmt.Errorf("applying the filter: %w", err)
	}
	return verdicts, nil
}

func checkVerdicts(ctx context.Context, f filter.Filter, batch []*ceap.Candidate) error {
	verdicts, err := apply(ctx, f, batch)
	if err != nil {
		return err
	}
	code := regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	for i, v := range verdicts {
		switch {
		case v.Err != nil && (v.Code != "" || v.Reason != ""):
			err = fmt.Errorf("it has a code or a reason beside the error")
		case v.Code == "" && v.Reason != "":
			err = fmt.Errorf("it has a reason but no code")
		case v.Code != "" && !code.MatchString(v.Code):
			err = fmt.Errorf("the code has not the form CHANNEL_INELIGIBLE")
		case v.Code != "" && v.Reason == "":
			err = fmt.Errorf("it has a code but no reason")
		}
		if err != nil {
			return fmt.Errorf("verdict %+v on %s: %w", v, batch[i].Key, err)
		}
	}
	return nil
}

func checkStale(ctx context.Context, f filter.Filter, batch []*ceap.Candidate) error {
	want, err := apply(ctx, f, batch)
	if err != nil {
		return err
	}
	got := make([]filter.Verdict, len(batch))
	for i := range got {
		got[i] = filter.Verdict{Code: "STALE", Reason: "left from another batch", Err: errors.New("stale")}
	}
	if err := f.Apply(ctx, batch, got); err != nil {
		return fmt.Errorf("applying the filter again: %w", err)
	}
	return same(batch, want, got)
}

func checkEmpty(ctx context.Context, f filter.Filter, _ []*ceap.Candidate) error {
	_, err := apply(ctx, f, nil)
	return err
}

func checkOrder(ctx context.Context, f filter.Filter, batch []*ceap.Candidate) error {
	want, err := apply(ctx, f, batch)
	if err != nil {
		return err
	}
	reversed := slices.Clone(batch)
	slices.Reverse(reversed)
	got, err := apply(ctx, f, reversed)
	if err != nil {
		return err
	}
	slices.Reverse(got)
	return same(batch, want, got)
}

// checkOneByOne leaves out filters that rank: they keep the best of a whole
// run. Their verdicts must be those of their limits.
func checkOneByOne(ctx context.Context, f filter.Filter, batch []*ceap.Candidate) error {
	want, err := apply(ctx, f, batch)
	if err != nil {
		return err
	}
	got := make([]filter.Verdict, len(batch))
	if ranker, ok := f.(filter.Ranker); ok {
		filter.ApplyLimits(ranker.Limits(), batch, got)
		return same(batch, want, got)
	}
	for i := range batch {
		if err := f.Apply(ctx, batch[i:i+1], got[i:i+1]); err != nil {
			return fmt.Errorf("applying the filter to %s alone: %w", batch[i].Key, err)
		}
	}
	return same(batch, want, got)
}

func checkUnchanged(ctx context.Context, f filter.Filter, batch []*ceap.Candidate) error {
	before := clone(batch)
	if _, err := apply(ctx, f, batch); err != nil {
		return err
	}
	for i := range batch {
		if !reflect.DeepEqual(before[i], batch[i]) {
			return fmt.Errorf("the candidate %s was changed from\n%+v to\n%+v", before[i].Key, before[i], batch[i])
		}
	}
	return nil
}

func checkConcurrency(ctx context.Context, f filter.Filter, batch []*ceap.Candidate) error {
	want, err := apply(ctx, f, batch)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		group.Go(func() {
			for range 5 {
				got, err := apply(ctx, f, batch)
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

// checkCancelled allows a filter that needs nothing from outside to go on.
func checkCancelled(ctx context.Context, f filter.Filter, batch []*ceap.Candidate) error {
	want, err := apply(ctx, f, batch)
	if err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	got, err := apply(cancelled, f, batch)
	if err == nil {
		return same(batch, want, got)
	}
	if !errors.Is(err, context.Canceled) && ceap.ErrorCode(err) != ceap.CodeCancelled {
		return fmt.Errorf("the error does not say that the context was cancelled: %w", err)
	}
	return nil
}

// checkScores takes away the scores that the filter does not say it reads.
func checkScores(ctx context.Context, f filter.Filter, batch []*ceap.Candidate) error {
	var reads []string
	if reader, ok := f.(filter.ScoreReader); ok {
		reads = reader.ReadsScores()
	}
	if slices.Contains(reads, "*") {
		return nil
	}
	want, err := apply(ctx, f, batch)
	if err != nil {
		return err
	}
	without := clone(batch)
	for _, c := range without {
		c.Score, c.Scored = 0, false
		c.Scores = slices.DeleteFunc(c.Scores, func(s ceap.Score) bool { return !slices.Contains(reads, s.ModelID) })
	}
	got, err := apply(ctx, f, without)
	if err != nil {
		return err
	}
	return same(batch, want, got)
}

// same returns an error for the first two verdicts that differ.
func same(batch []*ceap.Candidate, want, got []filter.Verdict) error {
	for i := range want {
		if want[i].Code != got[i].Code || want[i].Reason != got[i].Reason || text(want[i].Err) != text(got[i].Err) {
			return fmt.Errorf("the verdict on %s is once %+v and once %+v", batch[i].Key, want[i], got[i])
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

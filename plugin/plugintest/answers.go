package plugintest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/ceap-platform/ceap"
)

// Answers is an opened plug-in, seen as what it says of each candidate. Its
// Check methods hold the plug-in against the promises that every contract makes
// of such a plug-in.
type Answers[A any] struct {
	// Fill asks the plug-in about the batch; its answers overwrite those given,
	// which are as many.
	Fill func(ctx context.Context, batch []*ceap.Candidate, answers []A) error
	// Stale is an answer that the plug-in never gives.
	Stale A
	// Same reports whether two answers say the same.
	Same func(a, b A) bool
}

// Of returns the answers of a plug-in that starts from unused ones.
func (p Answers[A]) Of(ctx context.Context, batch []*ceap.Candidate) ([]A, error) {
	answers := make([]A, len(batch))
	if err := p.Fill(ctx, batch, answers); err != nil {
		return nil, err
	}
	return answers, nil
}

// Compare returns an error for the first two answers that differ.
func (p Answers[A]) Compare(batch []*ceap.Candidate, want, got []A) error {
	if len(want) != len(got) {
		return fmt.Errorf("there are once %d answers and once %d", len(want), len(got))
	}
	for i := range want {
		if !p.Same(want[i], got[i]) {
			return fmt.Errorf("the answer on %s is once %+v and once %+v", batch[i].Key, want[i], got[i])
		}
	}
	return nil
}

// CheckStale checks that answers left from another batch are overwritten.
func (p Answers[A]) CheckStale(ctx context.Context, batch []*ceap.Candidate) error {
	want, err := p.Of(ctx, batch)
	if err != nil {
		return err
	}
	got := make([]A, len(batch))
	for i := range got {
		got[i] = p.Stale
	}
	if err := p.Fill(ctx, batch, got); err != nil {
		return fmt.Errorf("asking with used answers: %w", err)
	}
	return p.Compare(batch, want, got)
}

// CheckEmpty checks that a batch without candidates is no error.
func (p Answers[A]) CheckEmpty(ctx context.Context, _ []*ceap.Candidate) error {
	_, err := p.Of(ctx, nil)
	return err
}

// CheckOrder checks that the order of a batch does not matter.
func (p Answers[A]) CheckOrder(ctx context.Context, batch []*ceap.Candidate) error {
	want, err := p.Of(ctx, batch)
	if err != nil {
		return err
	}
	reversed := slices.Clone(batch)
	slices.Reverse(reversed)
	got, err := p.Of(ctx, reversed)
	if err != nil {
		return err
	}
	slices.Reverse(got)
	return p.Compare(batch, want, got)
}

// CheckOneByOne checks that an answer does not depend on the other candidates of
// its batch.
func (p Answers[A]) CheckOneByOne(ctx context.Context, batch []*ceap.Candidate) error {
	want, err := p.Of(ctx, batch)
	if err != nil {
		return err
	}
	var got []A
	for i, c := range batch {
		one, err := p.Of(ctx, batch[i:i+1])
		if err != nil {
			return fmt.Errorf("asking about %s alone: %w", c.Key, err)
		}
		got = append(got, one...)
	}
	return p.Compare(batch, want, got)
}

// CheckUnchanged checks that candidates stay as they are.
func (p Answers[A]) CheckUnchanged(ctx context.Context, batch []*ceap.Candidate) error {
	before := Clone(batch)
	if _, err := p.Of(ctx, batch); err != nil {
		return err
	}
	for i := range batch {
		if !reflect.DeepEqual(before[i], batch[i]) {
			return fmt.Errorf("the candidate %s was changed from\n%+v to\n%+v", before[i].Key, before[i], batch[i])
		}
	}
	return nil
}

// CheckConcurrency checks that many may ask at once.
func (p Answers[A]) CheckConcurrency(ctx context.Context, batch []*ceap.Candidate) error {
	want, err := p.Of(ctx, batch)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		group.Go(func() {
			for range 5 {
				got, err := p.Of(ctx, batch)
				if err == nil {
					err = p.Compare(batch, want, got)
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// CheckCancelled checks that a cancelled context changes no answer. A plug-in
// that needs nothing from outside may go on.
func (p Answers[A]) CheckCancelled(ctx context.Context, batch []*ceap.Candidate) error {
	want, err := p.Of(ctx, batch)
	if err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	got, err := p.Of(cancelled, batch)
	if err == nil {
		return p.Compare(batch, want, got)
	}
	if !errors.Is(err, context.Canceled) && ceap.ErrorCode(err) != ceap.CodeCancelled {
		return fmt.Errorf("the error does not say that the context was cancelled: %w", err)
	}
	return nil
}

// CheckScores checks that of the candidates' scores only those of the models in
// reads make a difference.
func (p Answers[A]) CheckScores(ctx context.Context, batch []*ceap.Candidate, reads []string) error {
	want, err := p.Of(ctx, batch)
	if err != nil {
		return err
	}
	without := Clone(batch)
	for _, c := range without {
		c.Score, c.Scored = 0, false
		c.Scores = slices.DeleteFunc(c.Scores, func(s ceap.Score) bool { return !slices.Contains(reads, s.ModelID) })
	}
	got, err := p.Of(ctx, without)
	if err != nil {
		return err
	}
	return p.Compare(batch, want, got)
}

// SameError reports whether both errors are nil, or say the same.
func SameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}

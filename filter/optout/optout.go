// Package optout rejects candidates whose customer does not want to be
// contacted. The engine adds the filter to every program; naming it in a program
// only gives it another place in the chain.
//
// The filter is safe for concurrent use.
package optout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin"
)

// Config is empty: wishes are not negotiable.
type Config struct{}

// Plugin describes the filter.
func Plugin() plugin.Of[filter.Filter] {
	return plugin.Define("opt_out", "rejects customers who do not want to be contacted", Config{},
		func(env plugin.Env, _ Config) (filter.Filter, error) { return New(env.OptOuts), nil }).
		WithAliases("opt-out")
}

// Filter rejects candidates whose customer has opted out of the program, or of
// every channel that the candidate could be reached through.
type Filter struct {
	wishes filter.OptOuts
}

var _ filter.Filter = (*Filter)(nil)

// New returns the filter, which asks wishes once per batch.
func New(wishes filter.OptOuts) *Filter { return &Filter{wishes: wishes} }

// Apply judges the candidates. If the wishes cannot be read it returns an error
// of [ceap.CodeUnavailable], or the cause's own, and nobody passes.
func (f *Filter) Apply(ctx context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
	if len(batch) == 0 {
		return nil
	}
	if f.wishes == nil {
		return &ceap.Error{Code: ceap.CodeUnavailable, Message: "this deployment keeps no opt-outs, so nobody may be contacted"}
	}
	customers := make([]string, len(batch))
	for i, c := range batch {
		customers[i] = c.CustomerID
	}
	slices.Sort(customers)
	found, err := f.wishes.OptOutsOf(ctx, slices.Compact(customers))
	if err != nil {
		return fmt.Errorf("reading opt-outs: %w", err)
	}
	for i, c := range batch {
		verdicts[i] = judge(c, found[c.CustomerID])
	}
	return nil
}

func judge(c *ceap.Candidate, wishes []ceap.OptOut) filter.Verdict {
	var covering *ceap.OptOut
	for i := range wishes {
		if wishes[i].Covers(c.ProgramID) && (covering == nil || compare(wishes[i], *covering) < 0) {
			covering = &wishes[i]
		}
	}
	if covering != nil {
		return rejected(fmt.Sprintf("the customer opted out of %s on %s", scope(*covering), day(covering.At)))
	}
	return judgeChannels(c, wishes)
}

// judgeChannels rejects the candidate if the customer has opted out of each
// channel that it is eligible for.
func judgeChannels(c *ceap.Candidate, wishes []ceap.OptOut) filter.Verdict {
	if len(wishes) == 0 {
		return filter.Verdict{}
	}
	var words []string
	for _, channel := range c.EligibleChannels() {
		var first *ceap.OptOut
		for i, w := range wishes {
			concerns := w.Channel == channel && (w.ProgramID == "" || w.ProgramID == c.ProgramID)
			if concerns && (first == nil || compare(w, *first) < 0) {
				first = &wishes[i]
			}
		}
		if first == nil {
			return filter.Verdict{}
		}
		words = append(words, fmt.Sprintf("%s of %s on %s", channel, scope(*first), day(first.At)))
	}
	if len(words) == 0 {
		return filter.Verdict{}
	}
	return rejected("the customer opted out of every channel the candidate is eligible for: " + strings.Join(words, ", "))
}

func rejected(reason string) filter.Verdict {
	return filter.Verdict{Code: ceap.ReasonOptedOut, Reason: reason}
}

// compare orders wishes by their time, so that a reason is the same each time.
func compare(a, b ceap.OptOut) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ProgramID, b.ProgramID), cmp.Compare(a.Channel, b.Channel))
}

// scope says which programs a wish is about.
func scope(o ceap.OptOut) string {
	if o.ProgramID == "" {
		return "every program"
	}
	return "the program " + o.ProgramID
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

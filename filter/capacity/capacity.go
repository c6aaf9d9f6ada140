// Package capacity keeps the best candidates of a run: so many of each customer,
// subject and group, and so many altogether. The engine ranks a run's candidates
// and applies the limits; the package only says what they are.
//
// The filter is safe for concurrent use.
package capacity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/expression"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin"
)

// Config holds the filter's parameters. At least one limit must be given.
type Config struct {
	MaxPerRun      *int   `json:"maxPerRun" ceap:"min=1" doc:"How many candidates of the run pass altogether: the best. Absent: no limit."`
	MaxPerCustomer *int   `json:"maxPerCustomer" ceap:"min=1" doc:"How many candidates of one customer pass: the best. Absent: no limit."`
	MaxPerSubject  *int   `json:"maxPerSubject" ceap:"min=1" doc:"How many candidates of one subject pass: the best. Absent: no limit."`
	MaxPerGroup    *int   `json:"maxPerGroup" ceap:"min=1" doc:"How many candidates of one group pass: the best. Needs groupBy. Absent: no limit."`
	GroupBy        string `json:"groupBy" doc:"An expression that names a candidate's group, such as extra.category. Needs maxPerGroup."`
}

// Validate returns what is wrong with the parameters together.
func (c Config) Validate() ceap.Problems {
	var problems ceap.Problems
	if c.MaxPerRun == nil && c.MaxPerCustomer == nil && c.MaxPerSubject == nil && c.MaxPerGroup == nil {
		problems = append(problems, ceap.Problem{
			Message: "the filter has no limit, so everybody would pass",
			Hint:    "set maxPerRun, maxPerCustomer, maxPerSubject or maxPerGroup, or remove the filter",
		})
	}
	if c.MaxPerGroup != nil && c.GroupBy == "" {
		problems = append(problems, ceap.Problem{Path: "maxPerGroup", Message: "groupBy does not say what a group is", Hint: "set groupBy, such as extra.category"})
	}
	if c.MaxPerGroup == nil && c.GroupBy != "" {
		problems = append(problems, ceap.Problem{Path: "groupBy", Message: "maxPerGroup does not say how many of a group pass", Hint: "set maxPerGroup, or remove groupBy"})
	}
	return problems
}

// Plugin describes the filter.
func Plugin() plugin.Of[filter.Filter] {
	return plugin.Define("capacity", "keeps the best candidates per customer, subject, group and run", Config{},
		func(env plugin.Env, c Config) (filter.Filter, error) { return New(c, env.AsOf) })
}

// Filter keeps the best candidates of a run.
type Filter struct {
	limits []filter.Limit
}

var (
	_ filter.Ranker      = (*Filter)(nil)
	_ filter.ScoreReader = (*Filter)(nil)
)

// New returns the filter for a run whose clock shows now. The error is a
// [ceap.Problems] that names what is wrong with groupBy.
func New(config Config, now time.Time) (*Filter, error) {
	f := &Filter{}
	f.add("customer", config.MaxPerCustomer, func(c *ceap.Candidate) (string, error) { return c.CustomerID, nil })
	f.add("subject", config.MaxPerSubject, func(c *ceap.Candidate) (string, error) { return c.SubjectType + "/" + c.SubjectID, nil })
	if config.GroupBy != "" {
		program, err := expression.Compile(config.GroupBy, expression.Label, now)
		if err != nil {
			if fault, ok := errors.AsType[*expression.Error](err); ok {
				return nil, fault.Problems("groupBy")
			}
			return nil, fmt.Errorf("compiling groupBy: %w", err)
		}
		f.add("group", config.MaxPerGroup, program.EvalLabel)
	}
	f.add("run", config.MaxPerRun, func(*ceap.Candidate) (string, error) { return "", nil })
	return f, nil
}

func (f *Filter) add(per string, most *int, group func(*ceap.Candidate) (string, error)) {
	if most != nil {
		f.limits = append(f.limits, filter.Limit{Per: per, Max: *most, Group: group})
	}
}

// Limits returns the limits in the order in which they are applied: customer,
// subject, group, run. Whom an earlier one rejects takes no place in a later
// one.
func (f *Filter) Limits() []filter.Limit { return f.limits }

// ReadsScores returns "*": the best are those with the highest score.
func (f *Filter) ReadsScores() []string { return []string{"*"} }

// Apply judges a batch that is a whole run.
func (f *Filter) Apply(ctx context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	filter.ApplyLimits(f.limits, batch, verdicts)
	return nil
}

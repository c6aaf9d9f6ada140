// Package businessrule rejects candidates by the rules a program's author
// writes: bounds for the order value and the age of the event, and expressions
// with reason codes of their own. The language of expressions is that of package
// expression.
//
// The filter is safe for concurrent use.
package businessrule

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/expression"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin"
)

// The reason codes, beside those of the program's own rules.
const (
	CodeOrderValueMissing   = "ORDER_VALUE_MISSING"
	CodeOrderValueLow       = "ORDER_VALUE_LOW"
	CodeEventTooOld         = "EVENT_TOO_OLD"
	CodeDeliveryDateMissing = "DELIVERY_DATE_MISSING"
)

// Filter rejects candidates that break a rule. Rules are asked in the order of
// the configuration, and the first one broken decides.
type Filter struct {
	config Config
	now    time.Time
	rules  []rule
}

// rule is a rule of the program with its compiled expression.
type rule struct {
	program *expression.Program
	code    string
	reason  string
}

var (
	_ filter.Filter      = (*Filter)(nil)
	_ filter.ScoreReader = (*Filter)(nil)
)

// Plugin describes the filter.
func Plugin() plugin.Of[filter.Filter] {
	return plugin.Define("business_rule", "keeps candidates that keep the program's rules", Config{},
		func(env plugin.Env, c Config) (filter.Filter, error) { return New(c, env.AsOf) }).
		WithAliases("business-rule")
}

// New returns the filter for a run whose clock shows now. The error is a
// [ceap.Problems] that names what is wrong with the expressions.
func New(config Config, now time.Time) (*Filter, error) {
	f := &Filter{config: config, now: now}
	c := expression.Compiler{Now: now}
	for i, r := range config.Rules {
		program := c.Compile(plugin.PathIndex("rules", i)+".expression", r.Expression, expression.Condition)
		f.rules = append(f.rules, rule{program: program, code: r.ReasonCode, reason: r.Reason})
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

// ReadsScores returns the models whose scores the rules read.
func (f *Filter) ReadsScores() []string {
	ids := map[string]bool{}
	for _, r := range f.rules {
		for _, id := range r.program.ReadsScores() {
			ids[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// ReadsExtra returns the names of the extra columns that the rules read, sorted,
// with "*" if only the evaluation tells which.
func (f *Filter) ReadsExtra() []string {
	names := map[string]bool{}
	for _, r := range f.rules {
		for _, name := range r.program.ReadsExtra() {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Apply judges the candidates. An expression that cannot be evaluated for a
// candidate is the error of its verdict (D54).
func (f *Filter) Apply(ctx context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
	return filter.ApplyEach(ctx, batch, verdicts, f.judge)
}

func (f *Filter) judge(c *ceap.Candidate) filter.Verdict {
	if v := f.judgeBounds(c); !v.Passed() {
		return v
	}
	return f.judgeRules(c)
}

func (f *Filter) judgeBounds(c *ceap.Candidate) filter.Verdict {
	if least := f.config.MinOrderValue; least != nil {
		value, ok := c.OrderValue.Number()
		switch {
		case !ok:
			return filter.Verdict{Code: CodeOrderValueMissing, Reason: "the row has no orderValue, and minOrderValue demands one"}
		case value < *least:
			return filter.Verdict{Code: CodeOrderValueLow, Reason: fmt.Sprintf("orderValue is %s %s, below minOrderValue %s",
				c.OrderValue, c.Currency, ceap.Float(*least))}
		}
	}
	if most := f.config.MaxDaysSinceEvent; most != nil {
		days := f.now.Sub(c.EventDate).Hours() / 24
		if days > *most {
			return filter.Verdict{Code: CodeEventTooOld, Reason: fmt.Sprintf("the event of %s is %.1f days old, above maxDaysSinceEvent %s",
				c.EventDate.UTC().Format(time.RFC3339), days, ceap.Float(*most))}
		}
	}
	if f.config.RequireDeliveryDate && c.DeliveryDate.IsZero() {
		return filter.Verdict{Code: CodeDeliveryDateMissing, Reason: "the row has no deliveryDate, and requireDeliveryDate demands one"}
	}
	return filter.Verdict{}
}

func (f *Filter) judgeRules(c *ceap.Candidate) filter.Verdict {
	for i := range f.rules {
		r := &f.rules[i]
		holds, err := r.program.EvalBool(c)
		switch {
		case err != nil:
			return filter.Verdict{Err: fmt.Errorf("asking rule %s: %w", r.code, err)}
		case !holds:
			return filter.Verdict{Code: r.code, Reason: r.words(c)}
		}
	}
	return filter.Verdict{}
}

// words returns why the candidate breaks the rule: the author's own words, or
// else the rule, with the values that decided.
func (r *rule) words(c *ceap.Candidate) string {
	reason := r.reason
	if reason == "" {
		reason = "the rule " + r.program.Source() + " does not hold"
	}
	if values := r.program.Values(c); values != "" {
		reason += ": " + values
	}
	return reason
}

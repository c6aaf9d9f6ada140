// Package rules is a model that needs nothing from outside: an expression, a
// list of cases or a table of points over the candidate, in the language of
// package expression. Scales and bounds are the engine's.
//
// The scorer is safe for concurrent use.
package rules

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/expression"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/scorer"
)

// Plugin describes the model.
func Plugin() plugin.Of[scorer.Scorer] {
	return plugin.Define("rules", "scores by rules over the candidate; needs nothing from outside",
		Config{},
		func(env plugin.Env, c Config) (scorer.Scorer, error) { return New(c, env.AsOf) })
}

// Scorer scores candidates by rules.
type Scorer struct {
	number     *expression.Program // of a model that is an expression; else nil
	cases      []entry
	points     []entry
	base       float64
	defaultTo  *float64
	confidence *float64
}

// entry is a condition with its number.
type entry struct {
	when  *expression.Program
	value float64
}

var _ scorer.Scorer = (*Scorer)(nil)

// New returns the model for a run whose clock shows now. The error is a
// [ceap.Problems] that names what is wrong with the expressions.
func New(config Config, now time.Time) (*Scorer, error) {
	s := &Scorer{base: config.Base, defaultTo: config.Default, confidence: config.Confidence}
	c := expression.Compiler{Now: now}
	if config.Expression != "" {
		s.number = c.CompileForModel("expression", config.Expression, expression.Number)
	}
	for i, r := range config.Rules {
		s.cases = append(s.cases, entry{c.CompileForModel(plugin.PathIndex("rules", i)+".when", r.When, expression.Condition), value(r.Score)})
	}
	for i, p := range config.Points {
		s.points = append(s.points, entry{c.CompileForModel(plugin.PathIndex("points", i)+".when", p.When, expression.Condition), value(p.Points)})
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// Score scores the candidates. A rule that cannot be evaluated for a candidate
// is the error of its result.
func (s *Scorer) Score(ctx context.Context, batch []*ceap.Candidate, results []scorer.Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, c := range batch {
		v, err := s.score(c)
		if err == nil && (math.IsInf(v, 0) || math.IsNaN(v)) {
			err = ceap.Errorf(ceap.CodeInvalid, "the points add up to no finite number")
		}
		if err != nil {
			results[i] = scorer.Result{Err: err}
			continue
		}
		results[i] = scorer.Result{Value: v}
		if s.confidence != nil {
			results[i].Confidence, results[i].HasConfidence = *s.confidence, true
		}
	}
	return nil
}

func (s *Scorer) score(c *ceap.Candidate) (float64, error) {
	switch {
	case s.number != nil:
		return s.number.EvalNumber(c)
	case len(s.cases) > 0:
		return s.firstCase(c)
	default:
		return s.sum(c)
	}
}

func (s *Scorer) firstCase(c *ceap.Candidate) (float64, error) {
	for i := range s.cases {
		holds, err := s.cases[i].when.EvalBool(c)
		if err != nil {
			return 0, fmt.Errorf("asking rules[%d]: %w", i, err)
		}
		if holds {
			return s.cases[i].value, nil
		}
	}
	if s.defaultTo == nil {
		return 0, (&ceap.Error{Code: ceap.CodeInvalid, Message: "none of the rules holds"}).WithHint("set default")
	}
	return *s.defaultTo, nil
}

func (s *Scorer) sum(c *ceap.Candidate) (float64, error) {
	total := s.base
	for i := range s.points {
		holds, err := s.points[i].when.EvalBool(c)
		if err != nil {
			return 0, fmt.Errorf("asking points[%d]: %w", i, err)
		}
		if holds {
			total += s.points[i].value
		}
	}
	return total, nil
}

// value returns the number, which [Config.Validate] has found to be there.
func value(n *float64) float64 {
	if n == nil {
		return 0
	}
	return *n
}

func missingNumber(list string, i int, key string) ceap.Problem {
	return ceap.Problem{Path: plugin.PathIndex(list, i) + "." + key, Message: "is missing", Hint: "give a number"}
}

// Package logistic is a logistic regression: a weighted sum of numbers and
// categories, turned into a probability. Training happens elsewhere; its
// coefficients stand in the program.
//
// The scorer is safe for concurrent use.
package logistic

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
	return plugin.Define("logistic", "a logistic regression with coefficients given in the program",
		Config{},
		func(env plugin.Env, c Config) (scorer.Scorer, error) { return New(c, env.AsOf) })
}

// Scorer scores candidates by a logistic regression.
type Scorer struct {
	config Config
	terms  []term
}

// term is one summand.
type term struct {
	name string
	// add returns the prepared number or the text, and what it adds to the sum.
	add func(c *ceap.Candidate) (input ceap.Value, sum float64, err error)
}

// Contribution is what one feature or category adds to the sum of a candidate.
type Contribution struct {
	Name  string     // "intercept" for the first
	Input ceap.Value // the prepared number, or the text; NULL for the intercept and where there is none
	Sum   float64    // what it adds to the sum
}

var _ scorer.Scorer = (*Scorer)(nil)

// New returns the model for a run whose clock shows now. The error is a
// [ceap.Problems] that names what is wrong with the expressions.
func New(config Config, now time.Time) (*Scorer, error) {
	s := &Scorer{config: config}
	c := expression.Compiler{Now: now}
	for i, f := range config.Features {
		program := c.CompileForModel(plugin.PathIndex("features", i)+".expression", f.Expression, expression.Number)
		s.terms = append(s.terms, featureTerm(f, program))
	}
	for i, category := range config.Categories {
		program := c.CompileForModel(plugin.PathIndex("categories", i)+".expression", category.Expression, expression.Label)
		s.terms = append(s.terms, categoryTerm(category, program))
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

func featureTerm(f Feature, program *expression.Program) term {
	add := func(c *ceap.Candidate) (ceap.Value, float64, error) {
		x, null, err := program.EvalNullableNumber(c)
		if err != nil {
			return ceap.Value{}, 0, err
		}
		if null {
			if f.Missing == nil {
				return ceap.Value{}, 0, (&ceap.Error{Code: ceap.CodeInvalid, Message: f.Expression + " is null"}).
					WithHint("set missing for this feature")
			}
			x = *f.Missing
		}
		x, err = f.prepare(x)
		return ceap.Float(x), x * f.Coefficient, err
	}
	return term{name: nameOf(f.Name, f.Expression), add: add}
}

// prepare bounds, transforms and standardizes a number.
func (f Feature) prepare(x float64) (float64, error) {
	if f.Min != nil {
		x = max(x, *f.Min)
	}
	if f.Max != nil {
		x = min(x, *f.Max)
	}
	if f.Transform == "log1p" {
		if x <= -1 {
			return 0, ceap.Errorf(ceap.CodeInvalid, "log1p of %v is no number", x).WithHint("set min to 0")
		}
		x = math.Log1p(x)
	}
	return (x - f.Mean) / f.Std, nil
}

func categoryTerm(category Category, program *expression.Program) term {
	add := func(c *ceap.Candidate) (ceap.Value, float64, error) {
		label, null, err := program.EvalNullableLabel(c)
		switch {
		case err != nil:
			return ceap.Value{}, 0, err
		case null:
			return ceap.Null(), category.Other, nil
		}
		if sum, known := category.Values[label]; known {
			return ceap.String(label), sum, nil
		}
		return ceap.String(label), category.Other, nil
	}
	return term{name: nameOf(category.Name, category.Expression), add: add}
}

func nameOf(name, source string) string {
	if name != "" {
		return name
	}
	return source
}

// Score scores the candidates. A feature that has no number for a candidate is
// the error of its result.
func (s *Scorer) Score(ctx context.Context, batch []*ceap.Candidate, results []scorer.Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, c := range batch {
		results[i] = s.score(c)
	}
	return nil
}

func (s *Scorer) score(c *ceap.Candidate) scorer.Result {
	sum := s.config.Intercept
	for i := range s.terms {
		_, add, err := s.terms[i].add(c)
		if err != nil {
			return scorer.Result{Err: fmt.Errorf("preparing %s: %w", s.terms[i].name, err)}
		}
		sum += add
	}
	if math.IsNaN(sum) {
		return scorer.Result{Err: ceap.Errorf(ceap.CodeInvalid, "the features add up to no number")}
	}
	result := scorer.Result{Value: 1 / (1 + math.Exp(-sum))}
	if s.config.Confidence != nil {
		result.Confidence, result.HasConfidence = *s.config.Confidence, true
	}
	return result
}

// Explain returns what the intercept, each feature and each category add to the
// sum of the candidate, in the order of the configuration. The candidate's score
// is 1 / (1 + exp(-total)).
func (s *Scorer) Explain(c *ceap.Candidate) ([]Contribution, error) {
	contributions := []Contribution{{Name: "intercept", Sum: s.config.Intercept}}
	for i := range s.terms {
		input, sum, err := s.terms[i].add(c)
		if err != nil {
			return nil, fmt.Errorf("preparing %s: %w", s.terms[i].name, err)
		}
		contributions = append(contributions, Contribution{Name: s.terms[i].name, Input: input, Sum: sum})
	}
	return contributions, nil
}

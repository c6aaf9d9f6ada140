// Package static is a model that gives every candidate the same score: for
// trying out a program, and for programs that rank by date alone.
//
// The scorer is safe for concurrent use.
package static

import (
	"context"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/scorer"
)

// Config holds the model's settings.
type Config struct {
	Value      float64  `json:"value" ceap:"required" doc:"The score of every candidate, in the model's scale: 0 to 1 unless the program declares one."`
	Confidence *float64 `json:"confidence" ceap:"min=0,max=1" doc:"The confidence of every score, 0 to 1. Absent: unknown."`
}

// Plugin describes the model.
func Plugin() plugin.Of[scorer.Scorer] {
	return plugin.Define("static", "gives every candidate the same score", Config{},
		func(_ plugin.Env, c Config) (scorer.Scorer, error) { return New(c), nil })
}

// Scorer gives every candidate the same score.
type Scorer struct {
	result scorer.Result
}

var _ scorer.Scorer = (*Scorer)(nil)

// New returns the model.
func New(config Config) *Scorer {
	s := &Scorer{result: scorer.Result{Value: config.Value}}
	if config.Confidence != nil {
		s.result.Confidence, s.result.HasConfidence = *config.Confidence, true
	}
	return s
}

// Score scores the candidates.
func (s *Scorer) Score(_ context.Context, batch []*ceap.Candidate, results []scorer.Result) error {
	for i := range batch {
		results[i] = s.result
	}
	return nil
}

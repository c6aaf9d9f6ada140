// Package scorertest is the conformance suite of models: every plug-in of kind
// scorer runs it, with a few configurations of its own. What else tests of
// models need is in package plugintest.
package scorertest

import (
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/plugin/plugintest"
	"github.com/ceap-platform/ceap/scorer"
)

// Env returns what a model of the suite is given.
func Env() plugin.Env {
	env := plugintest.Env()
	env.ID = "model-1"
	return env
}

// Score returns the results of the model for the candidates, and fails the test
// if it does not answer.
func Score(tb testing.TB, s scorer.Scorer, batch ...*ceap.Candidate) []scorer.Result {
	tb.Helper()
	results := make([]scorer.Result, len(batch))
	if err := s.Score(tb.Context(), batch, results); err != nil {
		tb.Fatalf("Score: %v", err)
	}
	return results
}

// Run checks that the plug-in keeps the contract of models, with each of the
// configurations, which are JSON; "" means the defaults. A model may answer
// [scorer.NotConfigured], but then always and in the same words.
func Run(t *testing.T, p plugin.Of[scorer.Scorer], env plugin.Env, configs ...string) {
	t.Helper()
	suite().Run(t, p, env, configs...)
}

func suite() plugintest.Suite[scorer.Scorer] {
	return plugintest.Suite[scorer.Scorer]{
		Set: func(p plugin.Of[scorer.Scorer]) plugin.Set {
			return plugin.Set{Scorers: []plugin.Of[scorer.Scorer]{p}}
		},
		Checks: checks,
	}
}

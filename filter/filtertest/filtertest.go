// Package filtertest is the conformance suite of filters: every plug-in of kind
// filter runs it, with a few configurations of its own. It also has what tests
// of filters need beside package plugintest: a scored candidate, an environment
// and a fake of customers' wishes.
package filtertest

import (
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/plugin/plugintest"
)

// Env returns what a filter of the suite is given. It has no opt-outs; tests
// that need some set OptOuts.
func Env() plugin.Env {
	env := plugintest.Env()
	env.ID, env.OptOuts = "filter-1", OptOuts{}
	return env
}

// Candidate returns a candidate that shipped filters with their defaults let
// pass. Tests change what they are about.
func Candidate() *ceap.Candidate {
	c := plugintest.Candidate()
	c.Scores = []ceap.Score{{ModelID: "trust", Value: 0.75, Confidence: 0.9, HasConfidence: true, State: ceap.ScoreModel}}
	c.Score, c.Scored = 0.75, true
	return c
}

// Apply returns the verdicts of the filter on the candidates, and fails the test
// if it breaks.
func Apply(tb testing.TB, f filter.Filter, batch ...*ceap.Candidate) []filter.Verdict {
	tb.Helper()
	verdicts := make([]filter.Verdict, len(batch))
	if err := f.Apply(tb.Context(), batch, verdicts); err != nil {
		tb.Fatalf("Apply: %v", err)
	}
	return verdicts
}

// Expect opens the plug-in with the configuration in JSON and fails the test
// unless its verdict on the candidate has the code, and a reason with the words.
// Words without a code are those of the verdict's error; without words either
// the candidate has to pass.
func Expect(tb testing.TB, p plugin.Of[filter.Filter], config string, c *ceap.Candidate, code, words string) {
	tb.Helper()
	v := Apply(tb, plugintest.Open(tb, p, Env(), config), c)[0]
	said := v.Reason
	if v.Err != nil {
		said = v.Err.Error()
	}
	broken := code == "" && words != ""
	if v.Code != code || (v.Err != nil) != broken || !strings.Contains(said, words) {
		tb.Errorf("verdict %+v, want code %q and the words %q", v, code, words)
	}
}

// Run checks that the plug-in keeps the contract of filters, with each of the
// configurations, which are JSON; "" means the defaults.
func Run(t *testing.T, p plugin.Of[filter.Filter], env plugin.Env, configs ...string) {
	t.Helper()
	suite().Run(t, p, env, configs...)
}

func suite() plugintest.Suite[filter.Filter] {
	return plugintest.Suite[filter.Filter]{
		Set: func(p plugin.Of[filter.Filter]) plugin.Set {
			return plugin.Set{Filters: []plugin.Of[filter.Filter]{p}}
		},
		Checks: checks,
	}
}

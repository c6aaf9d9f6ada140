package rules_test

import (
	"math"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin/plugintest"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/scorer/rules"
	"github.com/ceap-platform/ceap/scorer/scorertest"
)

func TestScorer_Conformance(t *testing.T) {
	t.Parallel()
	scorertest.Run(t, rules.Plugin(), scorertest.Env(),
		`{"expression": "clamp(coalesce(orderValue, 0) / 100, 0, 1)", "confidence": 0.8}`,
		`{"expression": "orderValue / 100"}`,
		`{"rules": [{"when": "eligible.email", "score": 0.8}, {"when": "orderValue > 50", "score": 0.5}]}`,
		`{"points": [{"when": "eligible.email", "points": 10}, {"when": "has(extra.trust_score)", "points": -2.5}], "base": 1}`)
}

func TestScorer_Score(t *testing.T) {
	t.Parallel()
	null := plugintest.Candidate()
	null.OrderValue = ceap.Null()
	for _, tc := range []struct {
		name, config string
		candidate    *ceap.Candidate
		value        float64
		err          string
	}{
		{"an expression", `{"expression": "orderValue * 2"}`, plugintest.Candidate(), 59.98, ""},
		{"an expression that errs", `{"expression": "orderValue * 2"}`, null, 0, "orderValue is null"},
		{"an expression without a finite result", `{"expression": "1 / (orderValue - 29.99)"}`, plugintest.Candidate(), 0, "no finite number"},
		{"the first case that holds", `{"rules": [{"when": "orderValue > 100", "score": 0.9}, {"when": "orderValue > 20", "score": 0.6}, {"when": "true", "score": 0.1}]}`, plugintest.Candidate(), 0.6, ""},
		{"no case holds", `{"rules": [{"when": "false", "score": 0.9}]}`, plugintest.Candidate(), 0, "none of the rules holds; set default"},
		{"no case holds, with a default", `{"rules": [{"when": "false", "score": 0.9}], "default": 0.2}`, plugintest.Candidate(), 0.2, ""},
		{"a case of zero", `{"rules": [{"when": "true", "score": 0}], "default": 0.2}`, plugintest.Candidate(), 0, ""},
		{"a case that errs", `{"rules": [{"when": "true && orderValue > 1", "score": 0.9}], "default": 0.2}`, null, 0, "asking rules[0]: "},
		{"points", `{"base": 5, "points": [{"when": "orderValue > 20", "points": 10}, {"when": "false", "points": 100}, {"when": "eligible.email", "points": -2.5}]}`, plugintest.Candidate(), 12.5, ""},
		{"points that err", `{"points": [{"when": "true", "points": 1}, {"when": "orderValue > 20", "points": 10}]}`, null, 0, "asking points[1]: "},
		{"points without end", `{"base": 1e308, "points": [{"when": "true", "points": 1e308}]}`, null, 0, "no finite number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := scorertest.Score(t, plugintest.Open(t, rules.Plugin(), scorertest.Env(), tc.config), tc.candidate)[0]
			if math.Abs(r.Value-tc.value) > 1e-12 || (r.Err != nil) != (tc.err != "") {
				t.Errorf("result %+v, want %v and the error %q", r, tc.value, tc.err)
			}
			if tc.err != "" && r.Err != nil && !strings.Contains(r.Err.Error(), tc.err) {
				t.Errorf("the error does not say %q: %v", tc.err, r.Err)
			}
		})
	}
}

func TestScorer_Score_confidence(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]scorer.Result{
		`{"expression": "0.5"}`:                    {Value: 0.5},
		`{"expression": "0.5", "confidence": 0}`:   {Value: 0.5, HasConfidence: true},
		`{"expression": "0.5", "confidence": 0.9}`: {Value: 0.5, HasConfidence: true, Confidence: 0.9},
	} {
		if got := scorertest.Score(t, plugintest.Open(t, rules.Plugin(), scorertest.Env(), config), plugintest.Candidate())[0]; got != want {
			t.Errorf("%s: %+v, want %+v", config, got, want)
		}
	}
}

func TestPlugin_explainsProblems(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		``: "exactly one of expression, rules and points",
		`{"expression": "1", "rules": [{"when": "true", "score": 1}]}`: "exactly one of",
		`{"expression": "1", "default": 1}`:                            "default: default belongs to rules",
		`{"expression": "1", "base": 1}`:                               "base: base belongs to points",
		`{"expression": "orderVal"}`:                                   `expression: unknown name "orderVal"`,
		`{"expression": "eligible.email"}`:                             "expression: it gives true or false, not a number",
		`{"expression": "score"}`:                                      "expression: a model cannot read score or scores",
		`{"rules": [{"when": "scores.a > 1", "score": 1}]}`:            "rules[0].when: a model cannot read score or scores",
		`{"rules": [{"when": "orderValue", "score": "x"}]}`:            "rules[0].score",
		`{"rules": [{"when": "true"}]}`:                                "rules[0]",
		`{"rules": [{"when": "true", "score": null}]}`:                 "rules[0].score",
		`{"points": [{"when": "1 +", "points": 1}]}`:                   "points[0].when: syntax error",
		`{"points": [{"when": "true", "points": null}]}`:               "points[0].points",
		`{"expression": "1", "confidence": 2}`:                         "confidence",
	} {
		if got := plugintest.Problems(t, rules.Plugin(), config); !strings.Contains(got, want) {
			t.Errorf("the problems of %s do not say %q: %s", config, want, got)
		}
	}
}

func BenchmarkScorer_Score(b *testing.B) {
	s := plugintest.Open(b, rules.Plugin(), scorertest.Env(), `{"expression": "0.2 + 0.5 * clamp(coalesce(orderValue, 0) / 100, 0, 1) + (eligible.email ? 0.3 : 0)"}`)
	batch := plugintest.Candidates(1000)
	results := make([]scorer.Result, len(batch))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Score(b.Context(), batch, results); err != nil {
			b.Fatal(err)
		}
	}
}

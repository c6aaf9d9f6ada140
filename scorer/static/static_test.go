package static_test

import (
	"strings"
	"testing"

	"github.com/ceap-platform/ceap/plugin/plugintest"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/scorer/scorertest"
	"github.com/ceap-platform/ceap/scorer/static"
)

func TestScorer_Conformance(t *testing.T) {
	t.Parallel()
	scorertest.Run(t, static.Plugin(), scorertest.Env(), `{"value": 0.7}`, `{"value": 85, "confidence": 0.4}`)
}

func TestScorer_Score(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]scorer.Result{
		`{"value": 0}`:                     {},
		`{"value": 0.7}`:                   {Value: 0.7},
		`{"value": 85, "confidence": 0.4}`: {Value: 85, Confidence: 0.4, HasConfidence: true},
	} {
		for _, got := range scorertest.Score(t, plugintest.Open(t, static.Plugin(), scorertest.Env(), config), plugintest.Candidates(3)...) {
			if got != want {
				t.Errorf("%s: %+v, want %+v", config, got, want)
			}
		}
	}
}

func TestPlugin_needsAValue(t *testing.T) {
	t.Parallel()
	for _, config := range []string{`{}`, ``, `{"value": "high"}`, `{"value": 0.5, "confidence": 1.1}`} {
		if got := plugintest.Problems(t, static.Plugin(), config); !strings.Contains(got, "value") && !strings.Contains(got, "confidence") {
			t.Errorf("the problems of %s: %s", config, got)
		}
	}
}

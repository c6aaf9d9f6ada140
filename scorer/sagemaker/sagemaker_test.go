package sagemaker_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap/plugin/plugintest"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/scorer/sagemaker"
	"github.com/ceap-platform/ceap/scorer/scorertest"
)

func TestScorer_Conformance(t *testing.T) {
	t.Parallel()
	scorertest.Run(t, sagemaker.Plugin(), scorertest.Env(), "", `{"endpointName": "review-propensity-v3", "region": "us-east-1"}`)
}

// Without an endpoint, and with one that this build cannot ask, the model says
// so and answers for nobody (D58).
func TestScorer_Score_saysWhatItNeeds(t *testing.T) {
	t.Parallel()
	env := scorertest.Env()
	env.ID = "review-propensity"
	for config, want := range map[string][]string{
		``: {`model "review-propensity" has no endpointName`, `name a stand-in for "review-propensity" under models in ceap.yaml`, "fallbackScore"},
		`{"endpointName": "review-propensity-v3"}`: {
			`is the SageMaker endpoint "review-propensity-v3"`, "not in this build", "ceap.yaml", "fallbackScore",
		},
	} {
		batch := plugintest.Candidates(3)
		results := make([]scorer.Result, len(batch))
		err := plugintest.Open(t, sagemaker.Plugin(), env, config).Score(t.Context(), batch, results)
		missing, ok := errors.AsType[*scorer.NotConfigured](err)
		if !ok {
			t.Fatalf("Score with %s returned %v", config, err)
		}
		for _, part := range want {
			if !strings.Contains(missing.Need, part) {
				t.Errorf("with %s it does not say %q: %s", config, part, missing.Need)
			}
		}
		for _, r := range results {
			if r != (scorer.Result{}) {
				t.Errorf("a score was made up: %+v", r)
			}
		}
	}
}

func TestPlugin_namesSettingsOfOtherVersions(t *testing.T) {
	t.Parallel()
	if got := plugintest.Problems(t, sagemaker.Plugin(), `{"endpointName": "e", "maxRetries": 3}`); !strings.Contains(got, "maxRetries: is not supported by this version") {
		t.Error(got)
	}
	if got := plugintest.Problems(t, sagemaker.Plugin(), `{"endpointNam": "e"}`); !strings.Contains(got, "endpointName") {
		t.Error(got)
	}
}

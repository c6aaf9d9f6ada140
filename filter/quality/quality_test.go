package quality_test

import (
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/filter/filtertest"
	"github.com/ceap-platform/ceap/filter/quality"
	"github.com/ceap-platform/ceap/plugin/plugintest"
)

func TestFilter_Conformance(t *testing.T) {
	t.Parallel()
	filtertest.Run(t, quality.Plugin(), filtertest.Env(), "",
		`{"minQualityScore": 0.2, "minConfidence": 0.3, "scoreModel": "quality", "requireMediaEligibility": true}`,
		`{"minConfidence": 0, "scoreColumn": "trust_score"}`,
		`{"confidenceColumn": "fraud_score"}`)
}

func TestFilter_Apply(t *testing.T) {
	t.Parallel()
	sure := plugintest.With(filtertest.Candidate(), "confidence", ceap.Decimal("0.9"))
	with := func(name string, v ceap.Value) *ceap.Candidate { return plugintest.With(sure, name, v) }
	media := func(v ceap.Value) *ceap.Candidate {
		c := plugintest.With(sure, "confidence", ceap.Int(1))
		c.MediaEligible = v
		return c
	}
	const model = `{"scoreModel": "trust", "minConfidence": 0.95}`
	unsure := filtertest.Candidate()
	unsure.Scores = []ceap.Score{{ModelID: "trust", Value: 0.75, State: ceap.ScoreModel}}
	for _, tc := range []struct {
		name, config string
		candidate    *ceap.Candidate
		code         string
		words        string // of the reason or the error
	}{
		{"good", ``, sure, "", ""},
		{"exactly the bounds", ``, plugintest.With(with("quality_score", ceap.Decimal("0.6")), "confidence", ceap.Decimal("0.7")), "", ""},
		{"low", ``, with("quality_score", ceap.Decimal("0.59")), quality.CodeLow, "extra.quality_score is 0.59, below minQualityScore 0.6"},
		{"missing", ``, with("quality_score", ceap.Null()), quality.CodeMissing, "extra.quality_score has no value"},
		{"no number", ``, with("quality_score", ceap.Bool(true)), "", "extra.quality_score is boolean, not a number"},
		{"low confidence", ``, with("confidence", ceap.Decimal("0.69")), quality.CodeConfidence, "extra.confidence is 0.69, below minConfidence 0.7"},
		{"unknown confidence", ``, filtertest.Candidate(), quality.CodeConfidence, "extra.confidence has no value; select it in the query, or set minConfidence to 0"},
		{"confidence of no number", ``, with("confidence", ceap.String("x")), "", "extra.confidence is text"},
		{"confidence is not asked", `{"minConfidence": 0}`, filtertest.Candidate(), "", ""},
		{"columns of their own", `{"scoreColumn": "q", "confidenceColumn": "c"}`, plugintest.With(with("q", ceap.Int(1)), "c", ceap.Decimal("0.1")), quality.CodeConfidence, "extra.c is 0.1"},
		{"a model", `{"scoreModel": "trust"}`, filtertest.Candidate(), "", ""},
		{"a model's low score", `{"scoreModel": "trust", "minQualityScore": 0.8}`, filtertest.Candidate(), quality.CodeLow, "the score of model trust is 0.75"},
		{"a model's low confidence", model, filtertest.Candidate(), quality.CodeConfidence, "the confidence of model trust is 0.9, below minConfidence 0.95"},
		{"a model without confidence", model, unsure, quality.CodeConfidence, "model trust gave no confidence; set minConfidence to 0"},
		{"a model that was not asked", `{"scoreModel": "other"}`, filtertest.Candidate(), quality.CodeMissing, "model other gave no score"},
		{"media are not asked", ``, media(ceap.Bool(false)), "", ""},
		{"media may be used", `{"requireMediaEligibility": true}`, media(ceap.Bool(true)), "", ""},
		{"media may not be used", `{"requireMediaEligibility": true}`, media(ceap.Bool(false)), quality.CodeMedia, "mediaEligible is false"},
		{"media are unknown", `{"requireMediaEligibility": true}`, media(ceap.Null()), quality.CodeMedia, "the row said nothing about mediaEligible"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			filtertest.Expect(t, quality.Plugin(), tc.config, tc.candidate, tc.code, tc.words)
		})
	}
}

func TestFilter_ReadsScores(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]int{``: 0, `{"scoreModel": "m"}`: 1} {
		reader, ok := plugintest.Open(t, quality.Plugin(), filtertest.Env(), config).(filter.ScoreReader)
		if !ok || len(reader.ReadsScores()) != want {
			t.Errorf("%s: %v, %v; want %d models", config, reader, ok, want)
		}
	}
}

func TestPlugin_refusesContradictions(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{"scoreModel": "m", "scoreColumn": "c"}`:      "scoreColumn: scoreModel and scoreColumn both",
		`{"scoreModel": "m", "confidenceColumn": "c"}`: "confidenceColumn: the confidence comes with the score",
		`{"minConfidence": -1}`:                        "minConfidence",
	} {
		if got := plugintest.Problems(t, quality.Plugin(), config); !strings.Contains(got, want) {
			t.Errorf("the problems of %s do not say %q: %s", config, want, got)
		}
	}
}

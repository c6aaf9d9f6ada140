package trust_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/filter/filtertest"
	"github.com/ceap-platform/ceap/filter/trust"
	"github.com/ceap-platform/ceap/plugin/plugintest"
)

func TestFilter_Conformance(t *testing.T) {
	t.Parallel()
	filtertest.Run(t, trust.Plugin(), filtertest.Env(), "",
		`{"minTrustScore": 0.2, "checkFraudIndicators": false, "scoreModel": "trust"}`,
		`{"minTrustScore": 0.9, "scoreColumn": "quality_score"}`)
}

func TestFilter_Apply(t *testing.T) {
	t.Parallel()
	with := func(name string, v ceap.Value) *ceap.Candidate {
		return plugintest.With(filtertest.Candidate(), name, v)
	}
	bare := filtertest.Candidate()
	bare.Extra, bare.Scores = nil, nil
	unscored := filtertest.Candidate()
	unscored.Scores = []ceap.Score{{ModelID: "trust", State: ceap.ScoreUnscored}}
	fallback := filtertest.Candidate()
	fallback.Scores = []ceap.Score{{ModelID: "trust", Value: 0.6, State: ceap.ScoreFallback}}
	for _, tc := range []struct {
		name, config string
		candidate    *ceap.Candidate
		code         string
		words        string // of the reason or the error
	}{
		{"trusted", ``, filtertest.Candidate(), "", ""},
		{"exactly the bound", ``, with("trust_score", ceap.Decimal("0.5")), "", ""},
		{"below it", ``, with("trust_score", ceap.Decimal("0.49")), trust.CodeLow, "extra.trust_score is 0.49, below minTrustScore 0.5"},
		{"text of a number", ``, with("trust_score", ceap.String("0.49")), trust.CodeLow, "extra.trust_score is 0.49"},
		{"no column", ``, bare, trust.CodeMissing, "extra.trust_score has no value; select it in the query"},
		{"NULL", ``, with("trust_score", ceap.Null()), trust.CodeMissing, "extra.trust_score has no value"},
		{"empty text", ``, with("trust_score", ceap.String("")), trust.CodeMissing, "extra.trust_score has no value"},
		{"no number", ``, with("trust_score", ceap.String("high")), "", "extra.trust_score is text, not a number"},
		{"another scale", ``, with("trust_score", ceap.Int(85)), "", "extra.trust_score is 85, outside 0..1; scale it in the query"},
		{"the other spelling", ``, plugintest.With(bare, "trustScore", ceap.Decimal("0.3")), trust.CodeLow, "extra.trustScore is 0.3"},
		{"a column of its own", `{"scoreColumn": "rep"}`, with("rep", ceap.Decimal("0.2")), trust.CodeLow, "extra.rep is 0.2"},
		{"a column of its own is missing", `{"scoreColumn": "rep"}`, filtertest.Candidate(), trust.CodeMissing, "extra.rep has no value"},
		{"fraud", ``, with("fraud_score", ceap.Decimal("0.51")), trust.CodeFraud, "extra.fraud_score is 0.51, above 0.5"},
		{"exactly the bound of fraud", ``, with("fraud_score", ceap.Decimal("0.5")), "", ""},
		{"no sign of fraud", ``, with("fraud_score", ceap.Null()), "", ""},
		{"fraud is not asked", `{"checkFraudIndicators": false}`, with("fraud_score", ceap.Int(1)), "", ""},
		{"fraud of no number", ``, with("fraud_score", ceap.String("no")), "", "extra.fraud_score is text"},
		{"a model", `{"scoreModel": "trust"}`, filtertest.Candidate(), "", ""},
		{"a model's low score", `{"scoreModel": "trust", "minTrustScore": 0.8}`, filtertest.Candidate(), trust.CodeLow, "the score of model trust is 0.75, below minTrustScore 0.8"},
		{"a model without an answer", `{"scoreModel": "trust"}`, unscored, trust.CodeMissing, "model trust gave no score"},
		{"a model that was not asked", `{"scoreModel": "trust"}`, bare, trust.CodeMissing, "model trust gave no score"},
		{"a model's fallback counts", `{"scoreModel": "trust"}`, fallback, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			filtertest.Expect(t, trust.Plugin(), tc.config, tc.candidate, tc.code, tc.words)
		})
	}
}

func TestFilter_ReadsScores(t *testing.T) {
	t.Parallel()
	for config, want := range map[string][]string{``: nil, `{"scoreModel": "m"}`: {"m"}, `{"scoreColumn": "c"}`: nil} {
		reader, ok := plugintest.Open(t, trust.Plugin(), filtertest.Env(), config).(filter.ScoreReader)
		if !ok {
			t.Fatal("the filter does not say which scores it reads")
		}
		if diff := cmp.Diff(want, reader.ReadsScores()); diff != "" {
			t.Errorf("%s: %s", config, diff)
		}
	}
}

func TestPlugin_refusesContradictions(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{"scoreModel": "m", "scoreColumn": "c"}`: "scoreColumn: scoreModel and scoreColumn both say where the trust score is",
		`{"minTrustScore": 1.5}`:                  "minTrustScore",
	} {
		if got := plugintest.Problems(t, trust.Plugin(), config); !strings.Contains(got, want) {
			t.Errorf("the problems of %s do not say %q: %s", config, want, got)
		}
	}
}

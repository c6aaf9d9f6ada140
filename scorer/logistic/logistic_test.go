package logistic_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin/plugintest"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/scorer/logistic"
	"github.com/ceap-platform/ceap/scorer/scorertest"
)

// model uses everything a model can have.
const model = `{
	"intercept": -1.5, "confidence": 0.9,
	"features": [
		{"name": "order value", "expression": "orderValue", "coefficient": 0.8, "missing": 0, "min": 0, "max": 1000, "transform": "log1p", "mean": 3, "std": 2},
		{"expression": "daysSince(eventDate)", "coefficient": -0.05}],
	"categories": [{"name": "category", "expression": "extra.category", "values": {"garden": 0.4, "toys": -0.2}, "other": 0.1}]}`

func TestScorer_Conformance(t *testing.T) {
	t.Parallel()
	scorertest.Run(t, logistic.Plugin(), scorertest.Env(), model,
		`{"features": [{"expression": "orderValue", "coefficient": 1}]}`,
		`{"categories": [{"expression": "coalesce(extra.fraud_score, 'none')", "values": {"none": 1, "0.5": 2}}]}`)
}

func TestScorer_Score(t *testing.T) {
	t.Parallel()
	null := plugintest.With(plugintest.Candidate(), "category", ceap.Null())
	null.OrderValue = ceap.Null()
	negative := plugintest.Candidate()
	negative.OrderValue = ceap.Int(-5)
	sigmoid := func(sum float64) float64 { return 1 / (1 + math.Exp(-sum)) }
	one := func(feature string) string { return `{"features": [{` + feature + `}]}` }
	for _, tc := range []struct {
		name, config string
		candidate    *ceap.Candidate
		value        float64
		err          string
	}{
		{"everything", model, plugintest.Candidate(), sigmoid(-1.5 + 0.8*(math.Log1p(29.99)-3)/2 - 0.05*2 + 0.4), ""},
		{"missing and null", model, null, sigmoid(-1.5 + 0.8*(0-3)/2 - 0.05*2 + 0.1), ""},
		{"below min", model, negative, sigmoid(-1.5 + 0.8*(0-3)/2 - 0.05*2 + 0.4), ""},
		{"nothing added", one(`"expression": "orderValue", "coefficient": 0`), plugintest.Candidate(), 0.5, ""},
		{"above max", one(`"expression": "orderValue", "coefficient": 1, "max": 2`), plugintest.Candidate(), sigmoid(2), ""},
		{"null without missing", one(`"name": "value", "expression": "orderValue", "coefficient": 1`), null, 0, "preparing value: orderValue is null; set missing for this feature"},
		{"no logarithm", one(`"expression": "orderValue", "coefficient": 1, "transform": "log1p"`), negative, 0, "log1p of -5 is no number; set min to 0"},
		{"an expression that errs", one(`"expression": "orderValue + 1", "coefficient": 1, "missing": 3`), null, 0, "orderValue is null"},
		{"a huge sum", one(`"expression": "orderValue * 1000", "coefficient": 1`), plugintest.Candidate(), 1, ""},
		{"a category of numbers", `{"categories": [{"expression": "orderValue > 20", "values": {"true": 2}}]}`, plugintest.Candidate(), sigmoid(2), ""},
		{"another category", `{"categories": [{"expression": "extra.category", "values": {"books": 2}}]}`, plugintest.Candidate(), 0.5, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := scorertest.Score(t, plugintest.Open(t, logistic.Plugin(), scorertest.Env(), tc.config), tc.candidate)[0]
			if math.Abs(r.Value-tc.value) > 1e-12 || (r.Err != nil) != (tc.err != "") {
				t.Errorf("result %+v, want %v and the error %q", r, tc.value, tc.err)
			}
			if tc.err != "" && r.Err != nil && !strings.Contains(r.Err.Error(), tc.err) {
				t.Errorf("the error does not say %q: %v", tc.err, r.Err)
			}
		})
	}
}

// Every score is within 0..1, and the contributions add up to it.
func TestI26_ScoresAreProbabilitiesThatAddUp(t *testing.T) {
	t.Parallel()
	number := rapid.Float64Range(-50, 50)
	rapid.Check(t, func(t *rapid.T) {
		config := logistic.Config{Intercept: number.Draw(t, "intercept")}
		for i := range rapid.IntRange(0, 3).Draw(t, "features") {
			missing := number.Draw(t, "missing")
			config.Features = append(config.Features, logistic.Feature{
				Name: fmt.Sprint(i), Expression: "orderValue", Coefficient: number.Draw(t, "coefficient"), Missing: &missing,
				Transform: "none", Mean: number.Draw(t, "mean"), Std: rapid.Float64Range(0.01, 9).Draw(t, "std"),
			})
		}
		config.Categories = []logistic.Category{{
			Expression: "extra.category", Values: map[string]float64{"garden": number.Draw(t, "garden")}, Other: number.Draw(t, "other"),
		}}
		s, err := logistic.New(config, plugintest.AsOf())
		if err != nil {
			t.Fatal(err)
		}
		batch := plugintest.Candidates(20)
		results := make([]scorer.Result, len(batch))
		if err := s.Score(t.Context(), batch, results); err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			contributions, err := s.Explain(batch[i])
			if err != nil || r.Err != nil {
				t.Fatal(err, r.Err)
			}
			if len(contributions) != 2+len(config.Features) {
				t.Fatalf("%d contributions", len(contributions))
			}
			var sum float64
			for _, c := range contributions {
				sum += c.Sum
			}
			if want := 1 / (1 + math.Exp(-sum)); !(r.Value >= 0 && r.Value <= 1) || r.Value != want {
				t.Fatalf("score %v, contributions add up to %v", r.Value, want)
			}
		}
	})
}

func TestScorer_Explain(t *testing.T) {
	t.Parallel()
	s, ok := plugintest.Open(t, logistic.Plugin(), scorertest.Env(), model).(*logistic.Scorer)
	if !ok {
		t.Fatal("the plug-in opens another type")
	}
	contributions, err := s.Explain(plugintest.Candidate())
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, c := range contributions {
		words = append(words, fmt.Sprintf("%s %s %.3f", c.Name, c.Input, c.Sum))
	}
	want := "intercept  -1.500, order value 0.2168324 0.173, daysSince(eventDate) 2 -0.100, category garden 0.400"
	got := strings.Join(words, ", ")
	if !strings.HasPrefix(got, "intercept  -1.500, order value 0.2168") || !strings.HasSuffix(got, want[strings.Index(want, " 0.173"):]) {
		t.Errorf("Explain = %s, want about %s", got, want)
	}
}

func TestPlugin_explainsProblems(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		``: "the model looks at nothing",
		`{"features": [{"expression": "orderValue", "coefficient": 1, "std": 0}]}`:            "features[0].std: std is 0; use a number above 0",
		`{"features": [{"expression": "orderValue", "coefficient": 1, "min": 2, "max": 1}]}`:  "features[0].min: min 2 is above max 1",
		`{"features": [{"expression": "orderValue", "coefficient": 1, "transform": "sqrt"}]}`: "features[0].transform",
		`{"features": [{"expression": "orderVal", "coefficient": 1}]}`:                        `features[0].expression: unknown name "orderVal"`,
		`{"features": [{"expression": "scores.a", "coefficient": 1}]}`:                        "features[0].expression: a model cannot read score",
		`{"features": [{"expression": "orderValue"}]}`:                                        "coefficient",
		`{"categories": [{"expression": "eventDate", "values": {"a": 1}}]}`:                   "categories[0].expression: it gives a timestamp",
		`{"categories": [{"expression": "extra.a", "values": {}}]}`:                           "categories[0].values",
	} {
		if got := plugintest.Problems(t, logistic.Plugin(), config); !strings.Contains(got, want) {
			t.Errorf("the problems of %s do not say %q: %s", config, want, got)
		}
	}
}

func BenchmarkScorer_Score(b *testing.B) {
	s := plugintest.Open(b, logistic.Plugin(), scorertest.Env(), model)
	batch := plugintest.Candidates(1000)
	results := make([]scorer.Result, len(batch))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Score(b.Context(), batch, results); err != nil {
			b.Fatal(err)
		}
	}
}

package sagemaker_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin/plugintest"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/scorer/sagemaker"
	"github.com/ceap-platform/ceap/scorer/scorertest"
)

// Over a real connection, in all forms of requests and answers.
func TestScorer_Conformance(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&endpoint{})
	t.Cleanup(server.Close)
	env := scorertest.Env()
	env.Scores = &memory{}
	for name, configs := range map[string][]string{
		"asking": {
			config(`"batchRows": 64`),
			config(`"contentType": "application/jsonlines"`),
			config(`"contentType": "application/json", "instanceForm": "list"`),
			config(`"contentType": "application/json", "acceptType": "text/csv"`),
			`{"endpointName": "` + endpointName + `", "features": [{"expression": "orderValue"}]}`,
		},
		"keeping": {config(`"cache": {}`), config(`"cache": {"ttlHours": 0}`)},
		"without": {"", `{"endpointName": "` + endpointName + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scorertest.Run(t, sagemaker.PluginWith(overHTTP(server.URL).load), env, configs...)
		})
	}
}

// Without an endpoint the model says so and answers for nobody (D58).
func TestScorer_Score_saysWhatItNeeds(t *testing.T) {
	t.Parallel()
	env := scorertest.Env()
	env.ID = "review-propensity"
	for config, want := range map[string][]string{
		``: {
			`model "review-propensity" has no endpointName`, "scorers.sagemaker.endpoints in ceap.yaml",
			`name a stand-in for "review-propensity" under models in ceap.yaml`, "fallbackScore",
		},
		`{"endpointName": "review-propensity-v3"}`: {`the SageMaker endpoint "review-propensity-v3", but has no features`, "ceap.yaml", "fallbackScore"},
	} {
		results := make([]scorer.Result, 3)
		err := plugintest.Open(t, sagemaker.Plugin(), env, config).Score(t.Context(), plugintest.Candidates(3), results)
		missing, ok := errors.AsType[*scorer.NotConfigured](err)
		if !ok {
			t.Fatalf("Score with %s returned %v", config, err)
		}
		for _, part := range want {
			if !strings.Contains(missing.Need, part) {
				t.Errorf("with %s it does not say %q: %s", config, part, missing.Need)
			}
		}
		if diff := cmp.Diff(make([]scorer.Result, 3), results); diff != "" {
			t.Errorf("a score was made up: %s", diff)
		}
	}
}

// A deployment names the endpoint of a model that the program leaves open.
func TestNew_settings(t *testing.T) {
	t.Parallel()
	e := &endpoint{}
	env := scorertest.Env()
	env.Settings = sagemaker.Settings{Endpoints: map[string]sagemaker.Endpoint{
		env.ID: {EndpointName: endpointName, TargetVariant: "blue", InferenceComponentName: "component-1"},
	}}
	for _, config := range []string{`{` + features + `}`, `{"endpointName": "of-the-program", "customAttributes": "trace=1", ` + features + `}`} {
		s := e.open(t, env, config)
		if r := scorertest.Score(t, s, plugintest.Candidate())[0]; r.Err != nil {
			t.Errorf("%s: %v", config, r.Err)
		}
	}
	for name, want := range map[string]string{
		"X-Amzn-Sagemaker-Target-Variant": "blue", "X-Amzn-Sagemaker-Inference-Component": "component-1",
		"X-Amzn-Sagemaker-Custom-Attributes": "trace=1", "Content-Type": "text/csv", "Accept": "text/csv",
	} {
		if got := e.headers[1].Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestScorer_Score_rows(t *testing.T) {
	t.Parallel()
	const kinds = `"endpointName": "` + endpointName + `", "features": [
		{"expression": "orderValue"}, {"name": "category", "expression": "extra.category", "type": "text"}, {"expression": "mediaEligible", "type": "text", "missing": ""}]`
	odd := plugintest.With(plugintest.Candidate(), "category", ceap.String("a \"b\",\nc"))
	for config, want := range map[string]string{
		`{` + kinds + `}`: `29.99,"a ""b"", c",""`,
		`{` + kinds + `, "contentType": "application/jsonlines", "instanceForm": "list"}`: `{"features":[29.99,"a \"b\",\nc",""]}`,
		`{` + kinds + `, "contentType": "application/json"}`:                              `{"customer_id":"CUST-001","subject_id":"PROD-123","features":{"orderValue":29.99,"category":"a \"b\",\nc","mediaEligible":""}}`,
	} {
		e := &endpoint{}
		if r := scorertest.Score(t, e.open(t, scorertest.Env(), config), odd)[0]; r.Err != nil || r.Value != scoreOf(want) {
			t.Errorf("%s: %+v", config, r)
		}
		if diff := cmp.Diff([][]string{{want}}, e.asked()); diff != "" {
			t.Errorf("the request (-want +got):\n%s", diff)
		}
	}
}

// A candidate without a feature is not asked about; the others are (I29).
func TestI29_noQuestionWithoutItsFeatures(t *testing.T) {
	t.Parallel()
	e := &endpoint{}
	s := e.open(t, scorertest.Env(), `{"endpointName": "`+endpointName+`", "features": [{"expression": "orderValue"}]}`)
	without := plugintest.Candidate()
	without.OrderValue = ceap.Null()
	results := scorertest.Score(t, s, plugintest.Candidate(), without)
	if results[0].Err != nil || results[0].Value != scoreOf("29.99") {
		t.Errorf("with it: %+v", results[0])
	}
	if err := results[1].Err; err == nil || !strings.Contains(err.Error(), "the feature orderValue has no value; set missing for this feature") {
		t.Errorf("without it: %v", err)
	}
	if diff := cmp.Diff([][]string{{"29.99"}}, e.asked()); diff != "" {
		t.Errorf("the requests (-want +got):\n%s", diff)
	}
}

// However a batch is cut into calls and requests, each candidate has the score
// that its features have.
func TestScorer_Score_anyPartition(t *testing.T) {
	t.Parallel()
	batch := plugintest.Candidates(60)
	whole := scorertest.Score(t, (&endpoint{}).open(t, scorertest.Env(), config()), batch...)
	rapid.Check(t, func(rt *rapid.T) {
		e := &endpoint{}
		media := rapid.SampledFrom([]string{"text/csv", "application/jsonlines", "application/json"})
		rows, size := rapid.IntRange(1, 70).Draw(rt, "batchRows"), rapid.IntRange(1000, 3000).Draw(rt, "batchBytes")
		s := e.open(t, scorertest.Env(), config(fmt.Sprintf(`"batchRows": %d, "batchBytes": %d, "acceptType": %q`, rows, size, media.Draw(rt, "acceptType"))))
		for rest, want := batch, whole; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "call")
			for i, got := range scorertest.Score(t, s, rest[:n]...) {
				if got != want[i] {
					rt.Fatalf("%s: %+v, want %+v", rest[i].Key, got, want[i])
				}
			}
			rest, want = rest[n:], want[n:]
		}
		for i, request := range e.asked() {
			if len(request) > rows || e.bytes[i] > size {
				rt.Fatalf("a request has %d rows and %d bytes", len(request), e.bytes[i])
			}
		}
	})
}

// A batch with long texts is cut by bytes, and a row too long for any request is
// the only one left out.
func TestScorer_Score_hugeRows(t *testing.T) {
	t.Parallel()
	e := &endpoint{}
	s := e.open(t, scorertest.Env(), config(`"batchBytes": 5500000, "batchRows": 2000`))
	var batch []*ceap.Candidate
	for i := range 40 {
		batch = append(batch, plugintest.With(plugintest.Candidate(), "category", ceap.String(strings.Repeat("x", 400_000)+fmt.Sprint(i))))
	}
	batch[7] = plugintest.With(plugintest.Candidate(), "category", ceap.String(strings.Repeat("y", 5_500_000)))
	for i, r := range scorertest.Score(t, s, batch...) {
		if (r.Err != nil) != (i == 7) {
			t.Errorf("candidate %d: %v", i, r.Err)
		}
		if i == 7 && !strings.Contains(r.Err.Error(), "raise batchBytes") {
			t.Error(r.Err)
		}
	}
	if len(e.bytes) != 3 || slices.Max(e.bytes) > 5_500_000 {
		t.Errorf("the requests have %d bytes", e.bytes)
	}
}

// Candidates that are alike for the model are one question.
func TestScorer_Score_asksOnce(t *testing.T) {
	t.Parallel()
	e := &endpoint{}
	batch := []*ceap.Candidate{plugintest.Candidate(), plugintest.Candidate(), plugintest.Candidate()}
	results := scorertest.Score(t, e.open(t, scorertest.Env(), config()), batch...)
	if e.rows() != 1 || results[0].Err != nil || results[0] != results[2] {
		t.Errorf("%d rows were asked: %+v", e.rows(), results)
	}
}

func TestPlugin_problems(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{"endpointName": "e", "batchSize": 3}`:                                                        "batchSize: is not supported by this version",
		`{"endpointNam": "e"}`:                                                                         "endpointName",
		`{"features": []}`:                                                                             "features",
		`{"features": [{"type": "number"}]}`:                                                           "exactly one of expression and attribute",
		`{"features": [{"expression": "score"}]}`:                                                      "features[0].expression: a model cannot read score",
		`{"features": [{"expression": "nothing"}]}`:                                                    "features[0].expression",
		`{"features": [{"attribute": "ltv"}]}`:                                                         "features[0].attribute: there is no featureSource",
		`{"features": [{"expression": "orderValue", "missing": "x"}]}`:                                 `features[0].missing: "x" is no number`,
		`{"features": [{"expression": "customerId", "type": "text", "missing": 1}]}`:                   `features[0].missing: 1 is no text`,
		`{"features": [{"expression": "orderValue"}, {"expression": "orderValue"}]}`:                   `features[1].name: features[0] is called "orderValue" too`,
		`{"cache": {"ttlHours": 5, "keepHours": 2}}`:                                                   "cache.keepHours: keepHours 2 is below ttlHours 5",
		`{"batchBytes": 6000000}`:                                                                      "batchBytes",
		`{"customAttributes": "a\nb"}`:                                                                 "customAttributes",
		`{"featureSource": {"type": "redis"}}`:                                                         "featureSource.type",
		`{"featureSource": {"type": "dynamodb", "table": "t", "keyAttribute": "id", "key": "nobody"}}`: "featureSource.key",
	} {
		if got := plugintest.Problems(t, sagemaker.Plugin(), config); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", config, got, want)
		}
	}
}

// Within its life a kept answer is the model's, and the model is not asked.
func TestI27_keptAnswersEqualNewOnes(t *testing.T) {
	t.Parallel()
	e, m, now := &endpoint{}, &memory{}, plugintest.AsOf()
	clock := func() time.Time { return now }
	batch := plugintest.Candidates(50)
	kept := config(`"cache": {"ttlHours": 2, "keepHours": 10}`)
	first := scorertest.Score(t, e.open(t, withCache(m, clock), kept), batch...)
	asked := e.rows()
	for _, tc := range []struct {
		name, config string
		after        time.Duration
		asks         bool
	}{
		{"within its life", kept, time.Hour + 59*time.Minute, false},
		{"at its end", kept, 2 * time.Hour, true},
		{"for another version", config(`"cache": {"ttlHours": 9}`, `"modelVersion": "2"`), 0, true},
		{"for another variant", config(`"cache": {"ttlHours": 9}`, `"targetVariant": "blue"`), 0, true},
		{"without a cache", config(), 0, true},
	} {
		now = plugintest.AsOf().Add(tc.after)
		before := e.rows()
		again := scorertest.Score(t, e.open(t, withCache(m, clock), tc.config), batch...)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("%s: the scores differ: %s", tc.name, diff)
		}
		if got := e.rows() - before; (got == asked) != tc.asks || (got == 0) == tc.asks {
			t.Errorf("%s: %d rows were asked, of %d", tc.name, got, asked)
		}
	}
}

// Answers about ages that change with the clock are of no use to later runs.
func TestScorer_Advise(t *testing.T) {
	t.Parallel()
	for expression, warns := range map[string]bool{
		"daysSince(eventDate)": true, "orderValue / daysSince(eventDate)": true, "now < eventDate ? 1 : 0": true,
		"int(daysSince(eventDate))": false, "orderValue": false, "extra.now": false, "extra['now']": false,
	} {
		for cache, cached := range map[string]bool{`, "cache": {}`: true, "": false} {
			s := plugintest.Open(t, sagemaker.Plugin(), scorertest.Env(), `{"features": [{"expression": "`+expression+`"}]`+cache+`}`)
			adviser, ok := s.(interface{ Advise() []string })
			if !ok {
				t.Fatal("it gives no advice")
			}
			if got := adviser.Advise(); (len(got) == 1) != (warns && cached) {
				t.Errorf("%s%s: %q", expression, cache, got)
			}
		}
	}
}

// When the model fails, what was kept stands in and says so; what was not kept
// has no score (I28).
func TestI28_keptAnswersStandIn(t *testing.T) {
	t.Parallel()
	e, m, now := &endpoint{}, &memory{}, plugintest.AsOf()
	env := withCache(m, func() time.Time { return now })
	kept := config(`"cache": {"ttlHours": 2, "keepHours": 10}`, `"maxRetries": 0`)
	batch := plugintest.Candidates(20)
	first := scorertest.Score(t, e.open(t, env, kept), batch[:15]...)

	e.fail = always(http.StatusInternalServerError, "InternalFailure")
	now = now.Add(9 * time.Hour)
	var log strings.Builder
	env.Logger = slog.New(slog.NewTextHandler(&log, nil))
	for i, r := range scorertest.Score(t, e.open(t, env, kept), batch...) {
		switch {
		case r.Err == nil:
			t.Errorf("candidate %d has %v from a model that failed", i, r.Value)
		case i < 15 && (!r.Cached || r.Value != first[i].Value):
			t.Errorf("candidate %d: %+v, want the kept %v", i, r, first[i].Value)
		case i >= 15 && (r.Cached || r.Value != 0):
			t.Errorf("a score was made up for candidate %d: %+v", i, r)
		}
	}
	if want := `msg="a model gave no answer" model_id=model-1 endpoint=` + endpointName + ` candidates=20 kept_answers=15 error=`; !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %s:\n%s", want, log.String())
	}
	now = now.Add(time.Hour)
	for i, r := range scorertest.Score(t, e.open(t, env, kept), batch...) {
		if r.Err == nil || r.Cached {
			t.Errorf("candidate %d: %+v, from an answer that is gone", i, r)
		}
	}
}

// A cache that fails costs a question, not a score.
func TestScorer_Score_brokenCache(t *testing.T) {
	t.Parallel()
	m := &memory{err: errors.New("out of order")}
	for range 2 {
		e := &endpoint{}
		for _, r := range scorertest.Score(t, e.open(t, withCache(m, plugintest.AsOf), config(`"cache": {}`)), plugintest.Candidates(5)...) {
			if r.Err != nil || math.IsNaN(r.Value) {
				t.Errorf("%+v", r)
			}
		}
	}
	if m.loads != 2 {
		t.Errorf("the cache was asked %d times", m.loads)
	}
}

func BenchmarkScorer_Score(b *testing.B) {
	batch := plugintest.Candidates(2048) // as many as the engine hands over
	results := make([]scorer.Result, len(batch))
	for name, config := range map[string]string{"asking": config(), "keeping": config(`"cache": {}`)} {
		b.Run(name, func(b *testing.B) {
			s := (&endpoint{}).open(b, withCache(&memory{}, plugintest.AsOf), config)
			for b.Loop() {
				if err := s.Score(b.Context(), batch, results); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

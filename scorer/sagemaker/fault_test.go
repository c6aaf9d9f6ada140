package sagemaker_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/plugin/plugintest"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/scorer/sagemaker"
	"github.com/ceap-platform/ceap/scorer/scorertest"
)

// clocked returns what a model is given, with the clock of the test's bubble.
func clocked() plugin.Env {
	env := scorertest.Env()
	env.Now = time.Now
	return env
}

// An answer of another length is of no use to anybody: nobody can tell whose its
// rows are.
func TestScorer_Score_wrongNumberOfRows(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ config, body, want string }{
		{config(), "0.1\n0.2", "the endpoint answered 2 rows for 3 candidates, so that none can be used"},
		{config(), "0.1\n0.2\n0.3\n0.4\n", "the endpoint answered 4 rows for 3 candidates"},
		{config(), "0.1,0.2,0.3", "if it separates candidates by commas, as SageMaker's XGBoost does, set csvAnswer to line"},
		{config(), "", "the endpoint answered 1 rows for 3"},
		{config(`"csvAnswer": "line"`), "0.1,0.2", "the endpoint answered 2 rows"},
		{config(`"csvAnswer": "line"`), "0.1\n0.2\n0.3", "csvAnswer is line, and it has 3 lines"},
		{config(`"contentType": "application/jsonlines"`), "0.1\n0.2\n", "answered 2 rows"},
		{config(`"contentType": "application/json"`), `{"predictions": [0.1, 0.2]}`, "answered 2 rows"},
		{config(`"contentType": "application/json"`), `[]`, "answered 0 rows"},
		{config(`"contentType": "application/json"`), `{"scores": [0.1, 0.2, 0.3]}`, `it has no "predictions"`},
		{config(`"contentType": "application/json"`), `{"predictions": 0.1}`, "cannot unmarshal"},
		{config(`"contentType": "application/json"`), `<html>`, `the answer begins with "<html>"`},
		{config(`"contentType": "application/jsonlines"`), "0.1\n0.2\n{", "no application/jsonlines"},
	} {
		for i, r := range answered(t, tc.config, tc.body) {
			if r.Err == nil || r.Value != 0 || !strings.Contains(r.Err.Error(), tc.want) {
				t.Errorf("%s, answered by %q: candidate %d has %+v, want %s", tc.config, tc.body, i, r, tc.want)
			}
		}
	}
}

// answered returns what the model says of three candidates when the endpoint
// answers with the body.
func answered(t *testing.T, config, body string) []scorer.Result {
	t.Helper()
	e := &endpoint{fail: func(w http.ResponseWriter, r *http.Request, _ int, _ []string) bool {
		say(w, r.Header.Get("Accept"), body)
		return true
	}}
	return scorertest.Score(t, e.open(t, scorertest.Env(), config), plugintest.Candidates(3)...)
}

// A row that is no number leaves that candidate without a score, never with 0.
func TestScorer_Score_unreadableRows(t *testing.T) {
	t.Parallel()
	csv, lines, object := config(), config(`"contentType": "application/jsonlines"`), config(`"contentType": "application/json"`)
	for _, tc := range []struct{ config, body, want string }{
		{csv, "0.1\nnan\n0.3", "the endpoint gave nan as the score"},
		{csv, "0.1\nInf\n0.3", "Inf"},
		{csv, "0.1\n1e999\n0.3", "1e999"},
		{csv, "0.1\nhigh\n0.3", `"high" as the score, which is no number`},
		{csv, "0.1\n\n0.3", "an empty score"},
		{csv, "0.1\n0x10\n0.3", "no number"},
		{csv, "0.1\r\n \"\r\n0.3\r\n", "cannot be read"},
		{config(`"scoreColumn": 2`), "a,0.1\nb\nc,0.3", "the endpoint's row has 1 values, and scoreColumn is 2"},
		{config(`"csvAnswer": "line"`), "0.1,,0.3\n", "an empty score"},
		{lines, "0.1\nNaN\n0.3", "no score"},
		{lines, "{\"score\": 0.1}\n{\"score\": -Infinity}\n{\"score\": 0.3}", "no score"},
		{lines, "{\"score\": 0.1}\n{\"label\": 1}\n{\"score\": 0.3}", `no "score"; set scoreField`},
		{lines, "{\"score\": 0.1}\n{\"score\": \"0.2\"}\n{\"score\": 0.3}", "no number"},
		{lines, "[0.1]\n[]\n[0.3, 1]", "scoreColumn is 1"},
		{lines, "{\"score\": 0.1}\n{\"score\": 0.2, \"confidence\": 2}\n{\"score\": 0.3, \"note\": \"NaN\\\"\"}", "the confidence, which is outside 0 to 1"},
		{lines, "{\"score\": 0.1}\n{\"score\": 0.2, \"confidence\": null}\n{\"score\": 0.3}", "no confidence"},
		{object, `{"predictions": [0.1, null, 0.3]}`, "no score"},
		{object, `{"predictions": [{"score": 0.1}, true, [0.3]]}`, "true as the score, which is no number"},
		{object, `[[0.1], [[0.2]], 0.3]`, "no number"},
		{object, `[0.1, "", 0.3]`, "no number"},
	} {
		for i, r := range answered(t, tc.config, tc.body) {
			switch {
			case i != 1 && (r.Err != nil || r.Value != []float64{0.1, 0, 0.3}[i]):
				t.Errorf("%s, answered by %q: candidate %d has %+v", tc.config, tc.body, i, r)
			case i == 1 && (r.Err == nil || r.Value != 0 || !strings.Contains(r.Err.Error(), tc.want)):
				t.Errorf("%s, answered by %q: %+v, want %s", tc.config, tc.body, r, tc.want)
			}
		}
	}
}

// An empty line at the end is a row if one is missing, and else the end.
func TestScorer_Score_emptyLastLine(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"0.1\n0.2\n\n", "0.1\n0.2\n0.3\n\n"} {
		for i, r := range answered(t, config(), body) {
			if empty := i == 2 && !strings.Contains(body, "0.3"); (r.Err != nil) != empty || empty && !strings.Contains(r.Err.Error(), "an empty score") {
				t.Errorf("%q: candidate %d has %+v", body, i, r)
			}
		}
	}
}

func TestScorer_Score_confidence(t *testing.T) {
	t.Parallel()
	for _, r := range answered(t, config(`"contentType": "application/json"`, `"scoreField": "p", "confidenceField": "c"`),
		`{"predictions": [{"p": 85, "c": 0.5}, {"p": 85, "c": 0.5}, {"p": 85, "c": 0.5}]}`) {
		if r != (scorer.Result{Value: 85, Confidence: 0.5, HasConfidence: true}) {
			t.Errorf("%+v", r)
		}
	}
}

// What an endpoint refuses says who has to act, and is tried again only if that
// may help.
func TestScorer_Score_refusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		status int
		code   string
		asked  int // requests, at most 2 retries
		want   string
	}{
		{"throttled", http.StatusBadRequest, "ThrottlingException", 3, "AWS asks to slow down"},
		{"not ready", http.StatusTooManyRequests, "ModelNotReadyException", 3, "ModelNotReadyException"},
		{"unavailable", http.StatusServiceUnavailable, "ServiceUnavailable", 3, "ServiceUnavailable"},
		{"internal", http.StatusInternalServerError, "InternalFailure", 3, "InternalFailure"},
		{"too many", http.StatusTooManyRequests, "", 3, "asking the SageMaker endpoint"},
		{"without a code", http.StatusBadGateway, "", 3, "asking the SageMaker endpoint"},
		{"the model broke", http.StatusFailedDependency, "ModelError", 1, "answered 500: a division by zero; look at the endpoint's log in CloudWatch"},
		{"wrong request", http.StatusBadRequest, "ValidationError", 1, "ValidationError: not now"},
		{"no permission", http.StatusForbidden, "AccessDeniedException", 1, "the permission sagemaker:InvokeEndpoint on the endpoint"},
		{"credentials", http.StatusForbidden, "ExpiredTokenException", 1, "renew your AWS credentials"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{fail: always(tc.status, tc.code)}
				r := scorertest.Score(t, e.open(t, clocked(), config(`"maxRetries": 2`)), plugintest.Candidate())[0]
				if r.Err == nil || r.Value != 0 || !strings.Contains(r.Err.Error(), tc.want) {
					t.Errorf("%+v, want %s", r, tc.want)
				}
				if len(e.asked()) != tc.asked {
					t.Errorf("%d requests, want %d", len(e.asked()), tc.asked)
				}
				_, missing := errors.AsType[*scorer.NotConfigured](r.Err)
				if missing != (tc.name == "no permission") {
					t.Errorf("not configured: %t", missing)
				}
			})
		})
	}
}

// A container's own status decides whether asking again may help.
func TestScorer_Score_busyContainer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{fail: func(w http.ResponseWriter, _ *http.Request, n int, _ []string) bool {
			if n > 2 {
				return false
			}
			w.Header().Set("X-Amzn-Errortype", "ModelError")
			w.WriteHeader(http.StatusFailedDependency)
			_ = json.NewEncoder(w).Encode(map[string]any{"OriginalStatusCode": 503, "OriginalMessage": "starting"})
			return true
		}}
		if r := scorertest.Score(t, e.open(t, clocked(), config()), plugintest.Candidate())[0]; r.Err != nil || len(e.asked()) != 3 {
			t.Errorf("%+v after %d requests", r, len(e.asked()))
		}
	})
}

func TestScorer_Score_missingEndpoint(t *testing.T) {
	t.Parallel()
	r := scorertest.Score(t, (&endpoint{}).open(t, scorertest.Env(), `{"endpointName": "gone", `+features+`}`), plugintest.Candidate())[0]
	missing, ok := errors.AsType[*scorer.NotConfigured](r.Err)
	if !ok || !strings.Contains(missing.Need, `SageMaker does not know the endpoint "gone"`) || !strings.Contains(missing.Need, "correct endpointName") {
		t.Errorf("%v", r.Err)
	}
}

// Without a region there is nobody to ask, and it says so.
func TestScorer_Score_noConfiguration(t *testing.T) {
	t.Parallel()
	none := func(context.Context) (aws.Config, error) {
		return aws.Config{}, ceap.Errorf(ceap.CodeUnavailable, "no AWS region is set").WithHint("set AWS_REGION")
	}
	s := plugintest.Open(t, sagemaker.PluginWith(none), scorertest.Env(), config())
	if r := scorertest.Score(t, s, plugintest.Candidate())[0]; r.Err == nil || !strings.Contains(r.Err.Error(), "set AWS_REGION") {
		t.Errorf("%+v", r)
	}
}

// Throttled requests succeed later, with pauses that grow.
func TestScorer_Score_throttledThenAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		e := &endpoint{fail: func(w http.ResponseWriter, r *http.Request, n int, rows []string) bool {
			at = append(at, time.Now())
			return n < 4 && always(http.StatusBadRequest, "ThrottlingException")(w, r, n, rows)
		}}
		for _, r := range scorertest.Score(t, e.open(t, clocked(), config()), plugintest.Candidates(3)...) {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
		for i := 1; i < len(at); i++ {
			if pause, least := at[i].Sub(at[i-1]), time.Second<<(i-1); pause < least || pause > least+time.Second {
				t.Errorf("pause %d took %v", i, pause)
			}
		}
		if len(at) != 4 {
			t.Errorf("%d requests", len(at))
		}
	})
}

// A request and its retries end with the time-out; one slow request takes
// nothing from the others.
func TestScorer_Score_timeout(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(http.ResponseWriter, *http.Request, int, []string) bool{
		"slow":      hang,
		"throttled": always(http.StatusBadRequest, "ThrottlingException"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{fail: func(w http.ResponseWriter, r *http.Request, n int, rows []string) bool {
					return len(rows) == 2 && fail(w, r, n, rows)
				}}
				s := e.open(t, clocked(), config(`"timeoutSeconds": 5, "batchRows": 2, "maxRetries": 5`))
				start := time.Now()
				results := scorertest.Score(t, s, plugintest.Candidates(3)...)
				if took := time.Since(start); took != 5*time.Second {
					t.Errorf("it took %v", took)
				}
				if results[2].Err != nil {
					t.Errorf("the fast one: %v", results[2].Err)
				}
				for _, r := range results[:2] {
					if r.Err == nil || r.Value != 0 {
						t.Errorf("the slow one: %+v", r)
					}
				}
				if want := "no answer within 5 s; raise timeoutSeconds"; name == "slow" && !strings.Contains(results[0].Err.Error(), want) {
					t.Error(results[0].Err)
				}
			})
		})
	}
}

// A run that is stopped waits for nothing, and says that it was stopped.
func TestScorer_Score_cancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		batch := plugintest.Candidates(5)
		start := time.Now()
		err := (&endpoint{fail: hang}).open(t, clocked(), config(`"batchRows": 1, "concurrency": 2`)).Score(ctx, batch, make([]scorer.Result, 5))
		if ceap.ErrorCode(err) != ceap.CodeCancelled || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// The breaker opens after 5 failures in 10 requests, lets one try after its
// pause, and closes when that succeeds.
func TestScorer_Score_breaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := true
		e := &endpoint{fail: func(w http.ResponseWriter, r *http.Request, n int, rows []string) bool {
			return (broken && n > 5) && always(http.StatusInternalServerError, "InternalFailure")(w, r, n, rows)
		}}
		s := e.open(t, clocked(), config(`"maxRetries": 0`))
		ask := func() error { return scorertest.Score(t, s, plugintest.Candidate())[0].Err }
		sent := func(want int) {
			t.Helper()
			if got := len(e.asked()); got != want {
				t.Fatalf("%d requests were sent, want %d", got, want)
			}
		}
		for i := range 10 {
			if err := ask(); (err != nil) != (i >= 5) {
				t.Fatalf("request %d: %v", i+1, err)
			}
		}
		if err := ask(); err == nil || !strings.Contains(err.Error(), "not asking for 30s, because of 5 failures in 10 requests, the last of which: asking the SageMaker endpoint") {
			t.Errorf("the breaker is not open: %v", err)
		}
		sent(10)
		time.Sleep(30 * time.Second)
		for range 2 {
			if ask() == nil {
				t.Error("a broken endpoint answered")
			}
		}
		sent(11) // the one that tried
		broken = false
		time.Sleep(29 * time.Second)
		if ask() == nil {
			t.Error("the breaker closed too early")
		}
		time.Sleep(time.Second)
		for range 3 {
			if err := ask(); err != nil {
				t.Errorf("after it healed: %v", err)
			}
		}
		sent(14)
	})
}

// While the breaker is open a permission that is missing is still said to be.
func TestScorer_Score_breakerKeepsTheReason(t *testing.T) {
	t.Parallel()
	e := &endpoint{fail: always(http.StatusForbidden, "AccessDeniedException")}
	s := e.open(t, scorertest.Env(), config(`"batchRows": 1, "concurrency": 1`))
	for i, r := range scorertest.Score(t, s, plugintest.Candidates(30)...) {
		if _, ok := errors.AsType[*scorer.NotConfigured](r.Err); !ok {
			t.Errorf("candidate %d: %v", i, r.Err)
		}
	}
	if len(e.asked()) != 10 {
		t.Errorf("%d requests were sent", len(e.asked()))
	}
}

// No more requests are under way than the configuration allows.
func TestScorer_Score_concurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		running, most := 0, 0
		e := &endpoint{}
		e.fail = func(_ http.ResponseWriter, _ *http.Request, _ int, _ []string) bool {
			e.mu.Lock()
			running++
			most = max(most, running)
			e.mu.Unlock()
			time.Sleep(time.Second)
			e.mu.Lock()
			running--
			e.mu.Unlock()
			return false
		}
		s := e.open(t, clocked(), config(`"batchRows": 10, "concurrency": 3`))
		start := time.Now()
		for _, r := range scorertest.Score(t, s, plugintest.Candidates(90)...) {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
		if took := time.Since(start); most != 3 || took != 3*time.Second {
			t.Errorf("%d at a time, in %v", most, took)
		}
	})
}

// A container that calls its answer something else is taken at acceptType.
func TestScorer_Score_mediaTypes(t *testing.T) {
	t.Parallel()
	for media, body := range map[string]string{
		"application/octet-stream": `0.5`, "text/html; charset=utf-8": `0.5`, "": `0.5`, "Text/CSV; header=absent": `0.5`,
		"application/json": `{"predictions": [{"score": 0.5}]}`, "application/x-jsonlines": `{"score": 0.5}`,
	} {
		e := &endpoint{fail: func(w http.ResponseWriter, _ *http.Request, _ int, _ []string) bool { say(w, media, body); return true }}
		if r := scorertest.Score(t, e.open(t, scorertest.Env(), config()), plugintest.Candidate())[0]; r != (scorer.Result{Value: 0.5}) {
			t.Errorf("%s: %+v", media, r)
		}
	}
}

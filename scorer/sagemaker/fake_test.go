package sagemaker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/plugin/plugintest"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/scorer/sagemaker"
	"github.com/ceap-platform/ceap/scorer/scorertest"
)

// endpointName is the endpoint that there is.
const endpointName = "review-propensity-v3"

// features makes every candidate of the suites one that the model can be asked
// about.
const features = `"features": [
	{"expression": "orderValue", "missing": -1},
	{"name": "age", "expression": "daysSince(eventDate)"},
	{"expression": "extra.category", "type": "text", "missing": "none"}]`

// config returns the configuration of a model that asks the endpoint.
func config(more ...string) string {
	return "{" + strings.Join(append([]string{`"endpointName": "` + endpointName + `"`, features}, more...), ", ") + "}"
}

// endpoint is a SageMaker endpoint: it scores each row by its text, so that the
// score depends on nothing else.
type endpoint struct {
	// fail, if set, may answer in place of the model; n counts requests from 1.
	fail func(w http.ResponseWriter, r *http.Request, n int, rows []string) bool

	mu       sync.Mutex
	requests [][]string // the rows of each
	bytes    []int      // the size of each
	headers  []http.Header
}

func (e *endpoint) asked() [][]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.requests
}

// rows returns how many rows were asked in all.
func (e *endpoint) rows() int {
	n := 0
	for _, rows := range e.asked() {
		n += len(rows)
	}
	return n
}

// ServeHTTP answers POST /endpoints/{name}/invocations.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/endpoints/"), "/invocations")
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost {
		refuse(w, http.StatusBadRequest, "ValidationError", "what is this")
		return
	}
	if name != endpointName {
		refuse(w, http.StatusBadRequest, "ValidationError", "Endpoint "+name+" of account 123456789012 not found.")
		return
	}
	rows := rowsOf(r.Header.Get("Content-Type"), body)
	e.mu.Lock()
	e.requests = append(e.requests, rows)
	e.bytes = append(e.bytes, len(body))
	e.headers = append(e.headers, r.Header.Clone())
	n := len(e.requests)
	e.mu.Unlock()
	if e.fail != nil && e.fail(w, r, n, rows) {
		return
	}
	scores := make([]string, len(rows))
	for i, row := range rows {
		scores[i] = fmt.Sprint(scoreOf(row))
	}
	say(w, r.Header.Get("Accept"), answer(r.Header.Get("Accept"), scores))
}

func say(w http.ResponseWriter, media, body string) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("X-Amzn-Invoked-Production-Variant", "AllTraffic")
	_, _ = io.WriteString(w, body)
}

// refuse answers as AWS does.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Amzn-Errortype", code)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"Message": message, "OriginalStatusCode": 500, "OriginalMessage": "a division by zero"})
}

func rowsOf(media string, body []byte) []string {
	if media != "application/json" {
		return strings.Split(string(body), "\n")
	}
	var object struct{ Instances []json.RawMessage }
	if err := json.Unmarshal(body, &object); err != nil {
		return nil
	}
	rows := make([]string, len(object.Instances))
	for i, instance := range object.Instances {
		rows[i] = string(instance)
	}
	return rows
}

func answer(media string, scores []string) string {
	switch media {
	case "application/json":
		return `{"predictions": [{"score": ` + strings.Join(scores, `}, {"score": `) + `}]}`
	case "application/jsonlines":
		return `{"score": ` + strings.Join(scores, "}\n{\"score\": ") + "}\n"
	default:
		return strings.Join(scores, "\n")
	}
}

// scoreOf returns what the model makes of a row: 0 to 1.
func scoreOf(row string) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(row))
	return float64(h.Sum32()%1_000_001) / 1_000_000
}

// Do answers without a network, so that time can be the test's own.
func (e *endpoint) Do(r *http.Request) (*http.Response, error) {
	w, done := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		e.ServeHTTP(w, r)
	}()
	select {
	case <-done:
		return w.Result(), r.Context().Err()
	case <-r.Context().Done():
		<-done
		return nil, r.Context().Err()
	}
}

// hang answers never.
func hang(_ http.ResponseWriter, r *http.Request, _ int, _ []string) bool {
	<-r.Context().Done()
	return true
}

// always answers every request with the status.
func always(status int, code string) func(http.ResponseWriter, *http.Request, int, []string) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ int, _ []string) bool {
		refuse(w, status, code, "not now")
		return true
	}
}

func (e *endpoint) load(context.Context) (aws.Config, error) {
	return aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), HTTPClient: e}, nil
}

// overHTTP is an endpoint at an address.
type overHTTP string

func (url overHTTP) load(ctx context.Context) (aws.Config, error) {
	c, err := (&endpoint{}).load(ctx)
	c.HTTPClient, c.BaseEndpoint = nil, aws.String(string(url))
	return c, err
}

// open opens the model with the endpoint behind it.
func (e *endpoint) open(tb testing.TB, env plugin.Env, config string) scorer.Scorer {
	tb.Helper()
	return plugintest.Open(tb, sagemaker.PluginWith(e.load), env, config)
}

// memory is a cache.
type memory struct {
	mu     sync.Mutex
	scores map[string]ceap.CachedScore
	err    error
	loads  int
}

func (m *memory) LoadScores(_ context.Context, modelID string, keys []string, now time.Time) (map[string]ceap.CachedScore, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads++
	found := map[string]ceap.CachedScore{}
	for _, key := range keys {
		if s, ok := m.scores[modelID+"/"+key]; ok && now.Before(s.ExpiresAt) {
			found[key] = s
		}
	}
	return found, m.err
}

func (m *memory) SaveScores(_ context.Context, modelID string, scores []ceap.CachedScore) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[string]bool{}
	for _, s := range scores {
		if seen[s.Key] {
			return fmt.Errorf("the key %s twice in one call", s.Key)
		}
		seen[s.Key] = true
		if m.scores == nil {
			m.scores = map[string]ceap.CachedScore{}
		}
		m.scores[modelID+"/"+s.Key] = s
	}
	return m.err
}

// withCache returns what a model is given, with a cache and a clock.
func withCache(m *memory, now func() time.Time) plugin.Env {
	env := scorertest.Env()
	env.Scores, env.Now = m, now
	return env
}

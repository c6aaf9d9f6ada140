//go:build cgo

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// table stands in for the tables of a run's rows: it keeps nothing, has nothing, and
// answers after latency. What else DynamoDB is asked for goes to the emulator, which
// writes some thousand items a second and would be all that is measured.
type table struct {
	server  *httptest.Server
	forward http.Handler

	mu sync.Mutex
	requests
}

// latency is what DynamoDB takes to answer, about: single-digit milliseconds.
const latency = 5 * time.Millisecond

// requests is what the tables were asked for.
type requests struct {
	Writes int64 `json:"writes"`
	Reads  int64 `json:"reads"`     // keys
	Bytes  int64 `json:"itemBytes"` // of all items written that are candidates
	Items  int64 `json:"items"`     // how many these are
}

func newTable(emulator string) (*table, error) {
	target, err := url.Parse(emulator)
	if err != nil {
		return nil, err
	}
	t := &table{forward: httputil.NewSingleHostReverseProxy(target)}
	t.server = httptest.NewServer(t)
	return t, nil
}

// environ are the variables with which the SDK finds it.
func (t *table) environ() []string { return []string{"AWS_ENDPOINT_URL_DYNAMODB=" + t.server.URL} }

// ServeHTTP implements [http.Handler].
func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var answer string
	switch {
	case operation == "BatchGetItem":
		answer = t.read(body)
	case operation == "PutItem" && (isCandidate(body) || bytes.Contains(body, []byte(`"SK":{"S":"MARK"}`))):
		answer = t.write(body)
	default:
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		t.forward.ServeHTTP(w, r)
		return
	}
	time.Sleep(latency)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_, _ = io.WriteString(w, answer)
}

func (t *table) read(body []byte) string {
	var in struct {
		RequestItems map[string]struct{ Keys []json.RawMessage }
	}
	_ = json.Unmarshal(body, &in) // what the SDK wrote
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, keys := range in.RequestItems {
		t.Reads += int64(len(keys.Keys))
	}
	return `{"Responses":{},"UnprocessedKeys":{}}`
}

// isCandidate reports whether the request writes an item that stands in the indexes
// of candidates.
func isCandidate(body []byte) bool { return bytes.Contains(body, []byte(`"GSI1PK"`)) }

func (t *table) write(body []byte) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Writes++
	if isCandidate(body) && t.Writes%97 == 0 { // some are enough
		var in struct{ Item map[string]any }
		_ = json.Unmarshal(body, &in) // what the SDK wrote
		t.Bytes += itemSize(in.Item)
		t.Items++
	}
	return `{}`
}

// itemSize is the size of an item as DynamoDB counts it, about: names and values,
// without the letters that name their types.
func itemSize(v any) int64 {
	var n int64
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if len(name) > 2 { // not the name of a type, such as S
				n += int64(len(name))
			}
			n += itemSize(value)
		}
	case []any:
		for _, value := range v {
			n += itemSize(value)
		}
	case string:
		n = int64(len(v))
	default:
		n = 1
	}
	return n
}

// asked returns what was asked for since it was last called.
func (t *table) asked() requests {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.requests
	t.requests = requests{}
	return r
}

func (t *table) close() { t.server.Close() }

package awstest

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
)

// tokens makes requests with a ClientRequestToken idempotent, as AWS does and moto
// does not: a token that was accepted gives the same answer again, and is refused
// with other parameters. Its zero value is ready to use.
type tokens struct {
	mu    sync.Mutex
	known map[string]*accepted
}

// accepted is what a token stands for; mu orders those who come with it at once.
type accepted struct {
	mu      sync.Mutex
	request map[string]any
	answer  *httptest.ResponseRecorder // nil until a request was accepted
}

// once carries the call out, unless its token was accepted before.
func (t *tokens) once(c *Call, next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	request := fields[map[string]any](c.Body)
	token, _ := request["ClientRequestToken"].(string)
	if token == "" {
		next(w, r)
		return
	}
	entry := t.entry(c.Operation + " " + token)
	entry.mu.Lock()
	defer entry.mu.Unlock()
	switch {
	case entry.answer == nil:
		recorder := httptest.NewRecorder()
		next(recorder, r)
		if recorder.Code == http.StatusOK {
			entry.request, entry.answer = request, recorder
		}
		replay(w, recorder)
	case reflect.DeepEqual(entry.request, request):
		replay(w, entry.answer)
	case c.service == "dynamodb":
		c.refuse(w, http.StatusBadRequest, "IdempotentParameterMismatchException", "the token was used with other parameters")
	default:
		c.refuse(w, http.StatusBadRequest, "InvalidRequestException", "Idempotent parameters do not match")
	}
}

func (t *tokens) entry(token string) *accepted {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = map[string]*accepted{}
	}
	if t.known[token] == nil {
		t.known[token] = &accepted{}
	}
	return t.known[token]
}

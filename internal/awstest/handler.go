package awstest

import (
	"net/http"
	"net/http/httptest"
	"slices"
)

// Event is what was put on an event bus.
type Event struct {
	Source       string
	DetailType   string
	Detail       string // JSON
	EventBusName string
}

// Events returns what was put with this Cloud's credentials, in the order in which
// it was accepted.
func (c *Cloud) Events() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// HandleAthena makes h answer every request to Athena, and to the catalogue of Glue,
// with this Cloud's credentials. Without it moto answers, which runs no SQL.
func (c *Cloud) HandleAthena(h http.Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.athena = h
}

// HandleEndpoint makes h answer InvokeEndpoint of the SageMaker endpoint of the name,
// for this Cloud's credentials. Use Refuse for errors, such as ModelError.
func (c *Cloud) HandleEndpoint(name string, h http.Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endpoints[name] = h
}

// handler returns who answers the call: one of the Cloud's handlers, functions of
// any Cloud, else moto.
func (s *server) handler(c *Call, from *Cloud) http.HandlerFunc {
	switch {
	case c.Operation == "lambda.Invoke":
		return func(w http.ResponseWriter, r *http.Request) { s.invoke(c, w, r) }
	case from == nil:
		return s.forward.ServeHTTP
	case c.Operation == "lambda.ListFunctions":
		return func(w http.ResponseWriter, _ *http.Request) { s.listFunctions(from, w) }
	case c.Operation == "events.PutEvents":
		return func(w http.ResponseWriter, r *http.Request) { s.putEvents(c, from, w, r) }
	case c.Operation == "dynamodb.TransactWriteItems":
		return func(w http.ResponseWriter, r *http.Request) { s.tokens.once(c, s.write, w, r) }
	case isWrite(c.Operation):
		return s.write
	}
	from.mu.Lock()
	defer from.mu.Unlock()
	if from.athena != nil && (c.service == "athena" || c.service == "glue") {
		return from.athena.ServeHTTP
	}
	if c.service == "athena" {
		return func(w http.ResponseWriter, r *http.Request) { s.tokens.once(c, s.forward.ServeHTTP, w, r) }
	}
	if c.Operation == "sagemaker.InvokeEndpoint" {
		if h := from.endpoints[c.Name]; h != nil {
			return h.ServeHTTP
		}
		return func(w http.ResponseWriter, _ *http.Request) {
			c.refuse(w, http.StatusBadRequest, "ValidationError", "Endpoint "+c.Name+" of account "+Account+" not found.")
		}
	}
	return s.forward.ServeHTTP
}

// isWrite reports whether an operation changes items.
func isWrite(operation string) bool {
	return slices.Contains([]string{"dynamodb.PutItem", "dynamodb.UpdateItem", "dynamodb.DeleteItem", "dynamodb.BatchWriteItem"}, operation)
}

// write forwards a change of items. DynamoDB looks at a condition and writes in one
// step; moto does so in two, between which another of its threads may write.
func (s *server) write(w http.ResponseWriter, r *http.Request) {
	s.writes.Lock()
	defer s.writes.Unlock()
	s.forward.ServeHTTP(w, r)
}

// putEvents lets moto judge the entries and keeps those that it accepts.
func (s *server) putEvents(c *Call, from *Cloud, w http.ResponseWriter, r *http.Request) {
	recorder := httptest.NewRecorder()
	s.forward.ServeHTTP(recorder, r)
	type entry struct {
		EventID *string `json:"EventId"` //nolint:tagliatelle // as EventBridge spells it
	}
	answers := fields[struct{ Entries []entry }](recorder.Body.Bytes()).Entries
	for i, event := range fields[struct{ Entries []Event }](c.Body).Entries {
		if i < len(answers) && answers[i].EventID != nil {
			from.mu.Lock()
			from.events = append(from.events, event)
			from.mu.Unlock()
		}
	}
	replay(w, recorder)
}

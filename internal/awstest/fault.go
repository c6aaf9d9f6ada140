package awstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// Fault is a plan to break some requests of one Cloud.
type Fault struct {
	// On is the operation, such as dynamodb.BatchWriteItem (see Call).
	On string
	// If picks among the calls of the operation; nil means each.
	If func(*Call) bool
	// Skip lets that many picked calls pass unharmed first.
	Skip int
	// Times is how many calls then suffer; 0 means all that follow.
	Times int
	// Do is what happens to them.
	Do Effect
}

// Effect is what a Fault does to a call.
type Effect struct {
	apply func(x *exchange)
}

// exchange is one call on its way; next carries it out and answers.
type exchange struct {
	*Call
	w      http.ResponseWriter
	r      *http.Request
	next   http.HandlerFunc
	caller *instance // the process of a function that makes the call, nil if none
}

// Answer refuses the call with a status and an error code, and does nothing.
func Answer(status int, code string) Effect {
	return Effect{func(x *exchange) { x.refuse(x.w, status, code, "refused by the plan of a test") }}
}

// Throttle refuses the call as its service does when it is called too often.
func Throttle() Effect {
	return Effect{func(x *exchange) {
		status, code := x.throttled()
		x.refuse(x.w, status, code, "Rate exceeded")
	}}
}

// Slow carries the call out after a while, if the caller is still there.
func Slow(wait time.Duration) Effect {
	return Effect{func(x *exchange) {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
			x.next(x.w, x.r)
		case <-x.r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}}
}

// Drop breaks the connection before the call is carried out.
func Drop() Effect {
	return Effect{func(*exchange) { panic(http.ErrAbortHandler) }}
}

// LoseAnswer carries the call out, then breaks the connection instead of answering.
func LoseAnswer() Effect {
	return Effect{func(x *exchange) {
		x.next(httptest.NewRecorder(), x.r)
		panic(http.ErrAbortHandler)
	}}
}

// Leave carries out all but the last n requests of a BatchWriteItem, or keys of a
// BatchGetItem, and returns those as unprocessed.
func Leave(n int) Effect {
	return Effect{func(x *exchange) { x.leave(n) }}
}

// Crash ends the function that a lambda.Invoke calls: before its handler runs, or,
// where it is a process, once that has the event.
func Crash() Effect {
	return Effect{func(x *exchange) {
		x.next(x.w, x.r.WithContext(withCrash(x.r.Context(), crashEarly)))
	}}
}

// CrashLate ends the function that a lambda.Invoke calls after it has done all its
// work, before it answers.
func CrashLate() Effect {
	return Effect{func(x *exchange) {
		x.next(x.w, x.r.WithContext(withCrash(x.r.Context(), crashLate)))
	}}
}

// KillCaller carries the call out and kills the process of the function that made
// it (see RunBootstrap), before it sees the answer. The call of anyone else only
// loses its answer.
func KillCaller() Effect {
	return Effect{func(x *exchange) {
		x.next(httptest.NewRecorder(), x.r)
		if x.caller != nil {
			x.caller.kill()
		}
		panic(http.ErrAbortHandler)
	}}
}

// Injected is a Fault at work.
type Injected struct {
	fault Fault

	mu     sync.Mutex
	picked int
	hits   int
}

// Hits returns how many calls have suffered.
func (i *Injected) Hits() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.hits
}

// take reports whether the call is to suffer, and counts it.
func (i *Injected) take(c *Call) bool {
	if i.fault.On != c.Operation || i.fault.If != nil && !i.fault.If(c) {
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.picked++
	if i.picked <= i.fault.Skip || i.fault.Times > 0 && i.hits >= i.fault.Times {
		return false
	}
	i.hits++
	return true
}

// Inject breaks requests by plan until the Cloud is closed. A call suffers from the
// first of several faults that pick it. Only requests with this Cloud's credentials
// are concerned, and invocations of its functions, whoever makes them. Close returns
// an error for a fault that never happened.
func (c *Cloud) Inject(f Fault) *Injected {
	injected := &Injected{fault: f}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, injected)
	return injected
}

func (c *Cloud) count(operation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[operation]++
}

// suffer returns the effect that the call is to suffer.
func (c *Cloud) suffer(call *Call) (Effect, bool) {
	c.mu.Lock()
	faults := slices.Clone(c.faults)
	c.mu.Unlock()
	for _, f := range faults {
		if f.take(call) {
			return f.fault.Do, true
		}
	}
	return Effect{}, false
}

// unused returns an error for each fault that never happened.
func (c *Cloud) unused() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var problems []error
	for _, f := range c.faults {
		if f.Hits() == 0 {
			problems = append(problems, fmt.Errorf("the fault planned on %s never happened: the calls were %v", f.fault.On, c.counts))
		}
	}
	return problems
}

// leave answers a batch with its last n entries unprocessed. Entries are counted
// table by table in the order of the tables' names.
func (x *exchange) leave(n int) {
	switch x.Operation {
	case "dynamodb.BatchWriteItem":
		request := fields[map[string]json.RawMessage](x.Body)
		done, left := split(fields[map[string][]json.RawMessage](request["RequestItems"]), n)
		x.partly(request, done, left, "UnprocessedItems")
	case "dynamodb.BatchGetItem":
		request := fields[map[string]json.RawMessage](x.Body)
		tables := fields[map[string]map[string]json.RawMessage](request["RequestItems"])
		keys := map[string][]json.RawMessage{}
		for table, wanted := range tables {
			keys[table] = fields[[]json.RawMessage](wanted["Keys"])
		}
		done, left := split(keys, n)
		x.partly(request, withKeys(tables, done), withKeys(tables, left), "UnprocessedKeys")
	default:
		panic("awstest: Leave is for dynamodb.BatchWriteItem and dynamodb.BatchGetItem, not " + x.Operation)
	}
}

// split takes the last n entries from the tables.
func split(entries map[string][]json.RawMessage, n int) (done, left map[string][]json.RawMessage) {
	done, left = map[string][]json.RawMessage{}, map[string][]json.RawMessage{}
	tables := slices.Sorted(maps.Keys(entries))
	for _, table := range slices.Backward(tables) {
		all := entries[table]
		take := min(n, len(all))
		n -= take
		if keep := all[:len(all)-take]; len(keep) > 0 {
			done[table] = keep
		}
		if take > 0 {
			left[table] = all[len(all)-take:]
		}
	}
	return done, left
}

// withKeys returns what the tables were asked for, for other keys.
func withKeys(tables map[string]map[string]json.RawMessage, keys map[string][]json.RawMessage) map[string]map[string]json.RawMessage {
	out := map[string]map[string]json.RawMessage{}
	for table, some := range keys {
		out[table] = maps.Clone(tables[table])
		out[table]["Keys"] = mustJSON(some)
	}
	return out
}

// partly carries the request out for done, if there is any, and answers with left in
// the field given.
func (x *exchange) partly(request map[string]json.RawMessage, done, left any, field string) {
	answer := map[string]json.RawMessage{"Responses": json.RawMessage("{}")}
	if field == "UnprocessedItems" {
		delete(answer, "Responses")
	}
	if items := mustJSON(done); string(items) != "{}" {
		request["RequestItems"] = items
		setBody(x.r, mustJSON(request))
		recorder := httptest.NewRecorder()
		x.next(recorder, x.r)
		if recorder.Code != http.StatusOK {
			replay(x.w, recorder)
			return
		}
		answer = fields[map[string]json.RawMessage](recorder.Body.Bytes())
	}
	answer[field] = mustJSON(left)
	x.w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	writeJSON(x.w, answer)
}

// replay gives a recorded answer.
func replay(w http.ResponseWriter, recorded *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), recorded.Header())
	w.WriteHeader(recorded.Code)
	_, _ = w.Write(recorded.Body.Bytes())
}

package athena

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// query is a query execution.
type query struct {
	id, sql    string
	statement  *statement
	parameters []string
	database   string
	workGroup  WorkGroup
	output     string // s3://bucket/prefix/; "" for managed results
	digest     [32]byte
	submitted  time.Time
	cancel     context.CancelFunc
	done       chan struct{} // closed when the work has ended
	hangs      bool
	fault      *Fault // injected

	// Written before done is closed.
	outcome   error // nil, a *Fault, or context.Canceled
	result    result
	files     []string // that an UNLOAD has written
	location  string   // of the result or manifest
	scanned   int64
	completed time.Time

	// Guarded by Fake.mu.
	polls   int
	stopped bool
	state   string // the last that a call has seen
}

// The states of a query.
const (
	queued    = "QUEUED"
	running   = "RUNNING"
	succeeded = "SUCCEEDED"
	failed    = "FAILED"
	cancelled = "CANCELLED"
)

func (q *query) ended() bool {
	return q.state == succeeded || q.state == failed || q.state == cancelled
}

type startInput struct {
	QueryString           string
	ClientRequestToken    string
	ExecutionParameters   []string
	WorkGroup             string
	QueryExecutionContext struct{ Database, Catalog string }
	ResultConfiguration   *struct{ OutputLocation string }
}

func (f *Fake) start(ctx context.Context, in startInput) (any, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	q := &query{sql: in.QueryString, parameters: in.ExecutionParameters, database: strings.ToLower(in.QueryExecutionContext.Database), done: make(chan struct{})}
	if q.database == "" {
		q.database = "default"
	}
	data, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	q.digest = sha256.Sum256(data)
	if old, err := f.known(in.ClientRequestToken, q); old != nil || err != nil {
		return old, err
	}
	if q.workGroup, err = f.workGroup(in.WorkGroup); err != nil {
		return nil, err
	}
	if err := f.place(ctx, q, in); err != nil {
		return nil, err
	}
	if q.statement, err = parse(q.sql); err != nil {
		return nil, err
	}
	if err := f.checkSyntax(ctx, q); err != nil {
		return nil, err
	}
	return f.launch(q, in.ClientRequestToken) //nolint:contextcheck // the query outlives the call
}

// validate checks what the service's front end checks.
func (in startInput) validate() error {
	switch n := len(in.ClientRequestToken); {
	case n < 32: // 32 and 128: the bounds of IdempotencyToken, from the API's reference
		return invalid("INVALID_INPUT", "1 validation error detected: Value '%s' at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal to 32", in.ClientRequestToken)
	case n > 128:
		return invalid("INVALID_INPUT", "1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to 128")
	}
	if in.QueryString == "" {
		return invalid("INVALID_INPUT", "1 validation error detected: Value '' at 'queryString' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	if len(in.QueryString) > 262144 { // 256 KiB, from the service's quotas
		return invalid("INVALID_INPUT", "1 validation error detected: Value at 'queryString' failed to satisfy constraint: Member must have length less than or equal to 262144")
	}
	if c := in.QueryExecutionContext.Catalog; c != "" && !strings.EqualFold(c, "AwsDataCatalog") {
		return invalid("INVALID_INPUT", "Catalog %s does not exist", c)
	}
	return nil
}

// known returns the answer for a token that was used before; nil for a new one.
func (f *Fake) known(token string, q *query) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, ok := f.tokens[token]
	switch {
	case !ok:
		return nil, nil //nolint:nilnil // the token is new
	case old.digest != q.digest:
		return nil, invalid("INVALID_INPUT", "Idempotent parameters do not match")
	default:
		return map[string]any{"QueryExecutionId": old.id}, nil
	}
}

func (f *Fake) workGroup(name string) (WorkGroup, error) {
	if name == "" {
		name = "primary"
	}
	for _, g := range f.options.WorkGroups {
		if g.Name == name {
			return g, nil
		}
	}
	if name == "primary" {
		return WorkGroup{Name: name}, nil
	}
	return WorkGroup{}, invalid("INVALID_INPUT", "WorkGroup %s is not found.", name)
}

// place decides where the result goes.
func (f *Fake) place(ctx context.Context, q *query, in startInput) error {
	g := q.workGroup
	if g.Disabled {
		return invalid("INVALID_INPUT", "WorkGroup %s is disabled.", g.Name)
	}
	if in.ResultConfiguration != nil {
		q.output = in.ResultConfiguration.OutputLocation
	}
	if g.ManagedResults {
		if q.output != "" {
			return invalid("INVALID_INPUT", "ResultConfiguration and ManagedQueryResultsConfiguration cannot be set together")
		}
		return nil
	}
	if g.Enforce && g.OutputLocation != "" || q.output == "" {
		q.output = g.OutputLocation
	}
	if q.output == "" {
		return invalid("INVALID_INPUT", "No output location provided. An output location is required either through the Workgroup result configuration setting or as an API input.")
	}
	bucket, _ := split(q.output)
	if !strings.HasPrefix(q.output, "s3://") || bucket == "" {
		return invalid("INVALID_INPUT", "outputLocation is not a valid S3 path.")
	}
	if err := f.store.bucketExists(ctx, bucket); err != nil {
		return invalid("INVALID_INPUT", "Unable to verify/create output bucket %s", bucket)
	}
	if !strings.HasSuffix(q.output, "/") {
		q.output += "/"
	}
	return nil
}

// launch starts the work.
func (f *Fake) launch(q *query, token string) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old, ok := f.tokens[token]; ok { // it came twice at the same time
		return map[string]any{"QueryExecutionId": old.id}, nil
	}
	active := 0
	for _, other := range f.queries {
		if !other.ended() {
			active++
		}
	}
	if active >= f.options.MaxActive {
		return nil, &apiError{
			status: http.StatusBadRequest, Type: "TooManyRequestsException", Reason: "CONCURRENT_QUERY_LIMIT_EXCEEDED",
			Message: "You have exceeded the limit for the number of queries you can run concurrently. Please reduce the number of concurrent queries submitted by this account.",
		}
	}
	q.id, q.submitted, q.state = f.options.NewID(), f.options.Now(), queued
	f.queries[q.id], f.tokens[token] = q, q
	f.assign(q)
	var ctx context.Context
	ctx, q.cancel = context.WithCancel(f.ctx)
	f.running.Go(func() { f.work(ctx, q) })
	return map[string]any{"QueryExecutionId": q.id}, nil
}

// work runs the query to its end.
func (f *Fake) work(ctx context.Context, q *query) {
	defer close(q.done)
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
		q.outcome = f.run(ctx, q)
	case <-ctx.Done():
		q.outcome = context.Canceled
	}
	if ctx.Err() != nil && q.outcome != nil {
		q.outcome = context.Canceled
	}
	q.completed = f.options.Now()
}

type idInput struct {
	ID string `json:"QueryExecutionId"` //nolint:tagliatelle // the protocol's name
}

type idsInput struct {
	IDs []string `json:"QueryExecutionIds"` //nolint:tagliatelle // the protocol's name
}

func (f *Fake) find(id string) (*query, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q, ok := f.queries[id]; ok {
		return q, nil
	}
	return nil, invalid("INVALID_INPUT", "QueryExecution %s was not found", id)
}

func (f *Fake) get(ctx context.Context, in idInput) (any, error) {
	q, err := f.find(in.ID)
	if err != nil {
		return nil, err
	}
	f.poll(ctx, q)
	return map[string]any{"QueryExecution": f.describe(q)}, nil
}

func (f *Fake) batchGet(ctx context.Context, in idsInput) (any, error) {
	if n := len(in.IDs); n == 0 || n > 50 { // 50: from the API's reference
		return nil, invalid("INVALID_INPUT", "1 validation error detected: Value at 'queryExecutionIds' failed to satisfy constraint: Member must have length less than or equal to 50")
	}
	var found, unknown []any
	for _, id := range in.IDs {
		q, err := f.find(id)
		if err != nil {
			unknown = append(unknown, map[string]any{"QueryExecutionId": id, "ErrorCode": "INVALID_INPUT", "ErrorMessage": "QueryExecution " + id + " was not found"})
			continue
		}
		f.poll(ctx, q)
		found = append(found, f.describe(q))
	}
	return map[string]any{"QueryExecutions": found, "UnprocessedQueryExecutionIds": unknown}, nil
}

// patience is how long a call that asks for a state waits for a query that may
// have ended by then: nearly all end at once, and tests shall not poll for them.
const patience = time.Second

// poll moves the query's state on.
func (f *Fake) poll(ctx context.Context, q *query) {
	f.mu.Lock()
	q.polls++
	n := q.polls
	early := n <= f.options.QueuedPolls+f.options.RunningPolls && !q.stopped
	f.mu.Unlock()
	if !early && !q.hangs {
		wait, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		select {
		case <-q.done:
		case <-wait.Done():
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case q.ended():
	case early && n <= f.options.QueuedPolls:
		q.state = queued
	case early:
		q.state = running
	default:
		q.state = q.now()
	}
}

// now returns the state that the work is in.
func (q *query) now() string {
	select {
	case <-q.done:
	default:
		return running
	}
	switch {
	case q.stopped || errors.Is(q.outcome, context.Canceled):
		return cancelled
	case q.outcome != nil:
		return failed
	default:
		return succeeded
	}
}

// stop cancels a query that runs. One that has ended stays as it is.
func (f *Fake) stop(in idInput) (any, error) {
	q, err := f.find(in.ID)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if q.ended() || q.stopped {
		return struct{}{}, nil
	}
	if f.injected.lateStops > 0 {
		f.injected.lateStops--
		return struct{}{}, nil
	}
	q.stopped = true
	q.cancel()
	return struct{}{}, nil
}

// Package athena is a fake of Amazon Athena for tests: the API of the SDK, in
// front of DuckDB, which runs the SQL.
//
// # Data
//
// Tables come from a folder laid out as CEAP's embedded engine has it,
// <database>/<table>/[key=value/]*, so that one folder feeds both engines; and
// from CREATE EXTERNAL TABLE, whose LOCATION is read from S3. Results go to S3.
//
// # What is Athena's
//
// Statements that Athena refuses are refused with its words, as far as they are
// known: parameters outside of WHERE, columns of an UNLOAD without a name, a TO
// that is not empty, texts compared with dates or numbers, DuckDB's own syntax.
// Whole numbers divide as in Trino. Parquet files of an UNLOAD have Hive's
// physical types: TIMESTAMP is INT96, and DECIMAL a fixed-length byte array;
// their column names are in lower case. CSV, pages, tokens, states, workgroups and
// errors follow the API's reference.
//
// # What differs
//
// Functions that DuckDB has and Trino has not are refused only where people are
// likely to use them. Division by zero is NULL; a DECIMAL divided becomes a DOUBLE;
// a text in IN may stand for a date or number; date_add makes a TIMESTAMP of a DATE;
// VALUES needs parentheses; sequence has no limit; timestamps have milliseconds
// only when they are shown. An UNLOAD writes Parquet only, and keeps the order of its
// rows over its files, which Athena does not promise. Bytes scanned are the whole
// sizes of the files of the partitions that a query reads. There are no
// permissions, no federation, no INSERT and no CTAS.
//
// A [Fake] is safe for concurrent use.
package athena

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"
)

// Options say how a [Fake] works.
type Options struct {
	S3     *s3.Client       // where results go and locations lie; required
	Folder string           // with <database>/<table>/; "" for none
	Now    func() time.Time // nil: it is always noon of 2026-01-28, UTC
	NewID  func() string    // of queries; nil: random, as Athena's are

	// WorkGroups are those there are. The workgroup "primary" exists always, by
	// default without a result location, as in a new account.
	WorkGroups []WorkGroup

	// QueuedPolls and RunningPolls are how many calls that ask for a query's state
	// find it QUEUED, and then RUNNING, whatever the work takes. Default 0: a
	// query that is quick is found SUCCEEDED at once.
	QueuedPolls, RunningPolls int

	// An UNLOAD writes UnloadFiles files, or more if one would get more than
	// UnloadRows rows, or fewer if there are fewer rows. No rows make no file.
	// Defaults 3 and 100,000.
	UnloadFiles int
	UnloadRows  int
	GroupRows   int // of a row group of these files. Default 10,000.

	// MaxActive is how many queries may run or wait; one more is refused with
	// TooManyRequestsException. Default 200, the quota of us-east-1.
	MaxActive int
}

// WorkGroup is a workgroup of Athena's.
type WorkGroup struct {
	Name              string
	OutputLocation    string // s3://bucket/prefix/
	Enforce           bool   // OutputLocation beats what the client asks for
	ManagedResults    bool   // results can be read by GetQueryResults only
	BytesScannedLimit int64  // BytesScannedCutoffPerQuery; 0 for none
	Disabled          bool
}

// Fake is Athena. It answers the AWS JSON 1.1 protocol.
type Fake struct {
	options Options
	store   *store
	catalog *catalog
	engine  *engine
	dir     string
	ctx     context.Context //nolint:containedctx // of all queries, which outlive their requests
	cancel  context.CancelFunc
	running sync.WaitGroup
	slots   chan struct{} // bounds the databases in memory at a time

	mu        sync.Mutex
	queries   map[string]*query
	tokens    map[string]*query
	injected  injected
	callCount map[string]int
}

// New returns a fake. [Fake.Close] stops its queries and removes its files.
func New(o Options) (*Fake, error) {
	if o.S3 == nil {
		return nil, errors.New("athena: Options.S3 is missing")
	}
	dir, err := os.MkdirTemp("", "ceap-athena-*")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	f := &Fake{
		options: o.withDefaults(), store: &store{o.S3}, dir: dir, slots: make(chan struct{}, 4),
		queries: map[string]*query{}, tokens: map[string]*query{}, callCount: map[string]int{},
		injected: injected{throttled: map[string]int{}},
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.catalog = newCatalog(o.Folder, dir, f.store)
	if f.engine, err = openEngine(f.ctx, dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return f, nil
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = func() time.Time { return time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC) }
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	for value, usual := range map[*int]int{&o.UnloadFiles: 3, &o.UnloadRows: 100_000, &o.GroupRows: 10_000, &o.MaxActive: 200} {
		if *value <= 0 {
			*value = usual
		}
	}
	return o
}

// Close stops all queries and removes all files. It may be called twice.
func (f *Fake) Close() error {
	f.cancel()
	f.running.Wait()
	return errors.Join(f.engine.db.Close(), os.RemoveAll(f.dir))
}

// Calls returns how often an operation has been called, such as
// "GetQueryExecution", refused calls included.
func (f *Fake) Calls(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.callCount[operation]
}

// ServeHTTP answers one call of the API.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	var answer any
	if err == nil {
		answer, err = f.call(r.Context(), service, operation, body)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if err != nil {
		refusal, ok := errors.AsType[*apiError](err)
		if !ok {
			refusal = &apiError{status: http.StatusInternalServerError, Type: "InternalServerException", Message: err.Error()}
		}
		w.WriteHeader(refusal.status)
		answer = refusal
	}
	_ = json.NewEncoder(w).Encode(answer) // nobody to tell
}

func (f *Fake) call(ctx context.Context, service, operation string, body []byte) (any, error) {
	if err := f.count(operation); err != nil {
		return nil, err
	}
	if service == "AWSGlue" {
		return f.callGlue(operation, body)
	}
	switch operation {
	case "StartQueryExecution":
		return with(body, func(in startInput) (any, error) { return f.start(ctx, in) })
	case "GetQueryExecution":
		return with(body, func(in idInput) (any, error) { return f.get(ctx, in) })
	case "BatchGetQueryExecution":
		return with(body, func(in idsInput) (any, error) { return f.batchGet(ctx, in) })
	case "StopQueryExecution":
		return with(body, f.stop)
	case "GetQueryResults":
		return with(body, f.results)
	case "GetWorkGroup":
		return with(body, f.getWorkGroup)
	case "GetDatabase", "ListDatabases", "GetTableMetadata", "ListTableMetadata":
		return with(body, func(in catalogInput) (any, error) { return f.metadata(ctx, operation, in) })
	default:
		return nil, &apiError{status: http.StatusBadRequest, Type: "UnknownOperationException", Message: operation}
	}
}

// with decodes a call's input.
func with[T any](body []byte, do func(T) (any, error)) (any, error) {
	var in T
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, &apiError{status: http.StatusBadRequest, Type: "SerializationException", Message: err.Error()}
	}
	return do(in)
}

package warehouse

import (
	"context"
	"encoding/json"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

// Engine runs statements. It is safe for concurrent use; enginetest is the
// conformance suite.
type Engine interface {
	// Query starts one statement, read-only, and returns once its columns are
	// known. Cancelling ctx stops the work, also after Query has returned; then
	// [Rows.Next] returns an error soon.
	//
	// Errors are made by [Statement.Failed]: invalid when the statement, a table
	// or a column is wrong, or when data cannot be read as declared; unavailable
	// when the data or the engine cannot be reached, or resources run out.
	Query(ctx context.Context, s Statement) (Rows, error)
}

// Rows is a running statement, used by one goroutine at a time.
type Rows interface {
	// Columns returns the columns, with the engine's own names of their types.
	Columns() []connector.Column
	// Next returns the next rows, at least one, or io.EOF after the last. The
	// records, but not their strings, are valid until the next call. Types that
	// no [ceap.Value] has arrive as text.
	Next() ([]connector.Record, error)
	// Close stops the work and frees what it holds. It may be called twice.
	Close() error
}

// Reporter is the ability of rows to tell, after the last, what users should
// know: how many bytes were scanned, where results lie.
type Reporter interface {
	Report() connector.Report
}

// Describer is an engine's ability to name the columns of a statement without
// running it.
type Describer interface {
	Describe(ctx context.Context, s Statement) ([]connector.Column, error)
}

// Inspector is an engine's ability to look at what a statement reads, for a
// user who asks why rows are missing: database, tables, partitions, the columns
// it compares, and the number of its rows. Checks come in reading order.
type Inspector interface {
	Inspect(ctx context.Context, s Statement, scope Scope) []connector.Check
}

// Starter is the ability of an engine elsewhere to run a statement without being
// waited for, and to hand its rows out in parts; see [connector.Parted] for what
// is the same each time. The data of tickets and parts is the engine's own. All
// but OpenPart are given the statement that was started, its job included. Poll stops what is not done at the job's deadline and returns an
// error of type *[Stopped].
type Starter interface {
	Start(ctx context.Context, s Statement) (json.RawMessage, error)
	Poll(ctx context.Context, s Statement, ticket json.RawMessage) (connector.Progress, error)
	Parts(ctx context.Context, s Statement, ticket json.RawMessage) (connector.Parts, error)
	OpenPart(ctx context.Context, p connector.Part) (Rows, error)
	Stop(ctx context.Context, s Statement, ticket json.RawMessage) error
}

// Scope is what a run expects to find.
type Scope struct {
	Range       ceap.DateRange
	Marketplace string
}

// Description describes an engine to [Plugin].
type Description struct {
	Name    string   // what deployments write, such as "duckdb"
	Style   Style    // of parameters
	Unused  []string // settings of [Config] that the engine has no use for (D32)
	Named   bool     // each column needs a name of its own, or the engine is slower; [Connector.Advise] says so
	Missing string   // why this build lacks the engine; "" if it has it

	// Open returns the engine. It has no effects until the first query.
	Open func(env plugin.Env, settings Settings) (Engine, error)
}

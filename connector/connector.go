// Package connector is the contract of data sources: a connector reads rows and
// says how a row becomes a candidate. The shared transform, which nearly every
// connector uses, is [NewMapper]. The package leaves to the engine what happens
// to candidates afterwards, and to each connector where rows come from.
//
// connectortest is the conformance suite.
package connector

import (
	"context"
	"time"

	"github.com/ceap-platform/ceap"
)

// Connector reads rows of one kind of source.
//
// A connector is made for one connector entry of one program and is used by one
// run at a time.
type Connector interface {
	// Extract starts reading the rows that the request asks for. It returns once
	// the columns are known. Cancelling ctx stops the source's work, also after
	// Extract has returned, and then [Stream.Next] returns an error.
	//
	// Errors: invalid when the query, table or column named by the program is
	// wrong; unavailable when the source cannot be reached, is missing or out of
	// time; unsupported when this build lacks the engine.
	Extract(ctx context.Context, req Request) (Stream, error)
	// Transform returns how rows with these columns become candidates. Problems
	// of the mapping itself are returned as invalid before the first row is read
	// (D18); problems of single rows are errors of [Transform.Map].
	Transform(columns []Column, req Request) (Transform, error)
}

// Describer is the optional ability to name the columns of the result without
// reading it. `ceap validate` and `ceap doctor` use it.
type Describer interface {
	Describe(ctx context.Context, req Request) ([]Column, error)
}

// Checker is the optional ability to look at the source for a user who asks why
// something does not work: `ceap doctor`, and the diagnosis of a run without
// rows (D49). Checks come in the order in which they should be read. A check
// that cannot be made is a check that did not pass, not an error.
type Checker interface {
	Check(ctx context.Context, req Request) []Check
}

// Advisor is the optional ability to warn about a configuration that works but
// is hardly meant so, without touching the source (D35).
type Advisor interface {
	Advise(req Request) []string
}

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok | warning | failed
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// The statuses of a check.
const (
	CheckOK      = "ok"
	CheckWarning = "warning"
	CheckFailed  = "failed"
)

// Request says which rows to read, and for which run.
type Request struct {
	ProgramID   string
	Marketplace string
	ConnectorID string
	Range       ceap.DateRange
	RunID       string
	BatchID     string
	AsOf        time.Time      // the run's clock
	Zone        *time.Location // of dates without one; UTC if nil
	Rules       Rules
}

// Placeholders returns the values of the placeholders that queries and commands
// may name, such as startDate.
func (r Request) Placeholders() map[string]string {
	return map[string]string{
		"startDate":   r.Range.Start.String(),
		"endDate":     r.Range.End.String(),
		"date":        r.Range.End.String(),
		"marketplace": r.Marketplace,
		"programId":   r.ProgramID,
	}
}

// Rules are the program's bounds and defaults for values.
type Rules struct {
	MinDate            time.Time       // event dates before it are invalid (D27)
	MaxDate            time.Time       // event dates after it are invalid (D27)
	DefaultEligibility map[string]bool // by channel, where the rows say nothing (D29)
	Currency           string          // where the rows say nothing (D31)
}

// Column is a column of a result.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // the source's own name of the type, such as VARCHAR; "" if it has none
}

// Record is one row. Values are in the order of the stream's columns.
type Record struct {
	Row    int64 // position in the result, from 1
	Values []ceap.Value
}

// Stream hands out the rows of a result. It is used by one goroutine at a time.
type Stream interface {
	// Columns returns the columns, in order. They never change.
	Columns() []Column
	// Next returns the next rows, at least one, or [io.EOF] after the last. The
	// records and all they refer to, but not their strings, belong to the stream
	// and are valid until the next call. Rows keep the order of the source.
	Next() ([]Record, error)
	// Close ends the source's work and releases what the stream holds. It may be
	// called more than once, and before the end.
	Close() error
}

// Reporter is the optional ability of a stream to tell, after its last row,
// what users should know about it: warnings such as TRUNCATED? (D37), and facts
// such as bytes scanned.
type Reporter interface {
	Report() Report
}

// Report is what a stream tells after its last row.
type Report struct {
	Warnings     []string `json:"warnings,omitempty"`
	Unused       []string `json:"unused,omitempty"`       // settings that this engine does not use (D32)
	QueryID      string   `json:"queryId,omitempty"`      // the source's own name of the work; "" if it has none
	BytesScanned int64    `json:"bytesScanned,omitempty"` // what the source read and may charge for
}

// Transform turns rows into candidates. It is safe for concurrent use.
type Transform interface {
	// Map fills c, whose slices it may reuse, from the record. It returns an
	// *[Invalid] for a row that cannot become a candidate and a *[Mismatch] for
	// one that belongs to another program or marketplace; c is then filled as far
	// as the row could be read.
	Map(rec Record, c *ceap.Candidate) error
	// Resolution says how each target was resolved, the same for every row (I16).
	Resolution() Resolution
}

// Resolution says where the value of each target comes from.
type Resolution struct {
	Notes    []ceap.MappingNote
	Warnings []string
}

// Invalid says why a row cannot become a candidate.
type Invalid struct {
	Code   string // such as MISSING_FIELD, BAD_VALUE, DATE_OUT_OF_RANGE
	Field  string // the target at fault; several are joined by ", "
	Value  string // its value as the source gave it
	Reason string // in words, with the rule
}

// Error returns the reason.
func (e *Invalid) Error() string { return e.Reason }

// Mismatch says that a row belongs to another program or marketplace (D25).
type Mismatch struct {
	Code   string // PROGRAM_MISMATCH or MARKETPLACE_MISMATCH
	Reason string
}

// Error returns the reason.
func (e *Mismatch) Error() string { return e.Reason }

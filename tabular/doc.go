// Package tabular reads files of rows: CSV, JSON lines and Parquet, plain or
// compressed. Values come back as they were written, never guessed: CSV holds
// text and NULL, JSON and Parquet what their own types say. It opens no files;
// callers hand it bytes and learn in return what is wrong, on which line.
//
// A reader of this package is used by one goroutine at a time. It holds a few
// hundred rows in memory, however large the file is.
package tabular

import (
	"fmt"

	"github.com/ceap-platform/ceap/connector"
)

// Rows are the rows of one file, read once from its start to its end.
type Rows interface {
	// Columns returns the columns, in order. They never change.
	Columns() []connector.Column
	// Next returns the next rows, at least one, or [io.EOF] after the last.
	// Positions count from 1 within the file. The records and all they refer to,
	// but not their strings, are valid until the next call. An error stays: every
	// later call returns it again.
	//
	// Errors are those of the underlying reader, unchanged, and [*Damage].
	Next() ([]connector.Record, error)
}

// Damage says why a file cannot be read. It is the fault of the file, not of
// whoever reads it.
type Damage struct {
	Line   int64  // where, from 1; 0 if the file has no lines or all of it is meant
	Reason string // what is wrong; lower case, no full stop
	Remedy string // what to do; may be empty
	Err    error  // the cause; may be nil
}

// Error returns the line and the reason.
func (d *Damage) Error() string {
	if d.Line == 0 {
		return d.Reason
	}
	return fmt.Sprintf("line %d: %s", d.Line, d.Reason)
}

// Unwrap returns the cause.
func (d *Damage) Unwrap() error { return d.Err }

const (
	// maxLine bounds a line in bytes: large cells are legitimate, but an unclosed
	// quote must not read a whole file into memory.
	maxLine = 16 << 20
	// batchRows and batchBytes bound what Next returns, and so the memory.
	batchRows  = 1000
	batchBytes = 1 << 20
)

// byteOrderMark may stand at the start of a text and says nothing.
const byteOrderMark = "\xef\xbb\xbf"

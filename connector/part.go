package connector

import (
	"context"
	"encoding/json"
	"time"
)

// Parted is the optional ability of a connector to have its rows read in parts,
// by several processes at once, without any of them waiting for the source: on
// AWS a query may take longer than a function. The rows of all parts together
// are those that [Connector.Extract] would read, with the same positions.
//
// Tickets and parts travel between processes as JSON; they hold no secrets.
type Parted interface {
	// Start begins the source's work and returns at once. The same request gives
	// the same work again, so that a caller that died may repeat the call; job
	// tells attempts apart.
	//
	// Errors are those of [Connector.Extract].
	Start(ctx context.Context, req Request, job Job) (Ticket, error)
	// Poll reports whether the work is done. Its errors are those of
	// [Connector.Extract]: that the work failed, or took too long and was stopped.
	Poll(ctx context.Context, req Request, t Ticket) (Progress, error)
	// Parts returns the parts of work that is done, in the order of its rows; the
	// same each time.
	Parts(ctx context.Context, req Request, t Ticket) (Parts, error)
	// ExtractPart reads the rows of one part. Its columns are those of Parts.
	ExtractPart(ctx context.Context, req Request, p Part) (Stream, error)
	// Stop ends the work, and returns once the source has. Stopping what has ended
	// is harmless.
	Stop(ctx context.Context, req Request, t Ticket) error
}

// Job names a piece of work.
type Job struct {
	ID       string    // the same for the same attempt of the same run, else different; not empty
	Deadline time.Time // when the caller will no longer want it; zero if it will wait
}

// Ticket stands for work that was started. Only the connector reads Data.
type Ticket struct {
	ConnectorID string          `json:"connectorId"`
	StartedAt   time.Time       `json:"startedAt"`
	Data        json.RawMessage `json:"data"`
}

// Progress says how far work is.
type Progress struct {
	Done  bool   `json:"done"`
	State string `json:"state,omitempty"` // in the source's words, such as "QUEUED"
}

// Parts is what work that is done has brought.
type Parts struct {
	Columns []Column `json:"columns"`
	List    []Part   `json:"list"` // none if there are no rows
	Report  Report   `json:"report"`
}

// Part is a piece of a result, at most some 100,000 rows or 64 MB where the
// source allows that. Only the connector reads Data.
type Part struct {
	FirstRow int64           `json:"firstRow"` // the position of its first row, from 1
	Rows     int64           `json:"rows"`
	Bytes    int64           `json:"bytes"` // about what will be read
	Data     json.RawMessage `json:"data"`
}

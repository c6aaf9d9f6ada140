package ceap

import (
	"time"
)

// RunStatus says how a run stands or ended (D48).
type RunStatus string

// The statuses of a run. Only SUCCEEDED and EMPTY are a success.
const (
	RunRunning   RunStatus = "RUNNING"
	RunSucceeded RunStatus = "SUCCEEDED"
	RunEmpty     RunStatus = "EMPTY"     // the source had no rows
	RunPartial   RunStatus = "PARTIAL"   // some rows failed, or a filter broke
	RunFailed    RunStatus = "FAILED"    // too many rows failed, rows were lost, or a stage broke
	RunSkipped   RunStatus = "SKIPPED"   // the program is disabled
	RunCancelled RunStatus = "CANCELLED" // stopped by its user
)

// Counts says how many rows of a run ended in which outcome.
type Counts struct {
	Extracted int64 `json:"extracted"`
	Invalid   int64 `json:"invalid"`
	Duplicate int64 `json:"duplicate"`
	Rejected  int64 `json:"rejected"`
	Stored    int64 `json:"stored"` // created + updated + unchanged
	Created   int64 `json:"created"`
	Updated   int64 `json:"updated"`
	Unchanged int64 `json:"unchanged"`
	Failed    int64 `json:"failed"`
}

// Add counts one row of that outcome. Extracted is counted where rows are read,
// so that a lost row shows.
func (c *Counts) Add(kind OutcomeKind) {
	switch kind {
	case OutcomeInvalid:
		c.Invalid++
	case OutcomeDuplicate:
		c.Duplicate++
	case OutcomeRejected:
		c.Rejected++
	case OutcomeCreated:
		c.Created++
		c.Stored++
	case OutcomeUpdated:
		c.Updated++
		c.Stored++
	case OutcomeUnchanged:
		c.Unchanged++
		c.Stored++
	case OutcomeFailed:
		c.Failed++
	}
}

// Merge adds the counts of other rows.
func (c *Counts) Merge(other Counts) {
	c.Extracted += other.Extracted
	c.Invalid += other.Invalid
	c.Duplicate += other.Duplicate
	c.Rejected += other.Rejected
	c.Stored += other.Stored
	c.Created += other.Created
	c.Updated += other.Updated
	c.Unchanged += other.Unchanged
	c.Failed += other.Failed
}

// Finished returns how many rows have reached an outcome.
func (c Counts) Finished() int64 {
	return c.Invalid + c.Duplicate + c.Rejected + c.Stored + c.Failed
}

// Balanced reports whether every extracted row ended in exactly one outcome
// (I1).
func (c Counts) Balanced() bool {
	return c.Extracted == c.Finished() && c.Stored == c.Created+c.Updated+c.Unchanged
}

// RunInput is what a user or a schedule asks for: the execution input of the
// guide.
type RunInput struct {
	ProgramID     string     `json:"programId"`
	Marketplace   string     `json:"marketplace"`
	BatchID       string     `json:"batchId,omitempty"`       // the idempotency key (D44); generated if empty
	CorrelationID string     `json:"correlationId,omitempty"` // the run's id if empty (D45)
	DateRange     *DateRange `json:"dateRange,omitempty"`     // see D46 if nil
}

// RunResult is what a run returns: on the command line with --json, and from
// the functions on AWS.
type RunResult struct {
	RunID         string    `json:"runId"`
	BatchID       string    `json:"batchId"`
	CorrelationID string    `json:"correlationId"`
	ProgramID     string    `json:"programId"`
	ProgramName   string    `json:"programName,omitempty"`
	ProgramHash   string    `json:"programHash,omitempty"` // of the effective program
	Marketplace   string    `json:"marketplace"`
	DateRange     DateRange `json:"dateRange"`
	Status        RunStatus `json:"status"`
	Message       string    `json:"message,omitempty"`   // why the status is not SUCCEEDED, and what to do
	ErrorCode     Code      `json:"errorCode,omitempty"` // of what stopped the run before its end, which Message tells
	Counts        Counts    `json:"counts"`

	InvalidReasons []InvalidReason  `json:"invalidReasons"`
	Rejections     []RejectionCount `json:"rejections"`
	Failures       []ReasonCount    `json:"failures"`
	Scores         []ScoreCount     `json:"scores"`
	Funnel         []FunnelStep     `json:"funnel"`
	Mappings       []MappingNote    `json:"mappings"`
	LeftOut        []string         `json:"leftOut"` // disabled parts of the program, named (D13)
	Warnings       []string         `json:"warnings"`
	Queries        []QueryNote      `json:"queries,omitempty"` // what sources elsewhere were asked
	Stages         []StageTime      `json:"stages"`

	ResultHash string    `json:"resultHash"` // equal for equal data, program and clock
	AsOf       time.Time `json:"asOf"`       // the run's clock
	StartedAt  time.Time `json:"startedAt"`
	EndedAt    time.Time `json:"endedAt,omitzero"`
	DurationMs int64     `json:"durationMs"`
	DryRun     bool      `json:"dryRun,omitempty"`
	Stage      string    `json:"stage,omitempty"`      // the last stage, if the run was not to go through all
	Replayed   bool      `json:"replayed,omitempty"`   // this is the stored result of an earlier, finished run
	Resumed    bool      `json:"resumed,omitempty"`    // an earlier attempt of this run had not finished
	Attempt    int       `json:"attempt,omitempty"`    // from 1
	ReplayNote string    `json:"replayNote,omitempty"` // what has changed since the first result
}

// InvalidReason counts the invalid rows that share a code and a field, with the
// first few of them.
type InvalidReason struct {
	ReasonCode string      `json:"reasonCode"`
	Field      string      `json:"field,omitempty"`
	Count      int64       `json:"count"`
	Samples    []RowSample `json:"samples,omitempty"`
}

// RowSample is a row that shows a reason.
type RowSample struct {
	ConnectorID string `json:"connectorId,omitempty"`
	Row         int64  `json:"row"`
	Value       string `json:"value,omitempty"`
	Reason      string `json:"reason"`
}

// RejectionCount counts the rows that one filter rejected for one reason.
// FilterID is "" for CEAP's own rules.
type RejectionCount struct {
	FilterID   string `json:"filterId"`
	ReasonCode string `json:"reasonCode"`
	Count      int64  `json:"count"`
}

// ReasonCount counts rows by a reason code, with one reason in words.
type ReasonCount struct {
	ReasonCode string `json:"reasonCode"`
	Count      int64  `json:"count"`
	Reason     string `json:"reason,omitempty"`
}

// ScoreCount says what one model did: scored + fallback + unscored candidates
// reached it. For those of fallback something stands in for an answer: an
// earlier one that was kept, else the program's fallbackScore (I28).
type ScoreCount struct {
	ModelID  string `json:"modelId"`
	Scored   int64  `json:"scored"`
	Fallback int64  `json:"fallback"`
	Cached   int64  `json:"cached,omitempty"` // those of Fallback for whom an earlier answer stands in
	Unscored int64  `json:"unscored"`
	Reason   string `json:"reason,omitempty"` // why there were fallbacks or unscored candidates
}

// FunnelStep is a stage of the run and how many rows it let through.
type FunnelStep struct {
	Step string `json:"step"` // such as "extract", "map", "filter eligibility", "store"
	In   int64  `json:"in"`
	Out  int64  `json:"out"`
}

// MappingNote says how one target of a connector's mapping was resolved (I16).
type MappingNote struct {
	ConnectorID string `json:"connectorId"`
	Target      string `json:"target"`
	Source      string `json:"source"` // the column's name, the constant's text, or "run"
	How         string `json:"how"`    // column | constant | run | absent
	Note        string `json:"note,omitempty"`
}

// QueryNote is a query that a source elsewhere ran for a connector.
type QueryNote struct {
	ConnectorID  string `json:"connectorId"`
	QueryID      string `json:"queryId"`      // the source's own name of it
	BytesScanned int64  `json:"bytesScanned"` // what it read and may charge for
}

// StageTime is the wall time during which a stage was at work. Stages overlap.
type StageTime struct {
	Stage      string `json:"stage"`
	DurationMs int64  `json:"durationMs"`
}

// Run is the record of a run as it is stored.
type Run struct {
	RunID     string    // unique
	InputHash string    // of the input as asked, without correlationId
	Result    RunResult // with Status RUNNING while the run is in progress
}

// OptOut is a customer's wish not to be contacted. It stands until withdrawn.
type OptOut struct {
	CustomerID string    `json:"customerId"`
	ProgramID  string    `json:"programId,omitempty"` // "" means every program
	Channel    string    `json:"channel,omitempty"`   // "" means every channel
	Reason     string    `json:"reason,omitempty"`
	At         time.Time `json:"at"`
}

// Covers reports whether the opt-out forbids contact for the program through
// every channel.
func (o OptOut) Covers(programID string) bool {
	return o.Channel == "" && (o.ProgramID == "" || o.ProgramID == programID)
}

// ProgramItem is a program as it is kept in a store: one item per program and
// marketplace. A Marketplace of "CONFIG" or "*" is a base item, merged beneath
// the others (D11).
type ProgramItem struct {
	ProgramID   string
	Marketplace string
	Document    []byte // the program document for that marketplace, as JSON
	Enabled     bool   // the operator's switch; a program runs only if its document says so too
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

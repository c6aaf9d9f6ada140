package ceap

import (
	"time"
)

// OutcomeKind is the one terminal outcome of a row (D47).
type OutcomeKind string

// The outcomes. Created, updated and unchanged together are "stored".
const (
	OutcomeInvalid   OutcomeKind = "invalid"   // the row cannot become a candidate
	OutcomeDuplicate OutcomeKind = "duplicate" // another row of the run is the same candidate
	OutcomeRejected  OutcomeKind = "rejected"  // a rule said no
	OutcomeCreated   OutcomeKind = "created"
	OutcomeUpdated   OutcomeKind = "updated"
	OutcomeUnchanged OutcomeKind = "unchanged"
	OutcomeFailed    OutcomeKind = "failed" // we could not finish
)

// Stored reports whether the candidate is in the store because of, or in
// agreement with, the row.
func (k OutcomeKind) Stored() bool {
	return k == OutcomeCreated || k == OutcomeUpdated || k == OutcomeUnchanged
}

// Reason codes that CEAP itself gives. Filters add their own, and so do the
// rules of programs.
const (
	ReasonMissingField        = "MISSING_FIELD"
	ReasonBadValue            = "BAD_VALUE"
	ReasonDateOutOfRange      = "DATE_OUT_OF_RANGE"
	ReasonTooLong             = "VALUE_TOO_LONG"
	ReasonDuplicate           = "DUPLICATE_ROW"
	ReasonProgramMismatch     = "PROGRAM_MISMATCH"
	ReasonMarketplaceMismatch = "MARKETPLACE_MISMATCH"
	ReasonAlreadyContacted    = "ALREADY_CONTACTED"
	ReasonExpired             = "EXPIRED"
	ReasonDeleted             = "DELETED"
	ReasonOptedOut            = "OPTED_OUT"
	ReasonFilterError         = "FILTER_ERROR"
	ReasonVersionConflict     = "VERSION_CONFLICT"
	ReasonStoreError          = "STORE_ERROR"
	ReasonThrottled           = "THROTTLED"
	ReasonRunStopped          = "RUN_STOPPED"
	ReasonPartFailed          = "PART_FAILED" // a part of a run that several processes work on did not finish

	ReasonModelNotConfigured = "MODEL_NOT_CONFIGURED"
	ReasonModelError         = "MODEL_ERROR"
)

// Outcome is what became of one row of a run.
type Outcome struct {
	ConnectorID string      `json:"connectorId"`
	Row         int64       `json:"row"` // position in the connector's result, from 1
	Kind        OutcomeKind `json:"outcome"`
	Key                     // as far as the row told; empty parts are unknown
	EventDate   time.Time   `json:"eventDate,omitzero"`
	FilterID    string      `json:"filterId,omitempty"` // the filter that rejected it
	ReasonCode  string      `json:"reasonCode,omitempty"`
	Reason      string      `json:"reason,omitempty"`
	Field       string      `json:"field,omitempty"` // the field at fault, for invalid rows
	Value       string      `json:"value,omitempty"` // its value, cut to 200 characters
	Score       *float64    `json:"score,omitempty"`
}

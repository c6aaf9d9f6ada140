package store

import (
	"fmt"
	"time"

	"github.com/ceap-platform/ceap"
)

// MarkLife is how long a closing mark outlives its candidate (D5).
const MarkLife = 365 * 24 * time.Hour

// Known is what a store knows of a candidate when a row for it arrives: what it
// holds, or else the closing mark. The zero Known is neither.
type Known struct {
	Status       ceap.Status
	EventDate    time.Time
	ExpiresAt    time.Time // of an open candidate
	ClosedAt     time.Time // of any other, and of a mark; when it expired for StatusExpired
	RunID        string    // the run that wrote it last; "" for a mark
	CreatedRunID string    // the run that created it; matters only if RunID is the run that writes
	SameContent  bool      // whether it says just what the row says
}

// Step is what a store does with a candidate that it was asked to write.
type Step int

// The steps.
const (
	Leave  Step = iota // nothing is written
	Open               // its life begins: a new CreatedAt and ExpiresAt, a version one higher than any before
	Change             // its content is replaced: a version one higher, CreatedAt and ExpiresAt stay
)

// Decide says what becomes of a candidate, as [Candidates.Upsert] promises it
// (D4, D5). Opt-outs are for the caller to look at first.
func Decide(was Known, c *ceap.Candidate, opts UpsertOptions) (UpsertResult, Step) {
	if was.Status == "" {
		return UpsertResult{Kind: ceap.OutcomeCreated}, Open
	}
	if was.RunID == opts.RunID && was.RunID != "" { // I7
		return repeated(was)
	}
	if was.Status == ceap.StatusOpen && !was.ExpiresAt.After(opts.Now) {
		was.Status, was.ClosedAt = ceap.StatusExpired, was.ExpiresAt
	}
	switch {
	case was.Status != ceap.StatusOpen:
		if code, reason := was.closed(c, opts); code != "" {
			return UpsertResult{Kind: ceap.OutcomeRejected, Code: code, Reason: reason}, Leave
		}
		return UpsertResult{Kind: ceap.OutcomeCreated}, Open
	case was.SameContent:
		return UpsertResult{Kind: ceap.OutcomeUnchanged}, Leave
	default:
		return UpsertResult{Kind: ceap.OutcomeUpdated}, Change
	}
}

// repeated answers a run for what it has written before.
func repeated(was Known) (UpsertResult, Step) {
	result := UpsertResult{Kind: ceap.OutcomeUpdated}
	if was.CreatedRunID == was.RunID {
		result.Kind = ceap.OutcomeCreated
	}
	if was.SameContent || was.Status != ceap.StatusOpen {
		return result, Leave
	}
	return result, Change
}

// closed says why a candidate that was closed stays away, or "" if it may be
// opened again (D5).
func (was Known) closed(c *ceap.Candidate, opts UpsertOptions) (code, reason string) {
	later := c.EventDate.UnixMicro() > was.EventDate.UnixMicro() // stores keep no more of it
	switch was.Status {
	case ceap.StatusDeleted:
		return ceap.ReasonDeleted, "it was deleted on " + onDay(was.ClosedAt)
	case ceap.StatusExpired:
		if later {
			return "", ""
		}
		return ceap.ReasonExpired, fmt.Sprintf("it expired on %s, and its event of %s is not a later one", onDay(was.ClosedAt), c.EventDate.Format(time.DateOnly))
	default:
		wait := opts.ReopenAfter
		if wait > 0 && later && !opts.Now.Before(was.ClosedAt.Add(wait)) {
			return "", ""
		}
		reason = "the customer was contacted about it on " + onDay(was.ClosedAt)
		if wait > 0 {
			reason += fmt.Sprintf("; it may come back with a later event from %s on", onDay(was.ClosedAt.Add(wait)))
		}
		return ceap.ReasonAlreadyContacted, reason
	}
}

func onDay(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// OptedOut is what becomes of a candidate that an opt-out covers.
func OptedOut() UpsertResult {
	return UpsertResult{Kind: ceap.OutcomeRejected, Code: ceap.ReasonOptedOut, Reason: "the customer has opted out"}
}

// Closes reports whether a candidate of that status changes when it is closed so:
// what was sent can still be consumed, not the reverse. Returns invalid if no
// candidate can be.
func (c Closing) Closes(was ceap.Status) (bool, error) {
	rank := map[ceap.Status]int{ceap.StatusSent: 1, ceap.StatusConsumed: 2, ceap.StatusDeleted: 3}
	if rank[c.Status] == 0 {
		return false, ceap.Errorf(ceap.CodeInvalid, "a candidate cannot be closed as %q", c.Status)
	}
	return rank[was] < rank[c.Status], nil
}

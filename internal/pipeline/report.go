package pipeline

import (
	"cmp"
	"slices"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/journal"
)

// PartReport is what one part of a run did. That it exists means that the part
// is done; a part that is repeated gives an equal one.
type PartReport struct {
	ID        string          `json:"id"`
	Attempt   int             `json:"attempt"` // of the run, that wrote it
	StartedAt time.Time       `json:"startedAt"`
	EndedAt   time.Time       `json:"endedAt"`
	Tally     Tally           `json:"tally"`
	Journal   journal.Written `json:"journal"`

	// Of parts that extract.
	Notes    []ceap.MappingNote `json:"notes,omitempty"`
	Warnings []string           `json:"warnings,omitempty"`
	Queries  []ceap.QueryNote   `json:"queries,omitempty"`
	Pieces   []piece            `json:"pieces,omitempty"`
	Marks    []Mark             `json:"marks,omitempty"`
}

// clean reports whether a resumed run has nothing to try again in the part.
func (r *PartReport) clean() bool { return r.Tally.Counts.Failed == 0 && r.Tally.Broken == 0 }

// Tally is the account of some rows of a run, so that it can be added up.
type Tally struct {
	Counts   ceap.Counts   `json:"counts"`
	Reasons  []ReasonTally `json:"reasons,omitempty"`
	Rejects  []int64       `json:"rejects,omitempty"` // by step
	Early    int64         `json:"early,omitempty"`
	Late     int64         `json:"late,omitempty"`
	Models   []ModelTally  `json:"models,omitempty"`
	Broken   int64         `json:"broken,omitempty"`
	BrokenBy string        `json:"brokenBy,omitempty"`
	Hash     [4]uint64     `json:"hash"` // lanes of the result hash
}

// ReasonTally counts rows that share a reason.
type ReasonTally struct {
	Kind     ceap.OutcomeKind `json:"kind"`
	FilterID string           `json:"filterId,omitempty"`
	Code     string           `json:"code"`
	Field    string           `json:"field,omitempty"`
	Count    int64            `json:"count"`
	Reason   string           `json:"reason"`
	Samples  []ceap.RowSample `json:"samples,omitempty"`
}

// ModelTally says what a model did.
type ModelTally struct {
	Scored   int64  `json:"scored"`
	Fallback int64  `json:"fallback"`
	Cached   int64  `json:"cached,omitempty"` // of Fallback
	Unscored int64  `json:"unscored"`
	Code     string `json:"code,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// tally returns what the account has counted.
func (a *account) tally() Tally {
	t := Tally{
		Counts: a.counts, Rejects: slices.Clone(a.rejects), Early: a.early, Late: a.late,
		Broken: a.broken, BrokenBy: a.brokenBy, Hash: a.hash,
	}
	for key, r := range a.reasons {
		t.Reasons = append(t.Reasons, ReasonTally{r.kind, key.filterID, key.code, key.field, r.count, r.reason, r.samples})
	}
	slices.SortFunc(t.Reasons, func(x, y ReasonTally) int {
		return cmp.Or(cmp.Compare(x.FilterID, y.FilterID), cmp.Compare(x.Code, y.Code), cmp.Compare(x.Field, y.Field))
	})
	for _, m := range a.models {
		t.Models = append(t.Models, ModelTally{m.scored, m.fallback, m.cached, m.unscored, m.code, m.detail})
	}
	return t
}

// absorb adds what another account has counted, in the order of the rows.
func (a *account) absorb(t Tally) {
	a.counts.Merge(t.Counts)
	for _, r := range t.Reasons {
		a.absorbReason(r)
	}
	for i, n := range t.Rejects {
		a.rejects[i] += n
	}
	a.early += t.Early
	a.late += t.Late
	for i, m := range t.Models {
		a.models[i].merge(modelTally{scored: m.Scored, fallback: m.Fallback, cached: m.Cached, unscored: m.Unscored, code: m.Code, detail: m.Detail})
	}
	a.broken += t.Broken
	a.brokenBy = cmp.Or(a.brokenBy, t.BrokenBy)
	for i, lane := range t.Hash {
		a.hash[i] += lane
	}
}

func (a *account) absorbReason(r ReasonTally) {
	key := reasonKey{r.FilterID, r.Code, r.Field}
	t := a.reasons[key]
	if t == nil {
		t = &reasonTally{kind: r.Kind, reason: r.Reason}
		a.reasons[key] = t
	}
	t.count += r.Count
	t.samples = append(t.samples, r.Samples[:min(len(r.Samples), samplesPerReason-len(t.samples))]...)
}

// fits reports whether the tally was made with these steps and models.
func (t *Tally) fits(s *Stages) bool {
	return len(t.Rejects) == len(s.steps) && len(t.Models) == len(s.definition.Models)
}

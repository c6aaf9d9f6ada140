// Package filter is the contract of filters: each says of every candidate
// whether it may go on. The order of a chain, its accounting and the moment of
// scoring are the engine's (internal/pipeline).
//
// filtertest is the conformance suite.
package filter

import (
	"context"

	"github.com/ceap-platform/ceap"
)

// Filter passes or rejects candidates. It is safe for concurrent use and does
// not change the candidates.
type Filter interface {
	// Apply sets verdicts[i] for batch[i], for every i; both have one length. An
	// error of a single candidate goes into its verdict and never lets it pass
	// (D54). A returned error means that no verdict holds.
	Apply(ctx context.Context, batch []*ceap.Candidate, verdicts []Verdict) error
}

// Verdict is what a filter says of one candidate. The zero Verdict passes.
type Verdict struct {
	Code   string // why it is rejected, such as CHANNEL_INELIGIBLE; "" if it passes
	Reason string // in words, with the values that decided
	Err    error  // why there is no verdict; the candidate is then rejected as FILTER_ERROR
}

// Passed reports whether the candidate may go on.
func (v Verdict) Passed() bool { return v.Code == "" && v.Err == nil }

// ApplyEach sets the verdicts of a batch for a filter that judges each candidate
// by itself and asks nobody. A context that has ended is returned as an error.
func ApplyEach(ctx context.Context, batch []*ceap.Candidate, verdicts []Verdict, judge func(*ceap.Candidate) Verdict) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, c := range batch {
		verdicts[i] = judge(c)
	}
	return nil
}

// ScoreReader is the optional ability of a filter to say which scores it reads.
// Scoring happens before the first filter that reads one (D55).
type ScoreReader interface {
	// ReadsScores returns the ids of the models whose scores the filter needs,
	// with "*" for the candidate's own score. An empty result means none.
	ReadsScores() []string
}

// Ranker is a Filter that keeps the best candidates of a whole run. The engine
// ranks the run's candidates by [ceap.CompareRank] and applies the limits one
// after the other; Apply does the same to a batch that is the whole run.
type Ranker interface {
	Filter
	Limits() []Limit
}

// Limit keeps the best Max candidates of each group.
type Limit struct {
	Per   string // what is limited, in the program's words, such as "customer"
	Max   int    // at least 1
	Group func(*ceap.Candidate) (string, error)
}

// Reason returns the words for a candidate beyond the limit.
func (l Limit) Reason(group string) string { return limitReason(l, group) }

// OptOuts is what a filter may ask about customers' wishes.
type OptOuts interface {
	// OptOutsOf returns the opt-outs of each of the customers, by customer; those
	// without any are missing from the result.
	OptOutsOf(ctx context.Context, customerIDs []string) (map[string][]ceap.OptOut, error)
}

package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/scorer"
)

// Definition is an opened program for one marketplace: what a run needs of it.
// It is not changed after [NewStages] and safe for concurrent use.
type Definition struct {
	ProgramID   string
	ProgramName string
	Marketplace string
	Hash        string // of the effective program
	Enabled     bool
	Disabled    string // why it is not enabled

	TTL          time.Duration // life of a candidate
	ReopenAfter  time.Duration // see store.UpsertOptions
	Zone         *time.Location
	Rules        connector.Rules
	MaxErrorRate float64 // 0..1: above it a run with failed rows is FAILED (D48)
	ExpectRows   bool    // a run without rows is FAILED (D49)

	Sources []Source // in order of precedence (D14)
	Filters []Filter // in configured order
	Models  []Model

	LeftOut  []string // disabled parts, in words (D13)
	Warnings []string // of the program itself
}

// Source is an opened connector.
type Source struct {
	ID        string
	Connector connector.Connector
}

// Filter is an opened filter.
type Filter struct {
	ID     string
	Filter filter.Filter
}

// Model is an opened model.
type Model struct {
	ID       string
	Scorer   scorer.Scorer
	Weight   float64
	Fallback *float64 // in the model's scale; nil if the program has none
	Min, Max float64  // the model's scale; 0 and 1 if both are zero
	Note     string   // what users should know about it, for the result
}

// StepKind says what a step of a plan does.
type StepKind string

// The kinds of steps.
const (
	StepFilter StepKind = "filter"
	StepScore  StepKind = "score"
	StepRank   StepKind = "rank" // a filter that compares the candidates of the whole run
)

// Step is one step of the plan: in which order filters and scoring happen.
type Step struct {
	Kind   StepKind
	Name   string // the filter's id, or "score"
	Filter filter.Filter
}

// plan orders the steps. Filters keep their configured order (I23); scoring
// stands before the first one that reads a score, else at the end (D55).
func plan(d *Definition) ([]Step, error) {
	steps := []Step{}
	var problems ceap.Problems
	scored := len(d.Models) == 0
	for _, f := range d.Filters {
		if reads := scoresRead(f.Filter); len(reads) > 0 {
			problems = append(problems, missingModels(d, f.ID, reads)...)
			if !scored {
				steps = append(steps, Step{Kind: StepScore, Name: string(StepScore)})
				scored = true
			}
		}
		kind := StepFilter
		if _, ok := f.Filter.(filter.Ranker); ok {
			kind = StepRank
		}
		steps = append(steps, Step{Kind: kind, Name: f.ID, Filter: f.Filter})
	}
	if !scored {
		steps = append(steps, Step{Kind: StepScore, Name: string(StepScore)})
	}
	return steps, problems.Err()
}

func scoresRead(f filter.Filter) []string {
	if r, ok := f.(filter.ScoreReader); ok {
		return r.ReadsScores()
	}
	return nil
}

func missingModels(d *Definition, filterID string, reads []string) ceap.Problems {
	var problems ceap.Problems
	has := func(id string) bool { return slices.ContainsFunc(d.Models, func(m Model) bool { return m.ID == id }) }
	for _, id := range reads {
		switch {
		case id == "*" && len(d.Models) > 0, id != "*" && has(id):
		case id == "*":
			problems = append(problems, ceap.Problem{
				Path:    "filterChain.filters",
				Message: fmt.Sprintf("the filter %q needs a score, but the program has no enabled model", filterID),
				Hint:    "add a model to scoringModels, or take the filter out",
			})
		default:
			problems = append(problems, ceap.Problem{
				Path:    "filterChain.filters",
				Message: fmt.Sprintf("the filter %q needs the score of the model %q, which is not an enabled model of the program", filterID, id),
				Hint:    "models: " + modelNames(d.Models),
			})
		}
	}
	return problems
}

func modelNames(models []Model) string {
	if len(models) == 0 {
		return "none"
	}
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = m.ID
	}
	return strings.Join(names, ", ")
}

// Package explain answers why a customer was or was not reached: what each of
// the latest runs made of the customer's rows, what is stored now, and which of
// the customer's wishes are in force. It reads and never writes, and leaves the
// printing to its callers.
package explain

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

const (
	defaultRuns = 5
	// maxRows is how many rows of one customer are read of one run. The answer
	// says when there are more.
	maxRows = 1000
	// knownRuns is how many of the latest runs tell which programs there are.
	knownRuns = 1000
	pageSize  = 1000
)

// CandidateFinder is the part of [store.Candidates] that is needed.
type CandidateFinder interface {
	Find(ctx context.Context, q store.Query) (store.Page, error)
}

// RunFinder is the part of [store.Runs] that is needed.
type RunFinder interface {
	Find(ctx context.Context, q store.RunQuery) ([]ceap.Run, error)
}

// Readers are the sources of an answer.
type Readers struct {
	Candidates CandidateFinder
	Runs       RunFinder
	OptOuts    filter.OptOuts
	Artifacts  store.Artifacts
}

// Explainer answers questions. It is safe for concurrent use.
type Explainer struct {
	from Readers
	now  func() time.Time
}

// New returns an Explainer that reads from the readers.
func New(from Readers, now func() time.Time) *Explainer { return &Explainer{from: from, now: now} }

// Question says what to explain. Empty fields but the first mean all.
type Question struct {
	CustomerID  string
	ProgramID   string
	Marketplace string
	SubjectType string
	SubjectID   string
	Runs        int // how many of the latest runs of each program and marketplace; 0 means 5
}

// Answer says what happened to a customer and why.
type Answer struct {
	CustomerID string `json:"customerId"`
	// Found says whether any row, candidate or opt-out of the customer was found.
	Found    bool          `json:"found"`
	Summary  string        `json:"summary"`
	Advice   []string      `json:"advice"` // what to do, most useful first
	OptOuts  []ceap.OptOut `json:"optOuts"`
	Programs []Program     `json:"programs"` // sorted by program and marketplace
}

// Program is the answer for one program and marketplace.
type Program struct {
	ProgramID   string     `json:"programId"`
	Marketplace string     `json:"marketplace"`
	Standing    []Standing `json:"standing"` // what is stored now, in the order of the keys
	Runs        []Run      `json:"runs"`     // latest first
}

// Standing is a candidate as it stands now.
type Standing struct {
	Summary   string        `json:"summary"`
	Candidate CandidateView `json:"candidate"`
}

// Why answers the question. Returns invalid without a customer. A journal that
// cannot be read is told in the answer; an error of another reader is returned.
func (e *Explainer) Why(ctx context.Context, q Question) (Answer, error) {
	if q.CustomerID == "" {
		return Answer{}, ceap.Errorf(ceap.CodeInvalid, "which customer?").WithHint("give the customer's id as the source has it")
	}
	if q.Runs <= 0 {
		q.Runs = defaultRuns
	}
	answer := Answer{CustomerID: q.CustomerID, Advice: []string{}, OptOuts: []ceap.OptOut{}, Programs: []Program{}}
	wishes, err := e.from.OptOuts.OptOutsOf(ctx, []string{q.CustomerID})
	if err != nil {
		return Answer{}, fmt.Errorf("reading the opt-outs of the customer: %w", err)
	}
	for _, wish := range wishes[q.CustomerID] {
		if q.ProgramID == "" || wish.ProgramID == "" || wish.ProgramID == q.ProgramID {
			answer.OptOuts = append(answer.OptOuts, wish)
		}
	}
	candidates, err := e.candidates(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	places, err := e.places(ctx, q, candidates)
	if err != nil {
		return Answer{}, err
	}
	for _, at := range places {
		program, err := e.program(ctx, q, at, candidates[at], answer.OptOuts)
		if err != nil {
			return Answer{}, err
		}
		answer.Programs = append(answer.Programs, program)
	}
	conclude(&answer, q)
	if len(answer.Programs) == 0 && q.ProgramID != "" {
		known, err := e.knownPrograms(ctx)
		if err != nil {
			return Answer{}, err
		}
		if near := plugin.Nearest(q.ProgramID, known); near != "" {
			answer.Advice = append([]string{fmt.Sprintf("did you mean %q?", near)}, answer.Advice...)
		}
	}
	return answer, nil
}

// knownPrograms returns the ids of the programs that have run lately.
func (e *Explainer) knownPrograms(ctx context.Context) ([]string, error) {
	places, err := e.places(ctx, Question{}, nil)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(places))
	for i, at := range places {
		ids[i] = at.programID
	}
	return slices.Compact(ids), nil
}

// place is a program and marketplace.
type place struct{ programID, marketplace string }

func (p place) compare(other place) int {
	if c := strings.Compare(p.programID, other.programID); c != 0 {
		return c
	}
	return strings.Compare(p.marketplace, other.marketplace)
}

// candidates returns the customer's candidates, closed ones included, by place.
func (e *Explainer) candidates(ctx context.Context, q Question) (map[place][]ceap.Candidate, error) {
	found := map[place][]ceap.Candidate{}
	query := store.Query{
		CustomerID: q.CustomerID, ProgramID: q.ProgramID, Marketplace: q.Marketplace,
		SubjectType: q.SubjectType, SubjectID: q.SubjectID, IncludeClosed: true, Now: e.now(), Limit: pageSize,
	}
	for {
		page, err := e.from.Candidates.Find(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("reading the candidates of the customer: %w", err)
		}
		for _, c := range page.Candidates {
			at := place{c.ProgramID, c.Marketplace}
			found[at] = append(found[at], c)
		}
		if page.Next == "" {
			return found, nil
		}
		query.Cursor = page.Next
	}
}

// places returns where the customer may have been seen: where there are
// candidates, and where there were runs.
func (e *Explainer) places(ctx context.Context, q Question, candidates map[place][]ceap.Candidate) ([]place, error) {
	runs, err := e.from.Runs.Find(ctx, store.RunQuery{ProgramID: q.ProgramID, Marketplace: q.Marketplace, Limit: knownRuns})
	if err != nil {
		return nil, fmt.Errorf("reading the runs: %w", err)
	}
	places := map[place]bool{}
	for at := range candidates {
		places[at] = true
	}
	for i := range runs {
		places[place{runs[i].Result.ProgramID, runs[i].Result.Marketplace}] = true
	}
	return slices.SortedFunc(maps.Keys(places), place.compare), nil
}

func (e *Explainer) program(ctx context.Context, q Question, at place, candidates []ceap.Candidate, wishes []ceap.OptOut) (Program, error) {
	program := Program{ProgramID: at.programID, Marketplace: at.marketplace, Standing: []Standing{}, Runs: []Run{}}
	now := e.now()
	for i := range candidates {
		program.Standing = append(program.Standing, standingOf(candidates[i], wishes, now))
	}
	runs, err := e.from.Runs.Find(ctx, store.RunQuery{ProgramID: at.programID, Marketplace: at.marketplace, Limit: q.Runs})
	if err != nil {
		return Program{}, fmt.Errorf("reading the runs of program %q: %w", at.programID, err)
	}
	for i := range runs {
		run, err := e.run(ctx, q, &runs[i].Result)
		if err != nil {
			return Program{}, err
		}
		program.Runs = append(program.Runs, run)
	}
	return program, nil
}

// conclude fills in what the parts of the answer say together.
func conclude(a *Answer, q Question) {
	var runs, known, rows, standing int
	for i := range a.Programs {
		standing += len(a.Programs[i].Standing)
		for k := range a.Programs[i].Runs {
			run := &a.Programs[i].Runs[k]
			runs++
			if run.known() {
				known++
			}
			for _, pair := range run.Pairs {
				rows += len(pair.Rows)
			}
		}
	}
	a.Found = rows+standing+len(a.OptOuts) > 0
	switch {
	case rows == 0 && standing > 0 && known < runs:
		a.Summary = fmt.Sprintf("customer %q has %s stored now, and no row in the runs that can be looked into, %d of %d", q.CustomerID,
			count(standing, "candidate"), known, runs)
	case rows+standing > 0:
		a.Summary = fmt.Sprintf("customer %q has %s in the last %s, and %s stored now", q.CustomerID,
			count(rows, "row"), count(runs, "run"), count(standing, "candidate"))
	case runs == 0:
		summary, advice := noRuns(q)
		a.Summary, a.Advice = summary, append(a.Advice, advice)
	case known == 0:
		a.Summary = fmt.Sprintf("customer %q has no candidate stored, and no run can be looked into", q.CustomerID)
	default:
		a.Summary = fmt.Sprintf("customer %q has no row in the %s that can be looked into, and no candidate stored", q.CustomerID, count(known, "run"))
		a.Advice = append(a.Advice, searchAdvice(q)...)
	}
	if len(a.OptOuts) > 0 {
		a.Summary += "; " + wishSentence(a.OptOuts)
	}
	if known < runs {
		a.Advice = append(a.Advice, fmt.Sprintf("%d of %s cannot be looked into; each says why", runs-known, count(runs, "run")))
	}
}

// searchAdvice says how to look for a customer of whom nothing is known.
func searchAdvice(q Question) []string {
	var advice []string
	if q.SubjectType != "" || q.SubjectID != "" {
		advice = append(advice, "ask without the subject, to see the customer's other pairs")
	}
	return append(advice,
		"check that the id is spelled as in the source: capitals, blanks and leading zeros count",
		"run the program's query for this customer alone, to see which of its conditions leaves the customer out",
		fmt.Sprintf("ask for more than the last %s, or run the program for a date range that holds the customer's event", count(q.Runs, "run")))
}

// noRuns says that nothing has run, and how to run it.
func noRuns(q Question) (summary, advice string) {
	summary, advice = "no program has run yet", "run one: ceap run <program>"
	if q.ProgramID != "" {
		summary, advice = fmt.Sprintf("program %q has not run yet", q.ProgramID), "run it: ceap run "+q.ProgramID
	}
	if q.Marketplace != "" {
		summary += fmt.Sprintf(" for marketplace %q", q.Marketplace)
	}
	return summary, advice
}

// count returns "1 row" or "2 rows".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

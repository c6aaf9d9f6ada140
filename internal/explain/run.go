package explain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/journal"
)

// Run says what one run made of the customer.
type Run struct {
	RunID     string         `json:"runId"`
	BatchID   string         `json:"batchId"`
	Status    ceap.RunStatus `json:"status"`
	DateRange ceap.DateRange `json:"dateRange"`
	StartedAt time.Time      `json:"startedAt"`
	EndedAt   time.Time      `json:"endedAt,omitzero"`
	DryRun    bool           `json:"dryRun,omitempty"`
	// Notes say what to know of the run before its rows: that it failed or is in
	// progress, or that its journal is incomplete or gone.
	Notes   []string     `json:"notes"`
	Journal JournalState `json:"journal"`
	Pairs   []Pair       `json:"pairs"`             // by subject; empty if the run had no row of the customer
	Summary string       `json:"summary"`           // of all pairs, or why there is none
	Remedy  string       `json:"remedy,omitempty"`  // what to do if there is no row
	HasMore bool         `json:"hasMore,omitempty"` // the customer has more rows in this run
}

// JournalState says whether the rows of a run can still be looked at.
type JournalState string

// The states of a journal.
const (
	JournalComplete   JournalState = "complete"
	JournalIncomplete JournalState = "incomplete" // the rows up to where the run stopped
	JournalSwept      JournalState = "swept"      // removed after its time
	JournalMissing    JournalState = "missing"
	JournalUnreadable JournalState = "unreadable"
)

// known reports whether all that the run made of the customer is in the answer.
func (r *Run) known() bool {
	return r.Journal == JournalComplete || r.Status == ceap.RunEmpty || r.Status == ceap.RunSkipped
}

// Pair is the customer with one subject.
type Pair struct {
	Subject SubjectView `json:"subject"`
	Summary string      `json:"summary"`
	Rows    []Row       `json:"rows"` // in the order of the journal
}

// Row is one row of the source and what became of it.
type Row struct {
	ceap.Outcome
	Summary string  `json:"summary"`
	Winner  *RowRef `json:"winner,omitempty"` // the row taken in place of a duplicate
}

// RowRef names a row.
type RowRef struct {
	ConnectorID string `json:"connectorId"`
	Row         int64  `json:"row"`
}

// run returns what the run made of the customer.
func (e *Explainer) run(ctx context.Context, q Question, result *ceap.RunResult) (Run, error) {
	run := Run{
		RunID: result.RunID, BatchID: result.BatchID, Status: result.Status, DateRange: result.DateRange,
		StartedAt: result.StartedAt, EndedAt: result.EndedAt, DryRun: result.DryRun,
		Notes: runNotes(result), Pairs: []Pair{},
	}
	rows, err := e.rows(ctx, q, result, &run)
	if err != nil {
		return Run{}, err
	}
	var others []SubjectView
	for _, o := range rows {
		if subject := (SubjectView{o.SubjectType, o.SubjectID}); !q.wants(subject) {
			others = append(others, subject)
			continue
		}
		run.add(o)
	}
	for i := range run.Pairs {
		run.Pairs[i].summarise(storedWords(result))
	}
	run.summarise(q, result, others)
	return run, nil
}

// wants reports whether the subject may be the one asked for. What a row does
// not say may be.
func (q Question) wants(s SubjectView) bool {
	return (q.SubjectType == "" || s.Type == "" || s.Type == q.SubjectType) &&
		(q.SubjectID == "" || s.ID == "" || s.ID == q.SubjectID)
}

// rows returns the customer's rows as far as the journal of the run has them,
// and notes in the run what the journal lacks.
func (e *Explainer) rows(ctx context.Context, q Question, result *ceap.RunResult, run *Run) ([]ceap.Outcome, error) {
	book, err := journal.Open(ctx, e.from.Artifacts, result.RunID)
	var rows []ceap.Outcome
	if err == nil {
		run.judge(book.Manifest(), result)
		rows, err = book.Find(ctx, journal.Query{CustomerID: q.CustomerID, Limit: maxRows + 1})
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case ceap.ErrorCode(err) == ceap.CodeNotFound:
		run.Journal = JournalMissing
		if result.Status != ceap.RunSkipped {
			run.note("the run has no journal: it ended before its rows were written down, or its files were removed")
		}
		return nil, nil
	case err != nil:
		run.Journal = JournalUnreadable
		text := err.Error()
		if e, ok := errors.AsType[*ceap.Error](err); ok && e.Hint != "" {
			text = strings.Replace(text, "; "+e.Hint, "", 1)
			run.Remedy = e.Hint
		}
		run.note("the run's journal cannot be read: %s", text)
		return nil, nil
	}
	if run.HasMore = len(rows) > maxRows; run.HasMore {
		rows = rows[:maxRows]
		run.note("the customer has more than %d rows in this run; the first %d are shown", maxRows, maxRows)
	}
	return rows, nil
}

// judge sets the state of the journal.
func (r *Run) judge(m journal.Manifest, result *ceap.RunResult) {
	switch {
	case !m.SweptAt.IsZero():
		r.Journal = JournalSwept
		r.note("the run's journal was removed on %s, after its time", day(m.SweptAt))
	case !m.Complete && m.Rows == 0 && result.Counts.Extracted == 0:
		r.Journal = JournalIncomplete // how the run ended says it all
	case !m.Complete:
		r.Journal = JournalIncomplete
		r.note("the run's journal is incomplete: it has %d of the %d rows that were extracted", m.Rows, max(m.Rows, result.Counts.Extracted))
	default:
		r.Journal = JournalComplete
	}
}

func (r *Run) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// runNotes says of a run that did not simply succeed how it ended.
func runNotes(result *ceap.RunResult) []string {
	var head string
	switch result.Status {
	case ceap.RunSucceeded:
	case ceap.RunEmpty:
		head = "the run found no rows at all"
	case ceap.RunRunning:
		head = "the run is in progress since " + result.StartedAt.UTC().Format(time.RFC3339)
	case ceap.RunPartial:
		head = "the run ended in part"
	case ceap.RunFailed:
		head = "the run failed"
	case ceap.RunSkipped:
		head = "the run was skipped"
	case ceap.RunCancelled:
		head = "the run was cancelled"
	}
	notes := []string{}
	if head != "" {
		if result.Message != "" && result.Status != ceap.RunCancelled { // how to go on is the remedy
			head += ": " + oneLine(result.Message)
		}
		notes = append(notes, head)
	}
	if result.DryRun {
		notes = append(notes, "it was a dry run: nothing was stored")
	}
	if result.Stage != "" {
		notes = append(notes, fmt.Sprintf("the run was to go no further than the stage %q", result.Stage))
	}
	return notes
}

// add files the outcome under its subject.
func (r *Run) add(o ceap.Outcome) {
	subject := SubjectView{o.SubjectType, o.SubjectID}
	i := slices.IndexFunc(r.Pairs, func(p Pair) bool { return p.Subject == subject })
	if i < 0 {
		i = len(r.Pairs)
		r.Pairs = append(r.Pairs, Pair{Subject: subject})
	}
	r.Pairs[i].Rows = append(r.Pairs[i].Rows, Row{Outcome: o})
}

// summarise names the winner of duplicates and says what became of the pair:
// what became of its row that is no duplicate. Stored is how to say that a row
// was stored.
func (p *Pair) summarise(stored string) {
	deciding := 0
	for i := range p.Rows {
		if p.Rows[i].Kind != ceap.OutcomeDuplicate && p.Rows[i].Kind != ceap.OutcomeInvalid {
			deciding = i
			break
		}
	}
	for i := range p.Rows {
		row := &p.Rows[i]
		if row.Kind == ceap.OutcomeDuplicate && p.Rows[deciding].Kind != ceap.OutcomeDuplicate && p.Rows[deciding].Key == row.Key {
			row.Winner = &RowRef{p.Rows[deciding].ConnectorID, p.Rows[deciding].Row}
		}
		row.Summary = rowSentence(row, stored)
	}
	p.Summary = p.Rows[deciding].Summary
	if others := len(p.Rows) - 1; others > 0 {
		p.Summary += fmt.Sprintf(" (and %s)", count(others, "other row"))
	}
}

// summarise says what the run made of the customer, or why it had no row.
func (r *Run) summarise(q Question, result *ceap.RunResult, others []SubjectView) {
	switch {
	case len(r.Pairs) > 0:
		var parts []string
		for _, pair := range r.Pairs {
			parts = append(parts, pair.Subject.String()+": "+pair.Summary)
		}
		r.Summary = strings.Join(parts, "; ")
	case len(others) > 0:
		r.Summary = fmt.Sprintf("no source row for this subject: run %s had %s of this customer for others, such as %s", r.RunID, count(len(others), "row"), others[0])
	case r.Status == ceap.RunSkipped:
		r.Summary = "nothing was read: " + r.Notes[0]
		r.Remedy = "enable the program, then run it"
	case r.known():
		r.absent(q, result)
	case r.Journal == JournalSwept:
		r.Summary = "not known any more: " + r.Notes[len(r.Notes)-1]
		r.Remedy = afresh
	default:
		r.Summary = "not known: " + strings.Join(r.Notes, "; ")
		r.Remedy = cmp.Or(r.Remedy, r.goOn())
	}
}

// afresh is how to learn what a run whose journal is gone would say.
const afresh = "run the same dates again under a new batchId to see what becomes of the customer today"

// goOn says how to come to know what is not known of the run.
func (r *Run) goOn() string {
	switch r.Status {
	case ceap.RunRunning:
		return "ask again when it has ended"
	case ceap.RunCancelled:
		return fmt.Sprintf("run it again with batchId %q, then ask again", r.BatchID)
	case ceap.RunFailed:
		return "mend what it failed of, run it again, then ask again"
	case ceap.RunSucceeded, ceap.RunEmpty, ceap.RunPartial, ceap.RunSkipped:
	}
	return afresh
}

// oneLine returns a message of several lines on one.
func oneLine(message string) string {
	lines := strings.Split(message, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "; ")
}

// absent says that the source had no row of the customer.
func (r *Run) absent(q Question, result *ceap.RunResult) {
	r.Summary = fmt.Sprintf("no source row: the query of run %s (range %s) returned no row for this customer", r.RunID, r.DateRange)
	r.Remedy = fmt.Sprintf("run the program's query for customer %q by hand; if the event lies outside %s, run the program with a date range that holds it", q.CustomerID, r.DateRange)
	for _, warning := range result.Warnings {
		if strings.Contains(warning, "TRUNCATED?") { // D37
			r.note("the query may have left rows out: %s", warning)
		}
	}
	var nameless int64
	for _, reason := range result.InvalidReasons {
		if slices.Contains(strings.Split(reason.Field, ", "), "customerId") {
			nameless += reason.Count
		}
	}
	if nameless > 0 {
		r.note("%s of the run had no valid customerId; one of them may be this customer's", count(int(nameless), "row"))
	}
}

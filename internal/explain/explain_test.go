package explain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/explain"
	"github.com/ceap-platform/ceap/internal/journal"
)

func date(text string) ceap.Date {
	d, err := ceap.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

func result(runID string, status ceap.RunStatus) ceap.RunResult {
	return ceap.RunResult{
		RunID: runID, BatchID: "batch-" + runID, ProgramID: "product-reviews", Marketplace: "US", Status: status,
		DateRange: ceap.DateRange{Start: date("2026-01-26"), End: date("2026-01-27")},
	}
}

func key(customer, subject string) ceap.Key {
	return ceap.Key{CustomerID: customer, ProgramID: "product-reviews", Marketplace: "US", SubjectType: "product", SubjectID: subject}
}

func outcome(kind ceap.OutcomeKind, row int64, key ceap.Key) ceap.Outcome {
	return ceap.Outcome{ConnectorID: "deliveries", Row: row, Kind: kind, Key: key}
}

const score = 0.7325

func TestExplainer_SentencesOfRows(t *testing.T) {
	t.Parallel()
	mine := key("CUST-1", "PROD-1")
	with := func(o ceap.Outcome, change func(*ceap.Outcome)) ceap.Outcome {
		change(&o)
		return o
	}
	for want, outcomes := range map[string][]ceap.Outcome{
		"stored: a new candidate with score 0.7325": {
			with(outcome(ceap.OutcomeCreated, 1, mine), func(o *ceap.Outcome) { o.Score = new(score) }),
		},
		"stored: the candidate with this row's changes, without a score": {outcome(ceap.OutcomeUpdated, 1, mine)},
		"stored: the candidate as it already was, without a score":       {outcome(ceap.OutcomeUnchanged, 1, mine)},
		`rejected by filter "eligibility": CHANNEL_INELIGIBLE, the customer is not eligible for email (emailEligible is false)`: {
			with(outcome(ceap.OutcomeRejected, 1, mine), func(o *ceap.Outcome) {
				o.FilterID, o.ReasonCode = "eligibility", "CHANNEL_INELIGIBLE"
				o.Reason = "the customer is not eligible for email (emailEligible is false)"
			}),
		},
		"rejected by CEAP's own rules: ALREADY_CONTACTED, sent on 2026-01-20": {
			with(outcome(ceap.OutcomeRejected, 1, mine), func(o *ceap.Outcome) {
				o.ReasonCode, o.Reason = ceap.ReasonAlreadyContacted, "sent on 2026-01-20"
			}),
		},
		`invalid: row 7 of connector "deliveries" could not become a candidate: BAD_VALUE, not a date (eventDate is "soon")`: {
			with(outcome(ceap.OutcomeInvalid, 7, mine), func(o *ceap.Outcome) {
				o.ReasonCode, o.Reason, o.Field, o.Value = ceap.ReasonBadValue, "not a date", "eventDate", "soon"
			}),
		},
		`invalid: row 7 of connector "deliveries" could not become a candidate: MISSING_FIELD (subjectId)`: {
			with(outcome(ceap.OutcomeInvalid, 7, mine), func(o *ceap.Outcome) {
				o.ReasonCode, o.Field = ceap.ReasonMissingField, "subjectId"
			}),
		},
		"failed: STORE_ERROR, the disk is full; run the same batch again to retry it": {
			with(outcome(ceap.OutcomeFailed, 1, mine), func(o *ceap.Outcome) {
				o.ReasonCode, o.Reason = ceap.ReasonStoreError, "the disk is full"
			}),
		},
		"stored: a new candidate, without a score (and 1 other row)": {
			outcome(ceap.OutcomeDuplicate, 2, mine), outcome(ceap.OutcomeCreated, 5, mine),
		},
		`duplicate: row 2 of connector "deliveries" is the same candidate as another row: it is older`: {
			with(outcome(ceap.OutcomeDuplicate, 2, mine), func(o *ceap.Outcome) { o.Reason = "it is older" }),
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.run(t, result("r1", ceap.RunSucceeded), append(outcomes, outcome(ceap.OutcomeCreated, 99, key("CUST-2", "PROD-1")))...)
			answer := w.why(t, explain.Question{CustomerID: "CUST-1"})
			pair := answer.Programs[0].Runs[0].Pairs[0]
			if pair.Summary != want {
				t.Errorf("the pair's summary is\n%s\nwant\n%s", pair.Summary, want)
			}
			if len(pair.Rows) != len(outcomes) || !answer.Found {
				t.Errorf("found is %v with %d rows, want %d", answer.Found, len(pair.Rows), len(outcomes))
			}
		})
	}
}

func TestExplainer_NamesTheWinnerOfDuplicates(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.run(t, result("r1", ceap.RunSucceeded),
		outcome(ceap.OutcomeDuplicate, 2, key("CUST-1", "PROD-1")),
		outcome(ceap.OutcomeRejected, 5, key("CUST-1", "PROD-1")),
		outcome(ceap.OutcomeDuplicate, 9, key("CUST-1", "PROD-2")))
	pairs := w.why(t, explain.Question{CustomerID: "CUST-1"}).Programs[0].Runs[0].Pairs
	if len(pairs) != 2 {
		t.Fatalf("there are %d pairs, want 2", len(pairs))
	}
	loser := pairs[0].Rows[0]
	if diff := cmp.Diff(&explain.RowRef{ConnectorID: "deliveries", Row: 5}, loser.Winner); diff != "" {
		t.Errorf("winner (-want +got):\n%s", diff)
	}
	if want := `duplicate: row 5 of connector "deliveries" was taken instead of row 2 of connector "deliveries"`; loser.Summary != want {
		t.Errorf("the loser's summary is %q, want %q", loser.Summary, want)
	}
	if pairs[0].Rows[1].Winner != nil || pairs[1].Rows[0].Winner != nil {
		t.Error("a row without a winner has one")
	}
}

func TestExplainer_RunsWithoutARow(t *testing.T) {
	t.Parallel()
	other := outcome(ceap.OutcomeCreated, 1, key("CUST-2", "PROD-1"))
	const absent = "no source row: the query of run r1 (range 2026-01-26 to 2026-01-27) returned no row for this customer"
	for name, c := range map[string]struct {
		world   func(t *testing.T, w *world)
		summary string
		notes   []string
		journal explain.JournalState
	}{
		"succeeded": {
			func(t *testing.T, w *world) { w.run(t, result("r1", ceap.RunSucceeded), other) },
			absent,
			[]string{},
			explain.JournalComplete,
		},
		"succeeded, with nameless and cut rows": {
			func(t *testing.T, w *world) {
				r := result("r1", ceap.RunSucceeded)
				r.Warnings = []string{"TRUNCATED? 1000 rows equal the query's LIMIT"}
				r.InvalidReasons = []ceap.InvalidReason{{Field: "customerId, subjectId", Count: 2}, {Field: "subjectId", Count: 4}}
				w.run(t, r, other)
			},
			absent,
			[]string{
				"the query may have left rows out: TRUNCATED? 1000 rows equal the query's LIMIT",
				"2 rows of the run had no valid customerId; one of them may be this customer's",
			},
			explain.JournalComplete,
		},
		"empty": {
			func(_ *testing.T, w *world) {
				r := result("r1", ceap.RunEmpty)
				r.Message = "No candidates extracted"
				w.record(r)
			},
			absent,
			[]string{
				"the run found no rows at all: No candidates extracted",
				"the run has no journal: it ended before its rows were written down, or its files were removed",
			},
			explain.JournalMissing,
		},
		"skipped": {
			func(_ *testing.T, w *world) {
				r := result("r1", ceap.RunSkipped)
				r.Message = "the program is disabled"
				w.record(r)
			},
			"nothing was read: the run was skipped: the program is disabled",
			[]string{"the run was skipped: the program is disabled"},
			explain.JournalMissing,
		},
		"failed before its first row": {
			func(_ *testing.T, w *world) {
				r := result("r1", ceap.RunFailed)
				r.Message = "Query execution failed: no such table"
				w.record(r)
			},
			"not known: the run failed: Query execution failed: no such table; " +
				"the run has no journal: it ended before its rows were written down, or its files were removed",
			[]string{
				"the run failed: Query execution failed: no such table",
				"the run has no journal: it ended before its rows were written down, or its files were removed",
			},
			explain.JournalMissing,
		},
		"cancelled half way": {
			func(t *testing.T, w *world) {
				r := result("r1", ceap.RunCancelled)
				r.Counts.Extracted = 5
				w.record(r)
				w.journal(t, "r1", false, []ceap.Outcome{other})
			},
			"not known: the run was cancelled; the run's journal is incomplete: it has 1 of the 5 rows that were extracted",
			[]string{"the run was cancelled", "the run's journal is incomplete: it has 1 of the 5 rows that were extracted"},
			explain.JournalIncomplete,
		},
		"in progress": {
			func(t *testing.T, w *world) {
				w.record(result("r1", ceap.RunRunning))
				w.journal(t, "r1", false, nil)
			},
			"not known: the run is in progress since 2026-01-30T09:00:00Z",
			[]string{"the run is in progress since 2026-01-30T09:00:00Z"},
			explain.JournalIncomplete,
		},
		"partial": {
			func(t *testing.T, w *world) {
				r := result("r1", ceap.RunPartial)
				r.Message = "1 row failed"
				w.run(t, r, other)
			},
			absent,
			[]string{"the run ended in part: 1 row failed"},
			explain.JournalComplete,
		},
		"dry, up to a stage": {
			func(t *testing.T, w *world) {
				r := result("r1", ceap.RunSucceeded)
				r.DryRun, r.Stage = true, "filter"
				w.run(t, r, other)
			},
			absent,
			[]string{"it was a dry run: nothing was stored", `the run was to go no further than the stage "filter"`},
			explain.JournalComplete,
		},
		"swept": {
			func(t *testing.T, w *world) {
				w.run(t, result("r1", ceap.RunSucceeded), other)
				if _, err := journal.Sweep(t.Context(), artifacts{w}, time.Date(2026, 1, 29, 1, 0, 0, 0, time.UTC), 0); err != nil {
					t.Fatal(err)
				}
			},
			"not known any more: the run's journal was removed on 2026-01-29, after its time",
			[]string{"the run's journal was removed on 2026-01-29, after its time"},
			explain.JournalSwept,
		},
		"unreadable": {
			func(t *testing.T, w *world) {
				w.run(t, result("r1", ceap.RunSucceeded), other)
				w.openErr = errors.New("no such bucket")
			},
			`not known: the run's journal cannot be read: opening the journal of run "r1": no such bucket`,
			[]string{`the run's journal cannot be read: opening the journal of run "r1": no such bucket`},
			explain.JournalUnreadable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			c.world(t, w)
			answer := w.why(t, explain.Question{CustomerID: "CUST-1", ProgramID: "product-reviews"})
			run := answer.Programs[0].Runs[0]
			if run.Summary != c.summary {
				t.Errorf("the summary is\n%s\nwant\n%s", run.Summary, c.summary)
			}
			if diff := cmp.Diff(c.notes, run.Notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
			if run.Journal != c.journal || len(run.Pairs) != 0 || run.Remedy == "" {
				t.Errorf("the run is %+v, want journal %s, no pairs and a remedy", run, c.journal)
			}
			if answer.Found {
				t.Error("found is true, want false")
			}
		})
	}
}

func TestExplainer_ADryRunStoresNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r := result("r1", ceap.RunSucceeded)
	r.DryRun = true
	w.run(t, r, outcome(ceap.OutcomeCreated, 1, key("CUST-1", "PROD-1")))
	pair := w.why(t, explain.Question{CustomerID: "CUST-1"}).Programs[0].Runs[0].Pairs[0]
	if want := "would be stored: a new candidate, without a score"; pair.Summary != want {
		t.Errorf("the summary is %q, want %q", pair.Summary, want)
	}
}

func TestExplainer_Subjects(t *testing.T) {
	t.Parallel()
	w := newWorld()
	unknown := outcome(ceap.OutcomeInvalid, 3, ceap.Key{CustomerID: "CUST-1"})
	w.run(t, result("r1", ceap.RunSucceeded), outcome(ceap.OutcomeCreated, 1, key("CUST-1", "PROD-1")))
	w.run(t, result("r2", ceap.RunSucceeded), outcome(ceap.OutcomeUpdated, 1, key("CUST-1", "PROD-1")), unknown)
	w.candidates = []ceap.Candidate{{Key: key("CUST-1", "PROD-1"), Meta: ceap.Meta{Status: ceap.StatusOpen, ExpiresAt: now().AddDate(0, 0, 1)}}}
	answer := w.why(t, explain.Question{CustomerID: "CUST-1", SubjectType: "product", SubjectID: "PROD-2"})
	runs := answer.Programs[0].Runs
	if want := "no source row for this subject: run r1 had 1 row of this customer for others, such as product/PROD-1"; runs[1].Summary != want {
		t.Errorf("the summary of r1 is %q, want %q", runs[1].Summary, want)
	}
	if len(runs[0].Pairs) != 1 || runs[0].Pairs[0].Subject != (explain.SubjectView{}) {
		t.Errorf("the pairs of r2 are %+v, want the row that named no subject", runs[0].Pairs)
	}
	if !strings.HasPrefix(runs[0].Summary, "an unknown subject: invalid: row 3") {
		t.Errorf("the summary of r2 is %q", runs[0].Summary)
	}
	if len(answer.Programs[0].Standing) != 0 {
		t.Errorf("standing is %+v, want none of another subject", answer.Programs[0].Standing)
	}
}

func TestExplainer_Standing(t *testing.T) {
	t.Parallel()
	open := ceap.Candidate{
		Key:      key("CUST-1", "PROD-1"),
		Channels: []ceap.ChannelFlag{{Channel: "email", Eligible: true}, {Channel: "push", Eligible: true}, {Channel: "sms"}},
		Score:    score, Scored: true,
		Scores: []ceap.Score{{ModelID: "propensity", Value: score, State: ceap.ScoreModel}},
		Meta: ceap.Meta{
			Status: ceap.StatusOpen, ExpiresAt: time.Date(2026, 2, 25, 0, 0, 0, 0, time.UTC), Version: 3, RunID: "r3", CreatedRunID: "r1",
			ClosedAt: time.Date(2026, 1, 29, 0, 0, 0, 0, time.UTC), ClosedChannel: "email",
		},
	}
	for want, change := range map[string]func(*ceap.Candidate){
		"open until 2026-02-25, eligible for email, push, score 0.7325; created by run r1, version 3 by run r3": func(*ceap.Candidate) {},
		`open until 2026-02-25, eligible for no channel, without a score (model "propensity": unscored, MODEL_NOT_CONFIGURED); created by run r1`: func(c *ceap.Candidate) {
			c.Channels, c.Scored, c.Meta.RunID = nil, false, "r1"
			c.Scores = []ceap.Score{{ModelID: "propensity", State: ceap.ScoreUnscored, Reason: ceap.ReasonModelNotConfigured}}
		},
		`open until 2026-02-25, eligible for no channel, score 0.7325 (model "propensity": fallback, MODEL_ERROR); created by run r1`: func(c *ceap.Candidate) {
			c.Channels, c.Meta.RunID = nil, "r1"
			c.Scores = []ceap.Score{{ModelID: "propensity", Value: score, State: ceap.ScoreFallback, Reason: ceap.ReasonModelError}}
		},
		"expired on 2026-01-30 without having been contacted": func(c *ceap.Candidate) { c.Meta.ExpiresAt = now() },
		"already contacted on 2026-01-29 through email":       func(c *ceap.Candidate) { c.Meta.Status = ceap.StatusSent },
		"done since 2026-01-29": func(c *ceap.Candidate) {
			c.Meta.Status, c.Meta.ClosedChannel = ceap.StatusConsumed, ""
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			c := open
			change(&c)
			w.candidates = []ceap.Candidate{c}
			answer := w.why(t, explain.Question{CustomerID: "CUST-1"})
			if got := answer.Programs[0].Standing[0].Summary; got != "product/PROD-1: "+want {
				t.Errorf("the summary is\n%s\nwant\nproduct/PROD-1: %s", got, want)
			}
			if !answer.Found {
				t.Error("found is false, want true")
			}
		})
	}
	t.Run("an expired candidate is shown as expired", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		c := open
		c.Meta.ExpiresAt = now()
		w.candidates = []ceap.Candidate{c}
		if got := w.why(t, explain.Question{CustomerID: "CUST-1"}).Programs[0].Standing[0].Candidate.Status; got != ceap.StatusExpired {
			t.Errorf("the status is %s, want expired", got)
		}
	})
}

func TestExplainer_OptOuts(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
	w := newWorld()
	w.candidates = []ceap.Candidate{{Key: key("CUST-1", "PROD-1"), Meta: ceap.Meta{Status: ceap.StatusOpen, ExpiresAt: now().AddDate(0, 0, 1), RunID: "r1"}}}
	w.optOuts = []ceap.OptOut{
		{CustomerID: "CUST-1", At: at},
		{CustomerID: "CUST-1", ProgramID: "product-reviews", Channel: "sms", At: at},
		{CustomerID: "CUST-1", ProgramID: "video-ratings", At: at},
		{CustomerID: "CUST-2", At: at},
	}
	answer := w.why(t, explain.Question{CustomerID: "CUST-1", ProgramID: "product-reviews"})
	if diff := cmp.Diff(w.optOuts[:2], answer.OptOuts); diff != "" {
		t.Errorf("opt-outs (-want +got):\n%s", diff)
	}
	want := `customer "CUST-1" has 0 rows in the last 0 runs, and 1 candidate stored now; ` +
		"opted out of every program through every channel since 2026-01-20; " +
		`opted out of program "product-reviews" through sms since 2026-01-20`
	if answer.Summary != want {
		t.Errorf("the summary is\n%s\nwant\n%s", answer.Summary, want)
	}
	if got := answer.Programs[0].Standing[0].Summary; !strings.HasSuffix(got, "; not contacted: opted out of every program through every channel since 2026-01-20") {
		t.Errorf("the standing is %q, want the opt-out in it", got)
	}
	if got := w.why(t, explain.Question{CustomerID: "CUST-1"}); len(got.OptOuts) != 3 {
		t.Errorf("without a program there are %d opt-outs, want 3", len(got.OptOuts))
	}
}

func TestExplainer_ProgramsAndRuns(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for i := range 7 {
		w.run(t, result(fmt.Sprintf("us-%d", i), ceap.RunSucceeded), outcome(ceap.OutcomeUnchanged, 1, key("CUST-1", "PROD-1")))
		uk := result(fmt.Sprintf("uk-%d", i), ceap.RunEmpty)
		uk.Marketplace = "UK"
		w.run(t, uk)
	}
	video := ceap.Candidate{Key: key("CUST-1", "V-1"), Meta: ceap.Meta{Status: ceap.StatusSent}}
	video.ProgramID = "video-ratings"
	w.candidates = []ceap.Candidate{video, video}
	w.candidates[1].SubjectID = "V-2"
	w.pageSize = 1

	answer := w.why(t, explain.Question{CustomerID: "CUST-1"})
	var got []string
	for _, p := range answer.Programs {
		var line strings.Builder
		fmt.Fprintf(&line, "%s %s %d:", p.ProgramID, p.Marketplace, len(p.Standing))
		for _, r := range p.Runs {
			line.WriteString(" " + r.RunID)
		}
		got = append(got, line.String())
	}
	want := []string{
		"product-reviews UK 0: uk-6 uk-5 uk-4 uk-3 uk-2",
		"product-reviews US 0: us-6 us-5 us-4 us-3 us-2",
		"video-ratings US 2:",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("programs and runs (-want +got):\n%s", diff)
	}
	if want := `customer "CUST-1" has 5 rows in the last 10 runs, and 2 candidates stored now`; answer.Summary != want {
		t.Errorf("the summary is %q, want %q", answer.Summary, want)
	}
	narrow := w.why(t, explain.Question{CustomerID: "CUST-1", ProgramID: "product-reviews", Marketplace: "US", Runs: 1})
	if len(narrow.Programs) != 1 || len(narrow.Programs[0].Runs) != 1 {
		t.Errorf("narrowed there are %+v, want one run", narrow.Programs)
	}
}

func TestExplainer_ManyRowsOfOneCustomer(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var outcomes []ceap.Outcome
	for i := range 1001 {
		outcomes = append(outcomes, outcome(ceap.OutcomeCreated, int64(i+1), key("CUST-1", fmt.Sprintf("PROD-%d", i))))
	}
	w.run(t, result("r1", ceap.RunSucceeded), outcomes...)
	run := w.why(t, explain.Question{CustomerID: "CUST-1"}).Programs[0].Runs[0]
	if len(run.Pairs) != 1000 || !run.HasMore || run.Notes[0] != "the customer has more than 1000 rows in this run; the first 1000 are shown" {
		t.Errorf("there are %d pairs, more is %v, notes are %q", len(run.Pairs), run.HasMore, run.Notes)
	}
}

func TestExplainer_Unknown(t *testing.T) {
	t.Parallel()
	t.Run("nothing has run", func(t *testing.T) {
		t.Parallel()
		for want, q := range map[string]explain.Question{
			"no program has run yet | run one: ceap run <program>":                      {},
			`program "p" has not run yet | run it: ceap run p`:                          {ProgramID: "p"},
			`program "p" has not run yet for marketplace "UK" | run it: ceap run p`:     {ProgramID: "p", Marketplace: "UK"},
			`no program has run yet for marketplace "UK" | run one: ceap run <program>`: {Marketplace: "UK"},
		} {
			q.CustomerID = "CUST-1"
			answer := newWorld().why(t, q)
			if got := answer.Summary + " | " + strings.Join(answer.Advice, " | "); got != want || answer.Found {
				t.Errorf("found is %v with %q, want %q", answer.Found, got, want)
			}
		}
	})
	t.Run("no run had the customer", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.run(t, result("r1", ceap.RunSucceeded), outcome(ceap.OutcomeCreated, 1, key("CUST-2", "PROD-1")))
		w.record(result("r2", ceap.RunFailed))
		answer := w.why(t, explain.Question{CustomerID: "CUST-1", SubjectID: "PROD-1"})
		if want := `customer "CUST-1" has no row in the 1 run that can be looked into, and no candidate stored`; answer.Summary != want || answer.Found {
			t.Errorf("found is %v with %q, want %q", answer.Found, answer.Summary, want)
		}
		want := []string{
			"ask without the subject, to see the customer's other pairs",
			"check that the id is spelled as in the source: capitals, blanks and leading zeros count",
			"run the program's query for this customer alone, to see which of its conditions leaves the customer out",
			"ask for more than the last 5 runs, or run the program for a date range that holds the customer's event",
			"1 of 2 runs cannot be looked into; each says why",
		}
		if diff := cmp.Diff(want, answer.Advice); diff != "" {
			t.Errorf("advice (-want +got):\n%s", diff)
		}
	})
	t.Run("no customer was named", func(t *testing.T) {
		t.Parallel()
		if _, err := newWorld().explainer().Why(t.Context(), explain.Question{}); ceap.ErrorCode(err) != ceap.CodeInvalid {
			t.Errorf("Why returns %v, want invalid", err)
		}
	})
	t.Run("the context has ended", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.run(t, result("r1", ceap.RunSucceeded), outcome(ceap.OutcomeCreated, 1, key("CUST-1", "PROD-1")))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.explainer().Why(ctx, explain.Question{CustomerID: "CUST-1"}); !errors.Is(err, context.Canceled) {
			t.Errorf("Why returns %v, want cancelled", err)
		}
	})
}

func TestAnswer_JSON(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.run(t, result("r1", ceap.RunSucceeded),
		outcome(ceap.OutcomeDuplicate, 2, key("CUST-1", "PROD-1")), outcome(ceap.OutcomeUnchanged, 5, key("CUST-1", "PROD-1")))
	data, err := json.Marshal(w.why(t, explain.Question{CustomerID: "CUST-1"}).Programs[0].Runs[0].Pairs[0].Rows[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"connectorId":"deliveries","row":2,"outcome":"duplicate","customerId":"CUST-1","programId":"product-reviews",` +
		`"marketplace":"US","subjectType":"product","subjectId":"PROD-1",` +
		`"summary":"duplicate: row 5 of connector \"deliveries\" was taken instead of row 2 of connector \"deliveries\"",` +
		`"winner":{"connectorId":"deliveries","row":5}}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("JSON of a row (-want +got):\n%s", diff)
	}
}

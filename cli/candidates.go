package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/explain"
	"github.com/ceap-platform/ceap/store"
)

func (s *shell) candidatesCommand() *cobra.Command {
	return parent("candidates", "Look at stored candidates, or close them",
		s.candidatesListCommand(), s.candidatesGetCommand(), s.candidatesConsumeCommand(), s.candidatesDeleteCommand())
}

// candidatePage is a page as --json shows it.
type candidatePage struct {
	Candidates []explain.CandidateView `json:"candidates"`
	Next       string                  `json:"next,omitempty"` // the cursor of the next page
}

func (s *shell) candidatesListCommand() *cobra.Command {
	var q store.Query
	var date dateFlag
	var subject string
	c := &cobra.Command{
		Use: "list", Short: "List candidates", Args: arguments(0, 0),
		Long: `Lists candidates: of a customer, in the order of their keys; of a program, best
first, all or only those that may be reached through a channel; or of a program by
the day on which they were created.`,
		Example: `  ceap candidates list --customer CUST-001
  ceap candidates list --program product-reviews --channel email --limit 10
  ceap candidates list --program product-reviews --date 2026-01-27`,
		RunE: func(c *cobra.Command, _ []string) error {
			if subject != "" {
				var err error
				if q.SubjectType, q.SubjectID, err = parseSubject(subject); err != nil {
					return err
				}
			}
			if err := listForm(&q, date.date); err != nil {
				return err
			}
			return s.listCandidates(c.Context(), q)
		},
	}
	f := c.Flags()
	f.StringVar(&q.CustomerID, "customer", "", "of this customer")
	f.StringVar(&q.ProgramID, "program", "", "of this program")
	f.StringVar(&q.Channel, "channel", "", "of those, only the ones that may be reached through it")
	f.StringVar(&q.Marketplace, "marketplace", "", "only this marketplace")
	f.StringVar(&subject, "subject", "", "only this subject, as TYPE/ID")
	f.Var(&date, "date", "only those created on this day (UTC)")
	f.BoolVar(&q.IncludeClosed, "all", false, "also those that are sent, consumed or expired")
	f.IntVar(&q.Limit, "limit", 100, "at most so many, up to 1000")
	f.StringVar(&q.Cursor, "cursor", "", "go on where the page before ended")
	s.completePrograms(c, "program")
	return c
}

// listForm decides which of the forms of a query is meant.
func listForm(q *store.Query, date *ceap.Date) error {
	if q.Limit < 1 || q.Limit > 1000 {
		return ceap.Errorf(ceap.CodeInvalid, "--limit is %d", q.Limit).WithHint("use 1 to 1000, and --cursor for more")
	}
	switch {
	case q.CustomerID != "" && (q.Channel != "" || date != nil):
		return ceap.Errorf(ceap.CodeInvalid, "--customer goes without --channel and --date").WithHint("list all of the customer's candidates; there are few")
	case q.CustomerID != "":
		return nil
	case q.ProgramID == "":
		return ceap.Errorf(ceap.CodeInvalid, "whose candidates?").WithHint("give --customer or --program")
	case q.Channel != "" && date != nil:
		return ceap.Errorf(ceap.CodeInvalid, "--channel and --date exclude each other").WithHint("give one of the two")
	case date != nil:
		q.CreatedFrom, q.CreatedTo = date, date
	case q.Channel == "":
		q.Channel = "*"
	}
	return nil
}

func (s *shell) listCandidates(ctx context.Context, q store.Query) error {
	a, err := s.open(ctx)
	if err != nil {
		return err
	}
	page, err := a.Candidates(ctx, q)
	if err != nil {
		return err
	}
	views := candidatePage{Candidates: []explain.CandidateView{}, Next: page.Next}
	for _, c := range page.Candidates {
		views.Candidates = append(views.Candidates, explain.ViewOf(c))
	}
	if s.asJSON {
		return writeJSON(s.out, views)
	}
	if len(page.Candidates) == 0 {
		return s.say(nil, "No candidates.")
	}
	t := newTable("CUSTOMER", "SUBJECT", "PROGRAM", "MARKET", "STATUS", ">SCORE", "CHANNELS", "EVENT", "EXPIRES")
	for i, v := range views.Candidates {
		c := &page.Candidates[i]
		t.row(explain.Readable(c.CustomerID), v.Subject.String(), c.ProgramID, c.Marketplace, string(c.Meta.Status), scoreText(v.Score),
			channelsText(v.Attributes.ChannelEligibility), stamp(c.EventDate), c.Meta.ExpiresAt.UTC().Format(time.DateOnly))
	}
	if err := t.write(s.out); err != nil {
		return err
	}
	if page.Next != "" {
		return s.say(nil, "\nThere are more: --cursor %s", page.Next)
	}
	return nil
}

// candidateCommand returns a command about one candidate.
func (s *shell) candidateCommand(use, short string, do func(ctx context.Context, a *app.App, c ceap.Candidate) error) *cobra.Command {
	var f programFlags
	c := &cobra.Command{
		Use: use + " CUSTOMER TYPE/ID", Short: short, Args: arguments(2, 2),
		Long: short + ". The program and marketplace may be left out if only one has the candidate.",
		RunE: func(c *cobra.Command, args []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			candidate, err := oneCandidate(c.Context(), a, args[0], args[1], f)
			if err != nil {
				return err
			}
			return do(c.Context(), a, candidate)
		},
	}
	s.addProgramFlags(c, &f)
	return c
}

// oneCandidate returns the only candidate of the customer and subject.
func oneCandidate(ctx context.Context, a *app.App, customerID, subject string, f programFlags) (ceap.Candidate, error) {
	subjectType, subjectID, err := parseSubject(subject)
	if err != nil {
		return ceap.Candidate{}, err
	}
	page, err := a.Candidates(ctx, store.Query{
		CustomerID: customerID, ProgramID: f.programID, Marketplace: f.marketplace,
		SubjectType: subjectType, SubjectID: subjectID, IncludeClosed: true,
	})
	switch {
	case err != nil:
		return ceap.Candidate{}, err
	case len(page.Candidates) == 0:
		return ceap.Candidate{}, ceap.Errorf(ceap.CodeNotFound, "there is no candidate of customer %q for %s", customerID, subject).
			WithHint("`ceap why %s` says what became of the customer's rows", customerID)
	case len(page.Candidates) > 1:
		var found []string
		for _, c := range page.Candidates {
			found = append(found, fmt.Sprintf("--program %s --marketplace %s", c.ProgramID, c.Marketplace))
		}
		return ceap.Candidate{}, ceap.Errorf(ceap.CodeInvalid, "several programs have this candidate").WithHint("add one of: %s", strings.Join(found, "; "))
	}
	return page.Candidates[0], nil
}

func (s *shell) candidatesGetCommand() *cobra.Command {
	return s.candidateCommand("get", "Show a candidate", func(_ context.Context, _ *app.App, c ceap.Candidate) error {
		view := explain.ViewOf(c)
		if s.asJSON {
			return writeJSON(s.out, view)
		}
		return candidateTable(&c, &view).write(s.out)
	})
}

// candidateTable shows one candidate, a line per fact.
func candidateTable(c *ceap.Candidate, view *explain.CandidateView) *table {
	t := newTable("", "")
	t.row("customer", explain.Readable(c.CustomerID))
	t.row("subject", view.Subject.String())
	t.row("program", c.ProgramID+", "+c.Marketplace)
	t.row("status", string(c.Meta.Status))
	t.row("event", stamp(c.EventDate))
	if !c.OrderValue.IsNull() {
		t.row("order value", strings.TrimSpace(c.OrderValue.String()+" "+c.Currency))
	}
	t.row("channels", channelsText(view.Attributes.ChannelEligibility))
	t.row("score", scoreText(view.Score))
	for _, score := range c.Scores {
		one := view.Scores[score.ModelID]
		text := scoreText(one.Value)
		switch {
		case one.Fallback:
			text += " (fallback)"
		case one.Cached:
			text += " (cached)"
		}
		t.row("  "+score.ModelID, strings.TrimSpace(text+" "+one.Reason))
	}
	for _, extra := range c.Extra {
		t.row("extra."+extra.Name, explain.Readable(extra.Value.String()))
	}
	t.row("created", stamp(c.Meta.CreatedAt)+" by run "+c.Meta.CreatedRunID)
	t.row("updated", fmt.Sprintf("%s by run %s, version %d", stamp(c.Meta.UpdatedAt), c.Meta.RunID, c.Meta.Version))
	t.row("expires", stamp(c.Meta.ExpiresAt))
	if !c.Meta.ClosedAt.IsZero() {
		t.row("closed", strings.TrimSpace(stamp(c.Meta.ClosedAt)+" "+c.Meta.ClosedChannel))
	}
	return t
}

// closedAnswer says what was closed, with --json.
type closedAnswer struct {
	ceap.Key
	Status ceap.Status `json:"status"`
}

func (s *shell) candidatesConsumeCommand() *cobra.Command {
	var channel string
	c := s.candidateCommand("consume", "Mark a candidate as done with, so that no run brings it back", func(ctx context.Context, a *app.App, c ceap.Candidate) error {
		if err := a.ConsumeCandidate(ctx, c.Key, channel); err != nil {
			return err
		}
		return s.say(closedAnswer{c.Key, ceap.StatusConsumed}, "Consumed: %s", c.Key)
	})
	c.Flags().StringVar(&channel, "channel", "", "the channel through which it was")
	return c
}

func (s *shell) candidatesDeleteCommand() *cobra.Command {
	return s.candidateCommand("delete", "Remove a candidate, so that no run brings it back", func(ctx context.Context, a *app.App, c ceap.Candidate) error {
		if err := a.DeleteCandidate(ctx, c.Key); err != nil {
			return err
		}
		return s.say(closedAnswer{c.Key, ceap.StatusDeleted}, "Deleted: %s", c.Key)
	})
}

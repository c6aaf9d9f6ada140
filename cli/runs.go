package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

func (s *shell) runsCommand() *cobra.Command {
	return parent("runs", "List runs and show their results", s.runsListCommand(), s.runsShowCommand())
}

func (s *shell) runsListCommand() *cobra.Command {
	var q store.RunQuery
	var status string
	c := &cobra.Command{
		Use: "list", Short: "List runs, latest first", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			q.Status = ceap.RunStatus(strings.ToUpper(status))
			runs, err := a.Runs(c.Context(), q)
			if err != nil {
				return err
			}
			if s.asJSON {
				return writeJSON(s.out, runs)
			}
			if len(runs) == 0 {
				return s.say(nil, "No runs.")
			}
			return s.runTable(runs).write(s.out)
		},
	}
	f := c.Flags()
	f.StringVar(&q.ProgramID, "program", "", "only this program")
	f.StringVar(&q.Marketplace, "marketplace", "", "only this marketplace")
	f.StringVar(&q.BatchID, "batch-id", "", "only this batch")
	f.StringVar(&status, "status", "", "only runs that ended so, such as FAILED")
	f.IntVar(&q.Limit, "limit", 20, "at most so many")
	s.completePrograms(c, "program")
	return c
}

func (s *shell) runTable(runs []ceap.RunResult) *table {
	t := newTable("RUN", "STARTED", "PROGRAM", "MARKET", "RANGE", "STATUS", ">EXTRACTED", ">STORED", ">REJECTED", ">INVALID", ">FAILED", ">TOOK")
	p := s.paint(s.out)
	for i := range runs {
		r := &runs[i]
		t.row(r.RunID, stamp(r.StartedAt), r.ProgramID, r.Marketplace, r.DateRange.Start.String()+".."+r.DateRange.End.String(), string(r.Status),
			thousands(r.Counts.Extracted), thousands(r.Counts.Stored), thousands(r.Counts.Rejected), thousands(r.Counts.Invalid),
			thousands(r.Counts.Failed), took(time.Duration(r.DurationMs)*time.Millisecond))
	}
	t.style = func(row, column int, cell string) string {
		if column == 5 {
			return statusPaint(p, runs[row].Status, cell)
		}
		return cell
	}
	return t
}

func (s *shell) runsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show [RUN]", Short: "Show the result of a run, or of the latest", Args: arguments(0, 1),
		Long: "Shows the result of a run, named by its id or the beginning of it; without one, of the latest run.",
		ValidArgsFunction: func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return s.runIDs(c.Context()), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			id := ""
			if len(args) > 0 {
				id = args[0]
			}
			run, err := a.RunByID(c.Context(), id)
			if err != nil {
				return err
			}
			if s.asJSON {
				return writeJSON(s.out, run)
			}
			return newReport(&run, s.paint(s.out)).write(s.out)
		},
	}
}

// runIDs returns the latest runs, to complete arguments.
func (s *shell) runIDs(ctx context.Context) []string {
	a, err := s.open(ctx)
	if err != nil {
		return nil
	}
	runs, err := a.Runs(ctx, store.RunQuery{Limit: 20})
	if err != nil {
		return nil
	}
	ids := make([]string, len(runs))
	for i := range runs {
		ids[i] = runs[i].RunID + "\t" + runs[i].ProgramID + " " + runs[i].Marketplace + " " + string(runs[i].Status)
	}
	return ids
}

// statusPaint colours a status by who has to act.
func statusPaint(p paint, status ceap.RunStatus, text string) string {
	switch status {
	case ceap.RunSucceeded:
		return p.green(text)
	case ceap.RunFailed:
		return p.red(text)
	case ceap.RunEmpty, ceap.RunPartial, ceap.RunSkipped, ceap.RunCancelled, ceap.RunRunning:
		return p.yellow(text)
	default:
		return text
	}
}

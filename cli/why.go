package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/explain"
)

func (s *shell) whyCommand() *cobra.Command {
	var q explain.Question
	var f programFlags
	var subject string
	c := &cobra.Command{
		Use: "why CUSTOMER", Short: "Say why a customer was or was not reached", Args: arguments(1, 1),
		Long: `Says what became of a customer's rows in the latest runs, what is stored now, and
which opt-outs are in force.`,
		Example: `  ceap why CUST-001
  ceap why CUST-001 --program product-reviews --subject product/PROD-123`,
		RunE: func(c *cobra.Command, args []string) error {
			q.CustomerID, q.ProgramID, q.Marketplace = args[0], f.programID, f.marketplace
			if subject != "" {
				var err error
				if q.SubjectType, q.SubjectID, err = parseSubject(subject); err != nil {
					return err
				}
			}
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			answer, err := a.Why(c.Context(), q)
			if err != nil {
				return err
			}
			if s.asJSON {
				return writeJSON(s.out, answer)
			}
			return writeAnswer(s.out, &answer, s.paint(s.out))
		},
	}
	s.addProgramFlags(c, &f)
	c.Flags().StringVar(&subject, "subject", "", "only this subject, as TYPE/ID")
	c.Flags().IntVar(&q.Runs, "runs", 5, "how many of the latest runs of each program")
	return c
}

// writeAnswer writes the answer for people: the summary, then program by
// program what is stored and what each run did.
func writeAnswer(w io.Writer, a *explain.Answer, p paint) error {
	var b strings.Builder
	b.WriteString(p.bold(a.Summary) + "\n")
	for _, wish := range a.OptOuts {
		b.WriteString("  " + p.yellow("opted out") + " on " + stamp(wish.At) + ": " + wishText(wish) + "\n")
	}
	for i := range a.Programs {
		writeProgramAnswer(&b, &a.Programs[i], p)
	}
	if len(a.Advice) > 0 {
		b.WriteString("\n")
	}
	for _, advice := range a.Advice {
		b.WriteString("do: " + advice + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func wishText(wish ceap.OptOut) string {
	program, channel := "every program", "every channel"
	if wish.ProgramID != "" {
		program = wish.ProgramID
	}
	if wish.Channel != "" {
		channel = wish.Channel
	}
	text := program + ", " + channel
	if wish.Reason != "" {
		text += " (" + wish.Reason + ")"
	}
	return text
}

func writeProgramAnswer(b *strings.Builder, program *explain.Program, p paint) {
	b.WriteString("\n" + p.bold(program.ProgramID+", "+program.Marketplace) + "\n")
	for _, standing := range program.Standing {
		b.WriteString("  now  " + standing.Summary + "\n")
	}
	for i := range program.Runs {
		run := &program.Runs[i]
		b.WriteString("  run  " + p.dim(run.RunID) + "  " + stamp(run.StartedAt) + "  " + run.DateRange.String() + "  " +
			statusPaint(p, run.Status, string(run.Status)) + "\n")
		for _, note := range run.Notes {
			if len(run.Pairs) == 0 && strings.Contains(run.Summary, note) {
				continue // said below
			}
			b.WriteString("         " + p.yellow("note: ") + note + "\n")
		}
		if len(run.Pairs) == 0 {
			b.WriteString("         " + run.Summary + "\n")
		}
		for _, pair := range run.Pairs {
			b.WriteString("         " + pair.Subject.String() + ": " + pair.Summary + "\n")
		}
		if run.Remedy != "" {
			b.WriteString("         do: " + run.Remedy + "\n")
		}
	}
}

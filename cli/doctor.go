package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/internal/app"
)

func (s *shell) doctorCommand() *cobra.Command {
	var marketplace string
	var start, end dateFlag
	c := &cobra.Command{
		Use: "doctor PROGRAM|FILE", Short: "Look for what keeps a program from working", Args: arguments(1, 1),
		Long: `Looks at a program and all it needs: its document, its tables and partitions for
the range, where its fields come from, its models, its templates, the store and
the disk. What is not right comes with what to do.`,
		RunE: func(c *cobra.Command, args []string) error {
			var rng *ceap.DateRange
			switch {
			case start.date != nil && end.date != nil:
				rng = &ceap.DateRange{Start: *start.date, End: *end.date}
				if err := rng.Validate(); err != nil {
					return err
				}
			case start.date != nil || end.date != nil:
				return ceap.Errorf(ceap.CodeInvalid, "--start and --end go together").WithHint("for one day give it twice")
			}
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			found, err := a.Doctor(c.Context(), args[0], marketplace, rng)
			if err != nil {
				return err
			}
			s.status = exitOfDiagnosis(&found)
			if s.asJSON {
				return writeJSON(s.out, found)
			}
			return writeDiagnosis(s.out, &found, s.paint(s.out))
		},
	}
	c.Flags().StringVar(&marketplace, "marketplace", "", "the marketplace; may be left out if the program has one")
	c.Flags().Var(&start, "start", "first day to look at (default: that of the latest run, else yesterday)")
	c.Flags().Var(&end, "end", "last day, inclusive (default: that of the latest run, else today)")
	s.completePrograms(c, "")
	return c
}

// exitOfDiagnosis says who has to act on the checks that failed.
func exitOfDiagnosis(d *app.Diagnosis) int {
	switch failed, onlySurroundings := d.Failed(); {
	case !failed:
		return exitOK
	case onlySurroundings:
		return exitEnvironment
	default:
		return exitInput
	}
}

func writeDiagnosis(w io.Writer, d *app.Diagnosis, p paint) error {
	var b strings.Builder
	b.WriteString(p.bold(d.ProgramID))
	if d.Marketplace != "" {
		fmt.Fprintf(&b, ", %s, %s", d.Marketplace, d.DateRange)
	}
	b.WriteString("\n")
	count := map[string]int64{}
	for _, c := range d.Checks {
		count[c.Status]++
		fmt.Fprintf(&b, "  %s  %s: %s\n", checkMark(p, c.Status), p.bold(c.Name), strings.ReplaceAll(c.Detail, "\n", "\n           "))
		if c.Remedy != "" {
			b.WriteString("           do: " + c.Remedy + "\n")
		}
	}
	fmt.Fprintf(&b, "%s ok, %s, %s failed\n", thousands(count[connector.CheckOK]), plural(count[connector.CheckWarning], "warning"), thousands(count[connector.CheckFailed]))
	_, err := io.WriteString(w, b.String())
	return err
}

func checkMark(p paint, status string) string {
	text := fmt.Sprintf("%-7s", status)
	switch status {
	case connector.CheckOK:
		return p.green(text)
	case connector.CheckFailed:
		return p.red(text)
	default:
		return p.yellow(text)
	}
}

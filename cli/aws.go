package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/internal/app"
)

func (s *shell) awsCommand() *cobra.Command {
	return parent("aws", "Look at the stage on AWS", s.awsDoctorCommand(), s.awsSmokeCommand())
}

func (s *shell) awsDoctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Look for what keeps the stage from working", Args: arguments(0, 0),
		Long: `Looks at the stage on AWS that ceap.yaml names: who asks, tables, buckets, functions,
state machine, quotas, and for each stored program its workgroup, results bucket and
schedule. What is not right comes with what to do, and what may not be looked at with
the action to allow. Nothing is changed, and nothing costs.

Exit status: 0 nothing failed, 3 something did.`,
		RunE: func(c *cobra.Command, _ []string) error {
			s.alwaysOnAWS()
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			found, err := a.DoctorStage(c.Context(), s.stage())
			if err != nil {
				return err
			}
			return s.showStage(&found)
		},
	}
}

func (s *shell) awsSmokeCommand() *cobra.Command {
	o := app.Smoke{Pause: pause}
	c := &cobra.Command{
		Use: "smoke", Short: "Try the stage out", Args: arguments(0, 0),
		Long: `Looks at the stage as ` + "`ceap aws doctor`" + ` does, and has Athena plan the query of
each stored program. With --write it also runs a program of its own, with three rows,
through the state machine, looks at what it stored, and removes it.

It begins with what that costs.`,
		RunE: func(c *cobra.Command, _ []string) error {
			s.alwaysOnAWS()
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			costs := a.SmokeCosts(c.Context(), o)
			if !s.asJSON {
				if _, err := fmt.Fprint(s.out, costsText(costs)); err != nil {
					return err
				}
			}
			found, err := a.SmokeStage(c.Context(), s.stage(), o)
			if err != nil {
				return err
			}
			found.Costs = costs
			return s.showStage(&found)
		},
	}
	c.Flags().BoolVar(&o.Write, "write", false, "also run a program with three rows, and remove it")
	return c
}

// costsText says what something costs.
func costsText(costs []app.Cost) string {
	var b strings.Builder
	total := 0.0
	for _, cost := range costs {
		total += cost.USD
	}
	fmt.Fprintf(&b, "This costs at most %.4f USD, by list prices of us-east-1 (check before relying):\n", total)
	for _, cost := range costs {
		fmt.Fprintf(&b, "  %.6f  %s\n", cost.USD, cost.What)
	}
	b.WriteString("\n")
	return b.String()
}

// showStage shows what was found, and sets the exit status.
func (s *shell) showStage(d *app.StageDiagnosis) error {
	if d.Failed() {
		s.status = exitEnvironment
	}
	if s.asJSON {
		return writeJSON(s.out, d)
	}
	return writeStage(s.out, d, s.paint(s.out))
}

func writeStage(w io.Writer, d *app.StageDiagnosis, p paint) error {
	t := newTable("", "CHECK", "")
	t.style = func(_, column int, cell string) string {
		switch {
		case column > 0:
			return cell
		case cell == connector.CheckOK:
			return p.green(cell)
		case cell == connector.CheckFailed:
			return p.red(cell)
		default:
			return p.yellow(cell)
		}
	}
	count := map[string]int64{}
	var remedies []string
	names := map[string][]string{} // by remedy
	for _, c := range d.Checks {
		count[c.Status]++
		t.row(c.Status, c.Name, c.Detail)
		if c.Remedy == "" {
			continue
		}
		if names[c.Remedy] == nil {
			remedies = append(remedies, c.Remedy)
		}
		names[c.Remedy] = append(names[c.Remedy], c.Name)
	}
	if err := t.write(w); err != nil {
		return err
	}
	var b strings.Builder
	for i, remedy := range remedies {
		if i == 0 {
			b.WriteString("\nTo do\n")
		}
		b.WriteString("  " + p.bold(strings.Join(names[remedy], "; ")) + ": " + remedy + "\n")
	}
	fmt.Fprintf(&b, "\n%s ok, %s, %s failed\n", thousands(count[connector.CheckOK]), plural(count[connector.CheckWarning], "warning"), thousands(count[connector.CheckFailed]))
	_, err := io.WriteString(w, b.String())
	return err
}

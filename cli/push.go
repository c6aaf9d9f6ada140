package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap/internal/app"
)

// alwaysOnAWS makes a command one that works on the stage with or without --on.
func (s *shell) alwaysOnAWS() { s.on = onAWS }

func (s *shell) programPushCommand() *cobra.Command {
	var marketplace string
	c := &cobra.Command{
		Use: "push FILE|PROGRAM", Short: "Store a program and its schedule on the stage on AWS", Args: arguments(1, 1),
		Long: `Checks the program as ` + "`ceap validate`" + ` does, stores it on the stage on AWS that
ceap.yaml names, and makes its schedule there what batchSchedule says: created,
updated, switched off with a program that is disabled, or removed. Pushing it again
changes nothing. Nothing is stored if anything is wrong.`,
		Example: `  ceap program push product-reviews
  ceap program push programs/product-reviews.yaml --marketplace US`,
		RunE: func(c *cobra.Command, args []string) error {
			s.alwaysOnAWS()
			return s.pushProgram(c.Context(), args[0], marketplace)
		},
	}
	c.Flags().StringVar(&marketplace, "marketplace", "", "only this marketplace")
	s.completePrograms(c, "")
	return c
}

// pushProgram pushes a program and shows what became of it.
func (s *shell) pushProgram(ctx context.Context, name, marketplace string) error {
	a, err := s.open(ctx)
	if err != nil {
		return err
	}
	pushed, err := a.PushProgram(ctx, s.stage(), name, marketplace)
	if s.asJSON && len(pushed) > 0 {
		if writing := writeJSON(s.out, pushed); writing != nil {
			return writing
		}
		return err
	}
	var b strings.Builder
	for i := range pushed {
		writePushed(&b, &pushed[i])
	}
	if len(pushed) > 0 {
		for _, warning := range pushed[0].Warnings {
			writeProblem(&b, warning, "  ", s.paint(s.out))
		}
	}
	if _, writing := fmt.Fprint(s.out, b.String()); writing != nil {
		return writing
	}
	return err
}

func writePushed(b *strings.Builder, one *app.Pushed) {
	off := ""
	if !one.Enabled {
		off = ", switched off"
	}
	fmt.Fprintf(b, "%s, %s: %s%s\n", one.ProgramID, one.Marketplace, one.Outcome, off)
	switch {
	case one.Schedule != "":
		fmt.Fprintf(b, "  schedule %s, %s: %s\n", one.Schedule, one.Timezone, one.Scheduled)
	case one.Scheduled != "":
		fmt.Fprintf(b, "  schedule: %s\n", one.Scheduled)
	}
	for _, reason := range one.Unchecked {
		fmt.Fprintf(b, "  fields not checked: %s\n", reason)
	}
}

func (s *shell) programPullCommand() *cobra.Command {
	var o app.Pull
	c := &cobra.Command{
		Use: "pull PROGRAM", Short: "Write a program that is stored on the stage on AWS into a file", Args: arguments(1, 1),
		Long: `Writes the program as it is stored on the stage on AWS, with base items merged in,
into the file that gives it, else into a new one of the programs folder; one file for
each marketplace. A file that says the same is left as it is, and one that says
something else too unless --force is given.`,
		Example: `  ceap program pull product-reviews
  ceap program pull product-reviews --marketplace US --file -`,
		RunE: func(c *cobra.Command, args []string) error {
			s.alwaysOnAWS()
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			if o.File == "-" {
				document, err := a.StoredDocument(c.Context(), args[0], o.Marketplace)
				if err != nil {
					return err
				}
				_, err = s.out.Write(document)
				return err
			}
			pulled, err := a.PullProgram(c.Context(), args[0], o)
			if err != nil {
				return err
			}
			if s.asJSON {
				return writeJSON(s.out, pulled)
			}
			var b strings.Builder
			for _, one := range pulled {
				fmt.Fprintf(&b, "%s, %s: %s %s\n", one.ProgramID, one.Marketplace, one.File, one.Outcome)
			}
			_, err = fmt.Fprint(s.out, b.String())
			return err
		},
	}
	c.Flags().StringVar(&o.Marketplace, "marketplace", "", "only this marketplace")
	c.Flags().StringVar(&o.File, "file", "", "write to this file; - is standard output")
	c.Flags().BoolVar(&o.Force, "force", false, "replace a file that says something else")
	return c
}

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
)

func (s *shell) programCommand() *cobra.Command {
	return parent("program", "Store programs, and switch them on and off",
		s.programApplyCommand(), s.programListCommand(), s.programGetCommand(),
		s.programSwitchCommand("disable", "Switch a program off: its runs are skipped", false),
		s.programSwitchCommand("enable", "Switch a program on again", true),
		s.programDeleteCommand(), s.programPushCommand(), s.programPullCommand())
}

func (s *shell) programApplyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "apply FILE", Short: "Store the program of a file, if nothing is wrong with it", Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if s.on == onAWS {
				return s.pushProgram(c.Context(), args[0], "")
			}
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			applied, err := a.ApplyProgram(c.Context(), args[0])
			if err != nil {
				return err
			}
			if s.asJSON {
				return writeJSON(s.out, applied)
			}
			var b strings.Builder
			for _, one := range applied {
				off := ""
				if !one.Enabled {
					off = ", switched off"
				}
				fmt.Fprintf(&b, "%s, %s: %s%s\n", one.ProgramID, one.Marketplace, one.Outcome, off)
			}
			if len(applied) > 0 {
				for _, warning := range applied[0].Warnings {
					writeProblem(&b, warning, "  ", s.paint(s.out))
				}
			}
			_, err = fmt.Fprint(s.out, b.String())
			return err
		},
	}
}

func (s *shell) programListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List programs, those of files first", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			programs, err := a.Programs(c.Context())
			if err != nil {
				return err
			}
			if s.asJSON {
				return writeJSON(s.out, programs)
			}
			if len(programs) == 0 {
				return s.say(nil, "No programs.")
			}
			t := newTable("PROGRAM", "MARKET", "NAME", "STATE", "FROM")
			for _, one := range programs {
				state, from := "enabled", one.File
				switch {
				case !one.Valid:
					state = "invalid"
				case !one.Enabled:
					state = "disabled: " + one.Disabled
				}
				if from == "" {
					from = "store, " + stamp(one.UpdatedAt)
				}
				t.row(one.ProgramID, one.Marketplace, one.ProgramName, state, from)
			}
			return t.write(s.out)
		},
	}
}

func (s *shell) programGetCommand() *cobra.Command {
	var marketplace string
	c := &cobra.Command{
		Use: "get PROGRAM", Short: "Print the effective document of a program as JSON", Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			document, err := a.ProgramDocument(c.Context(), args[0], marketplace)
			if err != nil {
				return err
			}
			node, err := plugin.FromJSON(args[0], document)
			if err != nil {
				return err
			}
			return writeJSON(s.out, node)
		},
	}
	c.Flags().StringVar(&marketplace, "marketplace", "", "the marketplace; may be left out if the program has one")
	s.completePrograms(c, "")
	return c
}

// switchedAnswer says what was switched, with --json.
type switchedAnswer struct {
	ProgramID    string   `json:"programId"`
	Marketplaces []string `json:"marketplaces"`
	Enabled      bool     `json:"enabled"`
}

func (s *shell) programSwitchCommand(use, short string, enabled bool) *cobra.Command {
	var marketplace string
	c := &cobra.Command{
		Use: use + " PROGRAM", Short: short, Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			done, err := a.SwitchProgram(c.Context(), args[0], marketplace, enabled)
			if err == nil && s.on == onAWS {
				_, err = a.SyncSchedules(c.Context(), s.stage(), args[0])
			}
			if err != nil {
				return err
			}
			return s.say(switchedAnswer{args[0], done, enabled}, "%s is %sd for %s.", args[0], use, strings.Join(done, ", "))
		},
	}
	c.Flags().StringVar(&marketplace, "marketplace", "", "only this marketplace")
	s.completePrograms(c, "")
	return c
}

func (s *shell) programDeleteCommand() *cobra.Command {
	var marketplace string
	c := &cobra.Command{
		Use: "delete PROGRAM", Short: "Remove a program from the store; candidates and runs stay", Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			removed, err := a.DeleteProgram(c.Context(), args[0], marketplace)
			if err == nil && s.on == onAWS {
				_, err = a.SyncSchedules(c.Context(), s.stage(), args[0], removed...)
			}
			if err != nil {
				return err
			}
			return s.say(struct {
				ProgramID    string   `json:"programId"`
				Marketplaces []string `json:"marketplaces"`
			}{args[0], removed}, "%s is removed from the store for %s.", args[0], strings.Join(removed, ", "))
		},
	}
	c.Flags().StringVar(&marketplace, "marketplace", "", "only this marketplace")
	s.completePrograms(c, "")
	return c
}

func (s *shell) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of program documents", Args: arguments(0, 0),
		Long: `Prints the JSON Schema of program documents, for the editor: name the file in a
program's "$schema", or in the editor's settings.`,
		RunE: func(*cobra.Command, []string) error {
			_, err := s.out.Write(program.JSONSchema(s.plugins))
			return err
		},
	}
}

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/plugin"
)

func (s *shell) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Show the effective configuration", Args: arguments(0, 0),
		Long: `Shows the configuration as it is in force: defaults, ceap.yaml, the environment
(CEAP_...) and flags, each beating the one before.`,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			document, err := effective(s.config, a.Settings())
			if err != nil {
				return err
			}
			if s.asJSON {
				return writeJSON(s.out, document)
			}
			data, err := document.MarshalJSON()
			if err != nil {
				return err
			}
			text, err := yaml.JSONToYAML(data)
			if err != nil {
				return fmt.Errorf("writing the configuration as YAML: %w", err)
			}
			file := s.config.File
			if file == "" {
				file = "no " + config.FileName + ", defaults only"
			}
			_, err = fmt.Fprintf(s.out, "# folder: %s\n# file: %s\n%s", s.config.Dir, file, text)
			return err
		},
	}
	return c
}

// effective returns the configuration with the settings of plug-ins filled in.
func effective(c *config.Config, settings config.Settings) (*plugin.Node, error) {
	full := *c
	for kind, into := range map[string]*map[string]*plugin.Node{
		config.KindConnectors: &full.Connectors, config.KindFilters: &full.Filters, config.KindScorers: &full.Scorers,
	} {
		*into = map[string]*plugin.Node{}
		for name, value := range settings[kind] {
			node, err := plugin.Encode(value)
			if err != nil {
				return nil, fmt.Errorf("writing the settings of %s %q: %w", kind, name, err)
			}
			(*into)[name] = node
		}
	}
	return plugin.Encode(full)
}

// pluginInfo is a plug-in as --json shows it.
type pluginInfo struct {
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
	Summary string   `json:"summary"`
}

func (s *shell) pluginsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "plugins", Short: "List what programs and the configuration can name", Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			all := []pluginInfo{}
			all = appendPlugins(all, "connector", s.plugins.Connectors)
			all = appendPlugins(all, "filter", s.plugins.Filters)
			all = appendPlugins(all, "model", s.plugins.Scorers)
			all = appendPlugins(all, "store", s.plugins.Stores)
			if s.asJSON {
				return writeJSON(s.out, all)
			}
			t := newTable("KIND", "NAME", "WHAT IT DOES")
			for _, p := range all {
				names := append([]string{p.Name}, p.Aliases...)
				t.row(p.Kind, strings.Join(names, ", "), p.Summary)
			}
			return t.write(s.out)
		},
	}
}

func appendPlugins[T any](all []pluginInfo, kind string, plugins []plugin.Of[T]) []pluginInfo {
	for _, p := range plugins {
		all = append(all, pluginInfo{Kind: kind, Name: p.Name(), Aliases: p.Names()[1:], Summary: p.Summary()})
	}
	return all
}

func (s *shell) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Copy the store to a new file while it is in use", Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			if err := a.Backup(c.Context(), args[0]); err != nil {
				return err
			}
			return s.say(struct {
				File string `json:"file"`
			}{args[0]}, "The store is copied to %s.", args[0])
		},
	}
}

func (s *shell) sweepCommand() *cobra.Command {
	return &cobra.Command{
		Use: "sweep", Short: "Remove what has expired; every run does this at its end", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			if s.on == onAWS {
				return ceap.Errorf(ceap.CodeUnsupported, "a stage is not swept: DynamoDB removes what has expired, and the bucket's lifecycle the rows of runs")
			}
			swept, err := a.Sweep(c.Context())
			if err != nil {
				return err
			}
			return s.say(swept, "Removed %s and the rows of %s.",
				plural(swept.Candidates, "expired or closed candidate"), plural(int64(len(swept.Journals)), "run"))
		},
	}
}

// say writes a short answer: a sentence, or with --json the value.
func (s *shell) say(value any, format string, args ...any) error {
	if s.asJSON {
		return writeJSON(s.out, value)
	}
	_, err := fmt.Fprintf(s.out, format+"\n", args...)
	return err
}

func (s *shell) optOutCommand() *cobra.Command {
	var wish ceap.OptOut
	c := &cobra.Command{
		Use: "opt-out CUSTOMER", Short: "Record that a customer wants no contact", Args: arguments(1, 1),
		Long: `Records that a customer wants no contact: from every program and through every
channel, or only from --program or through --channel. The candidates that it
covers are removed at once, and no run brings them back.`,
		RunE: func(c *cobra.Command, args []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			wish.CustomerID = args[0]
			removed, err := a.OptOut(c.Context(), wish)
			if err != nil {
				return err
			}
			return s.say(struct {
				ceap.OptOut
				Removed int64 `json:"removedCandidates"`
			}{wish, removed}, "%s is opted out. Removed %s.", args[0], plural(removed, "candidate"))
		},
	}
	c.Flags().StringVar(&wish.ProgramID, "program", "", "only this program")
	c.Flags().StringVar(&wish.Channel, "channel", "", "only this channel")
	c.Flags().StringVar(&wish.Reason, "reason", "", "why, for the record")
	s.completePrograms(c, "program")
	return c
}

func (s *shell) optInCommand() *cobra.Command {
	var programID, channel string
	c := &cobra.Command{
		Use: "opt-in CUSTOMER", Short: "Withdraw an opt-out", Args: arguments(1, 1),
		Long: `Withdraws the opt-out of exactly that customer, program and channel. Candidates
come back with the next run that finds them.`,
		RunE: func(c *cobra.Command, args []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			if err := a.OptIn(c.Context(), args[0], programID, channel); err != nil {
				return err
			}
			return s.say(ceap.OptOut{CustomerID: args[0], ProgramID: programID, Channel: channel, At: a.Now().UTC()}, "The opt-out of %s is withdrawn.", args[0])
		},
	}
	c.Flags().StringVar(&programID, "program", "", "the program of the opt-out")
	c.Flags().StringVar(&channel, "channel", "", "the channel of the opt-out")
	s.completePrograms(c, "program")
	return c
}

// completePrograms completes a flag, or with "" the arguments, by the ids of the
// programs.
func (s *shell) completePrograms(c *cobra.Command, flag string) {
	complete := func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return s.programIDs(c.Context()), cobra.ShellCompDirectiveNoFileComp
	}
	if flag != "" {
		_ = c.RegisterFlagCompletionFunc(flag, complete) // fails only for a flag that is not there
		return
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
		ids, _ := complete(c, args, start)
		return ids, cobra.ShellCompDirectiveDefault // and files
	}
}

// programIDs returns what there is to complete; nothing if that is not to be
// found out.
func (s *shell) programIDs(ctx context.Context) []string {
	a, err := s.open(ctx)
	if err != nil {
		return nil
	}
	return a.ProgramIDs(ctx)
}

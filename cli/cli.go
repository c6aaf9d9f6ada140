// Package cli is the command line of CEAP: commands, their output for people and
// for programs, and the exit status. It decides nothing about candidates; every
// command is one call of internal/app.
//
// A binary of one's own is os.Exit(cli.Main(builtin.All().With(mine.Plugin()))).
package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/stage"
	"github.com/ceap-platform/ceap/internal/telemetry"
	"github.com/ceap-platform/ceap/plugin"
)

// Main runs the command line of the process with these plug-ins and returns its
// exit status: 0 done, 1 failed, 2 wrong input, 3 wrong environment, 4 skipped
// because the program is disabled. SIGINT and SIGTERM end the work in an orderly
// way; a second one ends the process.
func Main(plugins plugin.Set) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// From the first signal on, the next has its usual effect.
	context.AfterFunc(ctx, stop)
	s := &shell{plugins: plugins, in: os.Stdin, out: os.Stdout, errOut: os.Stderr, environ: config.Environ()}
	return s.main(ctx, os.Args[1:])
}

// shell is what the commands of one process share.
type shell struct {
	plugins plugin.Set
	in      io.Reader
	out     io.Writer
	errOut  io.Writer
	environ []string

	dir     string // -C
	on      string // --on
	asJSON  bool
	noColor bool
	logs    map[string]*string

	config *config.Config
	log    *slog.Logger
	app    *app.App
	status int // the exit status of a command that returned no error
}

// main runs the command and returns the exit status.
func (s *shell) main(ctx context.Context, args []string) int {
	// Also before the flags are read, or when they cannot be.
	s.asJSON = slices.Contains(args, "--json")
	root := s.root() //nolint:contextcheck // commands take theirs from cobra
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if s.app != nil {
		if closing := s.app.Close(); err == nil && closing != nil {
			err = fmt.Errorf("closing the store: %w", closing)
		}
	}
	if err == nil {
		return s.status
	}
	s.printError(ctx, err)
	return max(s.status, exitOfCode(codeOf(err)))
}

// root returns the command tree.
func (s *shell) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "ceap",
		Short: "Finds the customers to contact, and says why",
		Long: `CEAP turns rows of a data source into candidates for customer engagement: a query
finds them, filters remove those who should not be contacted, models score the
rest, and a store keeps them.

Exit status: 0 done, 1 failed, 2 wrong input, 3 wrong environment, 4 skipped.`,
		Example: `  ceap init shop && cd shop
  ceap validate
  ceap run product-reviews --start 2026-01-26 --end 2026-01-27
  ceap why CUST-001`,
		Version:           version().Version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
		Args:              noCommand,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.errOut)
	root.SetVersionTemplate("ceap {{.Version}}\n")
	root.SetFlagErrorFunc(wrongFlag)
	flags := root.PersistentFlags()
	flags.StringVarP(&s.dir, "project", "C", "", "the project's folder, where "+config.FileName+" lies (default: CEAP_DIR, else the working directory)")
	flags.StringVar(&s.on, "on", onLocal, "where: local, or aws for the stage that ceap.yaml names under aws")
	_ = root.RegisterFlagCompletionFunc("on", cobra.FixedCompletions([]string{onLocal, onAWS}, cobra.ShellCompDirectiveNoFileComp))
	flags.BoolVar(&s.asJSON, "json", s.asJSON, "write data as JSON, errors too")
	flags.BoolVar(&s.noColor, "no-color", false, "no colours and no progress bars; so does NO_COLOR")
	s.logs = map[string]*string{
		"log.level":  flags.String("log-level", "", "debug, info, warn or error (default warn)"),
		"log.format": flags.String("log-format", "", "text or json (default text)"),
	}
	root.AddGroup(
		&cobra.Group{ID: groupStart, Title: "To begin:"},
		&cobra.Group{ID: groupProgram, Title: "Programs:"},
		&cobra.Group{ID: groupRun, Title: "Runs and what came of them:"},
		&cobra.Group{ID: groupOperate, Title: "Operation:"},
	)
	for group, commands := range map[string][]*cobra.Command{
		groupStart:   {s.initCommand(), s.demoCommand()},
		groupProgram: {s.validateCommand(), s.programCommand(), s.schemaCommand(), s.doctorCommand()},
		groupRun:     {s.runCommand(), s.runsCommand(), s.candidatesCommand(), s.whyCommand(), s.optOutCommand(), s.optInCommand()},
		groupOperate: {s.configCommand(), s.pluginsCommand(), s.backupCommand(), s.sweepCommand(), s.awsCommand(), s.versionCommand()},
	} {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID(groupOperate)
	root.SetCompletionCommandGroupID(groupOperate)
	return root
}

// Where commands work.
const (
	onLocal = "local"
	onAWS   = "aws"
)

// The groups of commands in the help.
const (
	groupStart   = "start"
	groupProgram = "program"
	groupRun     = "run"
	groupOperate = "operate"
)

// open loads the configuration and returns the App. Commands that need no
// project do not call it.
func (s *shell) open(ctx context.Context) (*app.App, error) {
	if s.app != nil {
		return s.app, nil
	}
	if err := s.configure(ctx); err != nil {
		return nil, err
	}
	a, err := app.New(ctx, s.config, s.plugins, app.Deps{Logger: s.log})
	if err != nil {
		return nil, err
	}
	s.app = a
	return a, nil
}

// stage returns the stage on AWS that the configuration names.
func (s *shell) stage() *stage.Stage {
	return stage.New(s.config.AWS.Stage, awsapi.Lazy(s.config.AWS.Region))
}

// configure loads the configuration and sets up the log.
func (s *shell) configure(ctx context.Context) error {
	flags := map[string]string{}
	for path, value := range s.logs {
		if *value != "" {
			flags[path] = *value
		}
	}
	c, warnings, err := config.Load(config.Sources{Dir: s.dir, Flags: flags, Environ: s.environ})
	if err != nil {
		return err
	}
	switch s.on {
	case onLocal:
	case onAWS:
		c = c.OnAWS()
	default:
		return ceap.Errorf(ceap.CodeInvalid, "--on %q is no place", s.on).WithHint("use --on %s or --on %s", onLocal, onAWS)
	}
	s.config = c
	if s.log, err = telemetry.NewLogger(s.errOut, c.LogLevel(), c.Log.Format); err != nil {
		return err
	}
	for _, w := range warnings {
		s.log.WarnContext(ctx, "configuration", "warning", w.String())
	}
	return nil
}

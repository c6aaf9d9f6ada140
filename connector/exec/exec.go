// Package exec is the connector "exec": it runs a program in any language and
// takes what it prints, one JSON object a line, as rows. Which programs may run
// says the deployment, never the program file.
//
// Connectors are safe for concurrent use.
package exec

import (
	"context"
	"log/slog"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

// Config is the sourceConfig of a program's connector.
type Config struct {
	Command        []string                `json:"command" ceap:"required,nonempty" doc:"The program to run and its arguments, one entry each; no shell takes part. In arguments, {startDate}, {endDate}, {date}, {marketplace} and {programId} stand for the run's values."`
	Env            map[string]string       `json:"env,omitempty" doc:"Further environment variables. Which names are possible says the deployment; by default those that start with SOURCE_."`
	MaxWaitSeconds int                     `json:"maxWaitSeconds" ceap:"min=1" doc:"Seconds that CEAP waits for the program's output and end, all in all; what CEAP does with the rows does not count. Too low and large ranges fail. Default 300."`
	MaxLineBytes   int                     `json:"maxLineBytes" ceap:"min=1024,max=67108864" doc:"Bytes that a line may have; a longer one fails the run. Memory is needed for a few lines at a time. Default 1048576."`
	FieldMappings  connector.FieldMappings `json:"fieldMappings,omitempty" doc:"Which key, or for some targets which constant, fills each field. Without one a field takes the key of its own name."`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{MaxWaitSeconds: 300, MaxLineBytes: 1 << 20} }

// Validate returns what is wrong whatever the deployment allows.
func (c Config) Validate() ceap.Problems {
	problems := append(c.validateCommand(), c.validateEnv()...)
	return append(problems, c.FieldMappings.Validate()...)
}

// Settings are the deployment's, connectors.exec in ceap.yaml.
type Settings struct {
	Allow    []string          `json:"allow" doc:"What programs may name as their command: paths relative to the deployment's folder or absolute, where * stands for any characters but /, and names without /, each in full, that are looked up in env.PATH. Whoever may write a program file chooses the arguments, so an interpreter listed here lets them run anything. Default connectors/*."`
	AllowEnv []string          `json:"allowEnv" doc:"Environment variables that programs may set; * stands for any characters. Names that interpreters and loaders obey, such as BASH_ENV or LD_PRELOAD, let program files run anything. Default SOURCE_*."`
	Env      map[string]string `json:"env" doc:"The environment of commands, beside the variables of the run, CEAP_*; nothing is inherited. HOME is the deployment's folder unless it is given. Default PATH=/usr/local/bin:/usr/bin:/bin, LANG=C.UTF-8, TZ=UTC."`
}

// DefaultSettings returns the defaults.
func DefaultSettings() Settings {
	return Settings{
		Allow:    []string{"connectors/*"},
		AllowEnv: []string{"SOURCE_*"},
		Env:      map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
	}
}

// Plugin describes the connector.
func Plugin() plugin.Of[connector.Connector] {
	return plugin.Define("exec", "rows that a program prints, one JSON object a line", DefaultConfig(),
		func(env plugin.Env, c Config) (connector.Connector, error) { return New(env, c) },
	).WithSettings(DefaultSettings())
}

// New returns the connector for a configuration and the settings in env. It has
// no effects. A command or variable that the settings do not allow is returned
// as [ceap.Problems].
func New(env plugin.Env, config Config) (*Connector, error) {
	settings, ok := env.Settings.(Settings)
	if !ok {
		settings = DefaultSettings()
	}
	if err := settings.check(); err != nil {
		return nil, err
	}
	c := &Connector{config: config, settings: settings, dir: env.Dir, log: env.Logger, now: env.Now, grace: defaultGrace}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	problems := append(config.Validate(), c.refused()...)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// defaultGrace is how long a command that is told to end may take: time to
// remove its temporary files, and little enough for a user who waits for Ctrl-C.
const defaultGrace = 2 * time.Second

// Connector reads the rows that one command prints.
type Connector struct {
	config   Config
	settings Settings
	dir      string
	log      *slog.Logger
	now      func() time.Time
	grace    time.Duration
}

var (
	_ connector.Connector = (*Connector)(nil)
	_ connector.Checker   = (*Connector)(nil)
)

// Extract starts the command and reads as much of its output as the columns
// take: its first line if that declares them, {"$columns": ["a", "b"]}, else
// 1000 lines, 8 MiB or all of it, whichever is least.
//
// The stream succeeds only if the command ends with exit status 0. Errors, of
// Extract or of Next: invalid when the command cannot be run, or when a line
// cannot be read; unavailable when the command fails or takes longer than
// maxWaitSeconds. The command and what it started in turn have ended when the
// stream has, or is closed.
func (c *Connector) Extract(ctx context.Context, req connector.Request) (connector.Stream, error) {
	if err := req.Range.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, c.cancelled(ctx)
	}
	p, err := c.start(req)
	if err != nil {
		return nil, err
	}
	s := newStream(ctx, c, p)
	if err := s.do(s.learn); err != nil {
		return nil, s.fail(err)
	}
	return s, nil
}

// Transform returns how rows become candidates, by the mappings. Without columns
// there is no row, and then no mapping can be wrong.
func (c *Connector) Transform(columns []connector.Column, req connector.Request) (connector.Transform, error) {
	if len(columns) == 0 {
		return noRows{}, nil
	}
	return connector.NewMapper(columns, c.config.FieldMappings, req)
}

// noRows is the transform of an output without lines.
type noRows struct{}

// Map refuses the row, which cannot exist.
func (noRows) Map(connector.Record, *ceap.Candidate) error {
	return &connector.Invalid{Code: ceap.ReasonMissingField, Reason: "the row has no columns"}
}

// Resolution is empty: what is not there comes from nowhere.
func (noRows) Resolution() connector.Resolution { return connector.Resolution{} }

// Check looks for the command. It does not run it.
func (c *Connector) Check(context.Context, connector.Request) []connector.Check {
	file, err := c.resolve()
	if err != nil {
		check := connector.Check{Name: "command", Status: connector.CheckFailed, Detail: err.Message, Remedy: err.Hint}
		return []connector.Check{check}
	}
	return []connector.Check{{Name: "command", Status: connector.CheckOK, Detail: file + " can be run"}}
}

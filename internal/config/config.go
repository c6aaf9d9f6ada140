// Package config is the deployment's configuration: what ceap.yaml, the
// environment and flags say, as one typed [Config]. A flag beats the
// environment, which beats the file, which beats the defaults. It is the only
// reader of the environment.
//
// A Config is not changed once loaded, and then safe for concurrent use.
package config

import (
	"encoding/json"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// FileName is the configuration file's name in the project's folder.
const FileName = "ceap.yaml"

// Config is the configuration of a deployment. Relative paths count from Dir.
type Config struct {
	Programs   string                  `json:"programs" ceap:"nonempty" doc:"Folder with program files. Default programs."`
	Templates  string                  `json:"templates" ceap:"nonempty" doc:"Folder with message templates. Default templates."`
	Store      Store                   `json:"store" doc:"Where candidates, runs and opt-outs are kept: type, and beside it the store's own settings. Default sqlite in .ceap/ceap.db."`
	Connectors map[string]*plugin.Node `json:"connectors,omitempty" doc:"Settings of connectors, by connector type."`
	Filters    map[string]*plugin.Node `json:"filters,omitempty" doc:"Settings of filters, by filter type."`
	Scorers    map[string]*plugin.Node `json:"scorers,omitempty" doc:"Settings of models, by model type."`
	Models     map[string]Model        `json:"models,omitempty" doc:"What answers for a program's model in this deployment, by modelId."`
	Journal    Journal                 `json:"journal" doc:"The record of what became of every row."`
	AWS        AWS                     `json:"aws" doc:"The deployment on AWS: what --on aws means, and how runs there are cut into parts."`
	TempDir    string                  `json:"tempDir" doc:"Folder for what does not fit into memory during a run. Empty means the system's. Default empty."`
	Log        Log                     `json:"log" doc:"Log lines, which go to standard error."`

	Dir   string `json:"-"` // the project's folder, absolute
	Given string `json:"-"` // the project's folder as it was named, for messages
	File  string `json:"-"` // the file that was read; "" if there is none
}

// Store chooses a store.
type Store struct {
	Type     string
	Settings *plugin.Node // what stands beside type; nil if nothing
}

// Model answers for a model of a program, in place of what the program says
// (D58).
type Model struct {
	ModelType string       `json:"modelType" ceap:"required,nonempty" doc:"The model's type, such as logistic."`
	Config    *plugin.Node `json:"config,omitempty" doc:"The configuration of that type."`
}

// AWS says which deployment on AWS is meant, and how its runs are cut into
// parts.
type AWS struct {
	Stage           string `json:"stage" ceap:"nonempty" doc:"The stage, which ends the names of tables, functions and state machine, as in Candidates-dev. Default dev."`
	Region          string `json:"region,omitempty" doc:"The AWS region. Default: the environment's."`
	ArtifactsBucket string `json:"artifactsBucket,omitempty" doc:"The bucket of the runs' files. Default ceap-artifacts-<stage>-<account>-<region>, as the template names it."`
	ResultsBucket   string `json:"resultsBucket,omitempty" doc:"The bucket for query results of programs that name none. Default: the workgroup's place."`
	PartRows        int    `json:"partRows" ceap:"min=1,max=10000000" doc:"Rows of a part of a run, about. Fewer finish sooner and cost more requests; many may not be done in the 15 minutes of a function. Default 100000."`
	Concurrency     int    `json:"concurrency" ceap:"min=1,max=10000" doc:"Parts at work at a time, at most. More is faster and asks more of tables, endpoints and the account's functions. Default 50."`
}

// OnAWS returns the configuration of the deployment on AWS: the store is its
// tables and bucket, and the SQL engine is Athena.
func (c *Config) OnAWS() *Config {
	a := *c
	var settings *plugin.Node
	if c.Store.Type == "dynamodb" {
		settings = c.Store.Settings
	}
	for _, one := range [][2]string{{"stage", c.AWS.Stage}, {"region", c.AWS.Region}, {"artifactsBucket", c.AWS.ArtifactsBucket}} {
		if one[1] != "" {
			settings = with(settings, one[0], one[1])
		}
	}
	a.Store = Store{Type: "dynamodb", Settings: settings}
	a.Connectors = maps.Clone(c.Connectors)
	if a.Connectors == nil {
		a.Connectors = map[string]*plugin.Node{}
	}
	lake := with(c.Connectors["data-warehouse"], "engine", "athena")
	for name, text := range map[string]string{"region": c.AWS.Region, "resultsBucket": c.AWS.ResultsBucket} {
		if text != "" && lake.Get(name) == nil {
			lake = with(lake, name, text)
		}
	}
	a.Connectors["data-warehouse"] = lake
	return &a
}

// with returns the object with that text under the name.
func with(n *plugin.Node, name, text string) *plugin.Node {
	out := &plugin.Node{Kind: plugin.NodeObject}
	if n != nil {
		*out = *n
		out.Fields = slices.DeleteFunc(slices.Clone(n.Fields), func(f plugin.Field) bool { return f.Name == name })
	}
	out.Fields = append(out.Fields, plugin.Field{Name: name, Value: &plugin.Node{Kind: plugin.NodeString, Text: text}})
	return out
}

// Journal says how long the outcomes of single rows are kept.
type Journal struct {
	KeepDays int `json:"keepDays" ceap:"min=1,max=3650" doc:"Days for which a run's rows can be asked about. More needs more disk. Default 7."`
}

// Log says what is logged.
type Log struct {
	Level  string `json:"level" ceap:"enum=debug|info|warn|error" doc:"The lowest level that is logged. Default warn."`
	Format string `json:"format" ceap:"enum=text|json" doc:"The form of log lines. Default text."`
}

// Default returns the configuration of a deployment that says nothing.
func Default() Config {
	return Config{
		Programs: "programs", Templates: "templates", Store: Store{Type: "sqlite"},
		Journal: Journal{KeepDays: 7}, AWS: AWS{Stage: "dev", PartRows: 100_000, Concurrency: 50}, Log: Log{Level: "warn", Format: "text"},
	}
}

// Path returns name, which may be relative to the project's folder, as an
// absolute path; "" stays "".
func (c *Config) Path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.Dir, name)
}

// Shown returns name, which may be relative to the project's folder, as its user
// would write it from where they are.
func (c *Config) Shown(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.Given, name)
}

// KeepJournal returns how long the outcomes of rows are kept.
func (c *Config) KeepJournal() time.Duration {
	return time.Duration(c.Journal.KeepDays) * 24 * time.Hour
}

// LogLevel returns the lowest level that is logged.
func (c *Config) LogLevel() slog.Level {
	switch c.Log.Level {
	case "debug":
		return slog.LevelDebug
	case "info":
		return slog.LevelInfo
	case "error":
		return slog.LevelError
	default:
		return slog.LevelWarn
	}
}

// Validate returns what is wrong with the configuration, all at once. What
// [Load] returns is valid.
func (c *Config) Validate() ceap.Problems {
	document, err := plugin.Encode(*c)
	if err != nil {
		return ceap.Problems{{Message: err.Error()}}
	}
	var again Config
	problems := plugin.Decode(document, &again)
	for _, zero := range []struct { // which the document leaves out
		is   bool
		path string
		want string
	}{
		{c.Programs == "", "programs", "needs the name of a folder"},
		{c.Templates == "", "templates", "needs the name of a folder"},
		{c.Store.Type == "", "store.type", "needs the name of a store, such as sqlite"},
		{c.AWS.Stage == "", "aws.stage", "needs the name of a stage, such as dev"},
		{c.AWS.PartRows == 0, "aws.partRows", "is 0; use at least 1"},
		{c.AWS.Concurrency == 0, "aws.concurrency", "is 0; use at least 1"},
		{c.Journal.KeepDays == 0, "journal.keepDays", "is 0; use at least 1"},
		{c.Log.Level == "", "log.level", "is empty; use one of: debug, info, warn, error"},
		{c.Log.Format == "", "log.format", "is empty; use one of: text, json"},
	} {
		if zero.is && !slices.ContainsFunc(problems, func(p ceap.Problem) bool { return p.Path == zero.path }) {
			problems = append(problems, ceap.Problem{Path: zero.path, Message: zero.want})
		}
	}
	return problems
}

// UnmarshalNode reads a store's choice: type, and the rest for the store.
func (s *Store) UnmarshalNode(n *plugin.Node) ceap.Problems {
	if n.Kind != plugin.NodeObject {
		return ceap.Problems{n.Problem("this is %s; an object with the key type is needed", n.Kind)}
	}
	rest := *n
	rest.Fields = nil
	var problems ceap.Problems
	for _, f := range n.Fields {
		switch {
		case f.Name != "type":
			rest.Fields = append(rest.Fields, f)
		case f.Value.Kind != plugin.NodeString || f.Value.Text == "":
			problems = append(problems, f.Value.Problem("the store's type must be text that names a store, such as sqlite"))
		default:
			s.Type = f.Value.Text
		}
	}
	s.Settings = nil
	if len(rest.Fields) > 0 {
		s.Settings = &rest
	}
	return problems
}

// MarshalJSON writes what UnmarshalNode reads.
func (s Store) MarshalJSON() ([]byte, error) {
	out := &plugin.Node{Kind: plugin.NodeObject}
	out.Fields = append(out.Fields, plugin.Field{Name: "type", Value: &plugin.Node{Kind: plugin.NodeString, Text: s.Type}})
	if s.Settings != nil {
		out.Fields = append(out.Fields, s.Settings.Fields...)
	}
	return out.MarshalJSON()
}

var (
	_ plugin.NodeUnmarshaler = (*Store)(nil)
	_ json.Marshaler         = Store{}
)

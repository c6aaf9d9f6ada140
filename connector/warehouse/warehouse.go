// Package warehouse is the connector "data-warehouse": it turns a program's
// query and a date range into rows. It checks the query, fills in placeholders,
// watches the time and explains failures; an [Engine] runs the SQL. Which
// engine that is says the deployment, never the program (D32).
//
// Connectors and engines are safe for concurrent use.
package warehouse

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

// Config is the sourceConfig of a program's connector.
type Config struct {
	Database       string                  `json:"database" ceap:"required,nonempty" doc:"Where tables without a database of their own are looked up."`
	Query          string                  `json:"query" ceap:"required,nonempty" doc:"One SELECT. {startDate}, {endDate}, {date}, {marketplace} and {programId} stand for the run's values."`
	ResultsBucket  string                  `json:"resultsBucket,omitempty" doc:"Bucket for results. Athena only."`
	ResultsPrefix  string                  `json:"resultsPrefix,omitempty" doc:"Prefix under resultsBucket. Athena only. Default ceap/<programId>/<batchId>/."`
	WorkGroup      string                  `json:"workGroup,omitempty" doc:"Workgroup. Athena only."`
	MaxWaitSeconds int                     `json:"maxWaitSeconds" ceap:"min=1" doc:"Seconds the query itself may take, waiting for results included; what CEAP does with the rows does not count. Too low and large ranges fail. Default 300."`
	FieldMappings  connector.FieldMappings `json:"fieldMappings,omitempty" doc:"Which column, or for some targets which constant, fills each field. Without one a field takes the column of its own name."`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{MaxWaitSeconds: 300} }

// Validate returns what is wrong with the query's text and the mappings.
func (c Config) Validate() ceap.Problems {
	_, problems := ParseQuery(c.Query)
	return append(problems, c.FieldMappings.Validate()...)
}

// Settings are the deployment's, connectors.data-warehouse in ceap.yaml.
type Settings struct {
	Engine      string `json:"engine" doc:"The SQL engine: duckdb, which reads local files, or athena. Default duckdb."`
	Path        string `json:"path" doc:"duckdb: the folder with the data, laid out as <database>/<table>/; relative to the deployment's folder. Default warehouse."`
	MemoryLimit string `json:"memoryLimit" doc:"duckdb: memory a query may use before it spills to disk, such as 512MB. The process needs about half as much again. Default 1GB."`
	Threads     int    `json:"threads" ceap:"min=1,max=64" doc:"duckdb: threads of a query. With 1, rows come in the same order each time, and LIMIT picks the same rows; more can be faster but gives up both unless the query has a total ORDER BY. Default 1."`
	TempDir     string `json:"tempDir,omitempty" doc:"duckdb: folder for what does not fit into memory. Default: the system's."`
	MaxTempSize string `json:"maxTempSize" doc:"duckdb: disk space a query may use there. Default 10GB."`

	Region        string `json:"region,omitempty" doc:"athena: the AWS region. Default: the environment's."`
	Catalog       string `json:"catalog" ceap:"nonempty" doc:"athena: the data catalog of the databases. Default AwsDataCatalog."`
	WorkGroup     string `json:"workGroup" ceap:"nonempty" doc:"athena: the workgroup of programs that name none. Default primary."`
	ResultsBucket string `json:"resultsBucket,omitempty" doc:"athena: the bucket for results of programs that name none. Default: the workgroup's place. A place that the workgroup enforces is always used."`
}

// DefaultSettings returns the defaults.
func DefaultSettings() Settings {
	return Settings{Engine: "duckdb", Path: "warehouse", MemoryLimit: "1GB", Threads: 1, MaxTempSize: "10GB", Catalog: "AwsDataCatalog", WorkGroup: "primary"}
}

// Plugin describes the connector with the engines that the binary knows. To
// open it fails with [ceap.CodeUnsupported] if the deployment chose an engine
// that this build lacks.
func Plugin(engines ...Description) plugin.Of[connector.Connector] {
	return plugin.Define("data-warehouse", "rows of a SQL query", DefaultConfig(),
		func(env plugin.Env, c Config) (connector.Connector, error) { return Open(env, c, engines) },
	).WithSettings(DefaultSettings()).WithSettingsCheck(func(settings any) ceap.Problems {
		s, _ := settings.(Settings)
		return s.problems(engines)
	})
}

// problems returns what is wrong with the settings.
func (s Settings) problems(engines []Description) ceap.Problems {
	var problems ceap.Problems
	var known []string
	for _, d := range engines {
		known = append(known, d.Name)
	}
	if !slices.Contains(known, s.Engine) {
		problem := ceap.Problem{Path: "engine", Message: fmt.Sprintf("unknown engine %q", s.Engine), Hint: "known: " + strings.Join(known, ", ")}
		if near := plugin.Nearest(s.Engine, known); near != "" {
			problem.Hint = fmt.Sprintf("did you mean %q? %s", near, problem.Hint)
		}
		problems = append(problems, problem)
	}
	size := regexp.MustCompile(`(?i)^[0-9]+(\.[0-9]+)? ?([KMGT]I?)?B$`)
	for _, given := range [][2]string{{"memoryLimit", s.MemoryLimit}, {"maxTempSize", s.MaxTempSize}} {
		if !size.MatchString(given[1]) {
			problems = append(problems, ceap.Problem{Path: given[0], Message: fmt.Sprintf("%q is no size", given[1]), Hint: "write it like 512MB or 2GB"})
		}
	}
	return problems
}

// Open returns the connector for a configuration and the settings in env, with
// all that its engine can: a [connector.Parted] exactly if that is a [Starter]. It
// has no effects.
func Open(env plugin.Env, config Config, engines []Description) (connector.Connector, error) {
	c, err := New(env, config, engines)
	if err != nil {
		return nil, err
	}
	if starter, ok := c.engine.(Starter); ok {
		return &parted{Connector: c, starter: starter}, nil
	}
	return c, nil
}

// New returns the connector for a configuration and the settings in env. It has
// no effects.
func New(env plugin.Env, config Config, engines []Description) (*Connector, error) {
	settings, ok := env.Settings.(Settings)
	if !ok {
		settings = DefaultSettings()
	}
	query, problems := ParseQuery(config.Query)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	d, err := pick(engines, settings.Engine)
	if err != nil {
		return nil, err
	}
	engine, err := d.Open(env, settings)
	if err != nil {
		return nil, err
	}
	return &Connector{config: config, query: query, description: d, engine: engine, now: env.Now}, nil
}

// pick returns the engine of that name.
func pick(engines []Description, name string) (Description, error) {
	var known []string
	for _, d := range engines {
		known = append(known, d.Name)
	}
	i := slices.Index(known, name)
	if i < 0 {
		return Description{}, plugin.UnknownName("engine", name, known)
	}
	if d := engines[i]; d.Missing != "" {
		return Description{}, &ceap.Error{
			Code: ceap.CodeUnsupported, Field: "connectors.data-warehouse.engine",
			Message: "engine " + name + " is not in this build: " + d.Missing,
			Hint:    "use a build that has it, or choose another engine in the deployment's settings",
		}
	}
	return engines[i], nil
}

// Connector reads the rows of one query.
type Connector struct {
	config      Config
	query       *Query
	description Description
	engine      Engine
	now         func() time.Time
}

var (
	_ connector.Connector = (*Connector)(nil)
	_ connector.Describer = (*Connector)(nil)
	_ connector.Checker   = (*Connector)(nil)
	_ connector.Advisor   = (*Connector)(nil)
)

// statement returns the query with the request's values.
func (c *Connector) statement(req connector.Request) (Statement, error) {
	if err := req.Range.Validate(); err != nil {
		return Statement{}, err
	}
	s, err := c.query.Compile(c.description.Style, req.Placeholders())
	s.Database = c.config.Database
	s.Job = Job{
		ID: req.RunID, Name: strings.Join([]string{req.ProgramID, req.BatchID, req.ConnectorID}, "/"),
		ResultsBucket: c.config.ResultsBucket, ResultsPrefix: c.resultsPrefix(req), WorkGroup: c.config.WorkGroup,
	}
	if s.Job.ID != "" {
		s.Job.ID += "/" + req.ConnectorID
	}
	return s, err
}

// resultsPrefix returns where results lie in their bucket (D40).
func (c *Connector) resultsPrefix(req connector.Request) string {
	prefix := c.config.ResultsPrefix
	if prefix == "" {
		prefix = "ceap/" + req.ProgramID + "/" + req.BatchID
	}
	return strings.TrimRight(strings.TrimLeft(prefix, "/"), "/") + "/" + req.ConnectorID + "/"
}

// Extract starts the query. When it takes longer than maxWaitSeconds, Extract or
// Next returns unavailable, "Query execution failed: timed out".
func (c *Connector) Extract(ctx context.Context, req connector.Request) (connector.Stream, error) {
	s, err := c.statement(req)
	if err != nil {
		return nil, err
	}
	w := c.watch(ctx)
	st := &stream{watch: w, limit: s.Limit, unused: c.unused()}
	err = w.do(0, func() (err error) {
		st.rows, err = c.engine.Query(w.ctx, s)
		return err
	})
	if err != nil {
		w.cancel(nil)
		return nil, err
	}
	return st, nil
}

// Describe returns the columns of the result without reading it.
func (c *Connector) Describe(ctx context.Context, req connector.Request) (columns []connector.Column, err error) {
	s, err := c.statement(req)
	if err != nil {
		return nil, err
	}
	w := c.watch(ctx)
	defer w.cancel(nil)
	err = w.do(0, func() error {
		if d, ok := c.engine.(Describer); ok {
			columns, err = d.Describe(w.ctx, s)
			return err
		}
		rows, err := c.engine.Query(w.ctx, s)
		if err != nil {
			return err
		}
		columns = rows.Columns()
		return rows.Close()
	})
	return columns, err
}

// Transform returns how rows become candidates, by the mappings.
func (c *Connector) Transform(columns []connector.Column, req connector.Request) (connector.Transform, error) {
	return connector.NewMapper(columns, c.config.FieldMappings, req)
}

// unused names the settings of the program that the engine has no use for.
func (c *Connector) unused() []string {
	set := map[string]bool{
		"resultsBucket": c.config.ResultsBucket != "",
		"resultsPrefix": c.config.ResultsPrefix != "",
		"workGroup":     c.config.WorkGroup != "",
	}
	var out []string
	for _, name := range c.description.Unused {
		if set[name] {
			out = append(out, name)
		}
	}
	return out
}

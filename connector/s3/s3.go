// Package s3 is the connector "s3": it reads the rows of objects in an S3 bucket,
// CSV, JSON lines or Parquet, without a query engine in between. Which objects
// are read says a key, a prefix or a pattern that may name the days of the run.
//
// Objects are read in the order of their keys and in pieces, whatever their
// size. An object that is replaced while it is read is an error, never a mixture.
// Connectors are safe for concurrent use.
package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

// Config is the sourceConfig of a program's connector.
type Config struct {
	Bucket        string                  `json:"bucket" ceap:"required,nonempty" doc:"The bucket's name."`
	Key           string                  `json:"key,omitempty" doc:"The key of one object, or of one a day. One of key, prefix and pattern is given. In each, {startDate}, {endDate}, {date}, {marketplace} and {programId} stand for the run's values; with {day}, or {yyyy}, {MM} and {dd}, there is one for each day of the range."`
	Prefix        string                  `json:"prefix,omitempty" doc:"What the keys of the objects start with, such as deliveries/{day}/. Objects are left out if a name after it starts with _ or ., or if they stand for a folder."`
	Pattern       string                  `json:"pattern,omitempty" doc:"What the keys of the objects look like: * stands for any characters but /, ** for any characters, ? for one that is not /. Objects are left out as with prefix."`
	Format        string                  `json:"format" ceap:"enum=auto|csv|jsonl|parquet" doc:"How rows are written. auto looks at the ends of the names: .csv; .jsonl, .ndjson or .json; .parquet. Default auto."`
	Compression   string                  `json:"compression" ceap:"enum=auto|none|gzip|zstd" doc:"How objects are compressed. auto looks at the ends of the names, .gz or .zst, then at the first bytes. Default auto."`
	CSV           CSV                     `json:"csv" doc:"How CSV objects are written."`
	Columns       []string                `json:"columns,omitempty" doc:"The columns to read; others are left out, and one that an object lacks is NULL there. For CSV without a header the names of all columns, in order. Without it the columns are those of the first object, for JSON lines the keys of its first 1000 lines, and an object with other columns is an error."`
	FieldMappings connector.FieldMappings `json:"fieldMappings,omitempty" doc:"Which column, or for some targets which constant, fills each field. Without one a field takes the column of its own name."`
}

// CSV says how CSV objects are written.
type CSV struct {
	Delimiter string `json:"delimiter" doc:"The character between values, such as ; or a tab. Default a comma."`
	Header    bool   `json:"header" doc:"Whether the first line of each object names the columns. Default true."`
}

// The formats and compressions of the configuration.
const (
	auto       = "auto"
	formatCSV  = "csv"
	formatJSON = "jsonl"
	parquet    = "parquet"
)

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Format: auto, Compression: auto, CSV: CSV{Delimiter: ",", Header: true}}
}

// Validate returns what is wrong.
func (c Config) Validate() ceap.Problems {
	problems := append(c.validatePlace(), c.validateForm()...)
	return append(problems, c.FieldMappings.Validate()...)
}

func (c Config) validatePlace() ceap.Problems {
	var problems ceap.Problems
	if strings.ContainsAny(c.Bucket, "/:") {
		problems = append(problems, ceap.Problem{
			Path: "bucket", Message: fmt.Sprintf("%q is no name of a bucket", c.Bucket), Hint: "write the name alone, without s3:// and without a key",
		})
	}
	var given []string
	for _, p := range []struct{ path, text string }{{"key", c.Key}, {"prefix", c.Prefix}, {"pattern", c.Pattern}} {
		if p.text == "" {
			continue
		}
		given = append(given, p.path)
		_, wrong := parseTemplate(p.path, p.text)
		problems = append(problems, wrong...)
	}
	switch {
	case len(given) == 0:
		problems = append(problems, ceap.Problem{Path: "key", Message: "is missing, and so are prefix and pattern", Hint: "say which objects to read with one of the three"})
	case len(given) > 1:
		problems = append(problems, ceap.Problem{Path: given[1], Message: "is given beside " + given[0], Hint: "give one of key, prefix and pattern"})
	}
	return problems
}

func (c Config) validateForm() ceap.Problems {
	var problems ceap.Problems
	if d := c.CSV.Delimiter; len(d) != 1 || d[0] >= 0x80 || strings.ContainsAny(d, "\"\r\n ") {
		problems = append(problems, ceap.Problem{
			Path: "csv.delimiter", Message: fmt.Sprintf("%q cannot stand between values", d), Hint: "use one ASCII character, no quote, blank or line end",
		})
	}
	if !c.CSV.Header && len(c.Columns) == 0 {
		problems = append(problems, ceap.Problem{Path: "columns", Message: "is missing, and the objects have no header", Hint: "name all columns in order"})
	}
	if c.Format == parquet && c.Compression != auto && c.Compression != "none" {
		problems = append(problems, ceap.Problem{Path: "compression", Message: "Parquet is compressed inside", Hint: "leave it out"})
	}
	for i, name := range c.Columns {
		at := fmt.Sprintf("columns[%d]", i)
		if strings.TrimSpace(name) == "" {
			problems = append(problems, ceap.Problem{Path: at, Message: "is empty", Hint: "name a column"})
		}
		if slices.Contains(c.Columns[:i], name) {
			problems = append(problems, ceap.Problem{Path: at, Message: fmt.Sprintf("%q is there already", name), Hint: "name each column once"})
		}
	}
	return problems
}

// Settings are the deployment's, connectors.s3 in ceap.yaml. Credentials,
// profiles and endpoints are those of the environment, as for every AWS tool.
type Settings struct {
	Region string `json:"region,omitempty" doc:"The region of the buckets. Default that of the environment, such as AWS_REGION."`
}

// Plugin describes the connector.
func Plugin() plugin.Of[connector.Connector] {
	return plugin.Define("s3", "rows of CSV, JSON lines or Parquet objects in an S3 bucket", DefaultConfig(),
		func(env plugin.Env, c Config) (connector.Connector, error) {
			settings, _ := env.Settings.(Settings)
			return New(c, awsapi.Lazy(settings.Region))
		},
	).WithSettings(Settings{})
}

// New returns the connector for a configuration. load is asked for the AWS
// configuration when the bucket is first looked at; New has no effects. What is
// wrong is returned as [ceap.Problems].
func New(config Config, load func(context.Context) (aws.Config, error)) (*Connector, error) {
	if err := config.Validate().Err(); err != nil {
		return nil, err
	}
	c := &Connector{config: config, load: load, wait: wait, stall: defaultStall}
	c.template, _ = parseTemplate(config.place())
	return c, nil
}

// place returns which objects to read, and the name of that setting.
func (c Config) place() (setting, text string) {
	switch {
	case c.Key != "":
		return "key", c.Key
	case c.Prefix != "":
		return "prefix", c.Prefix
	default:
		return "pattern", c.Pattern
	}
}

// defaultStall is how long S3 may send nothing before a request is made again:
// far longer than it ever takes, and short enough for a run that waits.
const defaultStall = 30 * time.Second

// Connector reads the objects that one place names.
type Connector struct {
	config   Config
	template *template
	load     func(context.Context) (aws.Config, error)
	wait     func(context.Context, time.Duration) error
	stall    time.Duration
}

// wait returns after a time, or when ctx has ended.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Extract lists the objects and reads as much of the first ones as the columns
// take. Without any object there are no rows, unless the configuration names a
// key, which must exist.
//
// Errors, of Extract or of Next: invalid when an object cannot be read as what
// its name says, with its line; unavailable when the bucket or the key is missing
// or S3 cannot be reached; forbidden when a permission is missing; conflict when
// an object changed while it was read.
func (c *Connector) Extract(ctx context.Context, req connector.Request) (connector.Stream, error) {
	if err := req.Range.Validate(); err != nil {
		return nil, err
	}
	b, err := c.openBucket(ctx)
	if err != nil {
		return nil, err
	}
	found, err := b.find(ctx, c.template.places(req))
	if err != nil {
		return nil, err
	}
	s := &stream{ctx: ctx, bucket: b, found: found}
	if err := s.start(); err != nil {
		_ = s.Close() // the first error says more
		return nil, err
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

// noRows is the transform where there are no objects.
type noRows struct{}

// Map refuses the row, which cannot exist.
func (noRows) Map(connector.Record, *ceap.Candidate) error {
	return &connector.Invalid{Code: ceap.ReasonMissingField, Reason: "the row has no columns"}
}

// Resolution is empty: what is not there comes from nowhere.
func (noRows) Resolution() connector.Resolution { return connector.Resolution{} }

// Describe returns the columns after a look at the first object that has some.
func (c *Connector) Describe(ctx context.Context, req connector.Request) ([]connector.Column, error) {
	s, err := c.Extract(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(s.Columns()) == 0 {
		err = ceap.Errorf(ceap.CodeUnavailable, "no object of %s tells the columns", c.template)
	}
	return s.Columns(), errors.Join(err, s.Close())
}

// Advise warns about a place that every run reads completely, and about one that
// was hardly meant so.
func (c *Connector) Advise(connector.Request) []string {
	var out []string
	setting, text := c.config.place()
	if !c.template.dated() {
		out = append(out, fmt.Sprintf("%s has no {day}, {date} or other date: every run reads the same objects", setting))
	}
	if setting != "pattern" && strings.ContainsAny(text, "*?") {
		out = append(out, fmt.Sprintf("%s %q is taken as it is: wildcards are for pattern", setting, text))
	}
	return out
}

var (
	_ connector.Connector = (*Connector)(nil)
	_ connector.Describer = (*Connector)(nil)
	_ connector.Checker   = (*Connector)(nil)
	_ connector.Advisor   = (*Connector)(nil)
)

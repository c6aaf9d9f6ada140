// Package kinesis is the connector "kinesis": it reads the records that arrived
// in a Kinesis data stream in the days of a run, one JSON object a record, from
// every shard, also from those that were split or merged meanwhile.
//
// Reading is at least once, and the range of time decides: the same range gives
// the same rows in the same order, shard by shard, as long as the stream retains
// them. Two ranges that follow one another share no record and leave none out.
// With checkpoints a run goes on where the last one that stored its rows ended.
// Connectors are safe for concurrent use.
package kinesis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

// Config is the sourceConfig of a program's connector.
type Config struct {
	StreamName     string                  `json:"streamName" ceap:"required,nonempty" doc:"The stream's name or, for one of another account, its ARN."`
	StartAt        string                  `json:"startAt" doc:"Records that arrived from here on are read: range, the first day of the run at 00:00 in the program's timezone; oldest, as far back as the stream goes; or a time such as 2026-01-26T12:00:00Z. Default range."`
	EndAt          string                  `json:"endAt" doc:"Records that arrived before this are read, and never those that arrive after the run has started: range, the end of the last day of the run; latest; or a time. Default range."`
	Format         string                  `json:"format" ceap:"enum=json" doc:"How records are written: json, one object a record. Default json."`
	Columns        []string                `json:"columns,omitempty" doc:"The keys to read; others are left out. Without it the columns are the keys of the first 1000 records, and a record with another key is an invalid row."`
	Checkpoint     bool                    `json:"checkpoint" doc:"Whether to go on where the last run that stored its rows ended; then startAt counts only for shards that were never read. It needs a deployment that keeps checkpoints. Default false."`
	MaxWaitSeconds int                     `json:"maxWaitSeconds" ceap:"min=1" doc:"Seconds that CEAP waits for the stream, all in all; what CEAP does with the rows does not count. Too low and large ranges fail. Default 300."`
	FieldMappings  connector.FieldMappings `json:"fieldMappings,omitempty" doc:"Which key, or for some targets which constant, fills each field. Without one a field takes the key of its own name."`
}

const (
	atRange  = "range"
	atOldest = "oldest"
	atLatest = "latest"
)

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{StartAt: atRange, EndAt: atRange, Format: "json", MaxWaitSeconds: 300}
}

// Validate returns what is wrong.
func (c Config) Validate() ceap.Problems {
	var problems ceap.Problems
	start, wrong := validTime("startAt", c.StartAt, atOldest)
	problems = append(problems, wrong...)
	end, wrong := validTime("endAt", c.EndAt, atLatest)
	problems = append(problems, wrong...)
	if !start.IsZero() && !end.IsZero() && !start.Before(end) {
		problems = append(problems, ceap.Problem{Path: "endAt", Message: "is not after startAt", Hint: "swap the two times"})
	}
	for i, name := range c.Columns {
		at := fmt.Sprintf("columns[%d]", i)
		if name == "" {
			problems = append(problems, ceap.Problem{Path: at, Message: "is empty", Hint: "name a key"})
		}
		if slices.Contains(c.Columns[:i], name) {
			problems = append(problems, ceap.Problem{Path: at, Message: fmt.Sprintf("%q is there already", name), Hint: "name each key once"})
		}
	}
	return append(problems, c.FieldMappings.Validate()...)
}

// validTime reads a time; the words that may stand in its place are zero.
func validTime(path, text, word string) (time.Time, ceap.Problems) {
	if text == atRange || text == word {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, ceap.Problems{{
			Path: path, Message: fmt.Sprintf("%q is no time", text), Hint: fmt.Sprintf("write %s, %s or a time such as 2026-01-26T12:00:00Z", atRange, word),
		}}
	}
	return at, nil
}

// Settings are the deployment's, connectors.kinesis in ceap.yaml. Credentials,
// profiles and endpoints are those of the environment, as for every AWS tool.
type Settings struct {
	Region string `json:"region,omitempty" doc:"The region of the streams. Default that of the environment, such as AWS_REGION."`
}

// Plugin describes the connector.
func Plugin() plugin.Of[connector.Connector] {
	return plugin.Define("kinesis", "JSON records of an Amazon Kinesis data stream, by their time of arrival", DefaultConfig(),
		func(env plugin.Env, c Config) (connector.Connector, error) {
			settings, _ := env.Settings.(Settings)
			return New(env, c, awsapi.Lazy(settings.Region))
		},
	).WithSettings(Settings{})
}

// client is what the connector uses of Kinesis.
type client interface {
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error)
	ListStreams(context.Context, *kinesis.ListStreamsInput, ...func(*kinesis.Options)) (*kinesis.ListStreamsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

// New returns the connector for a configuration. load is asked for the AWS
// configuration when the stream is first looked at; New has no effects. What is
// wrong is returned as [ceap.Problems].
func New(env plugin.Env, config Config, load func(context.Context) (aws.Config, error)) (*Connector, error) {
	if err := config.Validate().Err(); err != nil {
		return nil, err
	}
	c := &Connector{config: config, log: env.Logger, now: env.Now, wait: wait, checkpoints: env.Checkpoints}
	if !config.Checkpoint {
		c.checkpoints = nil
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.connect = func(ctx context.Context) (client, error) {
		loaded, err := load(ctx)
		if err != nil {
			return nil, err
		}
		return kinesis.NewFromConfig(loaded), nil
	}
	return c, nil
}

// Connector reads one stream.
type Connector struct {
	config      Config
	log         *slog.Logger
	now         func() time.Time
	wait        func(context.Context, time.Duration) error
	checkpoints connector.Checkpoints // nil if none are asked for or kept
	connect     func(context.Context) (client, error)
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

// window is the time in which records arrived that are read.
type window struct {
	start time.Time // zero means as far back as the stream goes
	end   time.Time // records that arrived then or later are left
}

// window returns what to read. It ends now at the latest, so that reading a
// stream that goes on ends too.
func (c *Connector) window(req connector.Request) window {
	zone := req.Zone
	if zone == nil {
		zone = time.UTC
	}
	var w window
	switch c.config.StartAt {
	case atOldest:
	case atRange:
		w.start = req.Range.Start.In(zone)
	default:
		w.start, _ = validTime("", c.config.StartAt, atOldest)
	}
	now := c.now().UTC().Truncate(time.Millisecond) // Kinesis counts milliseconds
	switch c.config.EndAt {
	case atLatest:
		w.end = now
	case atRange:
		w.end = req.Range.End.AddDays(1).In(zone)
	default:
		w.end, _ = validTime("", c.config.EndAt, atLatest)
	}
	if w.end.After(now) {
		w.end = now
	}
	return w
}

func (w window) empty() bool { return !w.start.Before(w.end) }

// String returns the window in words.
func (w window) String() string {
	if w.start.IsZero() {
		return "the oldest record to " + w.end.Format(time.RFC3339)
	}
	return w.start.Format(time.RFC3339) + " to " + w.end.Format(time.RFC3339)
}

// Extract reads as much of the stream as the columns take: nothing if they are
// configured, else 1000 records, 8 MiB or all of it, whichever is least.
//
// Errors, of Extract or of Next: unavailable when the stream is missing or cannot
// be reached, or takes longer than maxWaitSeconds; forbidden when a permission is
// missing; invalid for records that the Kinesis Producer Library has aggregated.
// A record that is no JSON object is an invalid row, with its place.
func (c *Connector) Extract(ctx context.Context, req connector.Request) (connector.Stream, error) {
	if err := req.Range.Validate(); err != nil {
		return nil, err
	}
	s := newStream(ctx, c, req)
	if err := s.do(s.start); err != nil {
		_ = s.Close() // the first error says more
		return nil, err
	}
	return s, nil
}

// Describe returns the columns, after a look at the stream unless they are
// configured.
func (c *Connector) Describe(ctx context.Context, req connector.Request) ([]connector.Column, error) {
	if c.config.Columns != nil {
		return columnsOf(c.config.Columns), nil
	}
	s, err := c.Extract(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(s.Columns()) == 0 {
		err = ceap.Errorf(ceap.CodeUnavailable, "no record of the stream %q tells the columns", c.config.StreamName)
	}
	return s.Columns(), errors.Join(err, s.Close())
}

// Transform returns how rows become candidates, by the mappings.
func (c *Connector) Transform(columns []connector.Column, req connector.Request) (connector.Transform, error) {
	if len(columns) == 0 {
		return &transform{}, nil // there is no row that could be read
	}
	mapper, err := connector.NewMapper(columns, c.config.FieldMappings, req)
	if err != nil {
		return nil, err
	}
	return &transform{mapper, len(columns)}, nil
}

// transform tells records that are no rows from those that are.
type transform struct {
	mapper *connector.Mapper // nil without columns
	width  int
}

// Map refuses a record that could not be read, which has one value more than
// there are columns: the reason.
func (t *transform) Map(rec connector.Record, c *ceap.Candidate) error {
	if len(rec.Values) == t.width+1 {
		return &connector.Invalid{Code: ceap.ReasonBadValue, Reason: rec.Values[t.width].Text()}
	}
	if t.mapper == nil {
		return &connector.Invalid{Code: ceap.ReasonMissingField, Reason: "the row has no columns"}
	}
	return t.mapper.Map(rec, c)
}

// Resolution says how each target was resolved.
func (t *transform) Resolution() connector.Resolution {
	if t.mapper == nil {
		return connector.Resolution{}
	}
	return t.mapper.Resolution()
}

// Advise warns about a stream that every run reads completely.
func (c *Connector) Advise(connector.Request) []string {
	if c.config.StartAt == atOldest && !c.config.Checkpoint {
		return []string{"startAt is oldest: every run reads the whole stream again; set checkpoint to true, or startAt to range"}
	}
	return nil
}

// name returns the name and the ARN by which requests name the stream.
func (c *Connector) name() (name, arn *string) {
	if strings.HasPrefix(c.config.StreamName, "arn:") {
		return nil, &c.config.StreamName
	}
	return &c.config.StreamName, nil
}

var (
	_ connector.Connector = (*Connector)(nil)
	_ connector.Describer = (*Connector)(nil)
	_ connector.Checker   = (*Connector)(nil)
	_ connector.Advisor   = (*Connector)(nil)
)

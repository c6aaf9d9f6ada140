package kinesis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/tabular"
)

const (
	maxHead      = 1000    // records that are read to learn the columns
	maxHeadBytes = 8 << 20 // of these records, so that large ones do not fill the memory
	batchRows    = 1000
)

// aggregated is how a record starts that the Kinesis Producer Library has made of
// several.
const aggregated = "\xf3\x89\x9a\xc2"

// stream hands out the records of a reader as rows.
type stream struct {
	*watch
	c       *Connector
	req     connector.Request
	reader  *reader
	notes   []string // what users should know
	objects tabular.Objects
	columns []connector.Column

	pending []record // read and not handed out
	ended   bool     // nothing is left to read
	rows    int64
	batch   []connector.Record
	values  []ceap.Value
	err     error
}

func newStream(ctx context.Context, c *Connector, req connector.Request) *stream {
	return &stream{
		watch: newWatch(ctx, c), c: c, req: req, objects: tabular.Objects{Select: c.config.Columns != nil},
	}
}

// start opens the stream and finds the columns.
func (s *stream) start() error {
	client, err := s.c.connect(s.ctx)
	if err != nil {
		return fmt.Errorf("%sopening the stream %s: %w", queryFailed, s.c.config.StreamName, err)
	}
	w := s.c.window(s.req)
	s.reader = &reader{
		c: s.c, client: client, window: w,
		marks: &marks{store: s.c.checkpoints, req: s.req, name: s.c.config.StreamName, known: map[string]string{}},
	}
	if s.c.config.Checkpoint && s.c.checkpoints == nil {
		s.notes = append(s.notes, noCheckpoints)
	}
	if warning, err := s.reader.retention(s.ctx); err != nil {
		return err
	} else if warning != "" {
		s.notes = append(s.notes, warning)
	}
	if s.ended = w.empty(); !s.ended {
		if err := s.reader.list(s.ctx); err != nil {
			return err
		}
	}
	if s.c.config.Columns != nil {
		if err := s.objects.Add(s.c.config.Columns...); err != nil {
			return ceap.Errorf(ceap.CodeInvalid, "%ssourceConfig.columns: %w", queryFailed, err)
		}
	} else if err := s.learn(); err != nil {
		return err
	}
	s.columns = columnsOf(s.objects.Names())
	return nil
}

const noCheckpoints = "sourceConfig.checkpoint is true, and this deployment keeps no checkpoints: the range of the run was read from its start"

func columnsOf(names []string) []connector.Column {
	var columns []connector.Column
	for _, name := range names {
		columns = append(columns, connector.Column{Name: name})
	}
	return columns
}

// learn reads records until the columns are known.
func (s *stream) learn() error {
	learned, size := 0, 0
	for learned < maxHead && size < maxHeadBytes && !s.ended {
		before := len(s.pending)
		if err := s.fetch(); err != nil {
			return err
		}
		for _, r := range s.pending[before:] {
			size += len(r.data)
			if learned < maxHead && s.objects.Learn(r.data) == nil {
				learned++
			}
		}
	}
	return nil
}

// fetch reads on. At the end it says so.
func (s *stream) fetch() error {
	records, err := s.reader.next(s.ctx)
	if errors.Is(err, io.EOF) {
		s.ended = true
		return nil
	}
	if err != nil {
		return err
	}
	for _, r := range records {
		if bytes.HasPrefix(r.data, []byte(aggregated)) {
			return &ceap.Error{
				Code:    ceap.CodeInvalid,
				Message: fmt.Sprintf("%s%s: the Kinesis Producer Library has aggregated several records into one", queryFailed, r.place()),
				Hint:    "set AggregationEnabled to false in the producer, or deaggregate into another stream",
			}
		}
	}
	s.pending = append(s.pending, records...)
	return nil
}

// place says where a record lies.
func (r record) place() string {
	return fmt.Sprintf("shard %s, sequence number %s", r.shard, r.sequence)
}

// Columns returns the keys in the order of their first appearance, or as
// configured. They have no types: each value has its own.
func (s *stream) Columns() []connector.Column { return s.columns }

// Next returns the next rows.
func (s *stream) Next() ([]connector.Record, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.err = s.do(s.fill); s.err != nil {
		return nil, s.err
	}
	return s.batch, nil
}

// fill makes the next batch.
func (s *stream) fill() error {
	for len(s.pending) == 0 {
		if s.ended {
			return io.EOF
		}
		if err := s.fetch(); err != nil {
			return err
		}
	}
	s.batch, s.values = s.batch[:0], s.values[:0]
	n := min(len(s.pending), batchRows)
	width := len(s.columns)
	var bad []int
	for _, r := range s.pending[:n] {
		s.rows++
		s.batch = append(s.batch, connector.Record{Row: s.rows})
		values, err := s.objects.AppendRow(s.values, r.data)
		if err != nil {
			// I2: a record that is no row is one all the same, and says why.
			bad = append(bad, len(s.batch)-1)
			start := len(s.values)
			values = values[:start+width]
			clear(values[start:])
			values = append(values, ceap.String(r.reason(err)))
		}
		s.values = values
	}
	s.pending = s.pending[n:]
	s.cut(bad)
	return nil
}

// cut gives each row its values, now that they no longer move. Bad rows have one
// more.
func (s *stream) cut(bad []int) {
	width, start := len(s.columns), 0
	for i := range s.batch {
		end := start + width
		if len(bad) > 0 && bad[0] == i {
			bad = bad[1:]
			end++
		}
		s.batch[i].Values = s.values[start:end:end]
		start = end
	}
}

// reason says why a record is no row.
func (r record) reason(err error) string {
	text := r.place() + ": " + err.Error()
	if _, isNew := errors.AsType[*tabular.NewKeyError](err); isNew {
		text += "; name the keys to read in sourceConfig.columns"
	}
	return text
}

// Commit keeps how far the stream was read, if checkpoints are asked for.
func (s *stream) Commit(ctx context.Context) error {
	if !errors.Is(s.err, io.EOF) {
		return ceap.Errorf(ceap.CodeInternal, "a stream that was not read to its end cannot be committed")
	}
	return s.reader.save(ctx)
}

// Close ends the reading.
func (s *stream) Close() error {
	if s.err == nil {
		s.err = ceap.Errorf(ceap.CodeInvalid, "the stream is closed")
	}
	s.cancel(nil)
	return nil
}

// Report warns of records that the stream retains no longer, and of checkpoints
// that nobody keeps.
func (s *stream) Report() connector.Report {
	return connector.Report{Warnings: s.notes, BytesScanned: s.reader.bytes}
}

// watch limits the time that is spent waiting for the stream. The time that the
// consumer of the rows needs between two calls does not count.
type watch struct {
	ctx    context.Context //nolint:containedctx // the contract: cancelling it stops the stream
	parent context.Context //nolint:containedctx // tells a caller's cancel from our timeout
	cancel context.CancelCauseFunc
	now    func() time.Time
	left   time.Duration
	c      *Connector
}

var errTimedOut = errors.New("timed out")

func newWatch(ctx context.Context, c *Connector) *watch {
	w := &watch{parent: ctx, now: c.now, left: time.Duration(c.config.MaxWaitSeconds) * time.Second, c: c}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	return w
}

// do runs a piece of work.
func (s *stream) do(work func() error) error {
	w := s.watch
	timer := time.AfterFunc(w.left, func() { w.cancel(errTimedOut) })
	start := w.now()
	err := w.parent.Err()
	if err == nil {
		err = work()
	}
	timer.Stop()
	w.left = max(w.left-w.now().Sub(start), time.Nanosecond)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return err
	case w.parent.Err() != nil:
		return &ceap.Error{Code: ceap.CodeCancelled, Message: queryFailed + "cancelled", Err: context.Cause(w.parent)}
	case errors.Is(context.Cause(w.ctx), errTimedOut):
		limit := w.c.config.MaxWaitSeconds
		return &ceap.Error{
			Code:    ceap.CodeUnavailable,
			Message: fmt.Sprintf("%sreading the stream %s timed out after %d s, with %d rows read", queryFailed, w.c.config.StreamName, limit, s.rows),
			Hint:    fmt.Sprintf("let it read fewer days, or raise sourceConfig.maxWaitSeconds (now %d)", limit),
		}
	}
	return err
}

var (
	_ connector.Stream    = (*stream)(nil)
	_ connector.Reporter  = (*stream)(nil)
	_ connector.Committer = (*stream)(nil)
)

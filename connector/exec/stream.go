package exec

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/tabular"
)

const (
	maxHead      = 1000    // lines that are read to learn the columns
	maxHeadBytes = 8 << 20 // of these lines, so that long ones do not fill the memory
	maxColumns   = 1000    // more are values that were taken for keys
	batchRows    = 1000
	batchBytes   = 1 << 20

	columnsKey = "$columns"
)

// headLine is a line that was read to learn the columns.
type headLine struct {
	number int64
	data   []byte
}

// stream reads a command's output while it runs. A command that is faster than
// its reader waits.
type stream struct {
	c       *Connector
	p       *process
	ctx     context.Context //nolint:containedctx // the contract: cancelling it stops the stream
	unwatch func() bool
	left    time.Duration
	expired atomic.Bool

	lines   lineReader
	ended   bool // the command has ended with success
	head    []headLine
	columns []connector.Column
	index   map[string]int
	given   []int64 // by column, the last line that has it

	rows    int64
	batch   []connector.Record
	values  []ceap.Value
	failure error
}

func newStream(ctx context.Context, c *Connector, p *process) *stream {
	return &stream{
		c: c, p: p, ctx: ctx, unwatch: context.AfterFunc(ctx, p.terminate),
		left:  time.Duration(c.config.MaxWaitSeconds) * time.Second,
		lines: lineReader{r: bufio.NewReaderSize(p.stdout, 64<<10), max: c.config.MaxLineBytes},
		index: map[string]int{},
	}
}

// do waits for the command. The time that the consumer of the rows needs between
// two calls does not count.
func (s *stream) do(work func() error) error {
	timer := time.AfterFunc(s.left, func() {
		s.expired.Store(true)
		s.p.terminate()
	})
	start := s.c.now()
	err := work()
	timer.Stop()
	s.left = max(s.left-s.c.now().Sub(start), time.Nanosecond)
	// A command may end with success because it was told to end: then rows are
	// missing.
	switch {
	case s.ctx.Err() != nil:
		return s.c.cancelled(s.ctx)
	case s.expired.Load():
		return &ceap.Error{
			Code: ceap.CodeUnavailable,
			Message: fmt.Sprintf("Query execution failed: the command %q timed out after %d s, with %d rows read",
				s.c.name(), s.c.config.MaxWaitSeconds, s.rows),
			Hint: fmt.Sprintf("let it read fewer days, or raise sourceConfig.maxWaitSeconds (now %d)", s.c.config.MaxWaitSeconds),
		}
	}
	return err
}

func (c *Connector) cancelled(ctx context.Context) error {
	return &ceap.Error{Code: ceap.CodeCancelled, Message: "Query execution failed: cancelled", Err: context.Cause(ctx)}
}

// Columns returns the columns, in the order of their first appearance. They have
// no types: each value has its own.
func (s *stream) Columns() []connector.Column { return s.columns }

// Next returns the rows of the lines that are at hand, at least one.
func (s *stream) Next() ([]connector.Record, error) {
	if s.failure != nil {
		return nil, s.failure
	}
	if err := s.do(s.fill); err != nil {
		return nil, s.fail(err)
	}
	s.rows += int64(len(s.batch))
	return s.batch, nil
}

// fail ends the command and returns err, as every later call does.
func (s *stream) fail(err error) error {
	s.failure = err
	s.stop()
	return err
}

func (s *stream) stop() {
	s.unwatch()
	s.p.stop()
	s.logStderr()
}

// Close ends the command, if it has not ended.
func (s *stream) Close() error {
	if s.failure == nil {
		s.failure = ceap.Errorf(ceap.CodeInvalid, "the stream is closed")
		s.stop()
	}
	return nil
}

// logStderr keeps what the command wrote for whoever looks into a run.
func (s *stream) logStderr() {
	if text := s.p.tail.String(); text != "" {
		s.c.log.DebugContext(s.ctx, "standard error of the command", "command", s.c.name(), "stderr", text)
	}
}

// next returns the next line that is not blank, its number, and io.EOF once the
// command has ended with success.
func (s *stream) next() ([]byte, int64, error) {
	if len(s.head) > 0 {
		line := s.head[0]
		s.head = s.head[1:]
		return line.data, line.number, nil
	}
	for !s.ended {
		line, terminated, err := s.lines.next()
		switch {
		case errors.Is(err, errTooLong):
			return nil, 0, s.fault(s.lines.number, fmt.Errorf("%w for sourceConfig.maxLineBytes, %d bytes", err, s.lines.max))
		case errors.Is(err, io.EOF):
			if err := s.end(); err != nil {
				return nil, 0, err
			}
			continue
		case err != nil:
			return nil, 0, fmt.Errorf("reading the output of the command %q: %w", s.c.name(), err)
		}
		if s.lines.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")) // a byte order mark
		}
		if len(bytes.Trim(line, " \t\r\n")) == 0 {
			continue
		}
		if !terminated && !json.Valid(line) {
			// Half a line is what a command leaves that broke off: then that says more.
			if err := s.end(); err != nil {
				return nil, 0, err
			}
		}
		return line, s.lines.number, nil
	}
	return nil, 0, io.EOF
}

// end waits for the command, whose output has ended, and returns nil if it has
// ended with success.
func (s *stream) end() error {
	s.ended = true
	err := s.p.wait()
	state := s.p.cmd.ProcessState
	if state != nil && state.Success() {
		return nil // what was left behind and held a pipe open has printed nothing
	}
	if state == nil {
		return fmt.Errorf("waiting for the command %q: %w", s.c.name(), err)
	}
	message := fmt.Sprintf("Query execution failed: the command %q ended with %s", s.c.name(), state)
	text := s.p.tail.String()
	switch {
	case text == "":
		return &ceap.Error{
			Code: ceap.CodeUnavailable, Message: message + " and wrote nothing to standard error",
			Hint: "let it say there why it fails",
		}
	case strings.Contains(text, "\n"):
		message += ":\n  " + strings.ReplaceAll(text, "\n", "\n  ")
	default:
		message += ": " + text
	}
	return &ceap.Error{Code: ceap.CodeUnavailable, Message: message}
}

// fault returns the error for a line that cannot be read. It ends the run, since
// a row that nobody can read cannot be accounted for.
func (s *stream) fault(line int64, reason error) error {
	return &ceap.Error{
		Code:    ceap.CodeInvalid,
		Message: fmt.Sprintf("Query execution failed: line %d that the command %q printed cannot be read", line, s.c.name()),
		Err:     reason,
		Hint:    "each line of its standard output is one JSON object; what else it has to say belongs to standard error",
	}
}

// learn finds the columns.
func (s *stream) learn() error {
	size := 0
	for first := true; len(s.head) < maxHead && size < maxHeadBytes; first = false {
		line, number, err := s.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		names, declared, err := columnNames(line)
		switch {
		case err != nil:
			return s.fault(number, err)
		case declared && !first:
			return s.fault(number, errors.New(columnsKey+" is possible in the first line only"))
		}
		for _, name := range names {
			if err := s.addColumn(name); err != nil {
				return s.fault(number, err)
			}
		}
		if declared {
			break
		}
		if len(s.columns) == 0 {
			return s.fault(number, errors.New("the object is empty, and no line before it has keys"))
		}
		s.head = append(s.head, headLine{number, bytes.Clone(line)})
		size += len(line)
	}
	s.given = make([]int64, len(s.columns))
	return nil
}

// read reads a line past those kept.
func (s *stream) read() ([]byte, int64, error) {
	kept := s.head
	s.head = nil
	defer func() { s.head = kept }()
	return s.next()
}

func (s *stream) addColumn(name string) error {
	if _, known := s.index[name]; known {
		return nil
	}
	if len(s.columns) == maxColumns {
		return fmt.Errorf("%q is key number %d, and %d are possible; are values written as keys?", shorten(name), maxColumns+1, maxColumns)
	}
	s.index[name] = len(s.columns)
	s.columns = append(s.columns, connector.Column{Name: name})
	return nil
}

// columnNames returns the keys of a line, or the columns that it declares.
func columnNames(line []byte) (names []string, declared bool, err error) {
	keys := 0
	err = tabular.ScanObject(line, func(key, value []byte) error {
		keys++
		if string(key) != columnsKey {
			names = append(names, string(key))
			return nil
		}
		declared, names = true, nil
		if err := json.Unmarshal(value, &names); err != nil || len(names) == 0 {
			return errors.New(columnsKey + " is not a list of names")
		}
		return nil
	})
	sorted := slices.Sorted(slices.Values(names))
	switch {
	case err != nil:
		return nil, false, err
	case declared && keys > 1:
		return nil, false, errors.New(columnsKey + " stands beside other keys")
	case slices.Contains(names, ""):
		return nil, false, errors.New("a key is empty")
	case len(slices.Compact(sorted)) < len(names):
		return nil, false, errors.New("a key is given twice")
	}
	return names, declared, nil
}

// fill reads the next batch. It waits for the first line only.
func (s *stream) fill() error {
	s.batch, s.values = s.batch[:0], s.values[:0]
	for size := 0; len(s.batch) < batchRows && size < batchBytes; {
		line, number, err := s.next()
		if errors.Is(err, io.EOF) && len(s.batch) > 0 {
			break
		}
		if err != nil {
			return err
		}
		if err := s.addRow(line, number); err != nil {
			return s.fault(number, err)
		}
		size += len(line)
		if len(s.head) == 0 && s.lines.r.Buffered() == 0 {
			break
		}
	}
	// Only now: s.values moves while it grows.
	width := len(s.columns)
	for i := range s.batch {
		s.batch[i].Values = s.values[i*width : (i+1)*width : (i+1)*width]
	}
	return nil
}

// addRow adds the row of a line. Keys that it lacks are NULL.
func (s *stream) addRow(line []byte, number int64) error {
	start := len(s.values)
	s.values = append(s.values, make([]ceap.Value, len(s.columns))...)
	row := s.values[start:]
	clear(row)
	err := tabular.ScanObject(line, func(key, value []byte) (err error) {
		i, known := s.index[string(key)]
		if !known {
			return fmt.Errorf("the key %q is new: print {%q: [...]} with all keys as the first line, since they are taken from that or else from the first %d lines",
				shorten(string(key)), columnsKey, maxHead)
		}
		if s.given[i] == number {
			return fmt.Errorf("the key %q is given twice", shorten(string(key)))
		}
		s.given[i] = number
		if row[i], err = tabular.JSONValue(value); err != nil {
			return fmt.Errorf("the value of %q: %w", shorten(string(key)), err)
		}
		return nil
	})
	s.batch = append(s.batch, connector.Record{Row: s.rows + int64(len(s.batch)) + 1})
	return err
}

// shorten bounds what a message shows of a key, in bytes.
func shorten(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

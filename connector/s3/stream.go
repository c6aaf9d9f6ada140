package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/tabular"
)

// stream reads objects one after the other.
type stream struct {
	ctx    context.Context //nolint:containedctx // the contract: cancelling it stops the stream
	bucket *bucket
	found  *found

	file    *file // nil between two objects
	next    int   // the object after it
	columns []connector.Column
	first   string // the object that the columns are from; "" if they are configured
	order   []int  // by column, where the file has it; -1 if it lacks it; nil if they agree
	had     []bool // by column, whether an object has it

	row   int64
	read  atomic.Int64
	batch []connector.Record
	cells []ceap.Value
	err   error
}

// start finds the columns.
func (s *stream) start() error {
	if err := s.ctx.Err(); err != nil {
		return failed(s.ctx, "reading "+s.bucket.url(""), err)
	}
	if names := s.bucket.config.Columns; names != nil {
		for _, name := range names {
			s.columns = append(s.columns, connector.Column{Name: name})
		}
		s.had = make([]bool, len(names))
	}
	for s.file == nil && s.next < len(s.found.objects) {
		if err := s.openNext(); err != nil {
			return err
		}
	}
	return nil
}

// openNext opens the next object, unless it is JSON lines without a line: such
// an object has no columns, and no rows either.
func (s *stream) openNext() error {
	var names []string
	if s.columns != nil {
		names = columnNames(s.columns)
	}
	f, err := s.bucket.open(s.ctx, s.found.objects[s.next], names, &s.read)
	if err != nil {
		return err
	}
	s.next++
	if len(f.rows.Columns()) == 0 {
		return f.close()
	}
	s.file = f
	if s.columns == nil {
		s.columns, s.first = f.rows.Columns(), s.bucket.url(f.object.key)
	}
	return s.align()
}

// align finds the columns in the file that was opened.
func (s *stream) align() error {
	has, want := columnNames(s.file.rows.Columns()), columnNames(s.columns)
	s.order = make([]int, len(want))
	missing := 0
	for i, name := range want {
		if s.order[i] = slices.Index(has, name); s.order[i] < 0 {
			missing++
		} else if s.had != nil && s.file.format != formatJSON { // those of JSON lines show row by row
			s.had[i] = true
		}
	}
	if s.first != "" && (missing > 0 || len(has) != len(want)) {
		return &ceap.Error{
			Code: ceap.CodeInvalid,
			Message: fmt.Sprintf("%s%s has the columns %s, and %s has %s", queryFailed,
				s.first, strings.Join(want, ","), s.bucket.url(s.file.object.key), strings.Join(has, ",")),
			Hint: "write objects with the same columns, or name those to read in sourceConfig.columns",
		}
	}
	if slices.Equal(has, want) {
		s.order = nil
	}
	return nil
}

func columnNames(columns []connector.Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// Columns returns the columns: those configured, or those of the first object.
func (s *stream) Columns() []connector.Column { return s.columns }

// Next returns the next rows. Batches do not span objects.
func (s *stream) Next() ([]connector.Record, error) {
	if s.err != nil {
		return nil, s.err
	}
	batch, err := s.readBatch()
	if err != nil {
		s.err = err
		if e := s.closeFile(); e != nil && errors.Is(err, io.EOF) {
			s.err = e
		}
		return nil, s.err
	}
	for i := range batch {
		s.row++
		batch[i].Row = s.row
	}
	return batch, nil
}

// readBatch reads a batch.
func (s *stream) readBatch() ([]connector.Record, error) {
	for {
		if err := s.ctx.Err(); err != nil {
			return nil, failed(s.ctx, fmt.Sprintf("reading %s after %d rows", s.bucket.url(""), s.row), err)
		}
		if s.file == nil {
			if s.next == len(s.found.objects) {
				return nil, io.EOF
			}
			if err := s.openNext(); err != nil {
				return nil, err
			}
			continue
		}
		batch, err := s.file.rows.Next()
		switch {
		case err == nil:
			return s.arrange(batch), nil
		case !errors.Is(err, io.EOF):
			return nil, s.file.damaged(err)
		}
		if err := s.closeFile(); err != nil {
			return nil, err
		}
	}
}

// arrange puts the values of a file's rows in the order of the columns.
func (s *stream) arrange(batch []connector.Record) []connector.Record {
	if s.order == nil {
		return batch
	}
	s.batch, s.cells = s.batch[:0], s.cells[:0]
	width := len(s.columns)
	s.cells = slices.Grow(s.cells, width*len(batch))
	for _, rec := range batch {
		start := len(s.cells)
		for _, from := range s.order {
			v := ceap.Null()
			if from >= 0 {
				v = rec.Values[from]
			}
			s.cells = append(s.cells, v)
		}
		s.batch = append(s.batch, connector.Record{Values: s.cells[start : start+width : start+width]})
	}
	return s.batch
}

func (s *stream) closeFile() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	if lines, ok := f.rows.(*tabular.JSONLines); ok {
		for i := range s.had {
			s.had[i] = s.had[i] || lines.Has(i)
		}
	}
	return f.damaged(f.close())
}

// Close ends the reading.
func (s *stream) Close() error {
	if s.err == nil {
		s.err = ceap.Errorf(ceap.CodeInvalid, "the stream is closed")
	}
	return s.closeFile()
}

// Report warns of days without objects and of configured columns that no object
// has.
func (s *stream) Report() connector.Report {
	r := connector.Report{BytesScanned: s.read.Load()}
	if len(s.found.objects) > 0 && len(s.found.empty) > 0 {
		r.Warnings = append(r.Warnings, "there are no objects at "+s.bucket.shown(s.found.empty))
	}
	for i, had := range s.had {
		if !had && s.row > 0 && errors.Is(s.err, io.EOF) {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the column %q of sourceConfig.columns is in no object", s.columns[i].Name))
		}
	}
	return r
}

// shown returns the first few places in words.
func (b *bucket) shown(places []place) string {
	const most = 5
	var out []string
	for _, p := range places[:min(len(places), most)] {
		out = append(out, b.url(p.shown))
	}
	if more := len(places) - most; more > 0 {
		out = append(out, fmt.Sprintf("%d more", more))
	}
	return strings.Join(out, ", ")
}

var (
	_ connector.Stream   = (*stream)(nil)
	_ connector.Reporter = (*stream)(nil)
)

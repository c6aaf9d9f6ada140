package connectortest

import (
	"context"
	"io"
	"sync"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// Fake is a connector over rows in memory, with faults on demand. Set its fields
// before its first use; after that it is safe for concurrent use.
//
// It is as unkind as the contract allows: records are overwritten by the next
// call of Next, so that whoever keeps them is found out.
type Fake struct {
	Columns   []connector.Column
	Rows      [][]ceap.Value
	Mappings  connector.FieldMappings
	BatchSize int              // rows per call of Next; default 100
	Told      connector.Report // what its streams report

	ExtractErr   error // what Extract returns, if not nil
	TransformErr error // what Transform returns, if not nil
	NextErr      error // what Next returns after FailAfter rows, if not nil
	FailAfter    int
	CloseErr     error // what each Close returns

	mu       sync.Mutex
	extracts int
	open     int
}

// NewFake returns a connector on the fixture, whose BatchSize it takes. Of a
// missing source it says unavailable.
func NewFake(f Fixture) *Fake {
	fake := &Fake{Rows: f.Rows, Mappings: f.Mappings, BatchSize: f.BatchSize}
	for _, c := range f.Columns {
		fake.Columns = append(fake.Columns, connector.Column{Name: c.Name, Type: c.Kind.String()})
	}
	if f.Missing {
		fake.ExtractErr = ceap.Errorf(ceap.CodeUnavailable, "there is no such source").WithHint("name another")
	}
	return fake
}

// Extract starts reading the rows, whatever the request.
func (f *Fake) Extract(ctx context.Context, _ connector.Request) (connector.Stream, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.extracts++
	if f.ExtractErr != nil {
		return nil, f.ExtractErr
	}
	if err := ctx.Err(); err != nil {
		return nil, cancelled(err)
	}
	f.open++
	return &fakeStream{ctx: ctx, fake: f}, nil
}

// Transform returns the shared default.
func (f *Fake) Transform(columns []connector.Column, req connector.Request) (connector.Transform, error) {
	if f.TransformErr != nil {
		return nil, f.TransformErr
	}
	return connector.NewMapper(columns, f.Mappings, req)
}

// Describe returns the columns.
func (f *Fake) Describe(context.Context, connector.Request) ([]connector.Column, error) {
	return f.Columns, f.ExtractErr
}

// Check says whether the source can be read.
func (f *Fake) Check(context.Context, connector.Request) []connector.Check {
	if f.ExtractErr != nil {
		return []connector.Check{{Name: "source", Status: connector.CheckFailed, Detail: f.ExtractErr.Error(), Remedy: "mend the source"}}
	}
	return []connector.Check{{Name: "source", Status: connector.CheckOK, Detail: "it can be read"}}
}

// Extracts returns how often Extract was called.
func (f *Fake) Extracts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.extracts
}

// OpenStreams returns how many streams have not been closed.
func (f *Fake) OpenStreams() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

type fakeStream struct {
	ctx    context.Context //nolint:containedctx // the contract: cancelling it stops the stream
	fake   *Fake
	at     int
	batch  []connector.Record
	values []ceap.Value
	closed bool
}

// Columns returns the fake's columns.
func (s *fakeStream) Columns() []connector.Column { return s.fake.Columns }

// Next returns the next batch, after spoiling the one before.
func (s *fakeStream) Next() ([]connector.Record, error) {
	f := s.fake
	for i := range s.values {
		s.values[i] = ceap.String("a record that was kept too long")
	}
	if s.closed {
		return nil, ceap.Errorf(ceap.CodeInternal, "reading a closed stream")
	}
	if err := s.ctx.Err(); err != nil {
		return nil, cancelled(err)
	}
	end := min(s.at+f.batchSize(), len(f.Rows))
	if f.NextErr != nil {
		if s.at >= f.FailAfter {
			return nil, f.NextErr
		}
		end = min(end, f.FailAfter)
	}
	if s.at == len(f.Rows) {
		return nil, io.EOF
	}
	s.batch, s.values = s.batch[:0], s.values[:0]
	for _, row := range f.Rows[s.at:end] {
		s.values = append(s.values, row...)
	}
	values := s.values
	for i, row := range f.Rows[s.at:end] {
		s.batch = append(s.batch, connector.Record{Row: int64(s.at + i + 1), Values: values[:len(row):len(row)]})
		values = values[len(row):]
	}
	s.at = end
	return s.batch, nil
}

func (f *Fake) batchSize() int {
	if f.BatchSize > 0 {
		return f.BatchSize
	}
	return 100
}

// Close counts the stream as closed, once, and returns the fake's CloseErr.
func (s *fakeStream) Close() error {
	if !s.closed {
		s.closed = true
		s.fake.mu.Lock()
		s.fake.open--
		s.fake.mu.Unlock()
	}
	return s.fake.CloseErr
}

// Report returns what the fake was told to report.
func (s *fakeStream) Report() connector.Report { return s.fake.Told }

func cancelled(err error) error {
	return &ceap.Error{Code: ceap.CodeCancelled, Message: "reading rows", Err: err}
}

var (
	_ connector.Connector = (*Fake)(nil)
	_ connector.Describer = (*Fake)(nil)
	_ connector.Checker   = (*Fake)(nil)
	_ connector.Reporter  = (*fakeStream)(nil)
)

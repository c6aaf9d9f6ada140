package athena

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ceap-platform/ceap/connector"
)

// Row groups are read ahead and side by side, as much as fits in both bounds; at
// least one is.
const (
	readAhead      = 4
	readAheadBytes = 64 << 20 // as stored
)

// filePiece is some row groups of a file.
type filePiece struct {
	Key  string `json:"key"`
	ETag string `json:"etag"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// fileRows are the rows of files in S3, in order, read by several goroutines.
type fileRows struct {
	ctx     context.Context //nolint:containedctx // of Query
	cancel  context.CancelFunc
	columns []connector.Column
	report  connector.Report
	groups  chan *groupRows // in order; closed after the last, or after an error
	budget  *budget
	current *groupRows
	batch   *records // handed out
	row     int64
	err     error
}

// groupRows is a row group on its way.
type groupRows struct {
	batches chan *records // closed after the last, or after an error
	free    chan *records
	bytes   int64
	err     error // to be read after batches is closed
}

func newFileRows(ctx context.Context, client *s3.Client, part partData, first int64, report connector.Report) *fileRows {
	ctx, cancel := context.WithCancel(ctx)
	r := &fileRows{
		ctx: ctx, cancel: cancel, columns: part.Columns, report: report,
		groups: make(chan *groupRows, readAhead), budget: newBudget(ctx, readAhead, readAheadBytes), row: first - 1,
	}
	go r.start(client, part.Bucket, part.Pieces)
	return r
}

// start starts one row group after the other.
func (r *fileRows) start(client *s3.Client, bucket string, pieces []filePiece) {
	defer close(r.groups)
	for _, piece := range pieces {
		if piece.From >= piece.To {
			continue
		}
		f, err := openFile(r.ctx, client, bucket, piece.Key, piece.ETag)
		if err != nil {
			g := &groupRows{batches: make(chan *records), err: err}
			close(g.batches)
			r.send(g)
			return
		}
		for n := piece.From; n < min(piece.To, len(f.groups)); n++ {
			g := &groupRows{batches: make(chan *records, 2), free: make(chan *records, 4), bytes: f.groups[n].Bytes}
			if !r.budget.take(g.bytes) || !r.send(g) {
				return
			}
			go r.read(f, n, g)
		}
	}
}

func (r *fileRows) send(g *groupRows) bool {
	select {
	case r.groups <- g:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// read reads a row group.
func (r *fileRows) read(f file, n int, g *groupRows) {
	defer close(g.batches)
	rows := f.parquet.Rows(n, n+1)
	for {
		batch, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			g.err = fileFailed(f.object.url(), err)
			return
		}
		var copied *records
		select {
		case copied = <-g.free:
		default:
			copied = new(records)
		}
		copied.reset(len(r.columns), len(batch))
		for i, rec := range batch {
			values := copied.row(i, 0)
			copy(values, rec.Values)
			localTimes(values)
		}
		select {
		case g.batches <- copied:
		case <-r.ctx.Done():
			g.err = context.Cause(r.ctx)
			return
		}
	}
}

// Columns returns the columns.
func (r *fileRows) Columns() []connector.Column { return r.columns }

// Next returns the next rows.
func (r *fileRows) Next() ([]connector.Record, error) {
	for r.err == nil {
		if err := context.Cause(r.ctx); err != nil {
			r.err = err
			break
		}
		if r.current == nil {
			g, ok := <-r.groups
			if !ok {
				if r.err = context.Cause(r.ctx); r.err == nil {
					r.err = io.EOF
				}
				break
			}
			r.current = g
		}
		if r.batch != nil {
			select {
			case r.current.free <- r.batch:
			default:
			}
			r.batch = nil
		}
		batch, ok := <-r.current.batches
		if ok {
			return r.hand(batch), nil
		}
		r.err = r.current.err
		r.budget.give(r.current.bytes)
		r.current = nil
	}
	r.cancel()
	return nil, r.err
}

// hand numbers the rows of a batch.
func (r *fileRows) hand(batch *records) []connector.Record {
	for i := range batch.records {
		r.row++
		batch.records[i].Row = r.row
	}
	r.batch = batch
	return batch.records
}

// Close stops the goroutines.
func (r *fileRows) Close() error {
	r.cancel()
	if r.err == nil || errors.Is(r.err, io.EOF) {
		r.err = errClosed
	}
	r.current, r.batch = nil, nil
	return nil
}

// Report tells about the query.
func (r *fileRows) Report() connector.Report { return r.report }

// budget bounds what is read ahead.
type budget struct {
	mu       sync.Mutex
	changed  *sync.Cond
	bytes    int64 // left
	running  int
	ended    bool
	maxCount int
}

func newBudget(ctx context.Context, groups int, bytes int64) *budget {
	b := &budget{maxCount: groups, bytes: bytes}
	b.changed = sync.NewCond(&b.mu)
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ended = true
		b.changed.Broadcast()
	})
	return b
}

// take waits until there is room; it reports false once nobody reads any more.
func (b *budget) take(bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.ended && b.running > 0 && (b.running >= b.maxCount || bytes > b.bytes) {
		b.changed.Wait()
	}
	b.running++
	b.bytes -= bytes
	return !b.ended
}

func (b *budget) give(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
	b.bytes += bytes
	b.changed.Broadcast()
}

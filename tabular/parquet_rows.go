package tabular

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// parquetBatch is the number of rows that are handed out at a time: enough to make
// the cost of a call small, few enough to stay in a processor's cache.
const parquetBatch = 2048

// ParquetRows reads rows of some row groups.
type ParquetRows struct {
	p       *Parquet
	group   int // the next to be opened
	end     int
	left    int64 // rows of the open row group
	columns []*columnReader
	texts   arena
	values  []ceap.Value
	records []connector.Record
	row     int64
	err     error
}

// Rows returns the rows of the row groups from to end, without end. Several may
// be read at once. Records are numbered by their position in the file, from 1;
// they are valid until the next call of Next, their strings for ever.
func (p *Parquet) Rows(from, end int) *ParquetRows {
	r := &ParquetRows{p: p, group: from, end: min(end, len(p.groups))}
	for _, g := range p.groups[:from] {
		r.row += g.Rows
	}
	return r
}

// Columns returns the file's columns.
func (r *ParquetRows) Columns() []connector.Column { return r.p.columns }

// Next returns the next rows, at least one, or [io.EOF] after the last. A row
// group is read as a whole when its first row is.
//
// Errors are those of [OpenParquet].
func (r *ParquetRows) Next() (batch []connector.Record, err error) {
	if r.err != nil {
		return nil, r.err
	}
	defer func() { r.err = err }()
	defer recovered(&err)
	for r.left == 0 {
		if r.group >= r.end {
			return nil, io.EOF
		}
		if err := r.open(r.group); err != nil {
			return nil, err
		}
		r.left = r.p.groups[r.group].Rows
		r.group++
	}
	n := int(min(r.left, parquetBatch))
	r.left -= int64(n)
	return r.batch(n)
}

// Close releases what r holds. It may be called twice.
func (r *ParquetRows) Close() error {
	r.columns, r.values, r.records = nil, nil, nil
	if r.err == nil {
		r.err = io.ErrClosedPipe
	}
	return nil
}

func (r *ParquetRows) batch(n int) ([]connector.Record, error) {
	width := len(r.p.fields)
	if r.records == nil {
		r.records, r.values = make([]connector.Record, parquetBatch), make([]ceap.Value, parquetBatch*width)
	}
	r.texts.next()
	for i, f := range r.p.fields {
		var err error
		if f.flat() {
			err = r.columns[f.firstLeaf].fill(r.values[i:], width, n, &r.texts)
		} else {
			err = r.nested(f, r.values[i:], width, n)
		}
		if err != nil {
			return nil, damaged("column %q, after row %d: %w", f.name, r.row, err)
		}
	}
	for i := range n {
		r.row++
		r.records[i] = connector.Record{Row: r.row, Values: r.values[i*width : (i+1)*width : (i+1)*width]}
	}
	return r.records[:n], nil
}

// open reads a row group.
func (r *ParquetRows) open(group int) error {
	chunks := r.p.file.RowGroups()[group].ColumnChunks()
	meta := &r.p.meta.RowGroups[group]
	pieces, err := r.p.load(group)
	if err != nil {
		return err
	}
	r.columns = make([]*columnReader, len(chunks))
	for i, c := range chunks {
		m := &meta.Columns[i].MetaData
		start, n := chunkSpan(m)
		chunk, ok := c.(*parquet.FileColumnChunk)
		if !ok {
			return fmt.Errorf("a column chunk of type %T", c)
		}
		r.columns[i] = &columnReader{pages: chunk.PagesFrom(&unpacker{packed: pieces.cut(start, n), codec: m.Codec, total: m.NumValues})}
	}
	for _, f := range r.p.fields {
		for i := range f.leaves {
			r.columns[f.firstLeaf+i].leaf = f.leaf(i)
		}
	}
	return nil
}

// leaf returns leaf i below n.
func (n *parquetNode) leaf(i int) *parquetNode {
	if n.shape == shapeLeaf {
		return n
	}
	at := slices.IndexFunc(n.children, func(c *parquetNode) bool {
		return i >= c.firstLeaf-n.firstLeaf && i < c.firstLeaf-n.firstLeaf+c.leaves
	})
	c := n.children[at]
	return c.leaf(i - (c.firstLeaf - n.firstLeaf))
}

// columnReader reads the values of one leaf in one row group.
type columnReader struct {
	leaf   *parquetNode
	pages  *parquet.FilePages
	page   parquet.Page
	reader parquet.ValueReader
	buffer []parquet.Value
	ready  []parquet.Value // read and not yet taken
	row    []parquet.Value // of nested fields
}

// more fills ready, and returns io.EOF after the last value.
func (c *columnReader) more() error {
	if c.buffer == nil {
		c.buffer = make([]parquet.Value, parquetBatch)
	}
	for {
		if c.page == nil {
			page, err := c.pages.ReadPage()
			if err != nil {
				return err
			}
			c.page, c.reader = page, page.Values()
		}
		n, err := c.reader.ReadValues(c.buffer)
		if n > 0 {
			c.ready = c.buffer[:n]
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		parquet.Release(c.page)
		c.page = nil
	}
}

// fill writes n values to every stride-th element of out.
func (c *columnReader) fill(out []ceap.Value, stride, n int, texts *arena) error {
	for i := 0; i < n; {
		if len(c.ready) == 0 {
			if err := c.more(); err != nil {
				return unexpected(err)
			}
		}
		take := min(len(c.ready), n-i)
		for _, v := range c.ready[:take] {
			if v.IsNull() {
				out[i*stride] = ceap.Null()
			} else {
				value, err := c.leaf.value(v, texts)
				if err != nil {
					return err
				}
				out[i*stride] = value
			}
			i++
		}
		c.ready = c.ready[take:]
	}
	return nil
}

// unexpected says that values are missing.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// nextRow reads the values of the next row into row; they are valid until the
// next call.
func (c *columnReader) nextRow() error {
	c.row = c.row[:0]
	for {
		if len(c.ready) == 0 {
			err := c.more()
			if errors.Is(err, io.EOF) && len(c.row) > 0 {
				return nil
			}
			if err != nil {
				return unexpected(err)
			}
		}
		v := c.ready[0]
		if v.RepetitionLevel() == 0 && len(c.row) > 0 {
			return nil
		}
		c.row = append(c.row, v.Clone()) // its page may go before the row is read
		c.ready = c.ready[1:]
	}
}

// piece is a part of the file in memory.
type piece struct {
	start int64
	bytes []byte
}

type pieces []piece

// cut returns the bytes from start, which are in one of the pieces.
func (ps pieces) cut(start, n int64) []byte {
	i := slices.IndexFunc(ps, func(p piece) bool { return start >= p.start && start+n <= p.start+int64(len(p.bytes)) })
	return ps[i].bytes[start-ps[i].start:][:n:n]
}

// load reads the bytes of a row group, in few large reads.
func (p *Parquet) load(group int) (pieces, error) {
	type span struct{ start, end int64 }
	var spans []span
	for i := range p.meta.RowGroups[group].Columns {
		start, n := chunkSpan(&p.meta.RowGroups[group].Columns[i].MetaData)
		spans = append(spans, span{start, start + n})
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.start - b.start) })
	const gap = 64 << 10 // bytes read in vain that cost less than another request
	merged := spans[:1]
	for _, s := range spans[1:] {
		if last := &merged[len(merged)-1]; s.start <= last.end+gap {
			last.end = max(last.end, s.end)
		} else {
			merged = append(merged, s)
		}
	}
	var out pieces
	for _, s := range merged {
		b := make([]byte, s.end-s.start)
		if err := readAt(p.in, b, s.start); err != nil {
			return nil, err
		}
		out = append(out, piece{s.start, b})
	}
	return out, nil
}

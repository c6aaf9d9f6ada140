package tabular

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/ceap-platform/ceap/connector"
)

// Bounds of a Parquet file. Writers stay far below them.
const (
	maxFooter       = 64 << 20
	maxRowGroupSize = 1 << 30   // bytes as stored; they are read at once
	maxPageSize     = 256 << 20 // bytes unpacked; DuckDB writes pages of up to 100 MB
	maxPageValues   = 16 << 20
	maxNesting      = 32
)

// Parquet is an open Parquet file. It is safe for concurrent use if its reader is.
type Parquet struct {
	in      io.ReaderAt
	meta    format.FileMetaData
	file    *parquet.File // what the decoder knows of it
	fields  []*parquetNode
	columns []connector.Column
	groups  []RowGroup
}

// RowGroup is a part of a Parquet file that can be read by itself.
type RowGroup struct {
	Rows  int64 // at least 0
	Bytes int64 // as stored
}

// OpenParquet reads what a file says about itself. The reader is used until the
// last row is read; it need not be fast for small pieces, as a row group is read
// at once.
//
// Nothing in the file is believed before it is checked, as Parquet decoders are
// not safe with what others write: sizes, offsets, counts and checksums. A panic
// of the decoder is damage too.
//
// Columns are those of the top level. Lists, maps and structs arrive as text, as
// DuckDB writes them; so do bytes and times of day. Timestamps are instants if
// they were written as such and local otherwise.
//
// Errors are those of the reader, unchanged, and [*Damage].
func OpenParquet(r io.ReaderAt, size int64) (p *Parquet, err error) {
	defer recovered(&err)
	footer, err := readFooter(r, size)
	if err != nil {
		return nil, err
	}
	p = &Parquet{in: r}
	var protocol thrift.CompactProtocol
	if err := thrift.Unmarshal(&protocol, footer, &p.meta); err != nil {
		return nil, damaged("its footer: %w", err)
	}
	if err := p.openUnpacked(footer); err != nil {
		return nil, err
	}
	if err := p.readSchema(); err != nil {
		return nil, err
	}
	if err := p.checkGroups(size); err != nil {
		return nil, err
	}
	return p, nil
}

// openUnpacked makes the decoder know a file that has the same columns, and no
// compression: what it reads has been unpacked before.
func (p *Parquet) openUnpacked(footer []byte) error {
	var protocol thrift.CompactProtocol
	var meta format.FileMetaData
	if err := thrift.Unmarshal(&protocol, footer, &meta); err != nil {
		return damaged("its footer: %w", err)
	}
	for g := range meta.RowGroups {
		for c := range meta.RowGroups[g].Columns {
			chunk := &meta.RowGroups[g].Columns[c]
			*chunk = format.ColumnChunk{MetaData: format.ColumnMetaData{
				Type: chunk.MetaData.Type, Encoding: chunk.MetaData.Encoding, PathInSchema: chunk.MetaData.PathInSchema,
				NumValues: chunk.MetaData.NumValues, Codec: format.Uncompressed, TotalCompressedSize: math.MaxInt64,
			}}
		}
	}
	meta.KeyValueMetadata, meta.ColumnOrders = nil, nil
	again, err := thrift.Marshal(&protocol, &meta)
	if err != nil {
		return damaged("its footer: %w", err)
	}
	image := append([]byte("PAR1"), again...)
	image = binary.LittleEndian.AppendUint32(image, uint32(len(again))) //nolint:gosec // about the length of the footer
	image = append(image, "PAR1"...)
	p.file, err = parquet.OpenFile(bytes.NewReader(image), int64(len(image)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return damaged("%w", err)
	}
	return nil
}

// Columns returns the columns, with DuckDB's names of their types.
func (p *Parquet) Columns() []connector.Column { return p.columns }

// RowGroups returns the row groups, in the order of their rows.
func (p *Parquet) RowGroups() []RowGroup { return p.groups }

// readFooter returns the footer, which can be decoded.
func readFooter(r io.ReaderAt, size int64) ([]byte, error) {
	const ends = 12 // the mark at the start, the footer's length and the mark at the end
	if size < ends {
		return nil, damaged("it has %d bytes", size)
	}
	var head [4]byte
	var tail [8]byte
	if err := readAt(r, head[:], 0); err != nil {
		return nil, err
	}
	if err := readAt(r, tail[:], size-8); err != nil {
		return nil, err
	}
	if string(tail[4:]) == "PARE" || string(head[:]) == "PARE" {
		return nil, unsupported("it is encrypted", "write it without Parquet's own encryption; the bucket's encryption does not matter")
	}
	if string(head[:]) != "PAR1" || string(tail[4:]) != "PAR1" {
		return nil, damaged("it does not start and end as a Parquet file does")
	}
	length := int64(binary.LittleEndian.Uint32(tail[:4]))
	if length > size-ends || length > maxFooter {
		return nil, damaged("its footer has %d bytes, the file %d", length, size)
	}
	footer := make([]byte, length)
	if err := readAt(r, footer, size-8-length); err != nil {
		return nil, err
	}
	if _, err := thriftSize(footer); err != nil {
		return nil, damaged("its footer: %w", err)
	}
	return footer, nil
}

// checkGroups holds what the footer says of row groups against the file.
func (p *Parquet) checkGroups(size int64) error {
	var rows int64
	for i := range p.meta.RowGroups {
		g := &p.meta.RowGroups[i]
		if g.NumRows < 0 || g.NumRows > math.MaxInt64-rows {
			return damaged("row group %d has %d rows", i, g.NumRows)
		}
		rows += g.NumRows
		var stored int64
		for c := range g.Columns {
			n, err := checkChunk(&g.Columns[c], size)
			if err != nil {
				return damaged("row group %d, column %d: %w", i, c, err)
			}
			stored += n
		}
		if stored > maxRowGroupSize {
			return unsupported(fmt.Sprintf("row group %d has %d bytes", i, stored), fmt.Sprintf("write row groups of at most %d MB", maxRowGroupSize>>20))
		}
		for _, f := range p.fields {
			if n := g.Columns[f.firstLeaf].MetaData.NumValues; f.flat() && n != g.NumRows {
				return damaged("column %q has %d values in the %d rows of row group %d", f.name, n, g.NumRows, i)
			}
		}
		p.groups = append(p.groups, RowGroup{Rows: g.NumRows, Bytes: stored})
	}
	return nil
}

// checkChunk returns the bytes of a column in a row group.
func checkChunk(c *format.ColumnChunk, size int64) (int64, error) {
	m := &c.MetaData
	start, n := chunkSpan(m)
	switch {
	case c.FilePath != "":
		return 0, fmt.Errorf("it lies in another file, %q", c.FilePath)
	case n < 0 || n > size || start < 4 || start > size-n:
		return 0, fmt.Errorf("it lies at %d to %d of %d bytes", start, start+n, size)
	case m.DataPageOffset < start || m.DataPageOffset-start > n:
		return 0, fmt.Errorf("its pages start at %d", m.DataPageOffset)
	case m.NumValues < 0:
		return 0, fmt.Errorf("it has %d values", m.NumValues)
	default:
		return n, nil
	}
}

// chunkSpan returns where a column's pages lie.
func chunkSpan(m *format.ColumnMetaData) (start, length int64) {
	if m.DictionaryPageOffset != 0 {
		return m.DictionaryPageOffset, m.TotalCompressedSize
	}
	return m.DataPageOffset, m.TotalCompressedSize
}

// readAt fills b.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return damaged("it ends at byte %d", at+int64(n))
	default:
		return err
	}
}

// damaged returns the error of a file that is not what it should be.
func damaged(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Damage{Reason: "it is no readable Parquet file: " + err.Error(), Remedy: "write it again", Err: errors.Unwrap(err)}
}

// unsupported returns the error of a file that is in order but cannot be read.
func unsupported(what, remedy string) error { return &Damage{Reason: what, Remedy: remedy} }

// recovered turns a panic of the decoder, which trusts what it reads, into an
// error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = damaged("decoding it: %v", r)
	}
}

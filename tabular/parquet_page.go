package tabular

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// unpacker gives the decoder the pages of a column in a row group, one after the
// other, checked and unpacked: as an io.ReaderAt that is read from its start to
// its end. The decoder does not unpack itself, because it reserves what packed
// bytes ask for, and loses values of pages that fill its buffer to the brim.
type unpacker struct {
	packed []byte // what is left
	codec  format.CompressionCodec
	total  int64 // values that the pages should have
	values int64
	pages  int
	start  int64 // where current lies
	page   []byte
	err    error
}

// ReadAt reads on from the last read, or again from the same page.
func (u *unpacker) ReadAt(b []byte, at int64) (int, error) {
	at -= u.start
	if at < 0 {
		return 0, errors.New("reading a page again")
	}
	for at >= int64(len(u.page)) {
		at -= int64(len(u.page))
		u.start += int64(len(u.page))
		if u.page, u.err = u.next(); u.err != nil {
			u.page = nil
			return 0, u.err
		}
	}
	return copy(b, u.page[at:]), nil
}

// next returns the next page as one that was never packed, or io.EOF.
func (u *unpacker) next() ([]byte, error) {
	switch {
	case u.err != nil:
		return nil, u.err
	case len(u.packed) == 0 && u.values != u.total:
		return nil, fmt.Errorf("its pages hold %d of its %d values", u.values, u.total)
	case len(u.packed) == 0:
		return nil, io.EOF
	}
	page, err := u.unpack()
	if err != nil {
		return nil, fmt.Errorf("page %d: %w", u.pages, err)
	}
	u.pages++
	return page, nil
}

func (u *unpacker) unpack() ([]byte, error) {
	n, err := thriftSize(u.packed)
	if err != nil {
		return nil, fmt.Errorf("its header: %w", err)
	}
	var protocol thrift.CompactProtocol
	var h format.PageHeader
	if err := thrift.Unmarshal(&protocol, u.packed[:n], &h); err != nil {
		return nil, fmt.Errorf("its header: %w", err)
	}
	u.packed = u.packed[n:]
	size := int(h.CompressedPageSize)
	if size < 0 || size > len(u.packed) {
		return nil, fmt.Errorf("it has %d bytes, and %d are left", size, len(u.packed))
	}
	body := u.packed[:size:size]
	u.packed = u.packed[size:]
	if h.CRC != 0 && uint32(h.CRC) != crc32.ChecksumIEEE(body) { //nolint:gosec // the bits of a checksum
		return nil, errors.New("its checksum is wrong")
	}
	plain, packed, err := u.count(&h, size)
	if err != nil {
		return nil, err
	}
	whole := int64(h.UncompressedPageSize)
	if !packed {
		if whole != int64(size) {
			return nil, fmt.Errorf("it has %d bytes instead of %d", size, whole)
		}
	} else if body, err = unpackBody(u.codec, body, plain, whole); err != nil {
		return nil, err
	}
	h.CompressedPageSize, h.CRC = h.UncompressedPageSize, 0
	header, err := thrift.Marshal(&protocol, &h)
	if err != nil {
		return nil, err
	}
	return append(header, body...), nil
}

// count holds what the header says of values and sizes against bounds. It
// returns how many bytes stand before the packed ones, and whether there are any.
func (u *unpacker) count(h *format.PageHeader, size int) (plain int64, packed bool, err error) {
	var held int64
	packed = u.codec != format.Uncompressed
	switch {
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		held = int64(h.DataPageHeader.V.NumValues)
		u.values += held
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		v := &h.DataPageHeaderV2.V
		held = int64(v.NumValues)
		u.values += held
		if v.RepetitionLevelsByteLength < 0 || v.DefinitionLevelsByteLength < 0 || v.NumNulls < 0 || v.NumNulls > v.NumValues || v.NumRows < 0 || v.NumRows > v.NumValues {
			return 0, false, errors.New("its parts are larger than itself")
		}
		plain = int64(v.RepetitionLevelsByteLength) + int64(v.DefinitionLevelsByteLength)
		packed = packed && (!v.IsCompressed.Valid || v.IsCompressed.V)
		v.IsCompressed.Valid, v.IsCompressed.V = true, false
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		held = int64(h.DictionaryPageHeader.V.NumValues)
		if u.pages > 0 || held > 8*int64(h.UncompressedPageSize) {
			return 0, false, fmt.Errorf("a dictionary of %d values in %d bytes", held, h.UncompressedPageSize)
		}
	default:
		return 0, false, fmt.Errorf("it is a %s", h.Type)
	}
	whole := int64(h.UncompressedPageSize)
	if held < 0 || held > maxPageValues || plain > int64(size) || whole < plain || whole > maxPageSize {
		return 0, false, fmt.Errorf("%d values in %d bytes are too much", held, whole)
	}
	if u.values > u.total {
		return 0, false, fmt.Errorf("its column has more than its %d values", u.total)
	}
	return plain, packed, nil
}

// unpackBody returns a page's bytes, of which the first are plain and the whole
// are to be of that length.
func unpackBody(codec format.CompressionCodec, body []byte, plain, whole int64) ([]byte, error) {
	size := int(whole - plain)
	out := make([]byte, whole)
	copy(out, body[:plain])
	body = body[plain:]
	if size == 0 {
		return out, nil // all NULL; what it is packed into differs from writer to writer
	}
	n, err := unpackInto(codec, out[plain:], body)
	if err != nil {
		return nil, fmt.Errorf("unpacking it: %w", err)
	}
	if n != size {
		return nil, fmt.Errorf("it unpacks to other than %d bytes", size)
	}
	return out, nil
}

// unpackInto returns the number of unpacked bytes; more than room is another
// number than its length.
func unpackInto(codec format.CompressionCodec, room, body []byte) (int, error) {
	switch codec {
	case format.Snappy:
		n, err := snappy.DecodedLen(body)
		if err != nil || n != len(room) {
			return n, err
		}
		_, err = snappy.Decode(room, body)
		return n, err
	case format.Gzip:
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		return fill(r, room)
	case format.Zstd:
		r, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxPageSize))
		if err != nil {
			return 0, err
		}
		defer r.Close()
		return fill(r, room)
	case format.Lz4Raw:
		return lz4.UncompressBlock(body, room)
	default:
		return 0, fmt.Errorf("the compression %s is not supported; SNAPPY, GZIP, ZSTD and LZ4_RAW are", codec)
	}
}

// fill reads room full and reports one byte more if there are more.
func fill(r io.Reader, room []byte) (int, error) {
	n, err := io.ReadFull(r, room)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	more, err := io.ReadFull(r, make([]byte, 1))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n + more, err
}

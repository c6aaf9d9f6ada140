package tabular

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how a file was made smaller.
type Compression string

// The compressions.
const (
	Plain Compression = "none"
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
)

// maxWindow is how much memory a Zstandard file may ask for, in bytes: that of
// the command's --ultra levels. Only --long asks for more.
const maxWindow = 128 << 20

// Decompress returns what r holds. Close does not close r. Its errors are those
// of r, unchanged, and [*Damage] for a file that is cut short, of another kind or
// whose checksum is wrong.
func Decompress(r io.Reader, c Compression) (io.ReadCloser, error) {
	s := &source{r: r}
	switch c {
	case Gzip:
		// gzip would wrap a reader that cannot hand out single bytes itself.
		in, err := gzip.NewReader(bufio.NewReaderSize(s, 64<<10))
		if err != nil {
			return nil, s.damage(c, err)
		}
		return &decompressor{s, c, in, in.Close}, nil
	case Zstd:
		in, err := zstd.NewReader(s, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, s.damage(c, err)
		}
		return &decompressor{s, c, in, func() error { in.Close(); return nil }}, nil
	default:
		return io.NopCloser(r), nil
	}
}

// source remembers the error of a reader, to tell it from what a decompressor
// makes of the bytes.
type source struct {
	r   io.Reader
	err error
}

// Read reads from the reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// damage returns the reader's own error, or that of the bytes.
func (s *source) damage(c Compression, err error) error {
	switch {
	case s.err != nil:
		return s.err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Damage{Reason: fmt.Sprintf("its %s data are cut short", c), Remedy: "write the file again; it is not complete", Err: io.ErrUnexpectedEOF}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, zstd.ErrMagicMismatch):
		return &Damage{Reason: fmt.Sprintf("it is not compressed with %s all through", c), Remedy: fmt.Sprintf("compress it with %s, or say how it is compressed", c), Err: err}
	default:
		return &Damage{Reason: fmt.Sprintf("its %s data are damaged: %v", c, err), Remedy: "write the file again", Err: err}
	}
}

type decompressor struct {
	source *source
	kind   Compression
	r      io.Reader
	close  func() error
}

// Read reads decompressed bytes.
func (d *decompressor) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = d.source.damage(d.kind, err)
	}
	return n, err
}

// Close releases what decompression holds.
func (d *decompressor) Close() error { return d.close() }

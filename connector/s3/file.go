package s3

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/tabular"
)

// file is an object that is being read.
type file struct {
	bucket  *bucket
	object  object
	format  string
	rows    tabular.Rows
	closers []io.Closer
}

// formatOf returns how the rows of an object are written.
func (b *bucket) formatOf(key string) (string, error) {
	if b.config.Format != auto {
		return b.config.Format, nil
	}
	name := strings.ToLower(key)
	for _, end := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, end)
	}
	for end, format := range map[string]string{
		".csv": formatCSV, ".jsonl": formatJSON, ".ndjson": formatJSON, ".json": formatJSON, ".parquet": parquet,
	} {
		if strings.HasSuffix(name, end) {
			return format, nil
		}
	}
	return "", &ceap.Error{
		Code: ceap.CodeInvalid, Message: fmt.Sprintf("%sthe name of %s does not say how rows are written", queryFailed, b.url(key)),
		Hint: "set sourceConfig.format to csv, jsonl or parquet, or name the objects meant more narrowly",
	}
}

// open opens an object. columns are those known from objects before it, nil if
// there are none yet.
func (b *bucket) open(ctx context.Context, o object, columns []string, read *atomic.Int64) (*file, error) {
	format, err := b.formatOf(o.key)
	if err != nil {
		return nil, err
	}
	f := &file{bucket: b, object: o, format: format}
	if err := f.openRows(ctx, columns, read); err != nil {
		_ = f.close() // the first error says more
		return nil, f.damaged(err)
	}
	return f, nil
}

func (f *file) openRows(ctx context.Context, columns []string, read *atomic.Int64) error {
	if f.format == parquet {
		p, err := tabular.OpenParquet(&randomBody{ctx, f.bucket, f.object, read}, f.object.size)
		if err != nil {
			return err
		}
		f.rows = p.Rows(0, len(p.RowGroups()))
		return nil
	}
	in, err := f.unpack(f.bucket.body(ctx, f.object, read))
	if err != nil {
		return err
	}
	config := f.bucket.config
	if f.format == formatCSV {
		options := tabular.CSVOptions{Delimiter: config.CSV.Delimiter[0]}
		if !config.CSV.Header {
			options.Names = config.Columns
		}
		f.rows, err = tabular.OpenCSV(in, options)
		return err
	}
	f.rows, err = tabular.OpenJSONLines(in, tabular.JSONOptions{Columns: columns, Select: config.Columns != nil})
	return err
}

// unpack returns what the object holds.
func (f *file) unpack(raw *body) (io.Reader, error) {
	f.closers = append(f.closers, raw)
	buffered := bufio.NewReaderSize(raw, 64<<10)
	kind := tabular.Compression(f.bucket.config.Compression)
	if kind == auto {
		var err error
		if kind, err = compressionOf(f.object.key, buffered); err != nil {
			return nil, err
		}
	}
	in, err := tabular.Decompress(buffered, kind)
	if err != nil {
		return nil, err
	}
	f.closers = append(f.closers, in)
	return in, nil
}

// compressionOf looks at the name, and then at bytes with which no text starts.
func compressionOf(key string, in *bufio.Reader) (tabular.Compression, error) {
	name := strings.ToLower(key)
	if strings.HasSuffix(name, ".gz") {
		return tabular.Gzip, nil
	}
	if strings.HasSuffix(name, ".zst") {
		return tabular.Zstd, nil
	}
	start, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	switch {
	case bytes.HasPrefix(start, []byte("\x1f\x8b")):
		return tabular.Gzip, nil
	case bytes.HasPrefix(start, []byte("\x28\xb5\x2f\xfd")):
		return tabular.Zstd, nil
	default:
		return tabular.Plain, nil
	}
}

// damaged names the object and the line of what is wrong with a file.
func (f *file) damaged(err error) error {
	d, ok := errors.AsType[*tabular.Damage](err)
	if !ok {
		return err
	}
	at := f.bucket.url(f.object.key)
	if d.Line > 0 {
		at += fmt.Sprintf(":%d", d.Line)
	}
	e := &ceap.Error{Code: ceap.CodeInvalid, Message: fmt.Sprintf("%s%s: %s", queryFailed, at, d.Reason), Hint: d.Remedy}
	if _, isNew := errors.AsType[*tabular.NewKeyError](err); isNew {
		e.Hint = "name the keys to read in sourceConfig.columns; without it they are those of the first 1000 lines of the first object"
	}
	return e
}

// close releases what reading holds, the outermost first.
func (f *file) close() error {
	var errs []error
	for _, c := range slices.Backward(f.closers) {
		errs = append(errs, c.Close())
	}
	f.closers = nil
	return errors.Join(errs...)
}

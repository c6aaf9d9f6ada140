package tabular_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/tabular"
)

// read reads all rows, and holds what the contract says of batches and errors.
func read(tb testing.TB, rows tabular.Rows) ([][]ceap.Value, error) {
	tb.Helper()
	var out [][]ceap.Value
	for {
		batch, err := rows.Next()
		if err != nil {
			if again, same := rows.Next(); len(again) > 0 || !errors.Is(same, err) {
				tb.Errorf("after %v: got %d rows and %v", err, len(again), same)
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return out, err
		}
		if len(batch) == 0 {
			tb.Fatal("got no rows and no error")
		}
		for _, rec := range batch {
			if rec.Row != int64(len(out)+1) {
				tb.Fatalf("the row after %d others has the position %d", len(out), rec.Row)
			}
			if len(rec.Values) != len(rows.Columns()) {
				tb.Fatalf("row %d has %d values for %d columns", rec.Row, len(rec.Values), len(rows.Columns()))
			}
			out = append(out, slices.Clone(rec.Values))
		}
	}
}

// names returns the names of columns.
func names(columns []connector.Column) []string {
	var out []string
	for _, c := range columns {
		out = append(out, c.Name)
	}
	return out
}

// show returns rows as texts that tell NULL from "" and 1 from "1".
func show(rows [][]ceap.Value) []string {
	var out []string
	for _, row := range rows {
		line := []byte("[")
		for i, v := range row {
			if i > 0 {
				line = append(line, ' ')
			}
			line = v.AppendJSON(line)
		}
		out = append(out, string(append(line, ']')))
	}
	return out
}

func texts(row []ceap.Value) []string {
	var out []string
	for _, v := range row {
		out = append(out, v.String())
	}
	return out
}

// compress returns text in that form.
func compress(tb testing.TB, c tabular.Compression, text []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch c {
	case tabular.Gzip:
		w = gzip.NewWriter(&out)
	case tabular.Zstd:
		var err error
		if w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1)); err != nil {
			tb.Fatal(err)
		}
	default:
		return text
	}
	if _, err := w.Write(text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// damage returns the Damage that err is.
func damage(tb testing.TB, err error) *tabular.Damage {
	tb.Helper()
	d, ok := errors.AsType[*tabular.Damage](err)
	if !ok {
		tb.Fatalf("got %v, want Damage", err)
	}
	return d
}

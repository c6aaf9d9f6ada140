package duckdb

import (
	"bufio"
	"bytes"
	"compress/gzip"
	stdcsv "encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
)

// maxLine bounds a line of a CSV file, in bytes: large cells are legitimate,
// but an unclosed quote must not read a whole file into memory.
const maxLine = 16 << 20

// header returns the first record of a CSV file. name is the file's in messages.
func header(path, name, delimiter string) ([]string, error) {
	in, closeFile, err := openText(path, name)
	if err != nil {
		return nil, err
	}
	defer closeFile()
	buffered := bufio.NewReader(io.LimitReader(in, maxLine))
	if bom, err := buffered.Peek(3); err == nil && string(bom) == "\ufeff" {
		_, _ = buffered.Discard(len(bom))
	}
	r := stdcsv.NewReader(buffered)
	r.Comma = rune(delimiter[0])
	record, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, ceap.Errorf(ceap.CodeInvalid, "%s is empty; a CSV file starts with a line of column names", name)
	case err != nil:
		return nil, ceap.Errorf(ceap.CodeInvalid, "%s: reading the line of column names: %w", name, err).
			WithHint("the first line holds the names, with commas between them")
	}
	return record, nil
}

// openText opens a file of text, unpacking .gz.
func openText(path, name string) (in io.Reader, closeFile func(), err error) {
	f, err := os.Open(path) //nolint:gosec // the path was found, not given
	if err != nil {
		return nil, nil, ceap.Errorf(ceap.CodeUnavailable, "reading %s: %w", name, err)
	}
	closeFile = func() { _ = f.Close() } // it is only read
	if !strings.HasSuffix(strings.ToLower(path), ".gz") {
		return f, closeFile, nil
	}
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		closeFile()
		return nil, nil, ceap.Errorf(ceap.CodeInvalid, "%s is not compressed as its name says: %w", name, err).
			WithHint("compress it with gzip, or take .gz off its name")
	}
	return unpacked, closeFile, nil
}

// badLine returns the number of the first line that is no JSON, from 1, or 0.
// DuckDB's own number is off by one, and does not count blank lines.
func badLine(path string) int {
	in, closeFile, err := openText(path, path)
	if err != nil {
		return 0
	}
	defer closeFile()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if n == 1 && bytes.HasPrefix(line, []byte("[")) {
			return 0 // an array over several lines
		}
		if len(line) > 0 && !json.Valid(line) {
			return n
		}
	}
	return 0
}

// checkNames refuses names that no query could tell apart.
func checkNames(name string, names []string) error {
	var seen []string
	for i, n := range names {
		folded := strings.ToLower(n)
		switch {
		case strings.TrimSpace(n) == "":
			return ceap.Errorf(ceap.CodeInvalid, "%s:1: column %d has no name", name, i+1).WithHint("name every column in the first line")
		case slices.Contains(seen, folded):
			return ceap.Errorf(ceap.CodeInvalid, "%s:1: the column name %q occurs twice", name, n).WithHint("rename one; case does not matter")
		}
		seen = append(seen, folded)
	}
	return nil
}

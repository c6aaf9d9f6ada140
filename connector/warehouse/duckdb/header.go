package duckdb

import (
	"bufio"
	"compress/gzip"
	stdcsv "encoding/csv"
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
	f, err := os.Open(path) //nolint:gosec // the path was found, not given
	if err != nil {
		return nil, ceap.Errorf(ceap.CodeUnavailable, "reading %s: %w", name, err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	var in io.Reader = f
	if strings.HasSuffix(strings.ToLower(path), ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, ceap.Errorf(ceap.CodeInvalid, "reading %s: %w", name, err)
		}
	}
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
		return nil, ceap.Errorf(ceap.CodeInvalid, "%s: reading the line of column names: %w", name, err)
	}
	return record, nil
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

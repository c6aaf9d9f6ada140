//go:build cgo

// The comparison runs DuckDB, which needs cgo.

package tabular_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/tabular"
)

// TestI9_CSVIsReadAsInTheWarehouse holds that a CSV file has the same rows here
// and in the embedded warehouse, which reads it with these options, wherever both
// accept it. Lines that end in different ways are refused there and read here;
// text after a closing quote is refused here, and there read as something else if
// a blank stands between.
func TestI9_CSVIsReadAsInTheWarehouse(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	name := filepath.Join(t.TempDir(), "a.csv")
	compared := 0
	rapid.Check(t, func(rt *rapid.T) {
		lines := rapid.SliceOfN(rapid.StringMatching(`([a ]{0,2}|"[a ,]{0,2}"| "(a|"")" |a"b),([b ]{0,2}|"(b|""|\n){0,2}"),?|[ab",]{0,4}`), 0, 4).Draw(rt, "lines")
		text := "a,b\n" + strings.Join(lines, "\n") + rapid.SampledFrom([]string{"", "\n"}).Draw(rt, "end")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			rt.Fatal(err)
		}
		want, err := warehouseCSV(rt, db, name)
		if err != nil {
			return
		}
		c, err := tabular.OpenCSV(strings.NewReader(text), tabular.CSVOptions{})
		if err != nil {
			rt.Fatal(err)
		}
		rows, err := read(t, c)
		if err != nil && strings.Contains(err.Error(), "follows a closing quote") {
			return
		}
		if err != nil {
			rt.Fatalf("%q: %v; the warehouse reads %v", text, err, want)
		}
		compared++
		if got := show(rows); strings.Join(got, "\n") != strings.Join(want, "\n") {
			rt.Fatalf("%q: got %v, the warehouse reads %v", text, got, want)
		}
	})
	if compared < 10 {
		t.Errorf("only %d files were compared", compared)
	}
}

func warehouseCSV(t *rapid.T, db *sql.DB, name string) ([]string, error) {
	rows, err := db.QueryContext(t.Context(), fmt.Sprintf(`SELECT a, b FROM read_csv(['%s'], columns={'a': 'VARCHAR', 'b': 'VARCHAR'}, header=true, delim=',', quote='"',
		escape='"', strict_mode=true, auto_detect=false, allow_quoted_nulls=false, max_line_size=16777216, hive_partitioning=false)`, name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out [][]ceap.Value
	for rows.Next() {
		var a, b *string
		if err := rows.Scan(&a, &b); err != nil {
			t.Fatal(err)
		}
		row := make([]ceap.Value, 2)
		for i, text := range []*string{a, b} {
			if text != nil {
				row[i] = ceap.String(*text)
			}
		}
		out = append(out, row)
	}
	return show(out), rows.Err()
}

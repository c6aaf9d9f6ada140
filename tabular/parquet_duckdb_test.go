//go:build cgo

package tabular_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // writes the files
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/duckdb"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/tabular"
)

// duckTable writes a table of one file with DuckDB and returns the deployment's
// folder.
func duckTable(t *testing.T, query, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "warehouse", "db"), 0o750); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // in memory
	sql := fmt.Sprintf("SET TimeZone='UTC'; COPY (%s) TO '%s' (FORMAT parquet%s)", query, filepath.Join(dir, "warehouse", "db", "t.parquet"), options)
	if _, err := db.ExecContext(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return dir
}

// duckRows reads the table with the embedded engine.
func duckRows(t *testing.T, dir string) ([]connector.Column, [][]ceap.Value) {
	t.Helper()
	settings := warehouse.DefaultSettings()
	settings.MemoryLimit = "512MB"
	env := plugin.Env{Logger: slog.New(slog.DiscardHandler), Now: time.Now, Dir: dir, Settings: settings}
	engine, err := duckdb.Engine().Open(env, settings)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := engine.Query(t.Context(), warehouse.Statement{Database: "db", SQL: "SELECT * FROM t"})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read to the end
	return rows.Columns(), drain(t, rows)
}

// parquetRows reads the table with this package.
func parquetRows(t *testing.T, dir string) ([]connector.Column, [][]ceap.Value) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "warehouse", "db", "t.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p, err := tabular.OpenParquet(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return p.Columns(), drain(t, p.Rows(0, len(p.RowGroups())))
}

// drain returns copies of all rows.
func drain(t *testing.T, rows tabular.Rows) [][]ceap.Value {
	t.Helper()
	var out [][]ceap.Value
	for {
		batch, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range batch {
			if rec.Row != int64(len(out)+1) {
				t.Fatalf("row %d is numbered %d", len(out)+1, rec.Row)
			}
			out = append(out, append([]ceap.Value(nil), rec.Values...))
		}
	}
}

func TestParquet_ReadsWhatDuckDBReads(t *testing.T) {
	t.Parallel()
	for _, tc := range []string{
		"true", "CAST(NULL AS VARCHAR)", "''", "'Grüße, 東京 👋'", "'007'",
		"CAST(-7 AS TINYINT)", "CAST(-7 AS SMALLINT)", "-7", "CAST(-9223372036854775808 AS BIGINT)",
		"255::UTINYINT", "65535::USMALLINT", "4294967295::UINTEGER", "18446744073709551615::UBIGINT",
		"CAST('0.1' AS REAL)", "CAST('1e300' AS DOUBLE)", "CAST('NaN' AS DOUBLE)", "CAST('-Infinity' AS DOUBLE)", "CAST('NaN' AS REAL)",
		"CAST('29.90' AS DECIMAL(4,2))", "CAST('-0.05' AS DECIMAL(9,2))", "CAST('12345678901234.5' AS DECIMAL(18,1))",
		"CAST('-12345678901234567890123456.78' AS DECIMAL(38,2))", "CAST('0.00000000000000000000000000000000000001' AS DECIMAL(38,38))", "12::DECIMAL(9,0)",
		"DATE '2026-01-26'", "DATE '1600-02-29'", "TIMESTAMP '2026-01-26 12:34:56.789'", "TIMESTAMP '1900-01-01 00:00:00.000001'",
		"TIMESTAMPTZ '2026-01-26 12:00:00+02'", "'2026-01-26 12:00:00'::TIMESTAMP_S", "'2026-01-26 12:00:00.5'::TIMESTAMP_MS",
		"'2026-01-26 12:00:00.123456789'::TIMESTAMP_NS", "TIME '10:00:00'", "TIME '23:59:59.123456'", "TIME '10:00:00.5'",
		"'5f3e8a52-0d27-4c6e-9d9c-6d8f5a3b8f00'::UUID", "'{\"a\": 1}'::JSON", "'ab'::BLOB", `'\x00a\x22\x27\x5C~\xFF'::BLOB`,
		"[1, 2]", "[]::INTEGER[]", "[NULL, 1, NULL]", "NULL::INTEGER[]", "[[1], [], NULL, [2, 3]]", "['a', 'b c', '', 'NULL', 'null', ' x', 'y ']",
		`['a,b', 'it''s', '"', 'a:b', 'a=b', '(x)', '[x]', '{x}', 'back\slash', 'Grüße', '-1']`,
		"{'a': 1}", "{'a': NULL, 'b': 'x y'}", "{'a b': {'c''d': [1, NULL]}}", "NULL::STRUCT(a INTEGER)", "[{'a': 1, 'b': ['x']}, NULL, {'a': NULL, 'b': NULL}]",
		"MAP {'k': 1, 'k 2': NULL}", "MAP {1: ['a'], 2: []}", "MAP {}::MAP(VARCHAR, INTEGER)", "MAP {'a': MAP {'b': 'c, d'}}",
		"[TIMESTAMP '2026-01-26 12:34:56.789']", "[DATE '2026-01-26']", "[1.5, 29.90]", "[true, false]", "[1e300, 0.1]", "[TIME '10:00:00']", "['ab'::BLOB]",
		"[TIMESTAMPTZ '2026-01-26 12:00:00+02']", "{'t': TIMESTAMP '2026-01-26 12:34:56'}", "[1e16, 123456789012345.5, 1e-5, 0.0001, -0.0, 1e15]", "[CAST('0.1' AS REAL), CAST('-inf' AS REAL)]", "[CAST(1.0 AS DOUBLE)]", "[CAST('NaN' AS DOUBLE)]",
		"['5f3e8a52-0d27-4c6e-9d9c-6d8f5a3b8f00'::UUID]",
	} {
		t.Run(tc, func(t *testing.T) {
			t.Parallel()
			dir := duckTable(t, "SELECT "+tc+" AS v UNION ALL SELECT NULL UNION ALL SELECT "+tc, "")
			wantColumns, want := duckRows(t, dir)
			columns, got := parquetRows(t, dir)
			if diff := cmp.Diff(want, got, equal()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(wantColumns, columns); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParquet_ReadsEveryKindOfPage(t *testing.T) {
	t.Parallel()
	query := `SELECT range AS n, 'row ' || range AS s, 'PROD-' || (range % 7) AS few, CASE WHEN range % 3 = 0 THEN NULL ELSE range / 4.0 END AS d,
		range % 2 = 0 AS b, list_transform(range(range % 4), x -> x * range) AS l, TIMESTAMP '2026-01-01' + INTERVAL (range) SECOND AS t, md5(range::VARCHAR) AS h, hash(range) AS u FROM range(20000)`
	for _, options := range []string{"", ", COMPRESSION uncompressed", ", COMPRESSION gzip", ", COMPRESSION zstd", ", COMPRESSION lz4_raw", ", PARQUET_VERSION v2", ", ROW_GROUP_SIZE 2048"} {
		t.Run(strings.TrimPrefix(options, ", "), func(t *testing.T) {
			t.Parallel()
			dir := duckTable(t, query, options)
			_, want := duckRows(t, dir)
			_, got := parquetRows(t, dir)
			if len(got) != 20000 {
				t.Fatalf("%d rows", len(got))
			}
			if diff := cmp.Diff(want, got, equal()); diff != "" {
				t.Error(diff[:min(len(diff), 2000)])
			}
		})
	}
}

//go:build cgo

package duckdb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/duckdb"
	"github.com/ceap-platform/ceap/connector/warehouse/enginetest"
)

func TestEngine_Conformance(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.run("COPY (SELECT 1 AS id) TO '@/t.parquet'")
	engine, err := duckdb.Engine().Open(f.env(settings()), settings())
	if err != nil {
		t.Fatal(err)
	}
	enginetest.Run(t, enginetest.Harness{
		Engine:   engine,
		Style:    warehouse.Named,
		Database: database,
		Many:     "SELECT range AS n, 'row ' || range AS s FROM range(1, 10001)",
		Slow:     "SELECT count(*) AS n FROM range(10000000) a, range(10000000) b WHERE a.range + b.range < 0",
		Broken:   "SELECT CASE WHEN range = 5000000 THEN 'x' ELSE '1' END::INTEGER AS n FROM range(10000000)",
		Types: []enginetest.Type{
			{SQL: "255::UTINYINT", Want: ceap.Int(255)},
			{SQL: "65535::USMALLINT", Want: ceap.Int(65535)},
			{SQL: "4294967295::UINTEGER", Want: ceap.Int(4294967295)},
			{SQL: "18446744073709551615::UBIGINT", Want: ceap.Decimal("18446744073709551615")},
			{SQL: "-170141183460469231731687303715884105727::HUGEINT", Want: ceap.Decimal("-170141183460469231731687303715884105727")},
			{SQL: "12::DECIMAL(9,0)", Want: ceap.Int(12)},
			{SQL: "TIMESTAMPTZ '2026-01-26 12:00:00+02'", Want: ceap.Time(time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC))},
			{SQL: "'2026-01-26 12:00:00'::TIMESTAMP_S", Want: ceap.Local(time.Date(2026, 1, 26, 12, 0, 0, 0, time.UTC))},
			{SQL: "'2026-01-26 12:00:00.5'::TIMESTAMP_MS", Want: ceap.Local(time.Date(2026, 1, 26, 12, 0, 0, 5e8, time.UTC))},
			{SQL: "'2026-01-26 12:00:00.123456789'::TIMESTAMP_NS", Want: ceap.Local(time.Date(2026, 1, 26, 12, 0, 0, 123456000, time.UTC))},
			{SQL: "'infinity'::TIMESTAMP", Want: ceap.String("infinity")},
			{SQL: "'-infinity'::DATE", Want: ceap.String("-infinity")},
			{SQL: "TIME '10:00:00'", Want: ceap.String("10:00:00")},
			{SQL: "INTERVAL 1 DAY", Want: ceap.String("1 day")},
			{SQL: "[1, 2]", Want: ceap.String("[1, 2]")},
			{SQL: "{'a': 1}", Want: ceap.String("{'a': 1}")},
			{SQL: `'{"a": 1}'::JSON`, Want: ceap.String(`{"a": 1}`)},
			{SQL: "'5f3e8a52-0d27-4c6e-9d9c-6d8f5a3b8f00'::UUID", Want: ceap.String("5f3e8a52-0d27-4c6e-9d9c-6d8f5a3b8f00")},
			{SQL: "'ab'::BLOB", Want: ceap.String("ab")},
		},
	})
}

func TestEngine_KeepsNamesAndOrderWhenItCasts(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	got := f.must(`SELECT [range] AS "odd "" name", range AS a, range AS a FROM range(5) ORDER BY range DESC LIMIT 3 -- last`)
	if types(got) != `odd " name LIST, a BIGINT, a BIGINT` {
		t.Errorf("columns %s", types(got))
	}
	if want := "[4]|4|4 [3]|3|3 [2]|2|2"; strings.Join(got.rows, " ") != want {
		t.Errorf("rows %v", got.rows)
	}
}

func TestEngine_KnowsTypesThatDependOnAValue(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	c := f.connectorWith(settings(), warehouse.Config{
		Database: database, MaxWaitSeconds: 60,
		Query: "SELECT '{marketplace}' AS m, ['{startDate}'] AS l, count(*) AS n FROM range(10000000) a, range(10000000) b GROUP BY ALL",
	})
	columns, err := c.Describe(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	if got := types(result{columns: columns}); got != "m VARCHAR, l LIST, n BIGINT" {
		t.Errorf("columns %s", got)
	}
	if got := f.must("SELECT '{marketplace}' AS m, ['{startDate}'] AS l"); got.rows[0] != "US|[2026-01-26]" {
		t.Errorf("rows %v", got.rows)
	}
}

func TestEngine_LimitsMemory(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	s := settings()
	s.MemoryLimit, s.MaxTempSize = "20MB", "1MB"
	c := f.connectorWith(s, warehouse.Config{Database: database, MaxWaitSeconds: 60, Query: "SELECT DISTINCT md5(range::VARCHAR) AS h FROM range(3000000)"})
	_, err := extract(t, c)
	if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.Contains(err.Error(), "memoryLimit (now 20MB)") {
		t.Errorf("got %v", err)
	}
}

func TestEngine_LeavesNoTemporaryFiles(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	s := settings()
	s.TempDir = t.TempDir()
	for _, query := range []string{"SELECT 1 AS n", "SELECT x", "SELECT * FROM read_csv('x')"} {
		_, _ = extract(t, f.connectorWith(s, warehouse.Config{Database: database, MaxWaitSeconds: 60, Query: query}))
	}
	if left, err := filepath.Glob(filepath.Join(s.TempDir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	s.TempDir = filepath.Join(s.TempDir, "missing")
	_, err := extract(t, f.connectorWith(s, warehouse.Config{Database: database, MaxWaitSeconds: 60, Query: "SELECT 1 AS n"}))
	if ceap.ErrorCode(err) != ceap.CodeUnavailable {
		t.Errorf("without the folder: %v", err)
	}
}

func TestEngine_TimesOut(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	c := f.connectorWith(settings(), warehouse.Config{
		Database: database, MaxWaitSeconds: 1,
		Query: "SELECT count(*) AS n FROM range(10000000) a, range(10000000) b WHERE a.range + b.range < 0",
	})
	_, err := extract(t, c)
	if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.HasPrefix(err.Error(), "Query execution failed: timed out after 1s") {
		t.Errorf("got %v", err)
	}
}

// BenchmarkExtract reads the guide's nine columns out of Parquet into records.
func BenchmarkExtract(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "warehouse", database)
	if err := os.MkdirAll(path, 0o750); err != nil {
		b.Fatal(err)
	}
	const rows = 2_000_000
	if err := duckdb.RunSQL(b.Context(), strings.ReplaceAll(`COPY (SELECT 'CUST' || lpad(range::VARCHAR, 10, '0') AS customer_id,
		'PROD-' || (range % 5000) AS product_id, 'ORD-' || range AS order_id, '2026-01-2' || (6 + range % 4) AS delivery_date,
		round((range % 10000) / 100.0, 2)::DOUBLE AS order_value, 'category ' || (range % 20) AS product_category, 'US' AS marketplace,
		range % 2 = 0 AS email_eligible, range % 3 = 0 AS sms_eligible FROM range(2000000)) TO '@/deliveries.parquet'`, "@", path)); err != nil {
		b.Fatal(err)
	}
	f := folder{dir: dir}
	engine, err := duckdb.Engine().Open(f.env(settings()), settings())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		stream, err := engine.Query(b.Context(), warehouse.Statement{Database: database, SQL: "SELECT * FROM deliveries"})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for {
			batch, err := stream.Next()
			if err != nil {
				break
			}
			n += len(batch)
		}
		if n != rows {
			b.Fatalf("%d rows", n)
		}
		_ = stream.Close()
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

//go:build cgo

package duckdb_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/duckdb"
)

// attacks are queries that want more than the warehouse's tables. @ stands for
// the database's folder.
func attacks() []string {
	return []string{
		// Files, by function or as a table.
		"SELECT * FROM read_csv('/etc/passwd')",
		"SELECT * FROM read_csv_auto('/etc/passwd')",
		"SELECT * FROM read_text('/etc/passwd')",
		"SELECT * FROM read_blob('@/secret/a.csv')",
		"SELECT * FROM read_json('/etc/hosts')",
		"SELECT * FROM read_parquet('@/t.parquet')",
		"SELECT * FROM parquet_metadata('@/t.parquet')",
		"SELECT * FROM sniff_csv('@/secret/a.csv')",
		"SELECT * FROM glob('/etc/*')",
		"SELECT * FROM '/etc/passwd'",
		"SELECT * FROM '/etc/passwd.csv'",
		"SELECT * FROM '@/t.parquet'",
		`SELECT * FROM "../other/t"`,
		`SELECT * FROM ".."."etc"`,
		`SELECT * FROM "/etc"."passwd"`,
		"SELECT * FROM leaving",
		"SELECT * FROM t WHERE id IN (SELECT content FROM read_text('/etc/passwd'))",
		"SELECT (SELECT content FROM read_text('/etc/passwd')) FROM t",
		"WITH p AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM p",
		"SELECT * FROM t UNION ALL SELECT content FROM read_text('/etc/passwd')",
		"SELECT * FROM t JOIN LATERAL (SELECT * FROM read_text('/etc/passwd')) ON true",
		`SELECT (WITH "/etc/passwd.csv" AS (SELECT 1) SELECT 1), * FROM "/etc/passwd.csv"`,
		// The network.
		"SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
		"SELECT * FROM 's3://bucket/x.parquet'",
		// The engine itself.
		"SELECT * FROM duckdb_settings()",
		"SELECT * FROM duckdb_views()",
		"SELECT * FROM duckdb_tables",
		"SELECT * FROM pg_catalog.pg_class",
		"SELECT * FROM information_schema.tables",
		"SELECT * FROM sqlite_master",
		"SELECT * FROM system.main.duckdb_views",
		"SELECT (WITH duckdb_views AS (SELECT 1) SELECT 1), * FROM duckdb_views",
		"SELECT * FROM query('SELECT 1')",
		"SELECT * FROM query_table('t')",
		"SELECT * FROM enable_logging()",
		"SELECT * FROM duckdb_secrets()",
		"SELECT current_setting('temp_directory')",
		"SELECT getenv('HOME')",
		"SELECT getvariable('x')",
		"SELECT write_log('x')",
		"FROM duckdb_settings()",
		"SHOW TABLES",
		"DESCRIBE t",
		"SUMMARIZE t",
		"SELECT * FROM (DESCRIBE t)",
		"SELECT * FROM (SHOW ALL TABLES)",
		"EXPLAIN SELECT 1",
		"PIVOT t ON id USING count(*)",
		// Statements that act.
		"ATTACH '@/x.db' AS x",
		"ATTACH ':memory:' AS x",
		"INSTALL httpfs",
		"LOAD httpfs",
		"SET memory_limit='8GB'",
		"SET VARIABLE x = 1",
		"RESET lock_configuration",
		"PRAGMA enable_profiling",
		"PRAGMA database_list",
		"CALL enable_logging()",
		"COPY (SELECT 1) TO '@/t.parquet'",
		"COPY t TO '@/stolen.csv'",
		"EXPORT DATABASE '@/export'",
		"IMPORT DATABASE '@/export'",
		"CREATE TABLE x AS SELECT 1",
		"CREATE SECRET (TYPE s3)",
		"DROP VIEW t",
		"INSERT INTO t VALUES (1)",
		"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
		"UPDATE t SET id = 1",
		"DELETE FROM t",
		"CHECKPOINT",
		"BEGIN",
		"USE system",
		// Two statements.
		"SELECT 1; SELECT 2",
		"SELECT 1; COPY (SELECT 1) TO '@/stolen.csv'",
		"COPY (SELECT 1) TO '@/stolen.csv'; SELECT 1",
		"SELECT 1 /* ; */; DROP VIEW t",
		"SELECT 1) TO '@/stolen.csv'; --",
		"SELECT 1) AS q(c0); COPY (SELECT 1",
	}
}

func TestSeal_RefusesAttacks(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.run("COPY (SELECT 'C-1' AS id) TO '@/t.parquet'")
	f.write("secret/a.csv", "id\n1\n")
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "a.csv"), []byte("id\nsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, f.path("leaving")); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, f.dir)
	for _, attack := range attacks() {
		attack = strings.ReplaceAll(attack, "@", f.path(""))
		err := attempt(t, f, attack)
		if err == nil {
			t.Errorf("it ran: %s", attack)
		} else if code := ceap.ErrorCode(err); code != ceap.CodeInvalid {
			t.Errorf("%s: code %s: %v", attack, code, err)
		}
	}
	if after := snapshot(t, f.dir); after != before {
		t.Errorf("the folder changed:\n%s\nto\n%s", before, after)
	}
	if got := f.must("SELECT * FROM t").rows; len(got) != 1 || got[0] != "C-1" {
		t.Errorf("afterwards the table holds %v", got)
	}
}

// attempt opens the connector and runs the query; either may refuse it.
func attempt(t *testing.T, f folder, query string) error {
	t.Helper()
	c, err := warehouse.New(f.env(settings()), warehouse.Config{Database: database, Query: query, MaxWaitSeconds: 60},
		[]warehouse.Description{duckdb.Engine()})
	if err != nil {
		return err
	}
	_, err = extract(t, c)
	return err
}

// TestSeal_EngineAlone gives the attacks to the engine itself, without the
// check of the text that comes before it.
func TestSeal_EngineAlone(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.run("COPY (SELECT 'C-1' AS id) TO '@/t.parquet'")
	f.write("secret/a.csv", "id\n1\n")
	engine, err := duckdb.Engine().Open(f.env(settings()), settings())
	if err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, f.dir)
	for _, attack := range attacks() {
		attack = strings.ReplaceAll(attack, "@", f.path(""))
		rows, err := engine.Query(t.Context(), warehouse.Statement{Database: database, SQL: attack})
		if err == nil {
			t.Errorf("it ran: %s", attack)
			_ = rows.Close()
		}
	}
	if after := snapshot(t, f.dir); after != before {
		t.Errorf("the folder changed:\n%s\nto\n%s", before, after)
	}
}

// snapshot lists all files below dir with their content's hash.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			fmt.Fprintln(&b, path)
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // a path of the test's own
		fmt.Fprintf(&b, "%s %x\n", path, sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

//go:build cgo

package athena_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/duckdb"
	fakeathena "github.com/ceap-platform/ceap/internal/awstest/athena"
	"github.com/ceap-platform/ceap/plugin"
)

// managed is the only workgroup, and manages results.
func managed() []fakeathena.WorkGroup {
	return []fakeathena.WorkGroup{{Name: "primary", ManagedResults: true}}
}

func numbers(n int) string {
	return fmt.Sprintf("SELECT n, CASE WHEN n %% 7 = 0 THEN NULL WHEN n %% 7 = 1 THEN '' ELSE 'row, \"' || CAST(n AS VARCHAR) || chr(10) END AS s FROM UNNEST(sequence(1, %d)) AS t(n) WHERE n <= %d", max(n, 1), n)
}

func wantNumber(n int64) []ceap.Value {
	switch n % 7 {
	case 0:
		return []ceap.Value{ceap.Int(n), ceap.Null()}
	case 1:
		return []ceap.Value{ceap.Int(n), ceap.String("")}
	default:
		return []ceap.Value{ceap.Int(n), ceap.String(fmt.Sprintf("row, \"%d\n", n))}
	}
}

func checkNumbers(t *testing.T, rows [][]ceap.Value, n int) {
	t.Helper()
	if len(rows) != n {
		t.Fatalf("%d rows instead of %d", len(rows), n)
	}
	for i, row := range rows {
		if want := wantNumber(int64(i + 1)); row[0] != want[0] || row[1] != want[1] {
			t.Fatalf("row %d: %v instead of %v", i+1, row, want)
		}
	}
}

func TestQuery_ReadsAllRows(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]fakeathena.Options{"unload": {}, "managed": {WorkGroups: managed()}, "one file": {UnloadFiles: 1, GroupRows: 300}} {
		c := newCloud(t, o)
		e := c.engine()
		for _, n := range []int{0, 1, 999, 1000, 1001, 1999, 2000, 5000} {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				t.Parallel()
				for _, query := range []string{numbers(n), strings.Replace(numbers(n), " AS s FROM", ", 1 FROM", 1)} {
					rows, err := e.Query(t.Context(), statement(t, query))
					if err != nil {
						t.Fatal(err)
					}
					checkNumbers(t, drain(t, rows, 1), n)
					if err := rows.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

func TestQuery_ReadsAMillionRows(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	c := newCloud(t, fakeathena.Options{})
	rows, err := c.engine().Query(t.Context(), statement(t, numbers(1_000_000)))
	if err != nil {
		t.Fatal(err)
	}
	checkNumbers(t, drain(t, rows, 1), 1_000_000)
}

// started starts a statement and polls until it is done.
func started(t *testing.T, c *cloud, s warehouse.Statement) json.RawMessage {
	t.Helper()
	e := c.engine()
	ticket, err := e.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for {
		progress, err := e.Poll(t.Context(), s, ticket)
		if err != nil {
			t.Fatal(err)
		}
		if progress.Done {
			return ticket
		}
	}
}

// overJSON is what another process gets.
func overJSON[T any](t *testing.T, v T) T {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out T
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestI8_PartsAreTheWhole(t *testing.T) {
	t.Parallel()
	clouds := map[string]*cloud{}
	rapid.Check(t, func(r *rapid.T) {
		o := fakeathena.Options{UnloadFiles: rapid.SampledFrom([]int{1, 4}).Draw(r, "files"), GroupRows: rapid.SampledFrom([]int{1, 300, 2048}).Draw(r, "group")}
		n := rapid.SampledFrom([]int{0, 1, 2, 50, 1000, 2500}).Draw(r, "rows")
		query := numbers(n)
		switch rapid.SampledFrom([]string{"unload", "select", "pages"}).Draw(r, "way") {
		case "select":
			query = strings.Replace(query, " AS s FROM", ", 1 FROM", 1)
		case "pages":
			o.WorkGroups = managed()
		}
		key := fmt.Sprint(o.UnloadFiles, o.GroupRows, len(o.WorkGroups))
		if clouds[key] == nil {
			clouds[key] = newCloud(t, o)
		}
		c := clouds[key]
		s := statement(t, query)
		s.Job.ID = uuid.NewString()
		parts, err := c.engine().Parts(t.Context(), s, started(t, c, s))
		if err != nil {
			r.Fatal(err)
		}
		parts = overJSON(t, parts)
		var all [][]ceap.Value
		for _, p := range parts.List {
			if p.FirstRow != int64(len(all)+1) {
				r.Fatalf("part %+v after %d rows", p, len(all))
			}
			rows, err := c.engine().OpenPart(t.Context(), p)
			if err != nil {
				r.Fatal(err)
			}
			if diff := cmp.Diff(parts.Columns, rows.Columns()); diff != "" {
				r.Fatal(diff)
			}
			read := drain(t, rows, p.FirstRow)
			if int64(len(read)) != p.Rows {
				r.Fatalf("%d rows in part %+v", len(read), p)
			}
			all = append(all, read...)
		}
		checkNumbers(t, all, n)
		if names := []string{parts.Columns[0].Name, parts.Columns[1].Name}; len(query) == len(numbers(n)) && (names[0] != "n" || names[1] != "s") {
			r.Fatalf("columns %v", parts.Columns)
		}
	})
}

func TestParts_AreBounded(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{UnloadFiles: 2})
	for _, query := range []string{"SELECT n FROM UNNEST(sequence(1, 250000)) AS t(n)", "SELECT n, 1 FROM UNNEST(sequence(1, 250000)) AS t(n)"} {
		s := statement(t, query)
		s.Job.ID = "job"
		parts, err := c.engine().Parts(t.Context(), s, started(t, c, s))
		if err != nil {
			t.Fatal(err)
		}
		var rows int64
		for _, p := range parts.List {
			if rows += p.Rows; p.Rows > 100_000 || p.Bytes <= 0 {
				t.Errorf("part %+v", p)
			}
		}
		if rows != 250_000 || len(parts.List) > 4 {
			t.Errorf("%d rows in %d parts", rows, len(parts.List))
		}
	}
}

func TestI9_ValuesAreThoseOfTheEmbeddedEngine(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{GroupRows: 2})
	p := newCloud(t, fakeathena.Options{WorkGroups: managed()})
	dir := t.TempDir()
	if err := os.Symlink(c.folder, filepath.Join(dir, "warehouse")); err != nil {
		t.Fatal(err)
	}
	settings := warehouse.DefaultSettings()
	env := c.env()
	env.Dir = dir
	embedded, err := duckdb.Engine().Open(env, settings)
	if err != nil {
		t.Fatal(err)
	}
	for i, tc := range []struct{ typ, values string }{
		{"BOOLEAN", "true, false, NULL"},
		{"TINYINT", "-128, 127, 0, NULL"},
		{"SMALLINT", "-32768, NULL"},
		{"INTEGER", "2147483647, -1"},
		{"BIGINT", "-9223372036854775808, 9223372036854775807, NULL"},
		{"REAL", "0.1, -1.5e10, 1e-30, 16777216, NULL, 'NaN', 'Infinity', '-Infinity', -0.0"},
		{"DOUBLE", "0.1, 1e300, 123456789.125, 1e7, 0.001, 1e-5, NULL, 'NaN', 'Infinity', '-Infinity', -0.0, 9007199254740993"},
		{"DECIMAL(4,2)", "29.90, -0.05, 0, NULL"},
		{"DECIMAL(18,6)", "123456789012.123456, -0.000001"},
		{"DECIMAL(38,2)", "'123456789012345678901234567890123456.78', '-0.01', NULL"},
		{"DECIMAL(9,0)", "12, -7"},
		{"VARCHAR", "'007', '', NULL, 'Grüße, \"東京\" 👋', E'line\nbreak', ' x ', 'NULL', 'a,b', '\"', E'\\r', '\\'"},
		{"DATE", "'2026-01-26', '1970-01-01', '1899-12-31', NULL"},
		{"TIMESTAMP", "'2026-01-26 12:34:56.789', '1969-12-31 23:59:59.999', '2026-01-26 00:00:00', NULL"},
		{"BLOB", `'ab', '\x00\xFF', 'it\x27s \x5C', '', NULL`},
	} {
		name := fmt.Sprintf("t%d", i)
		runDuck(t, fmt.Sprintf("COPY (SELECT CAST(v AS %s) AS v, n FROM (SELECT unnest([%s]) AS v, generate_subscripts([%[2]s], 1) AS n)) TO '%s'",
			tc.typ, asTexts(tc.values), filepath.Join(c.folder, database, name+".parquet")))
		if err := os.Symlink(filepath.Join(c.folder, database, name+".parquet"), filepath.Join(p.folder, database, name+".parquet")); err != nil {
			t.Fatal(err)
		}
		t.Run(tc.typ, func(t *testing.T) {
			t.Parallel()
			named := warehouse.Statement{Database: database, SQL: "SELECT v, n FROM " + name + " ORDER BY n"}
			rows, err := embedded.Query(t.Context(), named)
			if err != nil {
				t.Fatal(err)
			}
			want := drain(t, rows, 1)
			_ = rows.Close()
			for way, got := range map[string]func() (warehouse.Rows, error){
				"unload": func() (warehouse.Rows, error) { return c.engine().Query(t.Context(), named) },
				"select": func() (warehouse.Rows, error) {
					return c.engine().Query(t.Context(), warehouse.Statement{Database: database, SQL: "SELECT v, n, n AS v FROM " + name + " ORDER BY n"})
				},
				"pages": func() (warehouse.Rows, error) { return p.engine().Query(t.Context(), named) },
			} {
				rows, err := got()
				if err != nil {
					t.Fatalf("%s: %v", way, err)
				}
				read := drain(t, rows, 1)
				for i := range read {
					read[i] = read[i][:2]
				}
				if diff := cmp.Diff(want, read, equalValue()); diff != "" {
					t.Errorf("%s:\n%s", way, diff)
				}
			}
		})
	}
}

// asTexts puts quotes around values that have none.
func asTexts(values string) string {
	var out []string
	for v := range strings.SplitSeq(values, ", ") {
		if v != "NULL" && !strings.Contains(v, "'") && v != "true" && v != "false" {
			v = "'" + v + "'"
		}
		out = append(out, v)
	}
	return strings.Join(out, ", ")
}

func TestI9_ConnectorsGiveEqualRows(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{GroupRows: 3, UnloadFiles: 2})
	dir := t.TempDir()
	if err := os.Symlink(c.folder, filepath.Join(dir, "warehouse")); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		days := []string{"2026-01-25", "2026-01-26", "2026-01-27", "2026-01-28"}
		name := fmt.Sprintf("p%d", rapid.IntRange(0, 1<<30).Draw(r, "name"))
		for i, n := range rapid.SliceOfN(rapid.IntRange(0, 9), len(days), len(days)).Draw(r, "rows") {
			rows := []string{"customer_id,product_id,order_value,marketplace"}
			for k := range n {
				rows = append(rows, fmt.Sprintf("CUST-%d,\"PROD, %d\",%d.%d0,%s", k, k*i, k, i, rapid.SampledFrom([]string{"US", "UK"}).Draw(r, "market")))
			}
			if n > 0 {
				c.write(name+"/dt="+days[i]+"/f.csv", strings.Join(rows, "\n")+"\n")
			}
		}
		c.write(name+"/dt=2025-12-31/f.csv", "customer_id,product_id,order_value,marketplace\nC,P,1.5,US\n")
		config := warehouse.Config{
			Database: database, MaxWaitSeconds: 60,
			Query: "SELECT customer_id, product_id, order_value, dt AS delivery_date FROM " + name +
				" WHERE dt BETWEEN '{startDate}' AND '{endDate}' AND marketplace = '{marketplace}' ORDER BY dt, customer_id, product_id;",
		}
		local, err := warehouse.Open(plugin.Env{Now: c.now, Dir: dir, Settings: warehouse.DefaultSettings()}, config, []warehouse.Description{duckdb.Engine()})
		if err != nil {
			r.Fatal(err)
		}
		var all [2][][]ceap.Value
		for i, source := range []connector.Connector{local, c.connector(config)} {
			stream, err := source.Extract(t.Context(), request())
			if err != nil {
				r.Fatal(err)
			}
			all[i] = drain(t, stream, 1)
			_ = stream.Close()
		}
		if err := os.RemoveAll(filepath.Join(c.folder, database, name)); err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(all[0], all[1], equalValue()); diff != "" {
			r.Fatal(diff)
		}
	})
}

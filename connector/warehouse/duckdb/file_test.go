//go:build cgo

package duckdb_test

import (
	"compress/gzip"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// types returns the names of the columns' types.
func types(r result) string {
	names := make([]string, len(r.columns))
	for i, c := range r.columns {
		names[i] = c.Name + " " + c.Type
	}
	return strings.Join(names, ", ")
}

func TestCSV_NoValueChangesItsText(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	for _, tc := range []struct{ name, values, want string }{
		{"leading zeros", "007,008", "VARCHAR"},
		{"plus sign", "+1,2", "VARCHAR"},
		{"exponent", "1e5,2", "VARCHAR"},
		{"minus zero", "-0,1", "VARCHAR"},
		{"whole", "0,-12,999999999999999999", "BIGINT"},
		{"too long", "1000000000000000000000", "VARCHAR"},
		{"numbers", "1,2.5,-0.25", "DOUBLE"},
		{"prices", "29.90,5.00,-0.50", "DECIMAL(18,2)"},
		{"prices of all lengths", "29.90,5.0", "VARCHAR"},
		{"trailing point", "1.,2", "VARCHAR"},
		{"no whole part", ".5,1", "VARCHAR"},
		{"too fine", "0.0000001,1", "VARCHAR"},
		{"too many digits", "0.12345678901234567", "VARCHAR"},
		{"booleans", "true,false", "BOOLEAN"},
		{"booleans in capitals", "TRUE,FALSE", "VARCHAR"},
		{"one and zero", "1,0", "BIGINT"},
		{"dates", "2026-01-26,2026-01-27", "VARCHAR"},
		{"not a number", "NaN,1.5", "VARCHAR"},
		{"infinity", "Infinity,1", "VARCHAR"},
		{"blank", " 1,2", "VARCHAR"},
		{"none", "", "VARCHAR"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			values := strings.Split(tc.values, ",")
			table := strings.ReplaceAll(tc.name, " ", "_")
			f := folder{t: t, dir: f.dir}
			f.write(table+"/a.csv", "n,v\n0,"+strings.Join(values, "\n0,")+"\n0,\n")
			got := f.must("SELECT v FROM " + table)
			if want := "v " + tc.want; types(got) != want {
				t.Errorf("types %q, want %q", types(got), want)
			}
			want := append(values, "NULL")
			if tc.values == "" {
				want[0] = "NULL"
			}
			if diff := cmp.Diff(want, got.rows); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCSV_LateValueDecides(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.write("late/a.csv", "id\n"+strings.Repeat("1\n", 30000))
	f.write("late/b.csv", "id\n"+strings.Repeat("1\n", 30000)+"007\n")
	got := f.must("SELECT id FROM late WHERE id = '007'")
	if types(got) != "id VARCHAR" || len(got.rows) != 1 {
		t.Errorf("%s: %v", types(got), got.rows)
	}
}

func TestCSV_Details(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.write("nulls.csv", "a,b,c\n,\"\",x\n")
	f.write("quoted.csv", "\ufeff\"a b\",c\r\n\"x \"\"y\"\"\nz\",1\r\n")
	f.write("wide.csv", "id,note\n1,"+strings.Repeat("x", 5<<20)+"\n")
	f.write("empty/a.csv", "id,note\n")
	f.gzip("zipped/a.csv.gz", "id\n007\n")
	f.write("many/a.csv", "id\n1\n")
	f.gzip("many/b.csv.gz", "id\n2\n")
	f.write("many/_ignored.parquet", "x")
	f.write("many/.hidden", "x")
	f.write("hive/day=2026-01-26/hour=07/a.csv", "id\n1\n")
	f.write("hive/day=2026-01-27/hour=08/a.csv", "id\n2\n")
	f.write("hive/day=a%20b/hour=__HIVE_DEFAULT_PARTITION__/a.csv", "id\n3\n")
	f.write("Mixed_Case.csv", "Id\nx\n")
	for query, want := range map[string]string{
		"SELECT a IS NULL, b IS NULL, b = '', c FROM nulls":                  "true|false|true|x",
		`SELECT "a b", c FROM quoted`:                                        "x \"y\"\nz|1",
		"SELECT length(note) FROM wide":                                      fmt.Sprint(5 << 20),
		"SELECT count(*) FROM empty":                                         "0",
		"SELECT id FROM zipped":                                              "007",
		"SELECT sum(id) FROM many":                                           "3",
		"SELECT day, hour, id FROM hive WHERE day = '2026-01-27'":            "2026-01-27|08|2",
		"SELECT day, hour, id FROM hive WHERE id = 3":                        "a b|NULL|3",
		"SELECT id FROM mixed_CASE":                                          "x",
		"SELECT id FROM ceap_data_dev.mixed_case":                            "x",
		"WITH many AS (SELECT * FROM many WHERE id = 2) SELECT id FROM many": "2",
		"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n+1 FROM r WHERE n < 4) SELECT max(n) FROM r": "4",
		"SELECT x FROM unnest([7]) AS u(x)": "7",
	} {
		if got := f.must(query).rows; len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %.80q, want %q", query, got, want)
		}
	}
}

func (f folder) gzip(name, content string) {
	f.t.Helper()
	var b strings.Builder
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		f.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.write(name, b.String())
}

func TestFiles_Wrong(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.run("COPY (SELECT i AS id, repeat('x', 100) || i AS s FROM range(10000) r(i)) TO '@/whole.parquet'")
	whole, err := os.ReadFile(f.path("whole.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"open/a.csv":          "a,b\n1,2\n3,\"x\n",
		"lines/a.csv":         "a,b\n1,2\n3,\"x\ny\n4,5\n",
		"bare/a.csv":          "a,b\n1,x\ry\n",
		"noobject/a.jsonl":    "{\"a\":1}\n[1]\n",
		"wide/a.csv":          "a,b\n1,2\n3,4,5\n",
		"narrow/a.csv":        "a,b\n1,2\n3\n",
		"latin/a.csv":         "a,b\nx,caf\xe9\n",
		"blank/a.csv":         "",
		"twice/a.csv":         "id,ID\n1,2\n",
		"nameless/a.csv":      "id,,x\n1,2,3\n",
		"differ/a.csv":        "a,b\n1,2\n",
		"differ/b.csv":        "b,a\n1,2\n",
		"badgzip.csv.gz":      "no gzip",
		"cut/a.parquet":       string(whole[:len(whole)/2]),
		"magic/a.parquet":     "PAR1PAR1",
		"zero/a.parquet":      "",
		"flipped/a.parquet":   strings.Repeat("x", 2000) + string(whole[2000:]),
		"badjson/a.jsonl":     "{\"a\":1}\n{\"a\":x}\n{\"a\":3}\n",
		"nojson/a.jsonl":      "[]\n",
		"mixed/a.csv":         "a\n1\n",
		"mixed/b.parquet":     "x",
		"strange/a.xlsx":      "x",
		"keys/day=1/a.csv":    "a\n1\n",
		"keys/hour=1/a.csv":   "a\n1\n",
		"clash/id=1/a.csv":    "id\n1\n",
		"doubled/a.csv":       "a\n1\n",
		"doubled.csv":         "a\n1\n",
		"none/_note.txt":      "x",
		"typed/_schema.sql":   "CREATE EXTERNAL TABLE typed (id STRING, n INT)",
		"typed/a.csv":         "id,n\nx,1\ny,two\n",
		"renamed/_schema.sql": "CREATE EXTERNAL TABLE other (id STRING)",
		"broken/_schema.sql":  "CREATE EXTERNAL TABLE broken (id\n STRNG)",
		"headed/_schema.sql":  "CREATE EXTERNAL TABLE headed (id STRING, n INT) TBLPROPERTIES ('skip.header.line.count'='1')",
		"headed/a.csv":        "n,id\n1,x\n",
		"parts/_schema.sql":   "CREATE EXTERNAL TABLE parts (id STRING) PARTITIONED BY (day STRING)",
		"parts/hour=1/a.csv":  "id\nx\n",
	} {
		f.write(name, content)
	}
	for table, want := range map[string][]string{
		"open":     {"open/a.csv:3", "unterminated quote", "close the quote"},
		"lines":    {"lines/a.csv:3", "unterminated quote"},
		"bare":     {"bare/a.csv: not readable as CSV", "end all lines alike"},
		"noobject": {"noobject/a.jsonl: it holds JSON that is no object", "one object a line"},
		"wide":     {"wide/a.csv:3", "Expected Number of Columns: 2 Found: 3"},
		"narrow":   {"narrow/a.csv:3", "Expected Number of Columns: 2 Found: 1"},
		"latin":    {"latin/a.csv:2", "utf-8", "save the file as UTF-8"},
		"blank":    {"blank/a.csv is empty"},
		"twice":    {"twice/a.csv:1", `"ID" occurs twice`},
		"nameless": {"nameless/a.csv:1", "column 2 has no name"},
		"differ":   {"differ/a.csv has the columns a,b", "differ/b.csv has b,a"},
		"badgzip":  {"badgzip.csv.gz is not compressed as its name says"},
		"cut":      {"cut/a.parquet", "No magic bytes"},
		"magic":    {"magic/a.parquet", "too small"},
		"zero":     {"zero/a.parquet", "too small"},
		"flipped":  {"a damaged Parquet file", "flipped"},
		"badjson":  {"badjson/a.jsonl:2: malformed JSON"},
		"nojson":   {"nojson/a.jsonl"},
		"mixed":    {"mixed/a.csv", "mixed/b.parquet"},
		"strange":  {"strange/a.xlsx"},
		"keys":     {"keys/day=1/a.csv", "keys/hour=1/a.csv"},
		"clash":    {`"id" occurs twice`},
		"doubled":  {"doubled, ", "doubled.csv"},
		"none":     {"no data files", "none"},
		"typed":    {"typed/a.csv:3", "two"},
		"renamed":  {"renamed/_schema.sql", `"other"`},
		"broken":   {"broken/_schema.sql: 2:2", `unknown type at "STRNG"`},
		"headed":   {"headed/a.csv:1", "id,n"},
		"parts":    {"(hour)", "(day)"},
	} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			_, err := folder{t: t, dir: f.dir}.query("SELECT * FROM " + table)
			if err == nil {
				t.Fatal("it was read")
			}
			if code := ceap.ErrorCode(err); code != ceap.CodeInvalid {
				t.Errorf("code %s", code)
			}
			for _, w := range append(want, "Query execution failed: ") {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("no %q in %q", w, err)
				}
			}
			for _, foreign := range []string{"strict_mode", "ignore_errors", "records=", "encoding="} {
				if strings.Contains(err.Error(), foreign) {
					t.Errorf("advice about options that users do not have, %s, in %q", foreign, err)
				}
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), f.path("")+"/") {
				t.Errorf("several lines, or the folder's place, in %q", err)
			}
		})
	}
}

func TestFiles_Missing(t *testing.T) {
	t.Parallel()
	f := folder{t: t, dir: t.TempDir()}
	_, err := f.query("SELECT 1")
	if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.Contains(err.Error(), "connectors.data-warehouse.path") {
		t.Errorf("no warehouse folder: %v", err)
	}
	f = newFolder(t)
	c := f.connectorWith(settings(), warehouse.Config{Database: "ceap_data_de", Query: "SELECT 1", MaxWaitSeconds: 60})
	if _, err = extract(t, c); ceap.ErrorCode(err) != ceap.CodeInvalid || !strings.Contains(err.Error(), `did you mean "ceap_data_dev"?`) {
		t.Errorf("no database: %v", err)
	}
}

func TestSchema_Decides(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	// The quick start's table and file.
	f.write("quick/_schema.sql", `CREATE EXTERNAL TABLE ceap_data_dev.quick (
    customer_id STRING,
    product_id STRING,
    delivery_date STRING,
    order_value DOUBLE,
    marketplace STRING
)
ROW FORMAT DELIMITED
FIELDS TERMINATED BY ','
LOCATION 's3://your-data-bucket/deliveries/'
TBLPROPERTIES ('skip.header.line.count'='1');`)
	f.write("quick/sample.csv", "customer_id,product_id,delivery_date,order_value,marketplace\nCUST-001,007,2026-01-26,29.90,US\n")
	f.write("piped/_schema.sql", "CREATE TABLE piped (`id` BIGINT COMMENT 'it''s', d DATE, p DECIMAL(10,2), ts TIMESTAMP)\nPARTITIONED BY (n INT) ROW FORMAT DELIMITED FIELDS TERMINATED BY '|'")
	f.write("piped/n=7/a.csv", "1|2026-01-26|5|2026-01-26 10:00:00\n")
	f.write("nofiles/_schema.sql", "CREATE EXTERNAL TABLE nofiles (id STRING, v DOUBLE) PARTITIONED BY (day STRING) STORED AS PARQUET")
	f.write("cols/_schema.sql", "CREATE EXTERNAL TABLE cols (b STRING, missing DOUBLE, a BIGINT)")
	f.run("COPY (SELECT 1 AS a, 2 AS b, 3 AS other) TO '@/cols/x.parquet'")
	f.write("docs/_schema.sql", "CREATE EXTERNAL TABLE docs (id STRING, missing DOUBLE)")
	f.write("docs/a.jsonl", "{\"id\":7,\"x\":1}\n")
	for _, tc := range []struct{ query, types, row string }{
		{"SELECT * FROM quick", "customer_id VARCHAR, product_id VARCHAR, delivery_date VARCHAR, order_value DOUBLE, marketplace VARCHAR", "CUST-001|007|2026-01-26|29.9|US"},
		{"SELECT * FROM piped", "id BIGINT, d DATE, p DECIMAL(10,2), ts TIMESTAMP, n INTEGER", "1|2026-01-26|5.00|2026-01-26T10:00:00|7"},
		{"SELECT * FROM nofiles", "id VARCHAR, v DOUBLE, day VARCHAR", ""},
		{"SELECT * FROM cols", "b VARCHAR, missing DOUBLE, a BIGINT", "2|NULL|1"},
		{"SELECT * FROM docs", "id VARCHAR, missing DOUBLE", "7|NULL"},
	} {
		got := f.must(tc.query)
		if types(got) != tc.types || strings.Join(got.rows, "\n") != tc.row {
			t.Errorf("%s:\n%s\n%v", tc.query, types(got), got.rows)
		}
	}
}

func TestJSON_KeepsWhatTheFileHolds(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.write("j/a.ndjson", `{"id":"007","day":"2026-01-26","u":"5f3e8a52-0d27-4c6e-9d9c-6d8f5a3b8f00","n":1,"f":1.5,"b":true,"o":{"k":[1,"x"]},"m":1,"big":18446744073709551615}
{"id":"8","day":"x","n":-2,"f":2,"b":null,"o":[],"m":"x"}
`)
	f.write("list.json", `[{"a":1},{"a":2}]`)
	got := f.must("SELECT id, day, u, n, f, b, o, m, big FROM j")
	if want := "id VARCHAR, day VARCHAR, u VARCHAR, n BIGINT, f DOUBLE, b BOOLEAN, o VARCHAR, m VARCHAR, big VARCHAR"; types(got) != want {
		t.Errorf("types %s", types(got))
	}
	want := []string{
		`007|2026-01-26|5f3e8a52-0d27-4c6e-9d9c-6d8f5a3b8f00|1|1.5|true|{"k":[1,"x"]}|1|18446744073709551615`,
		`8|x|NULL|-2|2|NULL|[]|x|NULL`,
	}
	if diff := cmp.Diff(want, got.rows); diff != "" {
		t.Error(diff)
	}
	if got := f.must("SELECT sum(a) FROM list").rows; got[0] != "3" {
		t.Errorf("sum %v", got)
	}
}

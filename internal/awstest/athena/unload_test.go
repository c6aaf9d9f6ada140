//go:build cgo

package athena_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/ceap-platform/ceap/internal/awstest/athena"
)

// unload returns the files of a result, in the order of the manifest.
func (c *cloud) unload(sql, prefix string) []*parquet.File {
	c.t.Helper()
	q := c.must("UNLOAD (" + sql + ") TO '" + results + prefix + "' WITH (format = 'PARQUET', compression = 'SNAPPY')")
	var files []*parquet.File
	for location := range strings.FieldsSeq(c.object(*q.Statistics.DataManifestLocation)) {
		data := c.object(location)
		f, err := parquet.OpenFile(strings.NewReader(data), int64(len(data)))
		if err != nil {
			c.t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// rows returns all rows of files as text.
func rows(t *testing.T, files []*parquet.File) []string {
	t.Helper()
	var out []string
	for _, f := range files {
		r := parquet.NewReader(f)
		buffer := make([]parquet.Row, 100)
		for {
			n, err := r.ReadRows(buffer)
			for _, row := range buffer[:n] {
				parts := make([]string, len(row))
				for i, v := range row {
					parts[i] = fmt.Sprintf("%v", v)
				}
				out = append(out, strings.Join(parts, "|"))
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

func TestFake_UnloadKeepsTheOrderOverFilesAndGroups(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{UnloadFiles: 2, UnloadRows: 400, GroupRows: 100})
	files := c.unload("SELECT a.x * 10 + b.y AS N FROM UNNEST(sequence(0, 99)) AS a(x) CROSS JOIN UNNEST(sequence(0, 9)) AS b(y) ORDER BY 1", "o/")
	if len(files) != 3 {
		t.Fatalf("%d files", len(files))
	}
	if got := files[0].Schema().Fields()[0].Name(); got != "n" {
		t.Errorf("the column is called %q", got)
	}
	for i, got := range rows(t, files) {
		if got != fmt.Sprint(i) {
			t.Fatalf("row %d is %s", i, got)
		}
	}
}

func TestFake_UnloadWritesHivesTypes(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	files := c.unload(`SELECT CAST('29.90' AS DECIMAL(10,2)) AS d, CAST('-0.05' AS DECIMAL(4,2)) AS m, CAST('-12345678901234567890123456.78' AS DECIMAL(38,2)) AS w,
		TIMESTAMP '2026-01-26 12:34:56.789' AS t, DATE '2026-01-26' AS y, 'x' AS s, 1 AS i, true AS b, CAST(NULL AS TIMESTAMP) AS z, CAST(7 AS TINYINT) AS v`, "t/")
	var schema []string
	for _, f := range files[0].Schema().Fields() {
		schema = append(schema, f.Name()+" "+f.Type().Kind().String()+" "+f.Type().String())
	}
	if diff := cmp.Diff([]string{
		"d FIXED_LEN_BYTE_ARRAY DECIMAL(10,2)", "m FIXED_LEN_BYTE_ARRAY DECIMAL(4,2)", "w FIXED_LEN_BYTE_ARRAY DECIMAL(38,2)",
		"t INT96 INT96", "y INT32 DATE", "s BYTE_ARRAY STRING", "i INT32 INT(32,true)", "b BOOLEAN BOOLEAN", "z INT96 INT96", "v INT32 INT(8,true)",
	}, schema); diff != "" {
		t.Error(diff)
	}
	r := parquet.NewReader(files[0])
	buffer := make([]parquet.Row, 1)
	if n, err := r.ReadRows(buffer); n != 1 {
		t.Fatal(err)
	}
	row := buffer[0]
	if got := row[0].ByteArray(); !bytes.Equal(got, []byte{0, 0, 0, 0x0b, 0xae}) {
		t.Errorf("29.90 is % x", got)
	}
	if got := row[1].ByteArray(); !bytes.Equal(got, []byte{0xff, 0xfb}) {
		t.Errorf("-0.05 is % x", got)
	}
	at := row[3].Int96()
	nanos := int64(at[0]) | int64(at[1])<<32
	if got := time.Unix((int64(at[2])-2440588)*86400, nanos).UTC(); !got.Equal(time.Date(2026, 1, 26, 12, 34, 56, 789e6, time.UTC)) {
		t.Errorf("the timestamp is %s", got)
	}
	if !row[8].IsNull() {
		t.Errorf("NULL is %v", row[8])
	}
}

func TestFake_UnloadOfNoRowsWritesNoFile(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	if files := c.unload("SELECT 1 AS n WHERE 1 = 2", "none/"); len(files) != 0 {
		t.Errorf("%d files", len(files))
	}
}

func TestFake_UnloadRefuses(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	c.upload("ceap-athena-results-dev", "taken/old", "x")
	for _, tc := range []struct {
		query, target string
		number        int32
		message       string
	}{
		{"SELECT 1 AS n", results + "taken", 1109, "HIVE_PATH_ALREADY_EXISTS: Target directory"},
		{"SELECT 1 AS n", "s3://no-such-bucket/x/", 1306, "does not exist: no-such-bucket"},
		{"SELECT 'a' AS x, 1", results + "x/", 1006, "MISSING_COLUMN_NAME: line 1:9: Column name not specified at position 2"},
		{"SELECT 1 AS x, 2 AS X", results + "x/", 1006, "Column name 'x' specified more than once"},
		{"SELECT TIME '10:00:00' AS x", results + "x/", 1200, "Unsupported Hive type: time"},
		{"SELECT NULL AS x", results + "x/", 1200, "Unsupported Hive type: unknown"},
		{"SELECT from_iso8601_timestamp('2026-01-26T10:00:00Z') AS x", results + "x/", 1200, "Unsupported Hive type: timestamp with time zone"},
	} {
		e := c.refused("UNLOAD (" + tc.query + ") TO '" + tc.target + "' WITH (format = 'PARQUET')")
		if *e.ErrorType != tc.number || !strings.Contains(*e.ErrorMessage, tc.message) {
			t.Errorf("%s: %d %s", tc.query, *e.ErrorType, *e.ErrorMessage)
		}
	}
}

// BenchmarkUnload unloads a million rows of nine columns, one of them a timestamp.
func BenchmarkUnload(b *testing.B) {
	c := newCloud(b, athena.Options{})
	n := 0
	for b.Loop() {
		n++
		c.must(fmt.Sprintf(`UNLOAD (SELECT 'CUST-' || CAST(a * 1000 + b AS VARCHAR) AS customer_id, 'PROD-' || CAST(b AS VARCHAR) AS product_id, 'ORD-' || CAST(a AS VARCHAR) AS order_id,
			'2026-01-26' AS delivery_date, 29.99e0 AS order_value, 'books' AS category, 'US' AS marketplace, true AS email_eligible, TIMESTAMP '2026-01-26 12:00:00' AS at
			FROM UNNEST(sequence(0, 999)) AS x(a) CROSS JOIN UNNEST(sequence(0, 999)) AS y(b)) TO '%sb%d/' WITH (format = 'PARQUET', compression = 'SNAPPY')`, results, n))
	}
}

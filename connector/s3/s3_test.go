package s3_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/connector/s3"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/plugin"
)

// csvOf writes a fixture as CSV: NULL is nothing, all else stands in quotes.
func csvOf(f connectortest.Fixture, rows [][]ceap.Value) string {
	var b strings.Builder
	for i, c := range f.Columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(c.Name)
	}
	b.WriteByte('\n')
	for _, row := range rows {
		for i, v := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			if !v.IsNull() {
				b.WriteString(`"` + strings.ReplaceAll(v.String(), `"`, `""`) + `"`)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// jsonOf writes a fixture as JSON lines.
func jsonOf(f connectortest.Fixture, rows [][]ceap.Value) string {
	var b []byte
	for _, row := range rows {
		for i, v := range row {
			b = append(b, "{,"[min(i, 1)])
			b = append(ceap.AppendJSONString(b, f.Columns[i].Name), ':')
			b = v.AppendJSON(b)
		}
		b = append(b, "}\n"...)
	}
	return string(b)
}

// sameJSON allows what JSON has no words for: times are text.
func sameJSON(want, got ceap.Value) bool {
	switch want.Kind() {
	case ceap.KindTime, ceap.KindLocal, ceap.KindDate:
		return connectortest.SameText(want, got)
	default:
		return want == got
	}
}

func TestConnector_ConformanceOfCSV(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Capabilities{Same: connectortest.SameText}, func(t *testing.T, f connectortest.Fixture) connector.Connector {
		t.Helper()
		return conformance(t, f, func(rows [][]ceap.Value) string { return csvOf(f, rows) }, ".csv.gz")
	})
}

func TestConnector_ConformanceOfJSONLines(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Capabilities{Same: sameJSON, NoEmptyTables: true}, func(t *testing.T, f connectortest.Fixture) connector.Connector {
		t.Helper()
		return conformance(t, f, func(rows [][]ceap.Value) string { return jsonOf(f, rows) }, ".jsonl.gz")
	})
}

// conformance opens a connector on a bucket with the fixture in three objects,
// of two days.
func conformance(t *testing.T, f connectortest.Fixture, write func([][]ceap.Value) string, end string) connector.Connector {
	t.Helper()
	if f.Missing {
		config := s3.DefaultConfig()
		config.Bucket, config.Prefix = bucketName(t), "deliveries/"
		return open(t, config, awstest.Start(t).Load)
	}
	b := newBucket(t)
	third := len(f.Rows) / 3
	b.put("deliveries/2026-01-26/a"+end, gzipped(t, write(f.Rows[:third])))
	b.put("deliveries/2026-01-26/b"+end, gzipped(t, write(f.Rows[third:2*third])))
	b.put("deliveries/2026-01-27/a"+end, gzipped(t, write(f.Rows[2*third:])))
	return b.open(func(c *s3.Config) { c.Prefix, c.FieldMappings = "deliveries/{day}/", f.Mappings })
}

func TestExtract_places(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	for _, key := range []string{
		"in/2026-01-25/a.csv", "in/2026-01-26/a.csv", "in/2026-01-26/b/c.csv", "in/2026-01-26/US.csv", "in/2026-01-27/a.csv",
		"in/2026-01-26/_SUCCESS", "in/2026-01-26/.part.csv", "in/2026-01-26/_temporary/x.csv", "in/2026/01/26/h.csv", "in/2026/01/27/h.csv",
		"in/2026-01-26/x+y z%20é.csv", "in/*.csv", "_exports/a.csv",
	} {
		text := "key\n\"" + key + "\"\n"
		if strings.HasSuffix(key, "_SUCCESS") {
			text = ""
		}
		b.put(key, text)
	}
	b.put("in/2026-01-26/", "")
	for name, test := range map[string]struct {
		change func(*s3.Config)
		want   []string
	}{
		"a key":                 {func(c *s3.Config) { c.Key = "in/2026-01-26/a.csv" }, []string{"in/2026-01-26/a.csv"}},
		"a key of the run":      {func(c *s3.Config) { c.Key = "in/{startDate}/{marketplace}.csv" }, []string{"in/2026-01-26/US.csv"}},
		"a key a day":           {func(c *s3.Config) { c.Key = "in/{day}/a.csv" }, []string{"in/2026-01-26/a.csv", "in/2026-01-27/a.csv"}},
		"a key with a wildcard": {func(c *s3.Config) { c.Key = "in/*.csv" }, []string{"in/*.csv"}},
		"a key with any signs":  {func(c *s3.Config) { c.Key = "in/2026-01-26/x+y z%20é.csv" }, []string{"in/2026-01-26/x+y z%20é.csv"}},
		"a prefix a day": {func(c *s3.Config) { c.Prefix = "in/{day}/" }, []string{
			"in/2026-01-26/US.csv", "in/2026-01-26/a.csv", "in/2026-01-26/b/c.csv", "in/2026-01-26/x+y z%20é.csv", "in/2026-01-27/a.csv",
		}},
		"a prefix of a name":    {func(c *s3.Config) { c.Prefix = "in/2026-01-26/b" }, []string{"in/2026-01-26/b/c.csv"}},
		"a prefix that is told": {func(c *s3.Config) { c.Prefix = "_exports" }, []string{"_exports/a.csv"}},
		"folders as Firehose":   {func(c *s3.Config) { c.Prefix = "in/{yyyy}/{MM}/{dd}/" }, []string{"in/2026/01/26/h.csv", "in/2026/01/27/h.csv"}},
		"a month, once":         {func(c *s3.Config) { c.Prefix = "in/{yyyy}/{MM}/" }, []string{"in/2026/01/26/h.csv", "in/2026/01/27/h.csv"}},
		"one level":             {func(c *s3.Config) { c.Pattern = "in/{date}/*.csv" }, []string{"in/2026-01-27/a.csv"}},
		"one sign":              {func(c *s3.Config) { c.Pattern = "in/2026-01-2?/?.csv" }, []string{"in/2026-01-25/a.csv", "in/2026-01-26/a.csv", "in/2026-01-27/a.csv"}},
		"any level, or none": {func(c *s3.Config) { c.Pattern = "in/{startDate}/**/*.csv" }, []string{
			"in/2026-01-26/US.csv", "in/2026-01-26/a.csv", "in/2026-01-26/b/c.csv", "in/2026-01-26/x+y z%20é.csv",
		}},
		"a pattern of the end": {func(c *s3.Config) { c.Pattern = "**/c.csv" }, []string{"in/2026-01-26/b/c.csv"}},
		"nothing":              {func(c *s3.Config) { c.Prefix = "out/{day}/" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, mustRead(t, b.open(test.change))); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

// TestI15_ValuesAreText holds that no value of a placeholder acts as a wildcard.
func TestI15_ValuesAreText(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, key := range []string{"a/*/x.csv", "a/b/x.csv", "a/../x.csv", "a/.*/x.csv"} {
		s.put(key, "key\n"+key+"\n")
	}
	c := open(t, s.config(func(c *s3.Config) { c.Pattern = "a/{marketplace}/?.csv" }), s.load)
	for value, want := range map[string][]string{"*": {"a/*/x.csv"}, "b": {"a/b/x.csv"}, "**": nil, "?": nil, "[b]": nil} {
		req := connectortest.Request()
		req.Marketplace = value
		rows, _, err := readOf(t, c, req)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
	}
}

func TestExtract_formats(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const csv, lines = "a,b\n1,\n", "{\"a\":1,\"b\":null}\n"
	for key, text := range map[string]string{
		"a.CSV": csv, "a.csv.gz": gzipped(t, csv), "a.csv.zst": zstded(t, csv), "packed.csv": gzipped(t, csv), "packed2.csv": zstded(t, csv), "rows": csv,
		"a.jsonl": lines, "a.ndjson.gz": gzipped(t, lines), "a.json": lines, "noheader.csv": "1;\n", "empty.csv": "a,b\n", "empty.jsonl": "",
	} {
		s.put(key, text)
	}
	for key, change := range map[string]func(*s3.Config){
		"a.CSV": nil, "a.csv.gz": nil, "a.csv.zst": nil, "packed.csv": nil, "packed2.csv": nil, "a.jsonl": nil, "a.ndjson.gz": nil, "a.json": nil,
		"rows":         func(c *s3.Config) { c.Format = "csv" },
		"noheader.csv": func(c *s3.Config) { c.CSV, c.Columns = s3.CSV{Delimiter: ";"}, []string{"x", "y"} },
		"empty.csv":    nil, "empty.jsonl": nil,
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			config := s.config(func(c *s3.Config) { c.Key = key })
			if change != nil {
				change(&config)
			}
			want := []string{"1|∅"}
			if strings.HasPrefix(key, "empty") {
				want = nil
			}
			if diff := cmp.Diff(want, mustRead(t, open(t, config, s.load))); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExtract_columns(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.put("in/1.csv", "a,b\n1,2\n")
	s.put("in/2.csv", "b,a\n4,3\n")
	s.put("more/1.csv", "a,b\n1,2\n")
	s.put("more/2.csv", "a,b,c\n3,4,5\n")
	s.put("fewer/1.csv", "a,b\n1,2\n")
	s.put("fewer/2.csv", "a\n3\n")
	s.put("lines/1.jsonl", "")
	s.put("lines/2.jsonl", `{"a":1,"b":2}`)
	s.put("lines/3.jsonl", `{"b":4}`)
	s.put("new/1.jsonl", `{"a":1}`)
	s.put("new/2.jsonl", "{\"a\":2}\n{\"a\":3,\"b\":4}")
	s.put("mixed/1.csv", "a,b\n1,2\n")
	s.put("mixed/2.jsonl", `{"b":4,"a":3}`)
	for name, test := range map[string]struct {
		prefix  string
		columns []string
		want    []string
		words   []string // of the error
		warning string
	}{
		"another order":                 {prefix: "in/", want: []string{"1|2", "3|4"}},
		"one more":                      {prefix: "more/", want: []string{"1|2"}, words: []string{"s3://b/more/1.csv has the columns a,b, and s3://b/more/2.csv has a,b,c", "sourceConfig.columns"}},
		"one less":                      {prefix: "fewer/", want: []string{"1|2"}, words: []string{"s3://b/fewer/2.csv has a"}},
		"named, one more":               {prefix: "more/", columns: []string{"c", "a"}, want: []string{"∅|1", "5|3"}},
		"named, one less":               {prefix: "fewer/", columns: []string{"a", "b"}, want: []string{"1|2", "3|∅"}},
		"named, and in no object":       {prefix: "in/", columns: []string{"a", "x"}, want: []string{"1|∅", "3|∅"}, warning: `the column "x" of sourceConfig.columns is in no object`},
		"of JSON lines":                 {prefix: "lines/", want: []string{"1|2", "∅|4"}},
		"a new key":                     {prefix: "new/", want: []string{"1", "2"}, words: []string{"s3://b/new/2.jsonl:2: the key \"b\" is new", "sourceConfig.columns"}},
		"named, a new key":              {prefix: "new/", columns: []string{"b", "a"}, want: []string{"∅|1", "∅|2", "4|3"}},
		"named keys, and in no object":  {prefix: "new/", columns: []string{"a", "x"}, want: []string{"1|∅", "2|∅", "3|∅"}, warning: `the column "x" of`},
		"of objects in several formats": {prefix: "mixed/", want: []string{"1|2", "3|4"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, s.config(func(c *s3.Config) { c.Prefix, c.Columns = test.prefix, test.columns }), s.load)
			rows, report, err := read(t, c)
			if diff := cmp.Diff(test.want, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if test.words != nil {
				checkError(t, err, ceap.CodeInvalid, test.words...)
			} else if err != nil {
				t.Error(err)
			}
			if got := strings.Join(report.Warnings, "\n"); !strings.Contains(got, test.warning) || test.warning == "" && got != "" {
				t.Errorf("got the warnings %q, want %q", got, test.warning)
			}
		})
	}
}

// TestI8_AnySplitGivesTheSameRows holds that it does not matter over which
// objects rows are spread, and how each is written and compressed.
func TestI8_AnySplitGivesTheSameRows(t *testing.T) {
	t.Parallel()
	fixture := connectortest.Deliveries(60)
	fixture.Rows[7][1], fixture.Rows[9][2] = ceap.Null(), ceap.String("")
	var want []string
	for _, row := range fixture.Rows {
		want = append(want, textOf(row))
	}
	s := serve(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		prefix := fmt.Sprintf("split/%d/", n)
		left := fixture.Rows
		for i := 0; len(left) > 0; i++ {
			size := rapid.IntRange(0, len(left)).Draw(rt, "rows")
			text, end := csvOf(fixture, left[:size]), ".csv"
			if rapid.Bool().Draw(rt, "json") {
				text, end = jsonOf(fixture, left[:size]), ".jsonl"
			}
			switch rapid.SampledFrom([]string{"none", "gzip", "zstd"}).Draw(rt, "compression") {
			case "gzip":
				text, end = gzipped(t, text), end+rapid.SampledFrom([]string{"", ".gz"}).Draw(rt, "end")
			case "zstd":
				text, end = zstded(t, text), end+rapid.SampledFrom([]string{"", ".zst"}).Draw(rt, "end")
			}
			s.put(fmt.Sprintf("%s%03d%s", prefix, i, end), text)
			left = left[size:]
		}
		got, _, err := read(t, open(t, s.config(func(c *s3.Config) { c.Prefix = prefix }), s.load))
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("rows (-want +got):\n%s", diff)
		}
	})
}

func TestPlugin_Open(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		document string
		want     []string // what the problems say, in order; none means that it opens
	}{
		"a key":               {`{"bucket": "b", "key": "a/{day}.csv"}`, nil},
		"braces":              {`{"bucket": "b", "prefix": "a/{{day}}/{}/{1}"}`, nil},
		"everything":          {`{"bucket": "b", "pattern": "**", "format": "jsonl", "compression": "zstd", "columns": ["a"], "csv": {"delimiter": "\t"}}`, nil},
		"nothing":             {`{}`, []string{"bucket: is missing"}},
		"no place":            {`{"bucket": "b"}`, []string{"key: is missing, and so are prefix and pattern"}},
		"two places":          {`{"bucket": "b", "key": "a", "pattern": "a"}`, []string{"pattern: is given beside key"}},
		"a URL":               {`{"bucket": "s3://b/a", "key": "a"}`, []string{`bucket: "s3://b/a" is no name of a bucket; write the name alone`}},
		"a placeholder":       {`{"bucket": "b", "prefix": "a/{dya}"}`, []string{"prefix: unknown placeholder {dya}; did you mean {day}?"}},
		"a format":            {`{"bucket": "b", "key": "a", "format": "xlsx"}`, []string{`format: is "xlsx"`}},
		"a delimiter":         {`{"bucket": "b", "key": "a", "csv": {"delimiter": "||"}}`, []string{`csv.delimiter: "||" cannot stand between values`}},
		"no header, no names": {`{"bucket": "b", "key": "a", "csv": {"header": false}}`, []string{"columns: is missing, and the objects have no header"}},
		"packed Parquet":      {`{"bucket": "b", "key": "a", "format": "parquet", "compression": "gzip"}`, []string{"compression: Parquet is compressed inside"}},
		"columns":             {`{"bucket": "b", "key": "a", "columns": ["a", "", "a"]}`, []string{"columns[1]: is empty", `columns[2]: "a" is there already`}},
		"mappings":            {`{"bucket": "b", "key": "a", "fieldMappings": {"custmerId": "a"}}`, []string{"fieldMappings.custmerId: unknown target"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node, err := plugin.FromJSON("program.json", []byte(test.document))
			if err != nil {
				t.Fatal(err)
			}
			_, err = s3.Plugin().Open(plugin.Env{Now: time.Now}, node)
			if len(test.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var problems ceap.Problems
			if !errors.As(err, &problems) || len(problems) != len(test.want) {
				t.Fatalf("got %v, want %d problems", err, len(test.want))
			}
			for i, want := range test.want {
				if !strings.Contains(problems[i].String(), want) {
					t.Errorf("got %q, want %q", problems[i], want)
				}
			}
		})
	}
}

package athena

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// FuzzParse checks that no text breaks the parsers, and that a translation keeps
// what it does not translate.
func FuzzParse(f *testing.F) {
	for _, sql := range []string{
		"SELECT a, 'it''s' FROM t WHERE d BETWEEN ? AND ? -- end", "SELECT X'0a', DECIMAL '1.5' FROM UNNEST(sequence(1, 2)) AS t(n)",
		"UNLOAD (SELECT 1 AS n) TO 's3://b/p/' WITH (format = 'PARQUET', compression = 'ZSTD')", "SELECT date_format(d, '%i') FROM awsdatacatalog.a.b;",
		"CREATE EXTERNAL TABLE a.b (c STRING COMMENT 'x', d DECIMAL(10,2)) PARTITIONED BY (e INT) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' LOCATION 's3://b/' TBLPROPERTIES ('k'='v')",
		"/* open", "'", "(", "UNLOAD (", "\"\"", "`", "SELECT ?", "SELECT * FROM UNNEST(sequence(", "X''", "\xff",
	} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		_, _ = parseCreate(lex(sql))
		s, err := parse(sql)
		if err != nil || s.query.end == 0 {
			return
		}
		values := make([]string, len(s.holders))
		for i := range values {
			values[i] = "'v'"
		}
		_ = s.checkParameters(values)
		_ = s.checkFunctions()
		for _, strict := range []bool{false, true} {
			out := s.translate(values, strict)
			for i := range len(out.sql) + 1 {
				if at := out.origin(i); at < 0 || at > len(sql) {
					t.Fatalf("byte %d of %q comes from byte %d of %q", i, out.sql, at, sql)
				}
			}
		}
		if !strings.ContainsAny(sql, "'?(=xX\"") && !strings.Contains(strings.ToLower(sql), "awsdatacatalog") {
			if got := s.translate(nil, false).sql; got != sql[s.query.start:s.query.end] {
				t.Errorf("%q became %q", sql, got)
			}
		}
	})
}

func TestResult_ReadsWhatItWrote(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.Custom(func(r *rapid.T) cell {
			if rapid.Bool().Draw(r, "null") {
				return cell{null: true}
			}
			return cell{text: rapid.StringOf(rapid.RuneFrom([]rune("a\",\n\r é"))).Draw(r, "text")}
		})
		width := rapid.IntRange(1, 3).Draw(r, "width")
		want := rapid.SliceOfN(rapid.SliceOfN(value, width, width), 0, 20).Draw(r, "rows")
		var out result
		for _, row := range want {
			out.add(row)
		}
		first, limit := rapid.IntRange(0, 21).Draw(r, "first"), rapid.IntRange(1, 21).Draw(r, "limit")
		want = want[min(first, len(want)):]
		want = want[:min(limit, len(want))]
		got := out.read(first, limit)
		if len(got) != len(want) {
			r.Fatalf("%d rows instead of %d", len(got), len(want))
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(cell{})); len(want) > 0 && diff != "" {
			r.Fatal(diff)
		}
	})
}

package warehouse_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// request asks for the guide's range.
func request() connector.Request {
	start, _ := ceap.ParseDate("2026-01-26")
	return connector.Request{
		ProgramID: "product-reviews", Marketplace: "U'S", Range: ceap.DateRange{Start: start, End: start.AddDays(1)},
	}
}

func compile(t *testing.T, style warehouse.Style, query string) warehouse.Statement {
	t.Helper()
	q, problems := warehouse.ParseQuery(query)
	if len(problems) > 0 {
		t.Fatalf("%s: %v", query, problems)
	}
	s, err := q.Compile(style, request().Placeholders())
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s
}

func TestQuery_Compile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ query, named, positional, params string }{
		{"SELECT 1", "SELECT 1", "SELECT 1", ""},
		{"SELECT 1 ; ; -- end", "SELECT 1", "SELECT 1", ""},
		{
			"SELECT a FROM t WHERE d BETWEEN '{startDate}' AND '{endDate}' OR d = '{startDate}'",
			"SELECT a FROM t WHERE d BETWEEN $startDate AND $endDate OR d = $startDate",
			"SELECT a FROM t WHERE d BETWEEN ? AND ? OR d = ?", "startDate=2026-01-26 endDate=2026-01-27 startDate=2026-01-26",
		},
		{
			"SELECT a FROM t WHERE d >= {startDate} AND m IN ('{marketplace}', 'x')",
			"SELECT a FROM t WHERE d >= $startDate AND m IN ($marketplace, 'x')",
			"SELECT a FROM t WHERE d >= ? AND m IN (?, 'x')", "startDate=2026-01-26 marketplace=U'S",
		},
		{
			"SELECT DATE '{date}', TIMESTAMP'{date} 00:00:00', date {date}, INTERVAL '{date}'",
			"SELECT DATE '2026-01-27', TIMESTAMP'2026-01-27 00:00:00', date '2026-01-27', INTERVAL '2026-01-27'", "", "",
		},
		{"SELECT 'dt={startDate}/m={marketplace}'", "SELECT 'dt=2026-01-26/m=U''S'", "", ""},
		{`SELECT E'\'{marketplace}', e'{marketplace}'`, `SELECT E'\'U''S', e'U''S'`, "", ""},
		{"SELECT 'it''s {date}' 'and {date}'", "SELECT 'it''s 2026-01-27' 'and 2026-01-27'", "", ""},
		{"SELECT '{{date}} {{3}} {3} {1,2} {a b} {'", "SELECT '{date} {3} {3} {1,2} {a b} {'", "", ""},
		{
			"SELECT {'a': 1, 'b': {'c': 2}} AS s, {'{marketplace}': '{marketplace}'}",
			"SELECT {'a': 1, 'b': {'c': 2}} AS s, {'U''S': 'U''S'}", "", "",
		},
		{"SELECT /* {nobody} ' /* nested */ ' */ '{date}' -- {nobody} '\n, \"a\"\"'b\"", "SELECT /* {nobody} ' /* nested */ ' */ $date -- {nobody} '\n, \"a\"\"'b\"", "", "date=2026-01-27"},
		{"SELECT $$ it's {3} $$, $x$ $$ ' $x$, '{date}'", "SELECT $$ it's {3} $$, $x$ $$ ' $x$, $date", "", "date=2026-01-27"},
		{"SELECT a AS '{date}'", "SELECT a AS '2026-01-27'", "", ""},
		{"SELECT a::VARCHAR = '{ date }'", "SELECT a::VARCHAR = $date", "", "date=2026-01-27"},
		{"(WITH c AS (SELECT 1) SELECT * FROM c)", "(WITH c AS (SELECT 1) SELECT * FROM c)", "", ""},
		{"WITH c AS (SELECT 1) (SELECT * FROM c)", "WITH c AS (SELECT 1) (SELECT * FROM c)", "", ""},
	} {
		named := compile(t, warehouse.Named, tc.query)
		if named.SQL != tc.named {
			t.Errorf("%s\ngot  %s\nwant %s", tc.query, named.SQL, tc.named)
		}
		if tc.positional == "" {
			continue
		}
		positional := compile(t, warehouse.Positional, tc.query)
		if positional.SQL != tc.positional || params(positional) != tc.params {
			t.Errorf("%s\ngot  %s %s\nwant %s %s", tc.query, positional.SQL, params(positional), tc.positional, tc.params)
		}
	}
}

func TestQuery_PositionalParametersStandInWhereOnly(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"SELECT '{date}' AS d FROM t WHERE d = '{date}'":                                                   "SELECT '2026-01-27' AS d FROM t WHERE d = ?",
		"SELECT a FROM t WHERE (d = '{date}' OR (e IN ('{date}'))) GROUP BY a HAVING max(d) = '{date}'":    "SELECT a FROM t WHERE (d = ? OR (e IN (?))) GROUP BY a HAVING max(d) = '2026-01-27'",
		"SELECT a FROM (SELECT a FROM t WHERE d = '{date}') u JOIN v ON v.d = '{date}'":                    "SELECT a FROM (SELECT a FROM t WHERE d = ?) u JOIN v ON v.d = '2026-01-27'",
		"SELECT a FROM t WHERE EXISTS (SELECT '{date}' FROM u WHERE u.d = '{date}' AND u.a = t.a) LIMIT 5": "SELECT a FROM t WHERE EXISTS (SELECT '2026-01-27' FROM u WHERE u.d = ? AND u.a = t.a) LIMIT 5",
		"SELECT count(*) FILTER (WHERE d = '{date}') AS n FROM t":                                          "SELECT count(*) FILTER (WHERE d = '2026-01-27') AS n FROM t",
		"SELECT a FROM t WHERE d = '{date}' UNION ALL SELECT '{date}' FROM t":                              "SELECT a FROM t WHERE d = ? UNION ALL SELECT '2026-01-27' FROM t",
		"WITH c AS (SELECT a FROM t WHERE d = '{date}') SELECT a FROM c ORDER BY a = '{date}'":             "WITH c AS (SELECT a FROM t WHERE d = ?) SELECT a FROM c ORDER BY a = '2026-01-27'",
	} {
		if got := compile(t, warehouse.Positional, query); got.SQL != want || len(got.Params) != strings.Count(want, "?") {
			t.Errorf("%s\ngot  %s %s\nwant %s", query, got.SQL, params(got), want)
		}
	}
}

func TestStatement_Tables(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"SELECT 1": "",
		"SELECT extract(day FROM d), trim(x FROM y) FROM a.t AS q, \"u v\" w, LATERAL (SELECT 1) JOIN c.b.x ON true": "a.t u v b.x",
		"WITH c AS (SELECT * FROM t), d AS (SELECT 1) SELECT * FROM c JOIN d ON true JOIN t ON true":                 "t",
		"SELECT * FROM (SELECT a, b FROM t) x WHERE a IN (SELECT a FROM u) AND 'FROM z' = b -- FROM y":               "t u",
		"SELECT * FROM UNNEST(sequence(1, 2)) AS t(n) CROSS JOIN f(1), g":                                            "g",
		"SELECT * FROM t ORDER BY a, b": "t",
	} {
		var got []string
		for _, table := range compile(t, warehouse.Positional, query).Tables {
			got = append(got, strings.TrimPrefix(table.Database+"."+table.Name, "."))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q", query, got)
		}
	}
}

func TestCheckSelect(t *testing.T) {
	t.Parallel()
	for sql, ok := range map[string]bool{
		"SELECT a FROM t WHERE d = ?": true, "WITH c AS (SELECT 1) SELECT * FROM c;": true,
		"": false, "DROP TABLE t": false, "SELECT 1; DROP TABLE t": false, "/* x */ UNLOAD (SELECT 1)": false, "WITH c AS (SELECT 1) INSERT INTO t SELECT 1": false,
	} {
		if err := warehouse.CheckSelect(sql); (err == nil) != ok {
			t.Errorf("%q: %v", sql, err)
		}
	}
}

func params(s warehouse.Statement) string {
	var out []string
	for _, p := range s.Params {
		out = append(out, p.Name+"="+p.Value)
	}
	return strings.Join(out, " ")
}

func TestQuery_NamedParameterIsBoundOnce(t *testing.T) {
	t.Parallel()
	s := compile(t, warehouse.Named, "SELECT 1 WHERE '{date}' = '{date}' AND '{startDate}' < '{date}'")
	if got := params(s); got != "date=2026-01-27 startDate=2026-01-26" {
		t.Error(got)
	}
}

func TestQuery_Refused(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                                   "nothing to run at 1:1",
		" -- nothing\n ;":                    "nothing to run at 1:1",
		"SELECT 1;\nDROP TABLE t":            "a second statement, starting with DROP, at 2:1",
		"\n INSERT INTO t VALUES (1)":        "INSERT instead of SELECT at 2:2",
		"WITH x AS (SELECT 1) DELETE FROM t": "DELETE instead of SELECT at 1:22",
		"VALUES (1)":                         "VALUES instead of SELECT at 1:1",
		"FROM t":                             "FROM instead of SELECT at 1:1",
		"SELECT 'x":                          "never ends starts at 1:8",
		"SELECT 1 /* x":                      "never ends starts at 1:10",
		"SELECT $$ x":                        "never ends starts at 1:8",
		"SELECT \"x":                         "never ends starts at 1:8",
		"SELECT '{startdat}'":                "unknown placeholder {startdat} at 1:9 of the query; did you mean {startDate}?",
		"SELECT 'é',\n  'x {start_date}'":    "unknown placeholder {start_date} at 2:6 of the query; did you mean {startDate}?",
		"SELECT {nobody}":                    "unknown placeholder {nobody} at 1:8",
		"SELECT \"{date}\"":                  "inside the quoted name",
		"SELECT $$ {date} $$":                "put it in plain single quotes",
		"SELECT U&'{date}', X'{date}'":       "put it in plain single quotes",
		"SELECT ?":                           "the parameter ? at 1:8",
		"SELECT $1, $startDate":              "the parameter $1 at 1:8",
	} {
		_, problems := warehouse.ParseQuery(query)
		if problems.Err() == nil || !strings.Contains(problems.Error(), want) {
			t.Errorf("%q: no %q in %v", query, want, problems)
		}
		if ceap.ErrorCode(problems.Err()) != ceap.CodeInvalid || problems[0].Path != "query" {
			t.Errorf("%q: %+v", query, problems)
		}
	}
}

func TestQuery_Limit(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]int64{
		"SELECT 1":                                          -1,
		"SELECT a FROM t LIMIT 1000":                        1000,
		"SELECT a FROM t LIMIT 10 OFFSET 5;":                10,
		"SELECT a FROM t OFFSET 5 LIMIT 10":                 10,
		"SELECT a FROM (SELECT a FROM t LIMIT 5) x":         -1,
		"SELECT a FROM (SELECT a FROM t LIMIT 5) x limit 7": 7,
		"SELECT a FROM t LIMIT 50%":                         -1,
		"SELECT a FROM t LIMIT 50 PERCENT":                  -1,
		"SELECT a FROM t LIMIT 1 + 1":                       -1,
		"SELECT a FROM t FETCH FIRST 3 ROWS ONLY":           3,
		"SELECT 'LIMIT 5' -- LIMIT 6":                       -1,
	} {
		if got := compile(t, warehouse.Named, query).Limit; got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
}

func TestStatement_Place(t *testing.T) {
	t.Parallel()
	s := compile(t, warehouse.Named, "SELECT 'é',\n  a FROM t WHERE d = '{startDate}' AND 'x{date}' <> b AND c")
	for find, want := range map[string]string{"SELECT": "1:1", "a FROM": "2:3", "$startDate": "2:22", "'x2026": "2:40", "b AND": "2:53", "c": "2:59"} {
		at := strings.LastIndex(s.SQL, find)
		if got := s.Place(at); at < 0 || got != want {
			t.Errorf("%q at byte %d: %s, want %s", find, at, got, want)
		}
	}
	err := s.Failed(ceap.CodeInvalid, 0, "it broke")
	if diff := cmp.Diff("Query execution failed: it broke (at 1:1 of the query)", err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestQuery_CompileRefusesValues(t *testing.T) {
	t.Parallel()
	q, problems := warehouse.ParseQuery("SELECT 1 WHERE d = '{startDate}' AND m = '{marketplace}'")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, values := range []map[string]string{
		{},
		{"startDate": "2026-02-30", "marketplace": "US"},
		{"startDate": "2026-1-2", "marketplace": "US"},
		{"startDate": "2026-01-26' OR 1=1", "marketplace": "US"},
		{"startDate": "2026-01-26", "marketplace": "U\x00S"},
		{"startDate": "2026-01-26", "marketplace": "U\xffS"},
	} {
		if _, err := q.Compile(warehouse.Named, values); ceap.ErrorCode(err) != ceap.CodeInvalid {
			t.Errorf("%v: %v", values, err)
		}
	}
}

// FuzzCompile holds that no query makes the parser panic, and that what it
// accepts can be parsed again once compiled, with as many LIMITs as before.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		"SELECT '{startDate}', DATE '{date}', E'\\'{marketplace}' FROM \"t\" -- x", "WITH a AS (SELECT $$x$$) SELECT {endDate};",
		"SELECT '{{x}}' /* /* */ */ LIMIT 5", "SELECT U&'x', {'a': 1}, 'x' 'y'", "(((", "SELECT '{programId}':", "WITH", "$a$", "{",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, problems := warehouse.ParseQuery(query)
		if len(problems) > 0 {
			_ = problems.Error()
			return
		}
		values := request().Placeholders()
		values["marketplace"] = `it's {x} \`
		s, err := q.Compile(warehouse.Named, values)
		if err != nil {
			t.Fatalf("%q: %v", query, err)
		}
		for at := range s.SQL {
			if place := s.Place(at); !strings.Contains(place, ":") {
				t.Fatalf("%q: no place of byte %d", query, at)
			}
		}
		if strings.Contains(query, "{") {
			return // a value may hold what looks like a placeholder
		}
		if again, problems := warehouse.ParseQuery(s.SQL); len(problems) > 0 || again.Limit() != q.Limit() {
			t.Fatalf("%q became %q: %v", query, s.SQL, problems)
		}
	})
}

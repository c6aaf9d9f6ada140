//go:build cgo

package duckdb_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/duckdb"
)

// shapes are queries with placeholders wherever they may stand.
func shapes() []string {
	return []string{
		"SELECT a FROM t WHERE d BETWEEN '{startDate}' AND '{endDate}' AND m = '{marketplace}' AND p = '{programId}'",
		"SELECT 'x{marketplace}', '{marketplace}{programId}', '{marketplace}y' AS \"n\" FROM t",
		"SELECT a AS '{marketplace}', b AS '{programId}' FROM t",
		`SELECT E'{marketplace}', e'\\{programId}\'' FROM t`,
		"SELECT DATE '{startDate}', TIMESTAMP '{endDate} 00:00:00', date {date} FROM t",
		"SELECT {'{marketplace}': '{programId}'} FROM t WHERE a LIKE '%{marketplace}%' /* '{programId}' */ -- '{programId}'",
		"WITH c AS (SELECT '{programId}' AS p, 'it''s {marketplace}' AS m) SELECT * FROM c WHERE p IN ('{marketplace}', {programId}) LIMIT 5;",
		"SELECT CASE WHEN a = '{marketplace}' THEN 'a\\{marketplace}' ELSE {programId} END || '{{{marketplace}}}' FROM t",
	}
}

// TestI15_NoValueChangesTheShapeOfAQuery compares the syntax trees of one query
// with harmless and with random values: they differ in nothing but these
// values. -rapid.checks=100000 makes it a long test.
func TestI15_NoValueChangesTheShapeOfAQuery(t *testing.T) {
	t.Parallel()
	var queries []*warehouse.Query
	var harmless []any
	base := map[string]string{
		"startDate": "2001-02-03", "endDate": "2002-03-04", "date": "2003-04-05", "marketplace": "MARKET0", "programId": "PROGRAM0",
	}
	for _, shape := range shapes() {
		q, problems := warehouse.ParseQuery(shape)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		queries = append(queries, q)
	}
	harmless = trees(t, queries, base)
	nasty := rapid.SampledFrom([]string{"'", "''", `\`, `\'`, "'; DROP TABLE t; --", "$$", "$startDate", "?", "{date}", "{{", "*/", "--", "\n", "\"", "E'", "' OR '1'='1", "\u2019", "\u02bc", "%", "0x27"})
	value := rapid.Map(rapid.SliceOfN(rapid.OneOf(nasty, rapid.StringN(0, 8, 32)), 0, 4), func(parts []string) string {
		return strings.ReplaceAll(strings.Join(parts, ""), "\x00", "")
	})
	date := rapid.Map(rapid.IntRange(-700000, 2900000), func(n int) string { return ceap.Date(n).String() })
	rapid.Check(t, func(r *rapid.T) {
		values := map[string]string{
			"startDate": date.Draw(r, "startDate"), "endDate": date.Draw(r, "endDate"), "date": date.Draw(r, "date"),
			"marketplace": value.Draw(r, "marketplace"), "programId": value.Draw(r, "programId"),
		}
		var pairs []string
		for name, b := range base {
			pairs = append(pairs, b, values[name])
		}
		replace := strings.NewReplacer(pairs...)
		for i, got := range trees(t, queries, values) {
			if diff := cmp.Diff(replaced(harmless[i], replace), got); diff != "" {
				r.Fatalf("%s with %q:\n%s", shapes()[i], values, diff)
			}
		}
	})
}

// trees returns the syntax trees of the queries compiled with values.
func trees(t *testing.T, queries []*warehouse.Query, values map[string]string) []any {
	t.Helper()
	sqls := make([]string, len(queries))
	for i, q := range queries {
		s, err := q.Compile(warehouse.Named, values)
		if err != nil {
			t.Fatal(err)
		}
		sqls[i] = s.SQL
	}
	texts, err := duckdb.SyntaxTrees(t.Context(), sqls)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]any, len(texts))
	for i, text := range texts {
		if err := json.Unmarshal([]byte(text), &out[i]); err != nil {
			t.Fatal(err)
		}
		if out[i].(map[string]any)["error"] != false {
			t.Fatalf("%s: %s", sqls[i], text)
		}
		withoutPlaces(out[i])
	}
	return out
}

// withoutPlaces removes what tells where things stand in the text.
func withoutPlaces(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "query_location")
		for _, item := range v {
			withoutPlaces(item)
		}
	case []any:
		for _, item := range v {
			withoutPlaces(item)
		}
	}
}

// replaced returns a copy of the tree with values replaced in all its texts.
func replaced(v any, r *strings.Replacer) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, item := range v {
			out[key] = replaced(item, r)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = replaced(item, r)
		}
		return out
	case string:
		return r.Replace(v)
	default:
		return v
	}
}

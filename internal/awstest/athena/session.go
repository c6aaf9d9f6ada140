package athena

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
)

// engine is DuckDB, in memory, shared by all statements: a database of its own
// for each would take most of the time of a short query.
type engine struct {
	db       *sql.DB
	sessions atomic.Int64
}

func openEngine(ctx context.Context, dir string) (*engine, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, fmt.Errorf("opening DuckDB, which needs a build with cgo: %w", err)
	}
	e := &engine{db: db}
	_, err = db.ExecContext(ctx, fmt.Sprintf(`
		SET memory_limit='2GB';
		SET threads=2;
		SET temp_directory=%s;
		SET autoinstall_known_extensions=false;
		SET autoload_known_extensions=false;
	`, quoteText(filepath.Join(dir, "spill")))+macros())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("preparing DuckDB: %w", err), db.Close())
	}
	return e, nil
}

// session is a catalog of DuckDB's for one statement, whose tables others do not
// see.
type session struct {
	conn *sql.Conn
	name string // of the catalog
}

func (e *engine) open(ctx context.Context) (*session, error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to DuckDB: %w", err)
	}
	s := &session{conn: conn, name: fmt.Sprintf("session_%d", e.sessions.Add(1))}
	err = s.exec(ctx, "ATTACH ':memory:' AS "+s.name+"; SET TimeZone='UTC'; SET integer_division=true; SET errors_as_json=true")
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

// use looks names up in a database of the session's, and then among the macros.
func (s *session) use(ctx context.Context, database string) error {
	name := s.name + "." + quoteName(database)
	return s.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+name+"; SET search_path="+quoteText(name+",memory.main"))
}

// close drops the session's tables, also after ctx has ended.
func (s *session) close(ctx context.Context) {
	_ = s.exec(context.WithoutCancel(ctx), "SET search_path='memory.main'; DETACH "+s.name) // its memory goes with the engine at last
	_ = s.conn.Close()
}

// macros returns the functions of Trino's that DuckDB lacks, or has under
// another name or with another meaning.
func macros() string {
	var b strings.Builder
	for _, m := range []string{
		`trino_sequence(a, b) AS generate_series(a, b), (a, b, c) AS generate_series(a, b, c)`,
		`trino_date(x) AS CAST(x AS DATE)`,
		`trino_date_add(unit, n, d) AS CASE lower(unit) WHEN 'second' THEN d + to_seconds(n) WHEN 'minute' THEN d + to_minutes(n) ` +
			`WHEN 'hour' THEN d + to_hours(n) WHEN 'day' THEN d + to_days(n) WHEN 'week' THEN d + to_weeks(n) ` +
			`WHEN 'month' THEN d + to_months(n) WHEN 'year' THEN d + to_years(n) ELSE error('no such unit') END`,
		`trino_concat(a, b) AS a || b, (a, b, c) AS a || b || c, (a, b, c, d) AS a || b || c || d, (a, b, c, d, e) AS a || b || c || d || e`,
		`trino_split_part(s, d, n) AS CASE WHEN n <= len(string_split(s, d)) THEN split_part(s, d, n) END`,
		`trino_from_unixtime(n) AS make_timestamp(CAST(n * 1000000 AS BIGINT))`,
		`trino_to_unixtime(d) AS CAST(epoch(d) AS DOUBLE)`,
		`trino_cardinality(l) AS CAST(len(l) AS BIGINT)`,
		`trino_contains(l, x) AS list_contains(l, x)`,
		`from_iso8601_timestamp(s) AS CAST(s AS TIMESTAMPTZ)`,
		`from_iso8601_date(s) AS CAST(s AS DATE)`,
		`to_iso8601(d) AS CASE WHEN typeof(d) = 'DATE' THEN strftime(CAST(d AS TIMESTAMP), '%Y-%m-%d') ` +
			`ELSE strftime(CAST(d AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%g') || (CASE WHEN typeof(d) = 'TIMESTAMP' THEN '' ELSE 'Z' END) END`,
		`element_at(l, i) AS l[i]`,
		`approx_distinct(x) AS approx_count_distinct(x)`,
		`json_extract_scalar(j, p) AS json_extract_string(j, p)`,
		`json_format(j) AS CAST(j AS VARCHAR)`,
		`json_parse(s) AS CAST(s AS JSON)`,
		`regexp_like(s, p) AS regexp_matches(s, p)`,
		`array_join(l, d) AS array_to_string(l, d)`,
		`infinity() AS CAST('Infinity' AS DOUBLE)`,
		`nan() AS CAST('NaN' AS DOUBLE)`,
		`is_nan(x) AS isnan(x)`,
		`is_finite(x) AS isfinite(x)`,
		`is_infinite(x) AS isinf(x)`,
		`to_hex(b) AS hex(b)`,
		`from_hex(s) AS unhex(s)`,
		`to_utf8(s) AS encode(s)`,
		`from_utf8(b) AS decode(b)`,
		`truncate(x) AS trunc(x)`,
		`rand() AS random()`,
		`day_of_week(d) AS isodow(d)`,
		`day_of_month(d) AS day(d)`,
		`day_of_year(d) AS dayofyear(d)`,
	} {
		b.WriteString("CREATE MACRO " + m + ";\n")
	}
	return b.String()
}

// exec runs statements of ours, and the user's inside them, for their effect.
func (s *session) exec(ctx context.Context, statements string) error {
	_, err := s.conn.ExecContext(ctx, statements)
	return err
}

// strings runs a query whose columns are texts; NULL is "".
func (s *session) strings(ctx context.Context, query string) ([][]string, error) {
	rows, err := s.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for rows.Next() {
		values := make([]sql.NullString, len(names))
		if err := rows.Scan(pointers(values)...); err != nil {
			return nil, err
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = v.String
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func pointers[T any](values []T) []any {
	out := make([]any, len(values))
	for i := range values {
		out[i] = &values[i]
	}
	return out
}

// described returns the columns of a query with DuckDB's names of their types.
func (s *session) described(ctx context.Context, query string) ([]column, error) {
	rows, err := s.strings(ctx, "SELECT column_name, column_type FROM (DESCRIBE "+query+"\n)")
	if err != nil {
		return nil, err
	}
	out := make([]column, len(rows))
	for i, row := range rows {
		out[i] = column{row[0], row[1]}
	}
	return out, nil
}

// tree is the syntax tree of a query.
type tree struct {
	node      map[string]any
	tables    []reference
	functions []reference // that stand where a table does
}

// reference is a name in a query.
type reference struct {
	database, name string
	offset         int // bytes of the query, or -1
}

// parseError is a syntax error of DuckDB's; position counts characters from 0.
type parseError struct{ message, position string }

func (e *parseError) Error() string { return e.message }

// parse returns the query's syntax tree, or a [*parseError].
func (s *session) parse(ctx context.Context, query string) (*tree, error) {
	var data string
	if err := s.conn.QueryRowContext(ctx, "SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", query).Scan(&data); err != nil {
		return nil, err
	}
	var answer struct {
		Error      bool   `json:"error"`
		Message    string `json:"error_message"` //nolint:tagliatelle // the engine's name
		Position   string `json:"position"`
		Statements []struct {
			Node map[string]any `json:"node"`
		} `json:"statements"`
	}
	d := json.NewDecoder(strings.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		return nil, fmt.Errorf("reading the syntax tree: %w", err)
	}
	if answer.Error || len(answer.Statements) != 1 {
		return nil, &parseError{answer.Message, answer.Position}
	}
	t := &tree{node: answer.Statements[0].Node}
	t.walk(t.node, nil)
	return t, nil
}

// walk collects the names below v. scope holds those that WITH defines.
func (t *tree) walk(v any, scope []string) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			t.walk(item, scope)
		}
	case map[string]any:
		list, _ := field(v, "cte_map", "map").([]any)
		scope = slices.Clip(scope)
		for _, item := range list {
			name := strings.ToLower(str(field(item, "key")))
			inner := scope
			if str(field(item, "value", "query", "node", "type")) == "RECURSIVE_CTE_NODE" {
				inner = append(inner, name)
			}
			t.walk(field(item, "value"), inner)
			scope = append(scope, name)
		}
		t.visit(v, scope)
		for key, item := range v {
			if key != "cte_map" {
				t.walk(item, scope)
			}
		}
	}
}

func (t *tree) visit(v map[string]any, scope []string) {
	switch str(v["type"]) {
	case "BASE_TABLE":
		ref := reference{str(v["schema_name"]), str(v["table_name"]), location(v)}
		if ref.database != "" || !slices.Contains(scope, strings.ToLower(ref.name)) {
			t.tables = append(t.tables, ref)
		}
	case "TABLE_FUNCTION":
		if name := str(field(v, "function", "function_name")); !strings.EqualFold(name, "unnest") {
			t.functions = append(t.functions, reference{name: name, offset: location(v)})
		}
	}
}

// which returns the columns of the result of which something holds, by their
// place in the list; nil if a * hides the places.
func (t *tree) which(holds func(item map[string]any) bool) []int {
	node := t.node
	for {
		left, ok := node["left"].(map[string]any) // of UNION and its like
		if !ok {
			break
		}
		node = left
	}
	list, _ := node["select_list"].([]any)
	var out []int
	for i, item := range list {
		item, _ := item.(map[string]any)
		if str(item["class"]) == "STAR" {
			return nil
		}
		if holds(item) {
			out = append(out, i)
		}
	}
	return out
}

// unnamed reports whether a column has no name of its own.
func unnamed(item map[string]any) bool {
	return str(item["class"]) != "COLUMN_REF" && str(item["alias"]) == ""
}

// untyped reports whether a column is a bare NULL.
func untyped(item map[string]any) bool {
	return str(item["class"]) == "CONSTANT" && field(item, "value", "is_null") == true
}

// field returns what lies below v under these keys, or nil.
func field(v any, keys ...string) any {
	for _, key := range keys {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func location(v map[string]any) int {
	n, _ := v["query_location"].(json.Number)
	at, err := n.Int64()
	if err != nil {
		return -1 // unknown places are 2^64-1
	}
	return int(at)
}

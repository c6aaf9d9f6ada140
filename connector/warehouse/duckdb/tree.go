package duckdb

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// tree is the syntax tree of one SELECT, as DuckDB's json_serialize_sql writes
// it. That function accepts SELECT statements only, and refuses EXPLAIN, PRAGMA,
// COPY and the like.
type tree struct {
	node   map[string]any
	tables []tableRef
}

// tableRef is a table that the query names, outside the query's own WITH.
type tableRef struct {
	database string // "" for the default
	name     string
	offset   int // bytes; -1 if not known
}

// refusal says what a query may not do.
type refusal struct {
	message string
	offset  int // bytes, or -1
}

func (r *refusal) Error() string { return r.message }

// parseTree reads the answer of json_serialize_sql and checks that the query
// reads nothing but tables, its own WITH parts, and functions that make rows of
// their arguments. All other sources of rows, such as read_csv, glob and
// duckdb_settings, are refused with a [refusal].
func parseTree(data string) (*tree, error) {
	var answer struct {
		Error      bool   `json:"error"`
		Type       string `json:"error_type"`    //nolint:tagliatelle // the engine's name
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
	switch {
	case answer.Error && answer.Type == "not implemented":
		return nil, &refusal{"the statement is not one SELECT that can be checked (PIVOT without IN, EXPLAIN and PRAGMA are not supported)", -1}
	case answer.Error:
		return nil, &parseError{answer.Message, answer.Position}
	case len(answer.Statements) != 1:
		return nil, &refusal{fmt.Sprintf("%d statements instead of one SELECT", len(answer.Statements)), -1}
	}
	t := &tree{node: answer.Statements[0].Node}
	if err := t.walk(t.node, nil); err != nil {
		return nil, err
	}
	return t, nil
}

// parseError is a syntax error; position counts characters from 0.
type parseError struct{ message, position string }

func (e *parseError) Error() string { return e.message }

// walk visits v and all below it. scope holds the names, in lower case, that
// WITH has defined so far.
func (t *tree) walk(v any, scope []string) error {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if err := t.walk(item, scope); err != nil {
				return err
			}
		}
	case map[string]any:
		scope, err := t.with(v, scope)
		if err != nil {
			return err
		}
		if err := t.visit(v, scope); err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key == "cte_map" {
				continue
			}
			if err := t.walk(v[key], scope); err != nil {
				return err
			}
		}
	}
	return nil
}

// with visits the WITH parts of a node, each of which sees those before it, and
// itself if it is recursive. It returns the scope of the node.
func (t *tree) with(node map[string]any, scope []string) ([]string, error) {
	list, _ := field(node, "cte_map", "map").([]any)
	scope = slices.Clip(scope)
	for _, item := range list {
		entry, _ := item.(map[string]any)
		name := strings.ToLower(str(entry["key"]))
		inner := scope
		if str(field(entry, "value", "query", "node", "type")) == "RECURSIVE_CTE_NODE" {
			inner = append(inner, name)
		}
		if err := t.walk(entry["value"], inner); err != nil {
			return nil, err
		}
		scope = append(scope, name)
	}
	return scope, nil
}

// visit checks one object of the tree.
func (t *tree) visit(v map[string]any, scope []string) error {
	switch str(v["type"]) {
	case "BASE_TABLE":
		return t.table(v, scope)
	case "TABLE_FUNCTION":
		name := str(field(v, "function", "function_name"))
		if !slices.Contains([]string{"unnest", "range", "generate_series"}, strings.ToLower(name)) ||
			str(field(v, "function", "schema")) != "" {
			return &refusal{"the function " + name + " may not be used as a table; queries read the warehouse's tables", location(v)}
		}
	case "SHOW_REF":
		return &refusal{"SHOW, DESCRIBE and SUMMARIZE are no SELECT", location(v)}
	case "FUNCTION":
		// They tell about the process rather than the data.
		name := strings.ToLower(str(v["function_name"]))
		if slices.Contains([]string{"getenv", "current_setting", "getvariable", "write_log"}, name) {
			return &refusal{"the function " + name + " may not be used", location(v)}
		}
	}
	return nil
}

func (t *tree) table(v map[string]any, scope []string) error {
	ref := tableRef{database: str(v["schema_name"]), name: str(v["table_name"]), offset: location(v)}
	if catalog := str(v["catalog_name"]); catalog != "" {
		return &refusal{fmt.Sprintf("the table %s.%s.%s has three names; write database.table", catalog, ref.database, ref.name), ref.offset}
	}
	if ref.database == "" && slices.Contains(scope, strings.ToLower(ref.name)) {
		return nil
	}
	t.tables = append(t.tables, ref)
	return nil
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

// location returns the byte at which an object stands in the query, or -1.
func location(v map[string]any) int {
	n, ok := v["query_location"].(json.Number)
	if !ok {
		return -1
	}
	at, err := strconv.ParseInt(n.String(), 10, 32) // unknown places are 2^64-1
	if err != nil {
		return -1
	}
	return int(at)
}

// charOffset returns the byte offset of a character.
func charOffset(text, position string) int {
	n, err := strconv.Atoi(position)
	if err != nil {
		return -1
	}
	for offset := range text {
		if n == 0 {
			return offset
		}
		n--
	}
	return len(text)
}

//go:build cgo

package duckdb

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/ceap-platform/ceap/connector"
)

// predicate is one of the conditions that WHERE joins by AND.
type predicate struct {
	node map[string]any
	text string
}

// explain finds out which predicate leaves no rows.
func (in *inspection) explain() {
	predicates, err := in.predicates()
	if err != nil {
		in.failed("predicates", err)
		return
	}
	total, err := in.passing()
	if err != nil {
		in.failed("predicates", err)
		return
	}
	guilty := false
	for _, p := range predicates {
		n, err := in.passing(p.node)
		switch {
		case err != nil:
			in.failed("predicate", err)
			return
		case n == 0 && total > 0:
			guilty = true
			in.guilty(p, total)
		default:
			in.ok("predicate", "%s: true for %d of %d rows", p.text, n, total)
		}
	}
	if !guilty && total > 0 {
		in.together(predicates)
	}
}

// together says after which predicate no row is left.
func (in *inspection) together(predicates []predicate) {
	var nodes []map[string]any
	for i, p := range predicates {
		nodes = append(nodes, p.node)
		n, err := in.passing(nodes...)
		if err != nil {
			in.failed("predicate", err)
			return
		}
		if n == 0 && i > 0 {
			in.bad("predicate", "loosen one of them", "%s: no row for which the predicates before it are true too", p.text)
			return
		}
	}
}

// guilty reports a predicate that is true for no row, with the values there are.
func (in *inspection) guilty(p predicate, total int64) {
	detail := fmt.Sprintf("%s: true for none of %d rows", p.text, total)
	remedy := "compare it with the data"
	unknown, err := in.passing(expression("OPERATOR", "OPERATOR_IS_NULL", map[string]any{"children": []any{p.node}}))
	if err == nil && unknown > 0 {
		detail += fmt.Sprintf(", and neither true nor false for %d", unknown)
		if str(p.node["type"]) == "OPERATOR_NOT" && isSubquery(p.node) {
			detail += ": the list of NOT IN holds a NULL"
			remedy = "write NOT EXISTS (SELECT 1 ... WHERE ...) in place of NOT IN, or leave NULLs out of the list"
		}
	}
	if column := operand(p.node); column != nil {
		if values := in.values(column); values != "" {
			detail += "; " + values
		}
	}
	if strings.Contains(p.text, "{startDate}") || strings.Contains(p.text, "{endDate}") || strings.Contains(p.text, "{date}") {
		remedy = "run a range that has data, or add data for " + in.scope.Range.String()
	}
	in.checks = append(in.checks, connector.Check{Name: "predicate", Status: connector.CheckFailed, Detail: detail, Remedy: remedy})
}

// isSubquery reports whether a predicate is about a list from a SELECT.
func isSubquery(node map[string]any) bool {
	if str(node["class"]) == "SUBQUERY" {
		return true
	}
	children, _ := node["children"].([]any)
	for _, c := range children {
		if m, ok := c.(map[string]any); ok && isSubquery(m) {
			return true
		}
	}
	return false
}

// operand returns the column that a predicate compares, or nil.
func operand(node map[string]any) map[string]any {
	for _, key := range []string{"input", "left", "child", "right"} {
		if m, ok := node[key].(map[string]any); ok && str(m["class"]) == "COLUMN_REF" {
			return m
		}
	}
	if children, _ := node["children"].([]any); len(children) > 0 {
		if m, ok := children[0].(map[string]any); ok && str(m["class"]) == "COLUMN_REF" {
			return m
		}
	}
	return nil
}

// shownValues is how many values a message lists.
const shownValues = 8

// values says which values a column has, or "".
func (in *inspection) values(column map[string]any) string {
	sql, err := in.text(func(node map[string]any) { node["select_list"], node["where_clause"] = []any{column}, nil })
	if err != nil {
		return ""
	}
	rows, err := in.bound(fmt.Sprintf("SELECT DISTINCT CAST(c AS VARCHAR) AS v FROM (\n%s\n) AS q(c) WHERE c IS NOT NULL ORDER BY v LIMIT %d", sql, shownValues+1))
	if err != nil || len(rows) == 0 {
		return ""
	}
	if len(rows) <= shownValues {
		var list []string
		for _, row := range rows {
			list = append(list, row[0])
		}
		return "its values are " + strings.Join(list, ", ")
	}
	ends, err := in.bound(fmt.Sprintf("SELECT CAST(min(c) AS VARCHAR), CAST(max(c) AS VARCHAR) FROM (\n%s\n) AS q(c)", sql))
	if err != nil {
		return ""
	}
	return "its values run from " + ends[0][0] + " to " + ends[0][1]
}

// predicates takes WHERE of the outermost SELECT apart.
func (in *inspection) predicates() ([]predicate, error) {
	if str(in.tree.node["type"]) != "SELECT_NODE" {
		return nil, nil
	}
	where, _ := in.tree.node["where_clause"].(map[string]any)
	var out []predicate
	for _, node := range conjuncts(where) {
		sql, err := in.text(func(n map[string]any) {
			n["select_list"], n["where_clause"] = []any{node}, nil
			n["cte_map"] = map[string]any{"map": []any{}}
			n["from_table"] = map[string]any{"type": "EMPTY", "alias": "", "sample": nil, "query_location": json.Number("18446744073709551615")}
		})
		if err != nil {
			return nil, err
		}
		text := asWritten(strings.TrimPrefix(sql, "SELECT "))
		for _, p := range in.statement.Params {
			text = strings.ReplaceAll(text, "$"+p.Name, "'{"+p.Name+"}'")
		}
		out = append(out, predicate{node, text})
	}
	return out, nil
}

// asWritten returns a predicate about a list from a SELECT as users write it.
func asWritten(predicate string) string {
	predicate = regexp.MustCompile(`^\(NOT \((.*?) = ANY\((.*)\)\)\)$`).ReplaceAllString(predicate, "($1 NOT IN ($2))")
	return regexp.MustCompile(`^\((.*?) = ANY\((.*)\)\)$`).ReplaceAllString(predicate, "($1 IN ($2))")
}

func conjuncts(where map[string]any) []map[string]any {
	if where == nil {
		return nil
	}
	if str(where["type"]) != "CONJUNCTION_AND" {
		return []map[string]any{where}
	}
	var out []map[string]any
	children, _ := where["children"].([]any)
	for _, c := range children {
		m, _ := c.(map[string]any)
		out = append(out, conjuncts(m)...)
	}
	return out
}

// passing counts the rows of the outermost FROM for which all of these are true.
func (in *inspection) passing(predicates ...map[string]any) (int64, error) {
	sql, err := in.text(func(node map[string]any) {
		node["select_list"] = []any{expression("FUNCTION", "FUNCTION", map[string]any{
			"function_name": "count_star", "schema": "", "catalog": "", "children": []any{}, "filter": nil,
			"order_bys": map[string]any{"type": "ORDER_MODIFIER", "orders": []any{}}, "distinct": false, "is_operator": false, "export_state": false,
		})}
		node["where_clause"] = nil
		if len(predicates) > 0 {
			children := make([]any, len(predicates))
			for i, p := range predicates {
				children[i] = p
			}
			node["where_clause"] = expression("CONJUNCTION", "CONJUNCTION_AND", map[string]any{"children": children})
			if len(predicates) == 1 {
				node["where_clause"] = predicates[0]
			}
		}
	})
	if err != nil {
		return 0, err
	}
	return in.count(sql)
}

// expression returns an expression of the tree that stands nowhere in the query.
func expression(class, typ string, rest map[string]any) map[string]any {
	e := map[string]any{"class": class, "type": typ, "alias": "", "query_location": json.Number("18446744073709551615")}
	maps.Copy(e, rest)
	return e
}

// text returns the outermost SELECT, plain but for what change makes of it:
// without grouping, order and LIMIT.
func (in *inspection) text(change func(node map[string]any)) (string, error) {
	node := maps.Clone(in.tree.node)
	for _, key := range []string{"modifiers", "group_expressions", "group_sets"} {
		node[key] = []any{}
	}
	for _, key := range []string{"having", "qualify", "sample"} {
		node[key] = nil
	}
	change(node)
	return in.deserialize(node)
}

// deserialize returns the text of a SELECT.
func (in *inspection) deserialize(node map[string]any) (string, error) {
	data, err := json.Marshal(map[string]any{
		"error": false, "statements": []any{map[string]any{"node": node, "named_param_map": []any{}}},
	})
	if err != nil {
		return "", err
	}
	rows, err := in.texts(in.ctx, "SELECT json_deserialize_sql($tree::VARCHAR)", map[string]string{"tree": string(data)})
	if err != nil {
		return "", err
	}
	return rows[0][0], nil
}

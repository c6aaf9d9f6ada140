package warehouse

import (
	"slices"
	"strings"
)

// tables returns the tables that the query names after FROM and JOIN, once each
// and in order, without those that WITH defines.
func (q *Query) tables() []Table {
	var out []Table
	var defined []string
	type level struct{ selects, from bool }
	levels := []level{{}}
	for i, t := range q.tokens {
		top := &levels[len(levels)-1]
		switch {
		case t.symbol("("):
			levels = append(levels, level{})
		case t.symbol(")") && len(levels) > 1:
			levels = levels[:len(levels)-1]
		case t.is("SELECT"):
			*top = level{selects: true}
		case t.is("AS") && i > 0 && q.sequence(i+1, "("):
			defined = append(defined, unquoted(q.tokens[i-1]))
		case top.selects && !top.from && t.is("FROM"): // not that of EXTRACT(... FROM ...)
			top.from = true
			out = append(out, q.tableAt(i+1)...)
		case top.from && (t.is("JOIN") || t.symbol(",")):
			out = append(out, q.tableAt(i+1)...)
		case slices.ContainsFunc([]string{"WHERE", "GROUP", "HAVING", "ORDER", "LIMIT"}, t.is):
			top.from = false
		}
	}
	var distinct []Table
	for _, t := range out {
		own := t.Database == "" && slices.ContainsFunc(defined, func(name string) bool { return strings.EqualFold(name, t.Name) })
		if !own && !slices.Contains(distinct, t) {
			distinct = append(distinct, t)
		}
	}
	return distinct
}

// tableAt returns the table whose name starts at token i, or nothing.
func (q *Query) tableAt(i int) []Table {
	var parts []string
	for ; i < len(q.tokens); i += 2 {
		t := q.tokens[i]
		if t.kind != tokenWord && t.kind != tokenQuoted || t.is("LATERAL") || t.is("UNNEST") {
			return nil
		}
		parts = append(parts, unquoted(t))
		if !q.sequence(i+1, ".") {
			break
		}
	}
	if len(parts) == 0 || q.sequence(i+1, "(") { // a function
		return nil
	}
	t := Table{Name: parts[len(parts)-1]}
	if len(parts) > 1 {
		t.Database = parts[len(parts)-2]
	}
	return []Table{t}
}

// unquoted returns a name without its quotes.
func unquoted(t token) string {
	if t.kind != tokenQuoted || len(t.text) < 2 {
		return t.text
	}
	quote := t.text[:1]
	return strings.ReplaceAll(t.text[1:len(t.text)-1], quote+quote, quote)
}

package warehouse

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap/connector"
)

// Advise warns about a query that works but is hardly meant so (D35).
func (c *Connector) Advise(connector.Request) []string {
	q := c.query
	var out []string
	if !q.uses("startDate", "endDate", "date") {
		out = append(out, "the query has no {startDate}, {endDate} or {date}: every run reads everything")
	}
	for i := range q.tokens {
		if t, ok := q.literalMarketplace(i); ok {
			out = append(out, fmt.Sprintf("the query compares the marketplace with %s at %s: write '{marketplace}', so that one program serves them all",
				t.text, place(q.text, t.start)))
		}
		if q.sequence(i, "NOT", "IN", "(", "SELECT") {
			out = append(out, fmt.Sprintf("NOT IN (SELECT ...) at %s removes every row once the list holds one NULL: write NOT EXISTS (SELECT 1 ... WHERE ...)",
				place(q.text, q.tokens[i].start)))
		}
	}
	if at := q.unnamed(); c.description.Named && at >= 0 {
		out = append(out, fmt.Sprintf("the column at %s has no name: write AS and a name after it, or large results are read slowly", place(q.text, at)))
	}
	if c.description.Named && q.ordered() && q.limit < 0 {
		out = append(out, "ORDER BY takes time and has no effect: rows are read in parts, in no order; leave it out")
	}
	if q.limit >= 0 && !q.ordered() {
		out = append(out, fmt.Sprintf("LIMIT %d without ORDER BY: which rows are read is left to the engine", q.limit))
	}
	if source, ok := c.config.FieldMappings["marketplace"]; ok && !q.uses("marketplace") && !q.mentions("marketplace") {
		out = append(out, fmt.Sprintf("fieldMappings.marketplace is %q and the query does not choose by marketplace: rows of other marketplaces cannot be told apart", source))
	}
	return out
}

// uses reports whether one of the placeholders occurs.
func (q *Query) uses(names ...string) bool {
	return slices.ContainsFunc(q.tokens, func(t token) bool {
		return slices.ContainsFunc(holders(t), func(h holder) bool { return slices.Contains(names, h.name) })
	})
}

// mentions reports whether a name occurs, quoted or not.
func (q *Query) mentions(name string) bool {
	return slices.ContainsFunc(q.tokens, func(t token) bool { return isName(t, name) })
}

func isName(t token, name string) bool {
	return t.is(name) || t.kind == tokenQuoted && strings.EqualFold(t.text, `"`+name+`"`)
}

// literalMarketplace returns the text that token i, a column marketplace, is
// compared with: marketplace = 'US', marketplace IN ('US', ...).
func (q *Query) literalMarketplace(i int) (token, bool) {
	if !isName(q.tokens[i], "marketplace") {
		return token{}, false
	}
	for _, before := range [][]string{{"="}, {"IN", "("}} {
		if at := i + 1 + len(before); at < len(q.tokens) && q.sequence(i+1, before...) {
			t := q.tokens[at]
			return t, t.kind == tokenString && len(holders(t)) == 0
		}
	}
	return token{}, false
}

// sequence reports whether these words and symbols follow from token i on.
func (q *Query) sequence(i int, words ...string) bool {
	if i+len(words) > len(q.tokens) {
		return false
	}
	for n, w := range words {
		if t := q.tokens[i+n]; !t.is(w) && !t.symbol(w) {
			return false
		}
	}
	return true
}

// ordered reports whether the statement itself has an ORDER BY.
func (q *Query) ordered() bool {
	depth := 0
	for i, t := range q.tokens {
		switch {
		case t.symbol("("):
			depth++
		case t.symbol(")"):
			depth--
		case depth == 0 && q.sequence(i, "ORDER", "BY"):
			return true
		}
	}
	return false
}

// unnamed returns where the first column of the statement's own SELECT starts
// that neither is a column's name nor has one, or -1. It looks at the text only.
func (q *Query) unnamed() int {
	depth, from := 0, -1
	for i, t := range q.tokens {
		switch {
		case t.symbol("("):
			depth++
		case t.symbol(")"):
			depth--
		case depth > 0:
		case t.is("SELECT") && from < 0:
			from = i + 1
			if from < len(q.tokens) && (q.tokens[from].is("DISTINCT") || q.tokens[from].is("ALL")) {
				from++
			}
		case from >= 0 && (t.symbol(",") || t.is("FROM") && i > from):
			if !named(q.tokens[from:i]) {
				return q.tokens[from].start
			}
			if from = i + 1; !t.symbol(",") {
				return -1
			}
		}
	}
	if from >= 0 && from < len(q.tokens) && !named(q.tokens[from:]) {
		return q.tokens[from].start
	}
	return -1
}

// named reports whether a column of a SELECT has a name.
func named(item []token) bool {
	name := func(t token) bool { return t.kind == tokenWord || t.kind == tokenQuoted }
	last := len(item) - 1
	if last < 0 {
		return true // no column at all; the database says so
	}
	if item[last].symbol("*") {
		return last == 0 || item[last-1].symbol(".")
	}
	if !name(item[last]) || strings.Trim(item[last].text[:1], "0123456789") == "" {
		return false
	}
	if last == 0 {
		return !slices.ContainsFunc([]string{"NULL", "TRUE", "FALSE", "CURRENT_DATE", "CURRENT_TIMESTAMP"}, item[0].is)
	}
	before := item[last-1]
	return before.is("AS") || before.symbol(".") || before.symbol(")") || before.kind == tokenString && !item[last].is("END") ||
		name(before) && !slices.ContainsFunc(valueKeywords(), before.is) && !item[last].is("END")
}

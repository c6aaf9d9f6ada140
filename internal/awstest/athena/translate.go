package athena

import (
	"fmt"
	"slices"
	"strings"
)

// span says that what DuckDB runs from byte out on comes from byte in of the
// statement; a whole comes from one place.
type span struct {
	out, in int
	whole   bool
}

// translation is the query as DuckDB reads it.
type translation struct {
	sql   string
	spans []span
}

// origin returns the byte of the statement that byte offset of the translation
// comes from.
func (t translation) origin(offset int) int {
	i, found := slices.BinarySearchFunc(t.spans, offset, func(s span, at int) int { return s.out - at })
	if !found {
		i--
	}
	if i < 0 {
		return 0
	}
	if s := t.spans[i]; !s.whole {
		return s.in + offset - s.out
	}
	return t.spans[i].in
}

// translate rewrites the query for DuckDB, with values in place of the ?.
//
// Texts get the type VARCHAR: left alone, DuckDB would turn them into dates and
// numbers where Trino refuses to compare.
//
// A strict translation is for finding out types only: each = becomes <=, which
// DuckDB refuses between types of which it would cast one for a =.
func (s *statement) translate(values []string, strict bool) translation {
	var sql strings.Builder
	var out translation
	done, dropped := s.query.start, -1
	put := func(t token, piece string) {
		out.spans = append(out.spans, span{out: sql.Len(), in: done})
		sql.WriteString(s.sql[done:t.start])
		out.spans = append(out.spans, span{out: sql.Len(), in: t.start, whole: true})
		sql.WriteString(piece)
		done = t.end
	}
	for i, t := range s.tokens {
		if t.start < done || t.end > s.query.end {
			continue
		}
		switch {
		case strict && t.is("=") && !s.joined(i):
			put(t, "<=")
		case t.is("?"):
			put(t, translateValue(values[slices.Index(s.holders, i)]))
		case t.is("X") && s.at(i+1).kind == text && s.at(i+1).start == t.end: // X'0aff'
			put(token{start: t.start, end: s.at(i + 1).end}, "unhex("+s.at(i+1).text+")")
		case t.is("DECIMAL") && s.at(i+1).kind == text:
			put(token{start: t.start, end: s.at(i + 1).end}, decimalLiteral(s.at(i+1)))
		case t.is("UNNEST") && s.unnestsSequence(i) > 0: // DuckDB would make a list of all numbers first
			put(token{start: t.start, end: s.at(i + 2).end}, "generate_series")
			end := s.at(s.unnestsSequence(i))
			dropped = end.start
		case t.start == dropped:
			put(t, "")
		case t.kind == text && s.isFormat(i):
			put(t, strings.NewReplacer("%i", "%M", "%s", "%S", "%T", "%H:%M:%S").Replace(t.text))
		case t.kind == text && (i == 0 || !slices.ContainsFunc(literalWords(), s.tokens[i-1].is)):
			put(t, t.text+"::VARCHAR")
		case t.name() != "" && strings.EqualFold(t.name(), "awsdatacatalog") && t.kind != text && s.at(i+1).is("."):
			put(token{start: t.start, end: s.at(i + 1).end}, "")
		case t.kind == word && s.at(i+1).is("(") && renamed(t.text) != "":
			put(t, renamed(t.text))
		}
	}
	put(token{start: s.query.end, end: s.query.end}, "")
	out.sql = sql.String()
	return out
}

// unnestsSequence returns the ) that ends UNNEST(sequence(...)) in a FROM, where
// token i is the UNNEST; 0 if it is something else.
func (s *statement) unnestsSequence(i int) int {
	source := slices.ContainsFunc([]string{"FROM", "JOIN", ","}, s.at(max(i-1, 0)).is)
	if !source || !s.at(i+1).is("(") || !s.at(i+2).is("sequence") || !s.at(i+3).is("(") {
		return 0
	}
	depth := 1
	for i += 4; depth > 0 && i < len(s.tokens); i++ {
		switch {
		case s.tokens[i].is("("):
			depth++
		case s.tokens[i].is(")"):
			depth--
		}
	}
	if !s.at(i).is(")") {
		return 0
	}
	return i
}

// decimalLiteral returns DECIMAL '12.50' with the digits that it has in Trino.
func decimalLiteral(t token) string {
	whole, fraction, _ := strings.Cut(strings.TrimLeft(t.name(), "+-"), ".")
	return fmt.Sprintf("CAST(%s AS DECIMAL(%d,%d))", t.text, max(len(whole)+len(fraction), 1), len(fraction))
}

// joined reports whether token i is a part of an operator such as >=.
func (s *statement) joined(i int) bool {
	before, next := s.at(max(i-1, 0)), s.at(i+1)
	return before.end == s.tokens[i].start && before.kind == symbol && strings.Contains("<>!", before.text) ||
		next.start == s.tokens[i].end && next.is(">")
}

// isFormat reports whether token i is the format of date_parse or date_format,
// whose letters DuckDB has in part for other things.
func (s *statement) isFormat(i int) bool {
	if !s.at(max(i-1, 0)).is(",") {
		return false
	}
	depth := 0
	for i--; i > 0; i-- {
		switch {
		case s.tokens[i].is(")"):
			depth++
		case s.tokens[i].is("(") && depth > 0:
			depth--
		case s.tokens[i].is("("):
			return s.tokens[i-1].is("date_parse") || s.tokens[i-1].is("date_format")
		}
	}
	return false
}

// literalWords stand before a text that is not one of its own.
func literalWords() []string {
	return []string{"DATE", "TIMESTAMP", "TIME", "INTERVAL", "ESCAPE", "DECIMAL", "DOUBLE", "REAL", "JSON", "CHAR", "VARCHAR", "BIGINT", "INTEGER", "X"}
}

// translateValue returns a parameter's expression for DuckDB.
func translateValue(value string) string {
	inner, err := parse("SELECT " + value)
	if err != nil {
		return "(" + value + ")"
	}
	inner.query.start = len("SELECT ")
	return "(" + inner.translate(nil, false).sql + ")"
}

// renamed returns the name of our macro for a function of Trino's whose name
// means something else in DuckDB; "" for all others.
func renamed(name string) string {
	switch name = strings.ToLower(name); name {
	case "date_parse":
		return "strptime"
	case "date_format":
		return "strftime"
	case "date_add", "sequence", "date", "concat", "split_part", "from_unixtime", "to_unixtime", "cardinality", "contains":
		return "trino_" + name
	default:
		return ""
	}
}

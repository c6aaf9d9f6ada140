package warehouse

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// Query is the query of a program: one SELECT with placeholders such as
// {startDate}. It is immutable and safe for concurrent use.
type Query struct {
	text   string // without what follows the statement
	tokens []token
	limit  int64
}

// Placeholders returns the names that may stand in braces (D33).
func Placeholders() []string {
	return []string{"startDate", "endDate", "date", "marketplace", "programId"}
}

// ParseQuery checks the query's text as far as that is possible without a
// database: one SELECT or WITH ... SELECT (D34), known placeholders in places
// where a value can stand (D33), nothing left open. Each problem names line and
// column of the text.
//
// The text is what users write, with these additions:
//   - '{name}' and {name} are the value, bound as a parameter where the dialect
//     can, else as a quoted literal: both mean the same;
//   - 'dt={startDate}/' is a literal with the value inside it;
//   - DATE '{startDate}' and its like are typed literals of the value;
//   - {{ is one brace, and the }} after it is the other; {3} and {'a': 1} are
//     left alone, and so are comments.
func ParseQuery(text string) (*Query, ceap.Problems) {
	q := &Query{text: text, tokens: tokens(text)}
	var problems ceap.Problems
	report := func(offset int, message, hint string) {
		problems = append(problems, ceap.Problem{
			Path: "query", Message: message + " at " + place(text, offset) + " of the query", Hint: hint,
		})
	}
	q.checkShape(report)
	if len(problems) == 0 {
		q.checkTokens(report)
	}
	q.limit = topLimit(q.tokens)
	return q, problems
}

// CheckSelect returns an error of [ceap.CodeInvalid] for SQL that is anything but
// one SELECT or WITH ... SELECT. Engines that could run more than that ask it
// before they run anything.
func CheckSelect(sql string) error {
	q := &Query{text: sql, tokens: tokens(sql)}
	var problems ceap.Problems
	q.checkShape(func(offset int, message, hint string) {
		problems = append(problems, ceap.Problem{Path: "query", Message: message + " at " + place(sql, offset) + " of the query", Hint: hint})
	})
	return problems.Err()
}

// Limit returns the LIMIT of the whole statement, or -1 if it has none that is
// a plain number.
func (q *Query) Limit() int64 { return q.limit }

// checkShape drops what follows the statement and reports everything that is
// not one SELECT.
func (q *Query) checkShape(report func(offset int, message, hint string)) {
	last := len(q.tokens) - 1
	if last >= 0 && q.tokens[last].open {
		report(q.tokens[last].start, "a quote or comment that never ends starts", "close it")
		return
	}
	for last >= 0 && q.tokens[last].symbol(";") {
		last--
	}
	q.tokens = q.tokens[:last+1]
	if last < 0 {
		report(0, "nothing to run", "write one SELECT")
		return
	}
	q.text = q.text[:q.tokens[last].end]
	if i := slices.IndexFunc(q.tokens, func(t token) bool { return t.symbol(";") }); i >= 0 {
		next := q.tokens[i+1]
		report(next.start, fmt.Sprintf("a second statement, starting with %s,", next.text),
			"a query is one SELECT, optionally with WITH")
		return
	}
	if t := q.verb(); !t.is("SELECT") {
		report(t.start, fmt.Sprintf("%s instead of SELECT", t.text), "a query is one SELECT, optionally with WITH")
	}
}

// verb returns the token that says what the statement does.
func (q *Query) verb() token {
	i := 0
	for i < len(q.tokens)-1 && q.tokens[i].symbol("(") {
		i++
	}
	if !q.tokens[i].is("WITH") {
		return q.tokens[i]
	}
	depth := 0
	for _, t := range q.tokens[i+1:] {
		switch {
		case t.symbol("("):
			depth++
		case t.symbol(")"):
			depth--
		case depth == 0 && slices.ContainsFunc(verbs(), t.is):
			return t
		}
	}
	if strings.Contains(q.text, "(") { // WITH c AS (...) (SELECT ...): the database has the last word
		return token{text: "SELECT"}
	}
	return q.tokens[len(q.tokens)-1]
}

func verbs() []string {
	return []string{"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "CREATE", "VALUES", "FROM", "TABLE"}
}

// checkTokens reports parameters and placeholders that cannot be filled in.
func (q *Query) checkTokens(report func(offset int, message, hint string)) {
	for _, t := range q.tokens {
		names := holders(t)
		switch {
		case t.kind == tokenParam:
			report(t.start, "the parameter "+t.text, "write a placeholder: {"+strings.Join(Placeholders(), "}, {")+"}")
		case len(names) == 0:
		case t.kind == tokenQuoted:
			report(t.start, fmt.Sprintf("the placeholder {%s} inside the quoted name %s", names[0].name, t.text),
				"a placeholder is a value; it cannot name a column or table")
		case t.kind == tokenDollar || t.prefix != "" && t.prefix != "E":
			report(t.start, fmt.Sprintf("the placeholder {%s} inside %s", names[0].name, t.text), "put it in plain single quotes")
		default:
			for _, h := range names {
				if !slices.Contains(Placeholders(), h.name) {
					report(t.start+h.start, fmt.Sprintf("unknown placeholder {%s}", h.name), unknownHint(h.name))
				}
			}
		}
	}
}

// unknownHint says what may have been meant by an unknown placeholder.
func unknownHint(name string) string {
	hint := "known: {" + strings.Join(Placeholders(), "}, {") + "}; write {{" + name + "}} for the braces themselves"
	if near := plugin.Nearest(name, Placeholders()); near != "" {
		return "did you mean {" + near + "}? " + hint
	}
	return hint
}

// holder is a placeholder inside a token.
type holder struct {
	name       string
	start, end int // bytes from the token's start
}

// holders returns the placeholders of a token, in order.
func holders(t token) []holder {
	if t.kind == tokenWord || t.kind == tokenSymbol || t.kind == tokenParam {
		return nil
	}
	var out []holder
	braces(t.text, func(_ string, h *holder) {
		if h != nil {
			out = append(out, *h)
		}
	})
	return out
}

// braces cuts text into plain pieces, in which {{ and }} have become single,
// and placeholders.
func braces(text string, piece func(plain string, h *holder)) {
	start, doubled := 0, false
	for i := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "{{"):
			piece(text[start:i+1], nil)
			i += 2
			start, doubled = i, true
		case doubled && strings.HasPrefix(text[i:], "}}"):
			piece(text[start:i+1], nil)
			i += 2
			start, doubled = i, false
		case text[i] == '{':
			name, n, ok := placeholderAt(text[i:])
			if !ok {
				i++
				continue
			}
			piece(text[start:i], nil)
			piece("", &holder{name: name, start: i, end: i + n})
			i += n
			start = i
		default:
			i++
		}
	}
	piece(text[start:], nil)
}

// topLimit returns the number of the statement's own LIMIT or FETCH FIRST, or -1.
func topLimit(tokens []token) int64 {
	limit, depth := int64(-1), 0
	for i, t := range tokens {
		switch {
		case t.symbol("("):
			depth++
		case t.symbol(")"):
			depth--
		case depth == 0 && i+1 < len(tokens) && (t.is("LIMIT") ||
			(t.is("FIRST") || t.is("NEXT")) && i > 0 && tokens[i-1].is("FETCH")):
			n, err := strconv.ParseInt(tokens[i+1].text, 10, 64)
			ends := i+2 >= len(tokens) || tokens[i+2].kind == tokenWord && !tokens[i+2].is("PERCENT")
			if err == nil && ends {
				limit = n
			}
		}
	}
	return limit
}

// place returns line and column of a byte of text, both from 1, the column in
// characters.
func place(text string, offset int) string {
	before := text[:min(max(offset, 0), len(text))]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("%d:%d", line, column)
}

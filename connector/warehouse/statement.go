package warehouse

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ceap-platform/ceap"
)

// Style is how a dialect writes parameters.
type Style uint8

// The styles.
const (
	Named      Style = iota // $startDate; a name that occurs twice is one parameter
	Positional              // ?; one parameter for each, only in WHERE, where all dialects allow it
)

// Param is the value of a parameter. All values are text.
type Param struct {
	Name  string // of the placeholder
	Value string
}

// Statement is a query whose placeholders have become parameters and literals.
type Statement struct {
	Database string // where names without one are looked up
	SQL      string // one SELECT, without ; at its end
	Params   []Param
	Limit    int64 // the statement's own LIMIT; -1 without
	Ordered  bool  // it has an ORDER BY of its own
	Tables   []Table
	Job      Job // for which work it is; engines on the same machine have no use for it

	source string // what the user wrote
	copies []span // where pieces of SQL come from, in order
}

// Table is a table that a statement names, as far as that can be told from its
// text; database is "" where the statement leaves it out. Names are as written,
// without quotes.
type Table struct{ Database, Name string }

// Job is what an engine elsewhere must know of the work beyond the statement.
type Job struct {
	ID            string    // the same for the same attempt of the same run, else different; "" if none of this matters
	Name          string    // for people: program, batch and connector
	ResultsBucket string    // as the program says; "" means the deployment's
	ResultsPrefix string    // ends in a slash; the job's own files lie below it
	WorkGroup     string    // "" means the deployment's
	Deadline      time.Time // when nobody waits for it any more; zero if somebody always does
}

// span says that SQL from byte out on comes from byte in of the source; a
// literal or parameter comes from one place as a whole.
type span struct {
	out, in int
	whole   bool
}

// Place returns where byte offset of SQL comes from: line and column of the
// query that the user wrote, as "3:14".
func (s Statement) Place(offset int) string {
	i, found := slices.BinarySearchFunc(s.copies, offset, func(c span, at int) int { return c.out - at })
	if !found {
		i--
	}
	if i < 0 {
		return place(s.source, 0)
	}
	c := s.copies[i]
	if c.whole {
		return place(s.source, c.in)
	}
	return place(s.source, c.in+offset-c.out)
}

// Failed returns the error of a statement that an engine could not run. A
// negative offset means that the place in SQL is not known.
func (s Statement) Failed(code ceap.Code, offset int, message string) *ceap.Error {
	message = "Query execution failed: " + message
	if offset >= 0 {
		message += " (at " + s.Place(offset) + " of the query)"
	}
	return &ceap.Error{Code: code, Message: message}
}

// Compile fills in values, by placeholder. It returns an error of
// [ceap.CodeInvalid] for a value that is missing, is no text or, for a date, is
// no calendar date. No value can change the query's shape (I15): it is bound,
// or stands escaped inside one literal.
func (q *Query) Compile(style Style, values map[string]string) (Statement, error) {
	if err := checkValues(q.tokens, values); err != nil {
		return Statement{}, err
	}
	c := &compiler{q: q, style: style, values: values, s: Statement{Limit: q.limit, Ordered: q.ordered(), Tables: q.tables(), source: q.text}}
	for i := range q.tokens {
		c.token(i)
	}
	c.copy(c.done, len(q.text))
	c.s.SQL = c.sql.String()
	return c.s, nil
}

func checkValues(tokens []token, values map[string]string) error {
	for _, t := range tokens {
		for _, h := range holders(t) {
			v, ok := values[h.name]
			if !ok || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return ceap.Errorf(ceap.CodeInvalid, "the value of {%s} is not text", h.name)
			}
			if h.name == "marketplace" || h.name == "programId" {
				continue
			}
			if _, err := ceap.ParseDate(v); err != nil {
				return ceap.Errorf(ceap.CodeInvalid, "the value of {%s}: %w", h.name, err)
			}
		}
	}
	return nil
}

// compiler writes the SQL of one statement.
type compiler struct {
	q      *Query
	style  Style
	values map[string]string
	s      Statement
	sql    strings.Builder
	done   int // bytes of the query that are written
}

// copy writes bytes of the query as they are.
func (c *compiler) copy(from, to int) {
	if from < to {
		c.s.copies = append(c.s.copies, span{out: c.sql.Len(), in: from})
		c.sql.WriteString(c.q.text[from:to])
	}
	c.done = to
}

// token writes token i if it is not copied as it stands.
func (c *compiler) token(i int) {
	t := c.q.tokens[i]
	if t.kind == tokenWord || t.kind == tokenSymbol || t.kind == tokenParam || !strings.Contains(t.text, "{") {
		return
	}
	c.copy(c.done, t.start)
	c.s.copies = append(c.s.copies, span{out: c.sql.Len(), in: t.start, whole: true})
	if name, alone := c.alone(i); alone && (c.style != Positional || c.q.inWhere(i)) {
		c.param(name)
	} else {
		c.literal(t)
	}
	c.done = t.end
}

// alone returns the placeholder that token i consists of, if a parameter can
// stand there. Where it cannot is hard to list; so a literal, which can stand
// everywhere, is the default.
func (c *compiler) alone(i int) (name string, ok bool) {
	t := c.q.tokens[i]
	found := holders(t)
	inner := len(t.text)
	if t.kind == tokenString {
		inner -= 2
	}
	if t.prefix != "" || t.kind == tokenQuoted || len(found) != 1 || found[0].end-found[0].start != inner || i == 0 {
		return "", false
	}
	if i+1 < len(c.q.tokens) {
		if next := c.q.tokens[i+1]; next.kind == tokenString || next.symbol(":") && !c.q.tokens[min(i+2, len(c.q.tokens)-1)].symbol(":") {
			return "", false // a continued literal, or a key of {'key': ...}
		}
	}
	switch before := c.q.tokens[i-1]; before.kind {
	case tokenSymbol:
		return found[0].name, strings.Contains("=<>(,+-*/|%[", before.text)
	case tokenWord:
		return found[0].name, slices.ContainsFunc(valueKeywords(), before.is)
	default:
		return "", false
	}
}

// inWhere reports whether token i stands in a WHERE clause, or in brackets within
// one.
func (q *Query) inWhere(i int) bool {
	var outer []bool
	where := false
	for n, t := range q.tokens[:i] {
		switch {
		case t.symbol("("):
			outer = append(outer, where)
		case t.symbol(")") && len(outer) > 0:
			where, outer = outer[len(outer)-1], outer[:len(outer)-1]
		case t.is("WHERE"):
			where = n < 2 || !q.sequence(n-2, "FILTER", "(")
		case slices.ContainsFunc(clauses(), t.is):
			where = false
		}
	}
	return where
}

// clauses are the keywords that start a clause of a SELECT other than WHERE.
func clauses() []string {
	return []string{
		"SELECT", "FROM", "GROUP", "HAVING", "WINDOW", "QUALIFY", "ORDER", "LIMIT", "OFFSET", "FETCH",
		"UNION", "INTERSECT", "EXCEPT", "MATCH_RECOGNIZE",
	}
}

// valueKeywords are the keywords after which any value can stand.
func valueKeywords() []string {
	return []string{
		"AND", "BETWEEN", "OR", "NOT", "LIKE", "ILIKE", "SELECT", "DISTINCT", "WHERE",
		"HAVING", "WHEN", "THEN", "ELSE", "CASE", "ON",
	}
}

func (c *compiler) param(name string) {
	known := slices.ContainsFunc(c.s.Params, func(p Param) bool { return p.Name == name })
	if c.style == Positional || !known {
		c.s.Params = append(c.s.Params, Param{Name: name, Value: c.values[name]})
	}
	if c.style == Positional {
		c.sql.WriteByte('?')
		return
	}
	c.sql.WriteString("$" + name)
}

// literal writes a string with the values inside it.
func (c *compiler) literal(t token) {
	quote := strings.NewReplacer("'", "''")
	if t.prefix == "E" {
		quote = strings.NewReplacer("'", "''", `\`, `\\`)
	}
	if t.kind == tokenHolder {
		t.text = "'" + t.text + "'"
	}
	braces(t.text, func(plain string, h *holder) {
		c.sql.WriteString(plain)
		if h != nil {
			c.sql.WriteString(quote.Replace(c.values[h.name]))
		}
	})
}

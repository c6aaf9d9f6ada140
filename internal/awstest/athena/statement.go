package athena

import (
	"fmt"
	"slices"
	"strings"
)

// statement is a parsed statement.
type statement struct {
	sql     string
	tokens  []token
	kind    string // DML, DDL or UTILITY, as Athena's StatementType
	verb    string // such as SELECT, UNLOAD, CREATE_TABLE, as its SubstatementType
	query   piece  // the SELECT, of SELECT, UNLOAD and EXPLAIN
	unload  unload // of UNLOAD
	holders []int  // the tokens that are ?
}

// piece is a part of the statement's text, from one byte to another.
type piece struct{ start, end int }

// parse reads a statement as far as Athena does before it accepts it. Values of
// parameters are SQL expressions, in the order of the ?.
func parse(sql string) (*statement, error) {
	s := &statement{sql: sql, tokens: lex(sql)}
	for len(s.tokens) > 0 && s.tokens[len(s.tokens)-1].is(";") {
		s.tokens = s.tokens[:len(s.tokens)-1]
	}
	if len(s.tokens) == 0 {
		return nil, malformed(sql, 0, "mismatched input '<EOF>'. Expecting: 'ALTER', 'ANALYZE', 'CREATE', 'DELETE', 'DESCRIBE', 'DROP', 'EXPLAIN', 'INSERT', 'SHOW', 'UNLOAD', 'WITH', <query>")
	}
	for i, t := range s.tokens {
		switch {
		case t.open:
			return nil, malformed(sql, t.start, "mismatched input '%s'. Expecting: <EOF>", t.text)
		case t.is(";"):
			return nil, invalid("MALFORMED_QUERY", "Only one sql statement is allowed. Found: %s", sql)
		case t.is("?"):
			s.holders = append(s.holders, i)
		}
	}
	return s, s.classify()
}

func malformed(sql string, offset int, format string, args ...any) *apiError {
	e := invalid("MALFORMED_QUERY", format, args...)
	e.Message = place(sql, offset) + ": " + e.Message
	return e
}

// at returns token i, or an empty one.
func (s *statement) at(i int) token {
	if i < len(s.tokens) {
		return s.tokens[i]
	}
	return token{kind: symbol, text: "<EOF>", start: len(s.sql), end: len(s.sql)}
}

// starts reports whether the statement starts with these words.
func (s *statement) starts(words ...string) bool {
	for i, w := range words {
		if !s.at(i).is(w) {
			return false
		}
	}
	return true
}

func (s *statement) classify() error {
	first := 0
	for s.at(first).is("(") {
		first++
	}
	end := s.tokens[len(s.tokens)-1].end
	switch t := s.at(first); {
	case t.is("SELECT"), t.is("WITH"), t.is("VALUES"), t.is("TABLE") && first == 0:
		s.kind, s.verb, s.query = "DML", "SELECT", piece{s.tokens[0].start, end}
		return s.checkQuery()
	case s.starts("UNLOAD"):
		s.kind, s.verb = "DML", "UNLOAD"
		if err := s.parseUnload(); err != nil {
			return err
		}
		return s.checkQuery()
	case s.starts("EXPLAIN") && !s.at(1).is("ANALYZE") && len(s.tokens) > 1:
		s.kind, s.verb, s.query = "UTILITY", "EXPLAIN", piece{s.tokens[1].start, end}
		return s.checkQuery()
	default:
		return s.classifyRest()
	}
}

func (s *statement) classifyRest() error {
	s.kind = "DDL"
	switch {
	case s.starts("CREATE", "DATABASE"), s.starts("CREATE", "SCHEMA"):
		s.verb = "CREATE_DATABASE"
	case s.starts("CREATE", "EXTERNAL", "TABLE"):
		s.verb = "CREATE_TABLE"
	case s.starts("DROP", "DATABASE"), s.starts("DROP", "SCHEMA"):
		s.verb = "DROP_DATABASE"
	case s.starts("DROP", "TABLE"):
		s.verb = "DROP_TABLE"
	case s.starts("MSCK", "REPAIR", "TABLE"):
		s.verb = "MSCK_REPAIR_TABLE"
	case s.starts("ALTER", "TABLE"):
		s.verb = "ALTER_TABLE"
	case s.starts("SHOW"):
		s.kind, s.verb = "UTILITY", "SHOW"
	case s.starts("INSERT"), s.starts("CREATE"), s.starts("DELETE"), s.starts("UPDATE"), s.starts("MERGE"), s.starts("DESCRIBE"), s.starts("EXPLAIN"):
		s.verb = strings.ToUpper(s.tokens[0].text)
	default:
		return malformed(s.sql, s.tokens[0].start, "mismatched input '%s'. Expecting: 'ALTER', 'ANALYZE', 'CREATE', 'DELETE', 'DESCRIBE', 'DROP', 'EXPLAIN', 'INSERT', 'SHOW', 'UNLOAD', 'WITH', <query>", s.tokens[0].text)
	}
	return nil
}

// checkQuery refuses what DuckDB's dialect has and Trino's grammar has not.
func (s *statement) checkQuery() error {
	for i, t := range s.tokens {
		if t.start < s.query.start || t.start >= s.query.end {
			continue
		}
		switch {
		case t.kind == back:
			return malformed(s.sql, t.start, "backquoted identifiers are not supported; use double quotes to quote identifiers")
		case t.is("::"), t.is("ILIKE"), t.is("QUALIFY"), t.is("$"), t.is("{"),
			t.is("ALL") && i > 1 && s.tokens[i-1].is("BY"), // GROUP BY ALL
			(t.is("EXCLUDE") || t.is("REPLACE")) && i > 0 && s.tokens[i-1].is("*"):
			return malformed(s.sql, t.start, "mismatched input '%s'. Expecting: ',', <EOF>, <expression>", t.text)
		}
	}
	return nil
}

// checkParameters refuses a ? outside of WHERE, which is where Athena takes them.
func (s *statement) checkParameters(values []string) error {
	if len(values) != len(s.holders) {
		return s.syntax(s.tokens[0].start, "INVALID_PARAMETER_USAGE", "Incorrect number of parameters: expected %d but found %d", len(s.holders), len(values))
	}
	var clauses []string // of the parentheses that are open
	clause := ""
	for _, t := range s.tokens {
		switch {
		case t.is("("):
			clauses = append(clauses, clause)
		case t.is(")") && len(clauses) > 0:
			clause, clauses = clauses[len(clauses)-1], clauses[:len(clauses)-1]
		case t.kind == word && slices.Contains(clauseWords(), strings.ToUpper(t.text)):
			clause = strings.ToUpper(t.text)
		case t.is("?") && clause != "WHERE":
			return s.syntax(t.start, "INVALID_PARAMETER_USAGE", "Query parameters are allowed in the WHERE clause only")
		}
	}
	return nil
}

// checkFunctions refuses functions that DuckDB has and Trino has not, as far as
// people are likely to use them.
func (s *statement) checkFunctions() error {
	for i, t := range s.tokens {
		if t.kind == word && s.at(i+1).is("(") && t.start >= s.query.start && t.start < s.query.end && slices.Contains(foreign(), strings.ToLower(t.text)) {
			return s.syntax(t.start, "FUNCTION_NOT_FOUND", "Function '%s' not registered", strings.ToLower(t.text))
		}
	}
	return nil
}

func foreign() []string {
	return []string{
		"array_to_string", "date_part", "datediff", "datepart", "dayname", "epoch", "epoch_ms", "generate_series", "getenv", "glob",
		"ifnull", "isfinite", "isinf", "isnan", "json_extract_string", "last", "len", "list", "list_contains", "list_value", "make_date",
		"make_timestamp", "monthname", "nvl", "printf", "range", "read_csv_auto", "read_text", "regexp_full_match", "regexp_matches",
		"str_split", "strftime", "string_agg", "string_split", "strip_accents", "strptime", "struct_pack", "suffix", "to_days", "today", "unhex",
	}
}

// clauseWords start a clause.
func clauseWords() []string {
	return []string{"SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FETCH", "UNION", "INTERSECT", "EXCEPT", "WINDOW", "WITH", "TO"}
}

// syntax is a query's failure at a place of its text.
func (s *statement) syntax(offset int, name, format string, args ...any) *Fault {
	f := userFault(typeSyntax, format, args...)
	f.Message = name + ": " + place(s.sql, offset) + ": " + f.Message
	return f
}

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
func (s *statement) translate(values []string, strict bool) translation { //nolint:revive // one word decides the rest
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
		case t.kind == text && !(i > 0 && slices.ContainsFunc(literalWords(), s.tokens[i-1].is)):
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
	before := s.at(max(i-1, 0))
	if !(before.is("FROM") || before.is("JOIN") || before.is(",")) || !s.at(i+1).is("(") || !s.at(i+2).is("sequence") || !s.at(i+3).is("(") {
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

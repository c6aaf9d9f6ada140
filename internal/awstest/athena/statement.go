package athena

import (
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

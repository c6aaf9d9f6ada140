package athena

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// message is an error of DuckDB's.
type message struct {
	Type     string `json:"exception_type"`    //nolint:tagliatelle // the engine's name
	Text     string `json:"exception_message"` //nolint:tagliatelle // the engine's name
	Subtype  string `json:"error_subtype"`     //nolint:tagliatelle // the engine's name
	Position string `json:"position"`
	Name     string `json:"name"`
}

// parseMessage reads an error of the driver's; false for all other errors.
func parseMessage(err error) (message, bool) {
	var m message
	text := err.Error()
	if at := strings.IndexByte(text, '{'); at >= 0 && json.Unmarshal([]byte(text[at:]), &m) == nil && m.Text != "" {
		return m, true
	}
	kind, rest, ok := strings.Cut(text, " Error: ")
	if !ok || strings.Contains(kind, "\n") || strings.Contains(kind, ":") {
		return m, false
	}
	return message{Type: kind, Text: rest}, true
}

// brief returns the text on one line, without advice about DuckDB.
func (m message) brief() string {
	text := m.Text
	for _, cut := range []string{"\n\nPossible", "\nPossible", "\n\nLINE ", "\nLINE ", "\nCandidate", "\n\tCandidate"} {
		text, _, _ = strings.Cut(text, cut)
	}
	return strings.Join(strings.Fields(text), " ")
}

// charOffset returns the byte of a character.
func charOffset(sql, position string) int {
	n, err := strconv.Atoi(position)
	if err != nil {
		return 0
	}
	for offset := range sql {
		if n == 0 {
			return offset
		}
		n--
	}
	return len(sql)
}

// mismatched words a syntax error as Trino's parser does.
func mismatched(s *statement, t translation, e *parseError) string {
	origin := t.origin(charOffset(t.sql, e.position))
	for _, token := range s.tokens {
		if token.start >= origin && token.start < s.query.end {
			return fmt.Sprintf("mismatched input '%s'. Expecting: <expression>", token.text)
		}
	}
	return "mismatched input '<EOF>'. Expecting: <expression>"
}

// at is a failure at a byte of the translated query.
func (j *job) at(offset int, number int32, name, format string, args ...any) *Fault {
	f := j.query.statement.syntax(j.origin(max(offset, 0)), name, format, args...)
	f.Type = number
	return f
}

// offset returns the byte of the translated query that an error is about.
func (j *job) offset(m message) int {
	n, err := strconv.Atoi(m.Position)
	if err != nil || n < j.shift {
		return 0
	}
	return min(n-j.shift, len(j.sql))
}

// mapped says what Athena would say.
func (j *job) mapped(m message) *Fault {
	at, brief := j.offset(m), m.brief()
	switch {
	case m.Subtype == "COLUMN_NOT_FOUND", strings.Contains(brief, "does not have a column named"), strings.HasPrefix(brief, "Referenced table "):
		return j.at(at, typeSyntax, "COLUMN_NOT_FOUND", "Column '%s' cannot be resolved or requester is not authorized to access requested resources", j.column(at, m))
	case strings.Contains(brief, "Function with name") && strings.Contains(brief, "does not exist"):
		return j.at(at, typeSyntax, "FUNCTION_NOT_FOUND", "Function '%s' not registered", strings.ToLower(m.Name))
	case strings.Contains(brief, "No function matches the given name"):
		return j.at(at, typeSyntax, "FUNCTION_NOT_FOUND", "Unexpected parameters for function %s", strings.ToLower(m.Name))
	case strings.Contains(brief, "must appear in the GROUP BY clause"):
		return j.at(at, typeSyntax, "EXPRESSION_NOT_AGGREGATE", "%s", brief)
	case strings.HasPrefix(brief, "Ambiguous reference"):
		return j.at(at, typeSyntax, "AMBIGUOUS_NAME", "Column '%s' is ambiguous", j.word(at))
	case strings.Contains(brief, "Cannot compare values of type"), strings.Contains(brief, "Cannot mix values of type"):
		return j.at(at, typeSyntax, "TYPE_MISMATCH", "Cannot apply operator: %s", strings.ToLower(operands(brief)))
	case m.Type == "Binder", m.Type == "Catalog", m.Type == "Parser", m.Type == "Not implemented":
		return j.at(at, typeSyntax, "SYNTAX_ERROR", "%s", brief)
	case m.Type == "Conversion":
		return userFault(typeUser, "INVALID_CAST_ARGUMENT: %s", castFailure(brief))
	case m.Type == "Out of Range":
		return userFault(typeUser, "NUMERIC_VALUE_OUT_OF_RANGE: %s", brief)
	case m.Type == "Out of Memory":
		return &Fault{Category: 2, Type: 3, Message: "EXCEEDED_LOCAL_MEMORY_LIMIT: Query exhausted resources at this scale factor"}
	case m.Type == "Invalid Input":
		return userFault(typeUser, "INVALID_FUNCTION_ARGUMENT: %s", brief)
	default:
		return &Fault{Category: 1, Type: typeInternal, Retryable: true, Message: "INTERNAL_ERROR: " + m.Type + ": " + brief}
	}
}

// word returns the name at a byte of the translated query, with what qualifies it.
func (j *job) word(at int) string {
	out, point := "", true
	for _, t := range lex(j.sql[min(at, len(j.sql)):]) {
		if t.is(".") == point {
			break
		}
		out, point = out+t.name(), !point
	}
	return out
}

// column returns the name of a column that there is not.
func (j *job) column(at int, m message) string {
	if name := j.word(at); strings.HasSuffix(strings.ToLower(name), strings.ToLower(m.Name)) {
		return name
	}
	return m.Name
}

// operands returns the types that DuckDB says it cannot compare.
func operands(brief string) string {
	found := regexp.MustCompile(`of type ([A-Z0-9_]+(?:\([0-9,]+\))?) and (?:values of )?(?:type )?([A-Z0-9_]+(?:\([0-9,]+\))?)`).FindStringSubmatch(brief)
	if found == nil {
		return brief
	}
	names := strings.NewReplacer("INTEGER_LITERAL", "INTEGER", "STRING_LITERAL", "VARCHAR")
	return names.Replace(found[1]) + " = " + names.Replace(found[2])
}

// castFailure words a failed cast as Trino does.
func castFailure(brief string) string {
	found := regexp.MustCompile(`^Could not convert string '(.*)' to ([A-Z0-9]+)`).FindStringSubmatch(brief)
	if found == nil {
		return brief
	}
	typ := map[string]string{"INT8": "TINYINT", "INT16": "SMALLINT", "INT32": "INT", "INT64": "BIGINT", "FLOAT": "REAL", "BOOL": "BOOLEAN"}[found[2]]
	if typ == "" {
		typ = found[2]
	}
	return fmt.Sprintf("Cannot cast '%s' to %s", found[1], typ)
}

package duckdb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ceap-platform/ceap"
)

// schema is a table's declaration.
type schema struct {
	table      string
	columns    []columnDecl
	partitions []columnDecl
	delimiter  string // of CSV fields
	header     bool   // a line of the file is skipped as its header
}

// columnDecl declares a column with DuckDB's name of its type.
type columnDecl struct{ name, typ string }

// parseSchema reads CREATE EXTERNAL TABLE as Hive and Athena write it. It takes
// from it the columns, PARTITIONED BY, FIELDS TERMINATED BY and the property
// skip.header.line.count; STORED AS, LOCATION and the rest say nothing that the
// files do not. Errors are [ceap.CodeInvalid] and name line and column.
func parseSchema(ddl string) (*schema, error) {
	p := &schemaParser{text: ddl}
	s, err := p.parse()
	if err != nil {
		return nil, err
	}
	return s, s.check()
}

// check refuses columns of one name.
func (s *schema) check() error {
	var seen []string
	for _, c := range append(slices.Clone(s.columns), s.partitions...) {
		name := strings.ToLower(c.name)
		if slices.Contains(seen, name) {
			return ceap.Errorf(ceap.CodeInvalid, "column %q is declared twice", c.name)
		}
		seen = append(seen, name)
	}
	return nil
}

// schemaParser reads one statement, a token ahead.
type schemaParser struct {
	text  string
	pos   int
	token string // "" at the end; texts keep their opening quote
	start int
}

func (p *schemaParser) parse() (*schema, error) {
	p.next()
	s := &schema{delimiter: ","}
	if err := p.words("CREATE"); err != nil {
		return nil, err
	}
	p.accept("EXTERNAL")
	if err := p.words("TABLE"); err != nil {
		return nil, err
	}
	if p.accept("IF") {
		if err := p.words("NOT", "EXISTS"); err != nil {
			return nil, err
		}
	}
	var err error
	if s.table, err = p.name(); err != nil {
		return nil, err
	}
	for p.accept(".") {
		if s.table, err = p.name(); err != nil {
			return nil, err
		}
	}
	if s.columns, err = p.columns(); err != nil {
		return nil, err
	}
	return s, p.clauses(s)
}

// clauses reads what follows the columns.
func (p *schemaParser) clauses(s *schema) (err error) {
	for p.token != "" {
		switch {
		case p.accept("PARTITIONED"):
			if err := p.words("BY"); err != nil {
				return err
			}
			if s.partitions, err = p.columns(); err != nil {
				return err
			}
		case p.accept("FIELDS"):
			if err := p.words("TERMINATED", "BY"); err != nil {
				return err
			}
			if s.delimiter, err = p.delimiter(); err != nil {
				return err
			}
		case p.accept("TBLPROPERTIES"):
			if err := p.properties(s); err != nil {
				return err
			}
		case p.accept(";"):
			if p.token != "" {
				return p.fail("a second statement")
			}
		case p.accept("("):
			if err := p.skipList(); err != nil {
				return err
			}
		default:
			p.next()
		}
	}
	return nil
}

func (p *schemaParser) delimiter() (string, error) {
	d := strings.TrimPrefix(p.token, "'")
	switch d {
	case `\t`:
		d = "\t"
	case `\001`:
		d = "\x01"
	}
	if !strings.HasPrefix(p.token, "'") || len(d) != 1 || strings.Contains("\"\n\r", d) {
		return "", p.fail("a delimiter that is not one character in single quotes")
	}
	p.next()
	return d, nil
}

func (p *schemaParser) properties(s *schema) error {
	if err := p.words("("); err != nil {
		return err
	}
	for p.token != "" && !p.accept(")") {
		key, keyErr := p.quoted()
		if keyErr != nil || !p.accept("=") {
			return p.fail("a property that is not 'key'='value'")
		}
		value, err := p.quoted()
		if err != nil {
			return err
		}
		if key == "skip.header.line.count" {
			if value != "0" && value != "1" {
				return p.fail("skip.header.line.count other than 0 or 1")
			}
			s.header = value == "1"
		}
		p.accept(",")
	}
	return nil
}

func (p *schemaParser) quoted() (string, error) {
	text, ok := strings.CutPrefix(p.token, "'")
	if !ok {
		return "", p.fail("no text in single quotes")
	}
	p.next()
	return text, nil
}

// skipList passes what stands in parentheses, the first of which is read.
func (p *schemaParser) skipList() error {
	for depth := 1; depth > 0; p.next() {
		switch p.token {
		case "(":
			depth++
		case ")":
			depth--
		case "":
			return p.fail("an open parenthesis")
		}
	}
	return nil
}

// columns reads (name type [COMMENT 'text'], ...).
func (p *schemaParser) columns() ([]columnDecl, error) {
	if err := p.words("("); err != nil {
		return nil, err
	}
	var out []columnDecl
	for {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		typ, err := p.typ()
		if err != nil {
			return nil, err
		}
		out = append(out, columnDecl{name, typ})
		if p.accept("COMMENT") {
			if _, err := p.quoted(); err != nil {
				return nil, err
			}
		}
		if p.accept(")") {
			return out, nil
		}
		if err := p.words(","); err != nil {
			return nil, err
		}
	}
}

// typ reads a type of Hive's and returns DuckDB's.
func (p *schemaParser) typ() (string, error) {
	types := map[string]string{
		"STRING": "VARCHAR", "VARCHAR": "VARCHAR", "CHAR": "VARCHAR", "BOOLEAN": "BOOLEAN",
		"TINYINT": "TINYINT", "SMALLINT": "SMALLINT", "INT": "INTEGER", "INTEGER": "INTEGER", "BIGINT": "BIGINT",
		"FLOAT": "FLOAT", "REAL": "FLOAT", "DOUBLE": "DOUBLE", "DECIMAL": "DECIMAL", "DATE": "DATE", "TIMESTAMP": "TIMESTAMP",
	}
	typ, ok := types[strings.ToUpper(p.token)]
	if !ok {
		return "", p.fail("an unknown type")
	}
	p.next()
	var args []int
	if p.accept("(") {
		for !p.accept(")") {
			n, err := strconv.Atoi(p.token)
			if err != nil || n < 0 || n > 65535 { // 65535: the longest VARCHAR of Hive
				return "", p.fail("no size")
			}
			args = append(args, n)
			p.next()
			p.accept(",")
		}
	}
	if typ != "DECIMAL" {
		return typ, nil
	}
	args = append(args, []int{10, 0}[min(len(args), 2):]...) // DECIMAL is DECIMAL(10,0) in Hive
	if len(args) > 2 || args[0] < 1 || args[0] > 38 || args[1] > args[0] {
		return "", p.fail("a DECIMAL beyond DECIMAL(38,38)")
	}
	return fmt.Sprintf("DECIMAL(%d,%d)", args[0], args[1]), nil
}

// name reads a name, quoted or not.
func (p *schemaParser) name() (string, error) {
	name := p.token
	if name != "" && strings.ContainsRune("`\"", rune(name[0])) {
		name = name[1:]
	} else if name == "" || !isNameByte(name[0]) {
		return "", p.fail("no name")
	}
	if name == "" {
		return "", p.fail("an empty name")
	}
	p.next()
	return name, nil
}

func (p *schemaParser) words(words ...string) error {
	for _, w := range words {
		if !p.accept(w) {
			return p.fail("no " + w)
		}
	}
	return nil
}

func (p *schemaParser) accept(word string) bool {
	if !strings.EqualFold(p.token, word) {
		return false
	}
	p.next()
	return true
}

// fail returns the error for the current token.
func (p *schemaParser) fail(what string) error {
	found := p.token
	if found == "" {
		found = "the end"
	}
	before := p.text[:min(p.start, len(p.text))]
	line := 1 + strings.Count(before, "\n")
	return ceap.Errorf(ceap.CodeInvalid, "%d:%d: %s at %q", line, len(before)-strings.LastIndexByte(before, '\n'), what, found).
		WithHint("it must hold the CREATE EXTERNAL TABLE of the table")
}

// next reads the next token.
func (p *schemaParser) next() {
	p.skip()
	p.start, p.token = p.pos, ""
	if p.pos >= len(p.text) {
		return
	}
	c := p.text[p.pos]
	switch {
	case strings.IndexByte("'\"`", c) >= 0:
		p.token = p.quote(c)
	case isNameByte(c):
		for p.pos < len(p.text) && isNameByte(p.text[p.pos]) {
			p.pos++
		}
		p.token = p.text[p.start:p.pos]
	default:
		p.pos++
		p.token = p.text[p.start:p.pos]
	}
}

// quote reads a quoted text. It returns the opening quote and the text; an open
// one returns the quote alone.
func (p *schemaParser) quote(q byte) string {
	var b strings.Builder
	b.WriteByte(q)
	for p.pos++; p.pos < len(p.text); p.pos++ {
		if p.text[p.pos] != q {
			b.WriteByte(p.text[p.pos])
			continue
		}
		p.pos++
		if p.pos == len(p.text) || p.text[p.pos] != q {
			return b.String()
		}
		b.WriteByte(q)
	}
	return string(q)
}

func (p *schemaParser) skip() {
	for p.pos < len(p.text) {
		rest := p.text[p.pos:]
		switch {
		case strings.HasPrefix(rest, "--"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			p.pos += end
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				end = len(rest) - 2
			}
			p.pos += end + 2
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			p.pos++
		default:
			return
		}
	}
}

func isNameByte(c byte) bool {
	return c == '_' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

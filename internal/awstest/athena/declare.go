package athena

import (
	"strconv"
	"strings"
)

// declaration is a CREATE EXTERNAL TABLE.
type declaration struct {
	table       *table
	ifNotExists bool
}

// reader reads tokens of Hive's DDL.
type reader struct {
	tokens []token
	pos    int
}

func (r *reader) token() token {
	if r.pos < len(r.tokens) {
		return r.tokens[r.pos]
	}
	return token{kind: symbol, text: "<EOF>"}
}

func (r *reader) accept(words ...string) bool {
	for i, w := range words {
		if r.pos+i >= len(r.tokens) || !r.tokens[r.pos+i].is(w) {
			return false
		}
	}
	r.pos += len(words)
	return true
}

func (r *reader) fail(expected string) error {
	return userFault(typeDDL, "FAILED: ParseException line 1:%d mismatched input '%s' expecting %s", r.token().start, r.token().text, expected)
}

func (r *reader) name() (string, error) {
	t := r.token()
	if t.kind != word && t.kind != back {
		return "", r.fail("Identifier")
	}
	r.pos++
	return strings.ToLower(t.name()), nil
}

// tableName reads [database.]name.
func (r *reader) tableName() (database, name string, err error) {
	name, err = r.name()
	if err == nil && r.accept(".") {
		database = name
		name, err = r.name()
	}
	return database, name, err
}

func (r *reader) text() (string, error) {
	t := r.token()
	if t.kind != text {
		return "", r.fail("StringLiteral")
	}
	r.pos++
	return strings.NewReplacer(`\t`, "\t", `\001`, "\x01", `\\`, `\`).Replace(t.name()), nil
}

// hiveDelimiter stands between fields unless the declaration says otherwise.
const hiveDelimiter = "\x01"

func parseCreate(tokens []token) (*declaration, error) {
	r := &reader{tokens: tokens}
	d := &declaration{table: &table{declared: true, format: "csv", lazy: true, delimiter: hiveDelimiter}}
	if !r.accept("CREATE", "EXTERNAL", "TABLE") && !r.accept("CREATE", "TABLE") {
		return nil, r.fail("CREATE EXTERNAL TABLE")
	}
	d.ifNotExists = r.accept("IF", "NOT", "EXISTS")
	var err error
	if d.table.database, d.table.name, err = r.tableName(); err != nil {
		return nil, err
	}
	if d.table.columns, err = r.columns(); err != nil {
		return nil, err
	}
	for r.pos < len(r.tokens) && err == nil {
		err = r.clause(d.table)
	}
	return d, err
}

// clause reads what follows a table's columns.
func (r *reader) clause(t *table) (err error) {
	switch {
	case r.accept("PARTITIONED", "BY"):
		t.keys, err = r.columns()
	case r.accept("STORED", "AS"):
		var name string
		if name, err = r.name(); err == nil {
			t.format = map[string]string{"parquet": "parquet", "textfile": "csv", "jsonfile": "json"}[name]
			if t.format == "" {
				err = userFault(typeFeature, "NOT_SUPPORTED: this emulator does not read tables STORED AS %s", name)
			}
		}
	case r.accept("ROW", "FORMAT", "SERDE"):
		err = r.serde(t)
	case r.accept("FIELDS", "TERMINATED", "BY"):
		t.delimiter, err = r.text()
	case r.accept("LOCATION"):
		t.location, err = r.text()
	case r.accept("TBLPROPERTIES"), r.accept("WITH", "SERDEPROPERTIES"):
		err = r.properties(t)
	default:
		r.pos++
	}
	return err
}

func (r *reader) serde(t *table) error {
	name, err := r.text()
	switch name = name[strings.LastIndexByte(name, '.')+1:]; {
	case err != nil:
	case name == "OpenCSVSerde":
		t.format, t.lazy, t.delimiter = "csv", false, ","
	case name == "LazySimpleSerDe":
		t.format, t.lazy = "csv", true
	case name == "ParquetHiveSerDe":
		t.format = "parquet"
	case strings.HasPrefix(name, "JsonSerDe"):
		t.format = "json"
	default:
		err = userFault(typeFeature, "NOT_SUPPORTED: this emulator does not read the SerDe %s", name)
	}
	return err
}

func (r *reader) properties(t *table) error {
	if !r.accept("(") {
		return r.fail("'('")
	}
	for !r.accept(")") {
		key, err := r.text()
		if err != nil {
			return err
		}
		if !r.accept("=") {
			return r.fail("'='")
		}
		value, err := r.text()
		if err != nil {
			return err
		}
		switch strings.ToLower(key) {
		case "skip.header.line.count":
			if t.skip, err = strconv.Atoi(value); err != nil {
				return userFault(typeDDL, "FAILED: skip.header.line.count is %q", value)
			}
		case "separatorchar", "field.delim", "serialization.format":
			t.delimiter = value
		}
		r.accept(",")
	}
	return nil
}

// columns reads (name type [COMMENT 'text'], ...).
func (r *reader) columns() ([]column, error) {
	if !r.accept("(") {
		return nil, r.fail("'('")
	}
	var out []column
	for {
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		typ, err := r.typ()
		if err != nil {
			return nil, err
		}
		out = append(out, column{name, typ})
		if r.accept("COMMENT") {
			if _, err := r.text(); err != nil {
				return nil, err
			}
		}
		if r.accept(")") {
			return out, nil
		}
		if !r.accept(",") {
			return nil, r.fail("')'")
		}
	}
}

// typ reads a type such as decimal(10,2).
func (r *reader) typ() (string, error) {
	name, err := r.name()
	if err != nil {
		return "", err
	}
	if r.accept("(") {
		name += "("
		for !r.accept(")") {
			if r.pos >= len(r.tokens) {
				return "", r.fail("')'")
			}
			name += r.token().text
			r.pos++
		}
		name += ")"
	}
	if _, ok := hiveType(name); !ok {
		return "", userFault(typeDDL, "FAILED: ParseException: cannot recognize input near '%s' in column type", name)
	}
	return name, nil
}

// hiveType returns DuckDB's name of a type of Hive's.
func hiveType(name string) (string, bool) {
	base, args, _ := strings.Cut(strings.ToLower(name), "(")
	types := map[string]string{
		"string": "VARCHAR", "varchar": "VARCHAR", "char": "VARCHAR", "boolean": "BOOLEAN", "tinyint": "TINYINT",
		"smallint": "SMALLINT", "int": "INTEGER", "integer": "INTEGER", "bigint": "BIGINT", "float": "FLOAT", "real": "FLOAT",
		"double": "DOUBLE", "decimal": "DECIMAL", "date": "DATE", "timestamp": "TIMESTAMP", "binary": "BLOB",
	}
	typ, ok := types[base]
	if typ == "DECIMAL" {
		if args == "" {
			args = "10,0)" // DECIMAL alone, in Hive
		}
		typ += "(" + args
	}
	return typ, ok
}

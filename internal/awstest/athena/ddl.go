package athena

import (
	"context"
	"fmt"
	"slices"
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

// ddl runs a statement of Hive's. It returns the lines of its result.
func (f *Fake) ddl(ctx context.Context, q *query) ([]string, error) {
	r := &reader{tokens: q.statement.tokens}
	switch q.statement.verb {
	case "CREATE_DATABASE":
		return nil, f.createDatabase(r)
	case "CREATE_TABLE":
		return nil, f.createTable(q)
	case "DROP_TABLE", "DROP_DATABASE":
		return nil, f.drop(q, r)
	case "MSCK_REPAIR_TABLE":
		r.pos = 3
		return f.repair(ctx, q, r)
	case "ALTER_TABLE":
		r.pos = 2
		return nil, f.alter(q, r)
	case "SHOW":
		return f.show(q, r)
	default:
		return nil, userFault(typeFeature, "NOT_SUPPORTED: this emulator does not run %s", q.statement.verb)
	}
}

func (f *Fake) createDatabase(r *reader) error {
	r.pos = 2
	ifNotExists := r.accept("IF", "NOT", "EXISTS")
	name, err := r.name()
	if err != nil {
		return err
	}
	if slices.Contains(f.catalog.databases(), name) {
		if ifNotExists {
			return nil
		}
		return userFault(typeDDL, "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. Database %s already exists", name)
	}
	f.catalog.create(name, nil)
	return nil
}

func (f *Fake) createTable(q *query) error {
	d, err := parseCreate(q.statement.tokens)
	if err != nil {
		return err
	}
	t := d.table
	if t.database == "" {
		t.database = q.database
	}
	if t.location == "" {
		return userFault(typeDDL, "FAILED: SemanticException no LOCATION given for the external table %s", t.name)
	}
	if !strings.HasPrefix(t.location, "s3://") {
		return userFault(typePath, "FAILED: Execution Error: MetaException(message:the LOCATION %s is not in S3)", t.location)
	}
	if !strings.HasSuffix(t.location, "/") {
		t.location += "/" // else s3://b/orders would read s3://b/orders-old/ too
	}
	switch old, known, err := f.catalog.table(t.database, t.name); {
	case err != nil:
		return err
	case !known:
		return userFault(typeDDL, "FAILED: SemanticException [Error 10072]: Database does not exist: %s", t.database)
	case old != nil && d.ifNotExists:
		return nil
	case old != nil:
		return userFault(typeDDL, "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. AlreadyExistsException(message:Table %s already exists.)", t.name)
	}
	f.catalog.create(t.database, t)
	return nil
}

func (f *Fake) drop(q *query, r *reader) error {
	r.pos = 2
	ifExists := r.accept("IF", "EXISTS")
	database, name, err := r.tableName()
	if err != nil {
		return err
	}
	if q.statement.verb == "DROP_DATABASE" {
		database, name = name, ""
	} else if database == "" {
		database = q.database
	}
	t, known, err := f.catalog.table(database, name)
	switch {
	case err != nil:
		return err
	case !known && !ifExists:
		return userFault(typeDDL, "FAILED: SemanticException [Error 10072]: Database does not exist: %s", database)
	case name != "" && t == nil && !ifExists:
		return userFault(typeDDL, "FAILED: SemanticException [Error 10001]: Table not found %s.%s", database, name)
	}
	f.catalog.drop(database, name)
	return nil
}

// created returns a table that a statement has created.
func (f *Fake) created(q *query, r *reader) (*table, error) {
	database, name, err := r.tableName()
	if err != nil {
		return nil, err
	}
	if database == "" {
		database = q.database
	}
	t, _, err := f.catalog.table(database, name)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, userFault(typeDDL, "FAILED: SemanticException [Error 10001]: Table not found %s.%s", database, name)
	}
	return t, nil
}

// repair adds the partitions whose folders are named key=value.
func (f *Fake) repair(ctx context.Context, q *query, r *reader) ([]string, error) {
	t, err := f.created(q, r)
	if err != nil || t.location == "" {
		return nil, err // the folder's partitions are always known
	}
	objects, err := f.store.list(ctx, t.location)
	if err != nil {
		return nil, err
	}
	changed := *t
	changed.partitions = slices.Clone(t.partitions)
	var lines []string
	bucket, prefix := split(t.location)
	for _, o := range objects {
		values, dir := partitionOf(t.keys, strings.TrimPrefix(o.key, prefix))
		if values == nil || slices.ContainsFunc(changed.partitions, func(p partition) bool { return slices.Equal(p.values, values) }) {
			continue
		}
		changed.partitions = append(changed.partitions, partition{values, "s3://" + bucket + "/" + prefix + dir})
		lines = append(lines, "Partitions not in metastore:\t"+t.name+":"+strings.TrimSuffix(dir, "/"))
	}
	f.catalog.create(t.database, &changed)
	return lines, nil
}

// partitionOf returns the values in a key such as day=2026-01-26/part-0, and the
// folder; nil if it lies in no partition.
func partitionOf(keys []column, key string) (values []string, dir string) {
	parts := strings.Split(key, "/")
	if len(keys) == 0 || len(parts) <= len(keys) {
		return nil, ""
	}
	for i, k := range keys {
		name, value, ok := strings.Cut(parts[i], "=")
		if !ok || !strings.EqualFold(name, k.name) {
			return nil, ""
		}
		values = append(values, unescape(value))
	}
	return values, strings.Join(parts[:len(keys)], "/") + "/"
}

// alter runs ALTER TABLE t ADD [IF NOT EXISTS] PARTITION (k = 'v', ...) [LOCATION '...'] ....
func (f *Fake) alter(q *query, r *reader) error {
	t, err := f.created(q, r)
	if err != nil {
		return err
	}
	if !r.accept("ADD") {
		return userFault(typeFeature, "NOT_SUPPORTED: this emulator runs ALTER TABLE ... ADD PARTITION only")
	}
	ifNotExists := r.accept("IF", "NOT", "EXISTS")
	changed := *t
	changed.partitions = slices.Clone(t.partitions)
	for r.accept("PARTITION") {
		p, err := r.partition(t)
		if err != nil {
			return err
		}
		known := slices.ContainsFunc(changed.partitions, func(o partition) bool { return slices.Equal(o.values, p.values) })
		if known && !ifNotExists {
			return userFault(typeDDL, "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. AlreadyExistsException(message:Partition already exists.)")
		}
		if !known {
			changed.partitions = append(changed.partitions, p)
		}
	}
	if r.pos < len(r.tokens) {
		return r.fail("PARTITION")
	}
	f.catalog.create(t.database, &changed)
	return nil
}

// partition reads (k = 'v', ...) [LOCATION '...'].
func (r *reader) partition(t *table) (partition, error) {
	values := map[string]string{}
	if !r.accept("(") {
		return partition{}, r.fail("'('")
	}
	for !r.accept(")") {
		key, err := r.name()
		if err != nil {
			return partition{}, err
		}
		if !r.accept("=") {
			return partition{}, r.fail("'='")
		}
		values[key] = r.token().name()
		r.pos++
		r.accept(",")
	}
	p := partition{location: t.location}
	for _, k := range t.keys {
		value, ok := values[k.name]
		if !ok {
			return p, userFault(typeDDL, "FAILED: SemanticException: the partition has no value for %s", k.name)
		}
		p.values = append(p.values, value)
		p.location += k.name + "=" + value + "/"
	}
	if r.accept("LOCATION") {
		var err error
		if p.location, err = r.text(); err != nil {
			return p, err
		}
		p.location = strings.TrimSuffix(p.location, "/") + "/"
	}
	return p, nil
}

// show runs SHOW DATABASES, SHOW TABLES [IN d] and SHOW PARTITIONS t.
func (f *Fake) show(q *query, r *reader) ([]string, error) {
	switch {
	case r.accept("SHOW", "DATABASES"), r.accept("SHOW", "SCHEMAS"):
		return f.catalog.databases(), nil
	case r.accept("SHOW", "TABLES"):
		database := q.database
		if r.accept("IN") || r.accept("FROM") {
			var err error
			if database, err = r.name(); err != nil {
				return nil, err
			}
		}
		tables, err := f.catalog.tables(database)
		var names []string
		for _, t := range tables {
			names = append(names, t.name)
		}
		return names, err
	case r.accept("SHOW", "PARTITIONS"):
		t, err := f.created(q, r)
		if err != nil {
			return nil, err
		}
		return f.catalog.partitionNames(t)
	default:
		return nil, userFault(typeFeature, "NOT_SUPPORTED: this emulator does not run %s", q.sql)
	}
}

// partitionNames returns a table's partitions, such as day=2026-01-26.
func (c *catalog) partitionNames(t *table) ([]string, error) {
	var out []string
	if t.location != "" {
		for _, p := range t.partitions {
			parts := make([]string, len(p.values))
			for i, v := range p.values {
				parts[i] = t.keys[i].name + "=" + v
			}
			out = append(out, strings.Join(parts, "/"))
		}
		slices.Sort(out)
		return out, nil
	}
	files, err := folderFiles(t.path)
	if err != nil {
		return nil, fmt.Errorf("listing partitions: %w", err)
	}
	for _, file := range files {
		if p := strings.Join(hiveFolders(t, file.path), "/"); p != "" {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

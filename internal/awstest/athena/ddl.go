package athena

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

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

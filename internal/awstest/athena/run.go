package athena

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// run does the work of a query. It returns a [*Fault] for what Athena would say.
func (f *Fake) run(ctx context.Context, q *query) error {
	if q.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if q.fault != nil && !q.fault.Partial {
		return q.fault
	}
	if err := q.statement.checkParameters(q.parameters); err != nil {
		return err
	}
	if err := q.statement.checkFunctions(); err != nil {
		return err
	}
	if q.statement.query.end == 0 {
		lines, err := f.ddl(ctx, q)
		if err != nil {
			return err
		}
		return f.storeLines(ctx, q, lines)
	}
	s, err := f.engine.open(ctx)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	j := &job{fake: f, session: s, query: q, translation: q.statement.translate(q.parameters, false)}
	if err := j.prepare(ctx); err != nil {
		return j.failure(err)
	}
	switch q.statement.verb {
	case "UNLOAD":
		err = j.unload(ctx)
	case "EXPLAIN":
		err = j.explain(ctx)
	default:
		err = j.query.result.addAll(ctx, s, j.sql)
		if err == nil {
			err = f.storeResult(ctx, q)
		}
	}
	return j.failure(err)
}

// job is a query that runs.
type job struct {
	translation
	fake    *Fake
	session *session
	query   *query
	tables  [][]file // the files of each table that it names
	shift   int      // bytes that stand before the query's SQL in what is run
}

// storeLines stores the result of a DDL statement.
func (f *Fake) storeLines(ctx context.Context, q *query, lines []string) error {
	q.result = result{columns: []outColumn{newOutColumn("result", "VARCHAR")}, plain: true}
	for _, line := range lines {
		q.result.add([]cell{{text: line}})
	}
	return f.storeResult(ctx, q)
}

// storeResult writes the result and a file that describes it.
func (f *Fake) storeResult(ctx context.Context, q *query) error {
	if q.output == "" {
		return nil // managed results are no object
	}
	q.location = q.resultLocation()
	err := f.store.put(ctx, q.location, bytes.NewReader(q.result.data))
	if err == nil {
		err = f.store.put(ctx, q.location+".metadata", strings.NewReader("written by a fake; Athena's own format is not public\n"))
	}
	if err != nil {
		return userFault(typeResults, "Unable to write the result to %s: %v", q.location, err)
	}
	return nil
}

// prepare makes the query's tables known, and finds out its columns.
func (j *job) prepare(ctx context.Context) error {
	tree, err := j.session.parse(ctx, j.sql)
	if err != nil {
		return err
	}
	for _, fn := range tree.functions {
		if place := j.origin(max(fn.offset, 0)); fn.name == "generate_series" && strings.EqualFold(j.query.sql[place:place+len("UNNEST")], "UNNEST") {
			continue // of ours
		}
		return j.at(fn.offset, typeSyntax, "FUNCTION_NOT_FOUND", "Table function '%s' not registered", fn.name)
	}
	if err := j.views(ctx, tree); err != nil {
		return err
	}
	if err := j.session.use(ctx, j.query.database); err != nil {
		return err
	}
	columns, err := j.describe(ctx)
	if err != nil {
		return err
	}
	j.query.result.columns = outColumns(columns, tree)
	if j.query.statement.verb == "UNLOAD" {
		if err := j.checkUnload(tree); err != nil {
			return err
		}
	}
	if j.query.statement.verb == "EXPLAIN" {
		return nil // it reads nothing
	}
	return j.measure(ctx)
}

// views makes a view of each table that the query names, once.
func (j *job) views(ctx context.Context, tree *tree) error {
	var known []string
	for _, ref := range tree.tables {
		if ref.database == "" {
			ref.database = j.query.database
		}
		key := strings.ToLower(ref.database + "." + ref.name)
		if slices.Contains(known, key) {
			continue
		}
		known = append(known, key)
		t, exists, err := j.fake.catalog.table(ref.database, ref.name)
		switch {
		case err != nil:
			return err
		case !exists:
			return j.at(ref.offset, typeTable, "SCHEMA_NOT_FOUND", "Schema '%s' does not exist", strings.ToLower(ref.database))
		case t == nil:
			return j.at(ref.offset, typeTable, "TABLE_NOT_FOUND", "Table 'awsdatacatalog.%s' does not exist", key)
		}
		files, err := j.fake.view(ctx, j.session, t)
		if err != nil {
			return viewFault(t, err)
		}
		j.tables = append(j.tables, files)
	}
	return nil
}

// measure finds out how many bytes the query reads: those of the files that are
// left when the partitions that its WHERE excludes are.
func (j *job) measure(ctx context.Context) error {
	plan, err := j.session.strings(ctx, "EXPLAIN (FORMAT json) "+j.sql)
	if err != nil {
		return err
	}
	tables := slices.Clone(j.tables)
	for _, found := range regexp.MustCompile(`"Scanning Files": "(\d+)/(\d+)"`).FindAllStringSubmatch(plan[0][1], -1) {
		some, _ := strconv.Atoi(found[1])
		all, _ := strconv.Atoi(found[2])
		// The plan does not say of which table it speaks; their numbers of files do.
		if i := slices.IndexFunc(tables, func(files []file) bool { return len(files) == all }); i >= 0 {
			j.query.scanned += total(tables[i]) * int64(some) / int64(all)
			tables = slices.Delete(tables, i, i+1)
		}
	}
	for _, files := range tables {
		j.query.scanned += total(files)
	}
	if limit := j.query.workGroup.BytesScannedLimit; limit > 0 && j.query.scanned > limit {
		return userFault(typeUser, "Query cancelled! : Bytes scanned limit was exceeded")
	}
	return nil
}

func total(files []file) (bytes int64) {
	for _, f := range files {
		bytes += f.bytes
	}
	return bytes
}

// viewFault is a failure to read a table's files.
func viewFault(t *table, err error) error {
	if m, ok := parseMessage(err); ok {
		return userFault(typeData, "HIVE_CURSOR_ERROR: reading %s.%s: %s", t.database, t.name, m.brief())
	}
	return err
}

// describePrefix stands before the query when its columns are asked for.
const describePrefix = "SELECT column_name, column_type FROM (DESCRIBE "

func (j *job) describe(ctx context.Context) ([]column, error) {
	loose := j.translation
	j.translation, j.shift = j.query.statement.translate(j.query.parameters, true), len(describePrefix)
	columns, err := j.session.described(ctx, j.sql)
	if err == nil {
		j.translation, j.shift = loose, 0
	}
	return columns, err
}

// explain gives the plan as text.
func (j *job) explain(ctx context.Context) error {
	rows, err := j.session.strings(ctx, "EXPLAIN "+j.sql)
	if err != nil {
		return err
	}
	var lines []string
	for _, row := range rows {
		lines = append(lines, strings.Split(row[1], "\n")...)
	}
	j.query.result = result{}
	return j.fake.storeLines(ctx, j.query, lines)
}

// failure turns an error of the work into what Athena would say.
func (j *job) failure(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if fault, ok := errors.AsType[*Fault](err); ok {
		return fault
	}
	if m, ok := parseMessage(err); ok {
		return j.mapped(m)
	}
	return err
}

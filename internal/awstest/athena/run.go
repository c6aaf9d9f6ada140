package athena

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	defer s.close()
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

// checkUnload refuses what cannot be unloaded.
func (j *job) checkUnload(tree *tree) error {
	q := j.query
	if missing := tree.which(unnamed); len(missing) > 0 {
		return j.at(0, typeSyntax, "MISSING_COLUMN_NAME", "Column name not specified at position %d", missing[0]+1)
	}
	var names []string
	for i := range q.result.columns {
		c := &q.result.columns[i]
		c.name = strings.ToLower(c.name)
		if slices.Contains(names, c.name) {
			return j.at(0, typeSyntax, "DUPLICATE_COLUMN_NAME", "Column name '%s' specified more than once", c.name)
		}
		names = append(names, c.name)
		if slices.Contains([]string{"time", "timestamp with time zone", "time with time zone", "json", "unknown"}, c.typ) {
			return userFault(typeFeature, "NOT_SUPPORTED: Unsupported Hive type: %s", c.typ)
		}
	}
	return nil
}

// unload runs the query and writes its rows to files in S3.
func (j *job) unload(ctx context.Context) error {
	q, target := j.query, strings.TrimSuffix(j.query.statement.unload.target, "/")+"/"
	switch empty, err := j.fake.store.empty(ctx, target); {
	case missing(err):
		bucket, _ := split(target)
		return userFault(typeBucket, "HIVE_FILESYSTEM_ERROR: The specified bucket does not exist: %s", bucket)
	case err != nil:
		return err
	case !empty:
		return userFault(typePath, "HIVE_PATH_ALREADY_EXISTS: Target directory for table 'awsdatacatalog.%s.tmp_%s' already exists: %s. You may need to manually clean the data at location '%s' before retrying. Athena will not delete data in your account.",
			q.database, strings.ReplaceAll(q.id, "-", "_"), target, target)
	}
	total, err := j.materialize(ctx)
	if err != nil {
		return err
	}
	if err := j.writeFiles(ctx, target, total); err != nil {
		return err
	}
	return j.writeManifest(ctx)
}

// unloaded is the table that keeps the rows of an UNLOAD.
func (j *job) unloaded() string { return j.session.name + ".main.unloaded" }

// materialize keeps the query's rows, and counts them.
func (j *job) materialize(ctx context.Context) (int, error) {
	var exprs, names []string
	for i, c := range j.query.result.columns {
		names = append(names, fmt.Sprintf("c%d", i))
		exprs = append(exprs, fmt.Sprintf("CAST(c%d AS %s) AS %s", i, c.duck, quoteName(c.name)))
	}
	prefix := "CREATE TABLE " + j.unloaded() + " AS SELECT " + strings.Join(exprs, ", ") + " FROM ("
	j.shift = len(prefix)
	if err := j.session.exec(ctx, prefix+j.sql+"\n) AS t("+strings.Join(names, ", ")+")"); err != nil {
		return 0, err
	}
	var total int
	err := j.session.conn.QueryRowContext(ctx, "SELECT count(*) FROM "+j.unloaded()).Scan(&total)
	return total, err
}

// writeFiles writes the rows in order, evenly spread over the files.
func (j *job) writeFiles(ctx context.Context, target string, total int) error {
	o := j.fake.options
	count := min(max(o.UnloadFiles, (total+o.UnloadRows-1)/o.UnloadRows), total)
	for n := range count {
		from, to := total*n/count, total*(n+1)/count
		location := target + j.query.fileName(n)
		if err := j.writeFile(ctx, location, from, to); err != nil {
			return err
		}
		j.query.files = append(j.query.files, location)
		if j.query.fault != nil {
			return j.query.fault
		}
	}
	if j.query.fault != nil {
		return j.query.fault
	}
	return nil
}

// writeFile writes some of the rows.
func (j *job) writeFile(ctx context.Context, location string, from, to int) error {
	path := filepath.Join(j.fake.dir, j.query.fileName(from)+".parquet")
	defer os.Remove(path) //nolint:errcheck // the folder goes in the end
	compression, groupRows := j.query.statement.unload.compression, j.fake.options.GroupRows
	err := j.session.exec(ctx, fmt.Sprintf("COPY (SELECT * FROM %s WHERE rowid >= %d AND rowid < %d ORDER BY rowid) TO %s (FORMAT parquet, COMPRESSION %s, ROW_GROUP_SIZE %d)",
		j.unloaded(), from, to, quoteText(path), quoteText(compression), groupRows))
	if err != nil {
		return err
	}
	if err := rewriteParquet(path, j.query.result.columns, compression, groupRows); err != nil {
		return err
	}
	if err := j.fake.store.putFile(ctx, location, path); err != nil {
		return userFault(typeResults, "HIVE_WRITER_CLOSE_ERROR: Error committing write to Hive: %v", err)
	}
	return nil
}

// writeManifest lists the files.
func (j *job) writeManifest(ctx context.Context) error {
	q := j.query
	q.result = result{columns: []outColumn{newOutColumn("rows", "BIGINT")}, plain: true}
	if q.output == "" {
		return nil
	}
	q.location = q.output + q.id + "-manifest.csv"
	var b strings.Builder
	for _, file := range q.files {
		b.WriteString(file + "\n")
	}
	err := j.fake.store.put(ctx, q.location, strings.NewReader(b.String()))
	if err == nil {
		err = j.fake.store.put(ctx, q.output+q.id+".metadata", strings.NewReader("written by a fake; Athena's own format is not public\n"))
	}
	if err != nil {
		return userFault(typeResults, "Unable to write the manifest to %s: %v", q.location, err)
	}
	return nil
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

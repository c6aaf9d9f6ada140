package athena

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unload is what UNLOAD says besides its query.
type unload struct {
	target      string // s3://bucket/prefix/
	at          int    // byte of the target
	compression string // as DuckDB names it
}

// parseUnload reads UNLOAD (query) TO 's3://...' WITH (format = 'PARQUET', ...).
func (s *statement) parseUnload() error {
	if !s.at(1).is("(") {
		return malformed(s.sql, s.at(1).start, "mismatched input '%s'. Expecting: '('", s.at(1).text)
	}
	depth, i := 1, 2
	for ; i < len(s.tokens) && depth > 0; i++ {
		switch {
		case s.tokens[i].is("("):
			depth++
		case s.tokens[i].is(")"):
			depth--
		}
	}
	if depth > 0 || i < 4 {
		return malformed(s.sql, len(s.sql), "mismatched input '<EOF>'. Expecting: ')'")
	}
	s.query = piece{s.tokens[2].start, s.tokens[i-2].end}
	if !s.at(i).is("TO") || s.at(i+1).kind != text {
		return malformed(s.sql, s.at(i).start, "mismatched input '%s'. Expecting: 'TO'", s.at(i).text)
	}
	s.unload.target, s.unload.at = s.at(i+1).name(), s.at(i+1).start
	return s.parseUnloadOptions(i + 2)
}

func (s *statement) parseUnloadOptions(i int) error {
	if !s.at(i).is("WITH") || !s.at(i+1).is("(") {
		return malformed(s.sql, s.at(i).start, "mismatched input '%s'. Expecting: 'WITH'", s.at(i).text)
	}
	format := ""
	s.unload.compression = "gzip" // Athena's default for Parquet
	for i += 2; !s.at(i).is(")"); {
		if !s.at(i + 1).is("=") {
			return malformed(s.sql, s.at(i+1).start, "mismatched input '%s'. Expecting: '='", s.at(i+1).text)
		}
		value := s.at(i + 2)
		switch strings.ToLower(s.at(i).name()) {
		case "format":
			format = value.name()
		case "compression":
			s.unload.compression = strings.ToLower(value.name())
		case "compression_level":
		default:
			return invalid("INVALID_INPUT", "%s: Unload property '%s' does not exist", place(s.sql, s.at(i).start), s.at(i).text)
		}
		if i += 3; s.at(i).is(",") {
			i++
		} else if !s.at(i).is(")") {
			return malformed(s.sql, s.at(i).start, "mismatched input '%s'. Expecting: ')', ','", s.at(i).text)
		}
	}
	if i+1 < len(s.tokens) {
		return malformed(s.sql, s.at(i+1).start, "mismatched input '%s'. Expecting: <EOF>", s.at(i+1).text)
	}
	if !strings.EqualFold(format, "PARQUET") {
		return invalid("NOT_SUPPORTED", "UNLOAD: this emulator writes PARQUET only, not %q", format)
	}
	if s.unload.compression == "none" {
		s.unload.compression = "uncompressed"
	}
	if !slices.Contains([]string{"gzip", "snappy", "zstd", "lz4", "uncompressed"}, s.unload.compression) {
		return invalid("INVALID_INPUT", "Unsupported compression %q for PARQUET", s.unload.compression)
	}
	if !strings.HasPrefix(s.unload.target, "s3://") {
		return invalid("INVALID_INPUT", "The S3 location provided to save your query results is invalid. Please check your S3 location is correct and is in the same region and try again.")
	}
	return nil
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

package athena

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// view makes a table known to the session under its names. It returns the table's
// files.
func (f *Fake) view(ctx context.Context, s *session, t *table) ([]file, error) {
	files, err := f.catalog.files(ctx, t)
	if err != nil {
		return nil, err
	}
	query, err := f.viewQuery(ctx, s, t, files)
	if err != nil {
		return nil, err
	}
	return files, s.exec(ctx, fmt.Sprintf("CREATE SCHEMA IF NOT EXISTS %s.%s; CREATE OR REPLACE VIEW %[1]s.%[2]s.%[3]s AS %[4]s",
		s.name, quoteName(t.database), quoteName(t.name), query))
}

func (f *Fake) viewQuery(ctx context.Context, s *session, t *table, files []file) (string, error) {
	if len(files) == 0 {
		return emptyQuery(t), nil
	}
	paths := make([]string, len(files))
	for i, file := range files {
		paths[i] = file.path
	}
	format := t.format
	if format == "" {
		format, _ = formatOf(strings.ToLower(paths[0]))
	}
	hive := hiveOptions(t, hiveFolders(t, paths[0]))
	switch format {
	case "parquet":
		return parquetQuery(ctx, s, t, paths, hive)
	case "csv":
		return f.csvQuery(ctx, s, t, paths, hive)
	case "json":
		return jsonQuery(ctx, s, t, paths, hive)
	default:
		return "", userFault(typeData, "HIVE_UNKNOWN_ERROR: the files of %s.%s are neither Parquet, CSV nor JSON", t.database, t.name)
	}
}

// hiveFolders returns the folders named key=value between a table and its file.
func hiveFolders(t *table, path string) []string {
	dir := filepath.Dir(path)
	if t.path != "" {
		dir = strings.TrimPrefix(dir, t.path)
	}
	var out []string
	for part := range strings.SplitSeq(filepath.ToSlash(dir), "/") {
		if strings.Contains(part, "=") {
			out = append(out, part)
		}
	}
	return out
}

// unescape returns the value that a folder's name stands for.
func unescape(value string) string {
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}

// hiveOptions returns the options of a reader about partitions, whose values are
// text unless declared otherwise.
func hiveOptions(t *table, folders []string) string {
	if len(folders) == 0 {
		return ", hive_partitioning=false"
	}
	options := ", hive_partitioning=true, hive_types_autocast=false"
	if len(t.keys) > 0 {
		types := make([]string, len(t.keys))
		for i, k := range t.keys {
			types[i] = quoteText(k.name) + ": " + duckType(k.typ)
		}
		options += ", hive_types={" + strings.Join(types, ", ") + "}"
	}
	return options
}

// duckType returns DuckDB's name of a type that a declaration has.
func duckType(hive string) string {
	typ, _ := hiveType(hive)
	return typ
}

func emptyQuery(t *table) string {
	var out []string
	for _, c := range t.all() {
		out = append(out, fmt.Sprintf("CAST(NULL AS %s) AS %s", duckType(c.typ), quoteName(c.name)))
	}
	if len(out) == 0 {
		out = []string{"NULL AS no_columns"}
	}
	return "SELECT " + strings.Join(out, ", ") + " WHERE false"
}

// all returns the columns with the partition keys.
func (t *table) all() []column { return append(slices.Clone(t.columns), t.keys...) }

// parquetQuery reads columns by name; one that no file has is NULL.
func parquetQuery(ctx context.Context, s *session, t *table, paths []string, hive string) (string, error) {
	read := fmt.Sprintf("read_parquet(%s, union_by_name=true%s)", quoteList(paths), hive)
	found, err := s.described(ctx, "SELECT * FROM "+read)
	if err != nil {
		return "", err
	}
	if !t.declared {
		return "SELECT " + lowered(found) + " FROM " + read, nil
	}
	var out []string
	for _, c := range t.all() {
		i := slices.IndexFunc(found, func(f column) bool { return strings.EqualFold(f.name, c.name) })
		source := "NULL"
		if i >= 0 {
			source = quoteName(found[i].name)
			if (found[i].typ == "VARCHAR") != (duckType(c.typ) == "VARCHAR") {
				return "", userFault(typeData, "HIVE_BAD_DATA: Field %s's type %s in parquet file %s is incompatible with type %s defined in table schema",
					c.name, found[i].typ, t.location, c.typ)
			}
		}
		out = append(out, fmt.Sprintf("CAST(%s AS %s) AS %s", source, duckType(c.typ), quoteName(c.name)))
	}
	return "SELECT " + strings.Join(out, ", ") + " FROM " + read, nil
}

// lowered returns a select list that makes the names lower case, as Glue's are.
func lowered(columns []column) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = quoteName(c.name) + " AS " + quoteName(strings.ToLower(c.name))
	}
	return strings.Join(out, ", ")
}

// csvQuery reads CSV files: those of the folder as CEAP's embedded engine does,
// those in S3 as the SerDe that the declaration names. A value that is not of its
// type is NULL.
func (f *Fake) csvQuery(ctx context.Context, s *session, t *table, paths []string, hive string) (string, error) {
	if !t.declared {
		return f.inferredCSV(ctx, s, paths, hive)
	}
	names := make([]string, len(t.columns))
	var casts []string
	for i, c := range t.columns {
		names[i] = quoteText(c.name) + ": 'VARCHAR'"
		casts = append(casts, fmt.Sprintf("TRY_CAST(%s AS %s) AS %[1]s", quoteName(c.name), duckType(c.typ)))
	}
	for _, k := range t.keys {
		casts = append(casts, quoteName(k.name))
	}
	options := `quote='"', escape='"', allow_quoted_nulls=false`
	if t.lazy {
		options = `quote='', escape='', nullstr='\N'`
	}
	read := func(skip int) string {
		return fmt.Sprintf("read_csv(%s, columns={%s}, auto_detect=false, header=false, skip=%d, delim=%s, null_padding=true, strict_mode=false, %s%s)",
			quoteList(paths), strings.Join(names, ", "), skip, quoteText(t.delimiter), options, hive)
	}
	skip := t.skip
	if t.location == "" {
		first, err := s.strings(ctx, "SELECT * FROM "+read(0)+" LIMIT 1")
		if err != nil {
			return "", err
		}
		if len(first) == 1 && slices.EqualFunc(t.columns, first[0][:len(t.columns)], func(c column, v string) bool { return strings.EqualFold(c.name, v) }) {
			skip = 1 // a line that repeats the names is a header
		}
	}
	return "SELECT " + strings.Join(casts, ", ") + " FROM " + read(skip), nil
}

// inferredCSV gives a column the type that CEAP's embedded engine gives it: a
// number or boolean if that changes the text of no value, else text.
func (f *Fake) inferredCSV(ctx context.Context, s *session, paths []string, hive string) (string, error) {
	read := fmt.Sprintf(`read_csv(%s, all_varchar=true, header=true, delim=',', quote='"', escape='"', allow_quoted_nulls=false%s)`, quoteList(paths), hive)
	columns, err := s.described(ctx, "SELECT * FROM "+read)
	if err != nil {
		return "", err
	}
	keys := hiveFolders(&table{}, paths[0])
	var tests []string
	for _, c := range columns {
		tests = append(tests, csvTests(quoteName(c.name))...)
	}
	rows, err := s.strings(ctx, "SELECT "+strings.Join(tests, ", ")+" FROM "+read)
	if err != nil {
		return "", err
	}
	var out []string
	for i, c := range columns {
		typ := csvType(rows[0][6*i : 6*i+6])
		if slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, c.name+"=") }) {
			typ = "VARCHAR"
		}
		out = append(out, fmt.Sprintf("CAST(%s AS %s) AS %s", quoteName(c.name), typ, quoteName(strings.ToLower(c.name))))
	}
	return "SELECT " + strings.Join(out, ", ") + " FROM " + read, nil
}

// csvTests ask what holds for all values of a column of text.
func csvTests(c string) []string {
	return []string{
		fmt.Sprintf(`bool_and(regexp_full_match(%s, '0|-?[1-9][0-9]{0,17}'))::VARCHAR`, c),
		fmt.Sprintf(`bool_and(length(%s) <= 15 AND regexp_full_match(%[1]s, '0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)[.][0-9]{0,5}[1-9]'))::VARCHAR`, c),
		fmt.Sprintf(`(bool_and(length(%s) <= 18 AND regexp_full_match(%[1]s, '-?(0|[1-9][0-9]*)[.][0-9]+') AND NOT regexp_full_match(%[1]s, '-0[.]0+'))`+
			` AND min(length(%[1]s) - instr(%[1]s, '.')) = max(length(%[1]s) - instr(%[1]s, '.')))::VARCHAR`, c),
		fmt.Sprintf(`bool_and(%s IN ('true', 'false'))::VARCHAR`, c),
		fmt.Sprintf(`max(length(%s) - instr(%[1]s, '.'))::VARCHAR`, c),
		fmt.Sprintf(`count(%s)::VARCHAR`, c),
	}
}

// csvType reads the answers of csvTests.
func csvType(row []string) string {
	switch {
	case row[5] == "0":
		return "VARCHAR"
	case row[0] == "true":
		return "BIGINT"
	case row[1] == "true":
		return "DOUBLE"
	case row[2] == "true":
		return "DECIMAL(18," + row[4] + ")"
	case row[3] == "true":
		return "BOOLEAN"
	default:
		return "VARCHAR"
	}
}

// jsonQuery reads JSON objects; text stays text whatever it looks like.
func jsonQuery(ctx context.Context, s *session, t *table, paths []string, hive string) (string, error) {
	read := func(options string) string {
		return fmt.Sprintf("read_json(%s, format='auto', records=true%s%s)", quoteList(paths), options, hive)
	}
	if t.declared {
		var names []string
		for _, c := range t.columns {
			names = append(names, quoteText(c.name)+": "+quoteText(duckType(c.typ)))
		}
		return "SELECT * FROM " + read(", columns={"+strings.Join(names, ", ")+"}"), nil
	}
	auto := read(", auto_detect=true, sample_size=-1, maximum_depth=1")
	columns, err := s.described(ctx, "SELECT * FROM "+auto)
	if err != nil {
		return "", err
	}
	keys := hiveFolders(&table{}, paths[0])
	columns = slices.DeleteFunc(columns, func(c column) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, c.name+"=") })
	})
	var kinds []string
	for _, c := range columns {
		kinds = append(kinds, fmt.Sprintf("string_agg(DISTINCT json_type(%s), ',')", quoteName(c.name)))
	}
	rows, err := s.strings(ctx, "SELECT "+strings.Join(kinds, ", ")+" FROM "+auto)
	if err != nil {
		return "", err
	}
	var names []string
	for i, c := range columns {
		names = append(names, quoteText(c.name)+": "+quoteText(jsonType(rows[0][i])))
	}
	query := "SELECT * FROM " + read(", columns={"+strings.Join(names, ", ")+"}")
	all, err := s.described(ctx, query)
	return "SELECT " + lowered(all) + " FROM (" + query + ")", err
}

// jsonType returns the type for values of these kinds, as json_type names them.
func jsonType(kinds string) string {
	only := func(allowed ...string) bool {
		for k := range strings.SplitSeq(kinds, ",") {
			if k != "NULL" && !slices.Contains(allowed, k) {
				return false
			}
		}
		return true
	}
	switch {
	case kinds == "", kinds == "NULL":
		return "VARCHAR"
	case only("BOOLEAN"):
		return "BOOLEAN"
	case only("BIGINT", "UBIGINT"):
		return "BIGINT"
	case only("DOUBLE", "BIGINT", "UBIGINT"):
		return "DOUBLE"
	default:
		return "VARCHAR"
	}
}

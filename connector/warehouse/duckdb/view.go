//go:build cgo

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
)

func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func quoteText(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

func list(items []string, quote func(string) string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = quote(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// fields returns the struct literal {'name': 'type', ...}.
func fields(columns []columnDecl) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = quoteText(c.name) + ": " + quoteText(c.typ)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// createView makes the table known to the session's queries under its names.
func (s *session) createView(ctx context.Context, t *table) error {
	query, err := s.viewQuery(ctx, t)
	if err == nil {
		err = s.exec(ctx, fmt.Sprintf("CREATE SCHEMA IF NOT EXISTS %s; CREATE OR REPLACE VIEW %[1]s.%[2]s AS %[3]s",
			quoteName(t.database), quoteName(t.name), query))
	}
	if e, ok := errors.AsType[*engineError](err); ok && ctx.Err() == nil && !strings.Contains(e.text, t.path) {
		return s.findCulprit(ctx, t, e)
	}
	return err
}

// findCulprit names the file that cannot be read, where DuckDB does not.
func (s *session) findCulprit(ctx context.Context, t *table, err *engineError) error {
	m := parseMessage(err.text)
	if m.code() != ceap.CodeInvalid && t.kind != parquet || m.code() == ceap.CodeUnavailable {
		return err
	}
	for _, file := range t.files {
		alone := *t
		alone.files = []string{file}
		if query, e := s.viewQuery(ctx, &alone); e != nil || s.exec(ctx, "DESCRIBE "+query) != nil {
			return t.unreadable(s.folder.rel(file), m)
		}
	}
	return err
}

// unreadable is the error of a file that DuckDB cannot read.
func (t *table) unreadable(name string, m message) error {
	switch {
	case t.kind == parquet:
		return ceap.Errorf(ceap.CodeInvalid, "reading %s: %s", name, brief(m)).WithHint(parquetRemedy)
	case strings.Contains(m.Text, "expected records"):
		return ceap.Errorf(ceap.CodeInvalid, "reading %s: it holds JSON that is no object", name).WithHint("write one object a line")
	default:
		return ceap.Errorf(m.code(), "reading %s: %s", name, brief(m))
	}
}

func (s *session) viewQuery(ctx context.Context, t *table) (string, error) {
	if err := t.checkKeys(); err != nil {
		return "", err
	}
	switch {
	case len(t.files) == 0:
		return emptyQuery(t.schema), nil
	case t.kind == csv:
		return s.csvQuery(ctx, t)
	case t.kind == jsonDoc:
		return s.jsonQuery(ctx, t)
	default:
		return s.parquetQuery(ctx, t)
	}
}

// checkKeys compares the partition folders with the declaration.
func (t *table) checkKeys() error {
	if t.schema == nil || len(t.files) == 0 {
		return nil
	}
	var declared []string
	for _, c := range t.schema.partitions {
		declared = append(declared, c.name)
	}
	if !slices.EqualFunc(declared, t.keys, strings.EqualFold) {
		return ceap.Errorf(ceap.CodeInvalid, "table %q: the files lie in partitions by (%s), and %s declares PARTITIONED BY (%s)",
			t.name, strings.Join(t.keys, ", "), schemaFile, strings.Join(declared, ", ")).WithHint("name the folders key=value in the declared order")
	}
	return nil
}

// emptyQuery returns the query of a table that has a declaration and no files.
func emptyQuery(s *schema) string {
	var out []string
	for _, c := range append(slices.Clone(s.columns), s.partitions...) {
		out = append(out, fmt.Sprintf("CAST(NULL AS %s) AS %s", c.typ, quoteName(c.name)))
	}
	return "SELECT " + strings.Join(out, ", ") + " WHERE false"
}

// hive returns the options about partition folders, starting with a comma.
func (t *table) hive() string {
	if len(t.keys) == 0 {
		return ", hive_partitioning=false"
	}
	options := ", hive_partitioning=true, hive_types_autocast=false"
	if t.schema != nil {
		types := make([]string, len(t.keys))
		for i, key := range t.keys { // the type's name is no text here
			types[i] = quoteText(key) + ": " + t.schema.partitions[i].typ
		}
		options += ", hive_types={" + strings.Join(types, ", ") + "}"
	}
	return options
}

// parquetQuery reads columns by name: one that some files lack is NULL there.
func (s *session) parquetQuery(ctx context.Context, t *table) (string, error) {
	read := fmt.Sprintf("read_parquet(%s, union_by_name=true%s)", list(t.files, quoteText), t.hive())
	if t.schema == nil {
		return "SELECT * FROM " + read, nil
	}
	found, err := s.texts(ctx, "SELECT column_name FROM (DESCRIBE SELECT * FROM "+read+")", nil)
	if err != nil {
		return "", err
	}
	var out []string
	for _, c := range append(slices.Clone(t.schema.columns), t.schema.partitions...) {
		source := "NULL"
		if slices.ContainsFunc(found, func(row []string) bool { return strings.EqualFold(row[0], c.name) }) {
			source = quoteName(c.name)
		}
		out = append(out, fmt.Sprintf("CAST(%s AS %s) AS %s", source, c.typ, quoteName(c.name)))
	}
	return "SELECT " + strings.Join(out, ", ") + " FROM " + read, nil
}

// csvQuery reads CSV files strictly, with every column's name and type stated:
// left to itself, DuckDB reads some malformed files as something else.
func (s *session) csvQuery(ctx context.Context, t *table) (string, error) {
	columns, hasHeader, err := s.csvColumns(t)
	if err != nil {
		return "", err
	}
	delimiter := ","
	if t.schema != nil {
		delimiter = t.schema.delimiter
	}
	read := func(columns []columnDecl) string {
		return fmt.Sprintf(`read_csv(%s, columns=%s, header=%t, delim=%s, quote='"', escape='"', strict_mode=true, `+
			`auto_detect=false, allow_quoted_nulls=false, max_line_size=%d%s)`,
			list(t.files, quoteText), fields(columns), hasHeader, quoteText(delimiter), maxLine, t.hive())
	}
	if t.schema == nil {
		if columns, err = s.inferCSV(ctx, read, columns); err != nil {
			return "", err
		}
	}
	return "SELECT * FROM " + read(columns), nil
}

// csvColumns returns the columns, VARCHAR all if they are not declared, and
// whether the first line of each file names them.
func (s *session) csvColumns(t *table) (columns []columnDecl, hasHeader bool, err error) {
	if t.schema != nil {
		return s.declaredCSV(t)
	}
	var first []string
	for i, file := range t.files {
		names, err := header(file, s.folder.rel(file), ",")
		if err != nil {
			return nil, false, err
		}
		if i == 0 {
			first = names
			if err := checkNames(s.folder.rel(file), append(slices.Clone(names), t.keys...)); err != nil {
				return nil, false, err
			}
		} else if !slices.Equal(names, first) {
			return nil, false, ceap.Errorf(ceap.CodeInvalid, "%s has the columns %s, and %s has %s", s.folder.rel(t.files[0]),
				strings.Join(first, ","), s.folder.rel(file), strings.Join(names, ",")).
				WithHint("all CSV files of a table have the same first line")
		}
	}
	for _, name := range first {
		columns = append(columns, columnDecl{name, "VARCHAR"})
	}
	return columns, true, nil
}

// declaredCSV returns the declared columns. The first line is a header if the
// declaration says so, and also if it just repeats the names: nobody means that
// as data.
func (s *session) declaredCSV(t *table) (columns []columnDecl, hasHeader bool, err error) {
	var names []string
	for _, c := range t.schema.columns {
		names = append(names, c.name)
	}
	for i, file := range t.files {
		line, err := header(file, s.folder.rel(file), t.schema.delimiter)
		if err != nil {
			return nil, false, err
		}
		same := slices.EqualFunc(line, names, strings.EqualFold)
		switch {
		case t.schema.header && !same:
			return nil, false, ceap.Errorf(ceap.CodeInvalid, "%s:1: the first line is %s, and %s declares %s", s.folder.rel(file),
				strings.Join(line, ","), schemaFile, strings.Join(names, ",")).WithHint("make them agree, in this order")
		case i > 0 && same != hasHeader:
			return nil, false, ceap.Errorf(ceap.CodeInvalid, "of %s and %s only one starts with a line of column names",
				s.folder.rel(t.files[0]), s.folder.rel(file))
		}
		hasHeader = same
	}
	return t.schema.columns, hasHeader, nil
}

// jsonQuery reads JSON objects, one a line or in an array.
func (s *session) jsonQuery(ctx context.Context, t *table) (string, error) {
	read := func(columns string) string {
		return fmt.Sprintf("read_json(%s, format='auto', records=true, maximum_object_size=%d%s%s)",
			list(t.files, quoteText), maxLine, columns, t.hive())
	}
	if t.schema != nil {
		return "SELECT * FROM " + read(", columns="+fields(t.schema.columns)), nil
	}
	columns, err := s.inferJSON(ctx, read, t.keys)
	if err != nil {
		return "", err
	}
	return "SELECT * FROM " + read(", columns="+fields(columns)), nil
}

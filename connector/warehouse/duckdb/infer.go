//go:build cgo

package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ceap-platform/ceap"
)

// sampleRows is how many rows decide which types a column may have at all. Most
// columns are text and show it at once, which saves the long look at them.
const sampleRows = 1000

// csvTests are the types that a column of text may have, best first, with what
// must hold for all its values. Each prints every such value as it was written:
// 15 digits are exact in a DOUBLE, and 18 in a BIGINT or DECIMAL.
func csvTests(column string) [4]string {
	c := quoteName(column)
	return [4]string{
		fmt.Sprintf(`bool_and(regexp_full_match(%s, '0|-?[1-9][0-9]{0,17}'))`, c),
		fmt.Sprintf(`bool_and(length(%s) <= 15 AND regexp_full_match(%[1]s, '0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)[.][0-9]{0,5}[1-9]'))`, c),
		fmt.Sprintf(`bool_and(length(%s) <= 18 AND regexp_full_match(%[1]s, '-?(0|[1-9][0-9]*)[.][0-9]+') AND NOT regexp_full_match(%[1]s, '-0[.]0+'))`+
			` AND min(length(%[1]s) - instr(%[1]s, '.')) = max(length(%[1]s) - instr(%[1]s, '.'))`, c),
		fmt.Sprintf(`bool_and(%s IN ('true', 'false'))`, c),
	}
}

// inferCSV returns the columns with their types, after a look at every value.
func (s *session) inferCSV(ctx context.Context, read func([]columnDecl) string, columns []columnDecl) ([]columnDecl, error) {
	from := read(columns)
	all := make([]int, len(columns))
	for i := range all {
		all[i] = i
	}
	likely, err := s.csvTypes(ctx, fmt.Sprintf("(SELECT * FROM %s LIMIT %d)", from, sampleRows), columns, all)
	if err != nil {
		return nil, err
	}
	var open []int
	for i, typ := range likely {
		if typ != "VARCHAR" {
			open = append(open, i)
		}
	}
	out := slices.Clone(columns)
	if len(open) == 0 {
		return out, nil
	}
	types, err := s.csvTypes(ctx, from, columns, open)
	if err != nil {
		return nil, err
	}
	for _, i := range open {
		if out[i].typ = types[i]; out[i].typ == "" {
			out[i].typ = "VARCHAR" // no value at all
		}
	}
	return out, nil
}

// csvTypes returns the type that some columns have in a source, "" for a column
// without any value.
func (s *session) csvTypes(ctx context.Context, from string, columns []columnDecl, which []int) (map[int]string, error) {
	var exprs []string
	for _, i := range which {
		tests := csvTests(columns[i].name)
		c := quoteName(columns[i].name)
		exprs = append(exprs, tests[:]...)
		exprs = append(exprs, fmt.Sprintf("max(length(%s) - instr(%[1]s, '.'))", c), fmt.Sprintf("count(%s)", c))
	}
	rows, err := s.texts(ctx, "SELECT "+strings.Join(exprs, ", ")+" FROM "+from, nil)
	if err != nil {
		return nil, err
	}
	types := map[int]string{}
	for n, i := range which {
		types[i] = csvType(rows[0][6*n : 6*n+6])
	}
	return types, nil
}

// csvType reads the answers about one column: the four tests, the number of
// decimals, the number of values.
func csvType(row []string) string {
	switch {
	case row[5] == "0":
		return ""
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

// inferJSON returns the keys of the objects with the types of their values:
// text stays text whatever it looks like, and a key whose values differ in kind
// becomes text.
func (s *session) inferJSON(ctx context.Context, read func(string) string, partitions []string) ([]columnDecl, error) {
	from := read(", auto_detect=true, sample_size=-1, maximum_depth=1")
	described, err := s.texts(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+from+")", nil)
	if err != nil {
		return nil, err
	}
	var columns []columnDecl
	var exprs []string
	for _, row := range described {
		if slices.ContainsFunc(partitions, func(key string) bool { return strings.EqualFold(key, row[0]) }) {
			continue
		}
		columns = append(columns, columnDecl{row[0], "VARCHAR"})
		exprs = append(exprs, fmt.Sprintf("string_agg(DISTINCT json_type(%s) || CASE WHEN json_type(%[1]s) = 'UBIGINT' AND TRY_CAST(%[1]s AS BIGINT) IS NULL THEN '!' ELSE '' END, ',')",
			quoteName(row[0])))
	}
	if len(columns) == 0 {
		return nil, ceap.Errorf(ceap.CodeInvalid, "the JSON files hold no object with a key")
	}
	rows, err := s.texts(ctx, "SELECT "+strings.Join(exprs, ", ")+" FROM "+from, nil)
	if err != nil {
		return nil, err
	}
	for i := range columns {
		columns[i].typ = jsonType(rows[0][i])
	}
	return columns, nil
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

// number reads a count.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

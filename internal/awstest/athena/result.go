package athena

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// pageRows is how many rows GetQueryResults returns at most, from its reference.
const pageRows = 1000

// outColumn is a column of a result.
type outColumn struct {
	name             string
	duck             string // DuckDB's type that the values are cast to
	typ              string // Athena's
	precision, scale int32
}

// untypedName is DuckDB's name of the type of a bare NULL.
const untypedName = `"NULL"`

// newOutColumn returns the column of a result for a column of DuckDB's.
func newOutColumn(name, duck string) outColumn {
	c := outColumn{name: name, duck: duck}
	base, args, _ := strings.Cut(duck, "(")
	if strings.HasSuffix(duck, "]") {
		base = "LIST"
	}
	switch base {
	case "BOOLEAN", "DATE", "TIME", "JSON":
		c.typ = strings.ToLower(base)
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT":
		c.typ = strings.ToLower(base)
		c.precision = map[string]int32{"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}[c.typ]
	case "UTINYINT", "USMALLINT":
		c.duck, c.typ, c.precision = "INTEGER", "integer", 10
	case "UINTEGER", "UBIGINT", "HUGEINT", "UHUGEINT": // what SUM makes of whole numbers
		c.duck, c.typ, c.precision = "BIGINT", "bigint", 19
	case "FLOAT":
		c.typ, c.precision = "float", 17
	case "DOUBLE":
		c.typ, c.precision = "double", 17
	case "DECIMAL":
		c.typ = "decimal"
		_, _ = fmt.Sscanf(args, "%d,%d)", &c.precision, &c.scale) // DuckDB's own text
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		c.duck, c.typ, c.precision = "TIMESTAMP", "timestamp", 3
	case "TIMESTAMP WITH TIME ZONE":
		c.typ, c.precision = "timestamp with time zone", 3
	case "TIME WITH TIME ZONE":
		c.typ = "time with time zone"
	case "BLOB":
		c.typ, c.precision = "varbinary", 1073741824
	case "LIST":
		c.typ = "array"
	case "STRUCT":
		c.typ = "row"
	case "MAP":
		c.typ = "map"
	case untypedName:
		c.duck, c.typ = "INTEGER", "unknown"
	default: // VARCHAR, ENUM, UUID, INTERVAL
		c.duck, c.typ, c.precision = "VARCHAR", "varchar", 2147483647
	}
	return c
}

// printed returns an expression whose value is, or is easily made, the text that
// Athena shows.
func (c outColumn) printed(expr string) string {
	switch c.typ {
	case "float", "double", "boolean", "varbinary":
		return fmt.Sprintf("CAST(%s AS %s)", expr, c.duck)
	case "timestamp":
		return fmt.Sprintf("strftime(CAST(%s AS TIMESTAMP), '%%Y-%%m-%%d %%H:%%M:%%S.%%g')", expr)
	case "timestamp with time zone":
		return fmt.Sprintf("strftime(%s AT TIME ZONE 'UTC', '%%Y-%%m-%%d %%H:%%M:%%S.%%g') || ' UTC'", expr)
	case "time":
		return fmt.Sprintf("CAST(%s AS VARCHAR)[1:8] || '.000'", expr)
	default:
		return fmt.Sprintf("CAST(CAST(%s AS %s) AS VARCHAR)", expr, c.duck)
	}
}

// cell is a value as text, or NULL.
type cell struct {
	text string
	null bool
}

// show makes the text of a value that DuckDB's driver returned.
func (c outColumn) show(v any) cell {
	switch v := v.(type) {
	case nil:
		return cell{null: true}
	case string:
		return cell{text: v}
	case bool:
		return cell{text: strconv.FormatBool(v)}
	case float32:
		return cell{text: javaFloat(float64(v), 32)}
	case float64:
		return cell{text: javaFloat(v, 64)}
	case []byte:
		return cell{text: hexPairs(v)}
	default:
		return cell{text: fmt.Sprint(v)}
	}
}

func hexPairs(b []byte) string {
	out := make([]string, len(b))
	for i := range b {
		out[i] = hex.EncodeToString(b[i : i+1])
	}
	return strings.Join(out, " ")
}

// javaFloat writes a number as Java's Double.toString does.
func javaFloat(f float64, bits int) string {
	s := strconv.FormatFloat(f, 'E', -1, bits)
	switch s {
	case "NaN":
		return s
	case "+Inf":
		return "Infinity"
	case "-Inf":
		return "-Infinity"
	}
	abs := max(f, -f)
	if abs == 0 || abs >= 1e-3 && abs < 1e7 { // the bounds of plain notation, from Double.toString
		s = strconv.FormatFloat(f, 'f', -1, bits)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(s, "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}

// result is a result as Athena stores it: a CSV file, or lines of text.
type result struct {
	columns []outColumn
	data    []byte
	pages   []int // bytes at which every 1,000th row starts; the header is a row
	rows    int
	plain   bool // lines of text without quotes, as DDL writes
}

// add adds a row.
func (r *result) add(cells []cell) {
	if r.rows%pageRows == 0 {
		r.pages = append(r.pages, len(r.data))
	}
	r.rows++
	for i, c := range cells {
		if i > 0 {
			r.data = append(r.data, ',')
		}
		switch {
		case c.null:
		case r.plain:
			r.data = append(r.data, c.text...)
		default:
			r.data = append(r.data, '"')
			r.data = append(r.data, strings.ReplaceAll(c.text, `"`, `""`)...)
			r.data = append(r.data, '"')
		}
	}
	r.data = append(r.data, '\n')
}

// addAll runs the query and adds a header and its rows.
func (r *result) addAll(ctx context.Context, s *session, query string) error {
	var exprs, names []string
	header := make([]cell, len(r.columns))
	for i, c := range r.columns {
		name := fmt.Sprintf("c%d", i)
		names = append(names, name)
		exprs = append(exprs, c.printed(name)+" AS "+name)
		header[i] = cell{text: c.name}
	}
	r.add(header)
	rows, err := s.conn.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM (%s\n) AS t(%s)", strings.Join(exprs, ", "), query, strings.Join(names, ", ")))
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	return r.addRows(rows)
}

func (r *result) addRows(rows *sql.Rows) error {
	values, cells := make([]any, len(r.columns)), make([]cell, len(r.columns))
	targets := pointers(values)
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		for i, v := range values {
			cells[i] = r.columns[i].show(v)
		}
		r.add(cells)
	}
	return rows.Err()
}

// read returns at most limit rows from row first on.
func (r *result) read(first, limit int) [][]cell {
	if first >= r.rows {
		return nil
	}
	data := r.data[r.pages[first/pageRows]:]
	var out [][]cell
	for skip := first % pageRows; len(data) > 0 && len(out) < limit; skip-- {
		var row []cell
		row, data = r.readRow(data)
		if skip <= 0 {
			out = append(out, row)
		}
	}
	return out
}

func (r *result) readRow(data []byte) (row []cell, rest []byte) {
	if r.plain {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		return []cell{{text: string(line)}}, rest
	}
	for {
		c := cell{null: true}
		if data[0] == '"' {
			c = cell{}
			var b []byte
			for data = data[1:]; ; {
				i := bytes.IndexByte(data, '"')
				b = append(b, data[:i]...)
				if data = data[i+1:]; data[0] != '"' {
					break
				}
				b, data = append(b, '"'), data[1:]
			}
			c.text = string(b)
		}
		row = append(row, c)
		end := data[0]
		if data = data[1:]; end == '\n' {
			return row, data
		}
	}
}

// outColumns returns the columns of a query's result, with names and types that
// only its tree tells.
func outColumns(columns []column, t *tree) []outColumn {
	nameless, untyped := t.which(unnamed), t.which(untyped)
	out := make([]outColumn, len(columns))
	for i, c := range columns {
		if slices.Contains(nameless, i) {
			c.name = fmt.Sprintf("_col%d", i)
		}
		if slices.Contains(untyped, i) {
			c.typ = untypedName
		}
		out[i] = newOutColumn(c.name, c.typ)
	}
	return out
}

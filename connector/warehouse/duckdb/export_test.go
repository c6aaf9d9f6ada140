//go:build cgo

package duckdb

import "context"

// RunSQL runs statements in a database of their own that is not sealed. Tests
// make their files with it.
func RunSQL(ctx context.Context, sql string) error {
	d, err := open()
	if err != nil {
		return err
	}
	defer d.close()
	return d.exec(ctx, sql)
}

// SyntaxTree returns what json_serialize_sql says about a text, without places.
func SyntaxTree(ctx context.Context, sqls []string) ([]string, error) {
	d, err := open()
	if err != nil {
		return nil, err
	}
	defer d.close()
	trees := make([]string, len(sqls))
	for i, sql := range sqls {
		rows, err := d.texts(ctx, "SELECT json_serialize_sql($sql::VARCHAR)", map[string]string{"sql": sql})
		if err != nil {
			return nil, err
		}
		trees[i] = rows[0][0]
	}
	return trees, nil
}

// ParseSchema makes the parser of _schema.sql visible to its fuzz test.
func ParseSchema(ddl string) error {
	_, err := parseSchema(ddl)
	return err
}

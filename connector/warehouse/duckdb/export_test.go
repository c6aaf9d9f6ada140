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

// SyntaxTrees returns what json_serialize_sql says about each text.
func SyntaxTrees(ctx context.Context, sqls []string) ([]string, error) {
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

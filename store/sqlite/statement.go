//go:build cgo

package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// statement is a prepared statement that is run past database/sql, at the driver:
// that, and binding parameters one by one, would take as long as SQLite's own
// work. The driver's Query binds and runs in one call, whatever the statement; its
// Exec needs a call for each parameter.
type statement struct {
	conn  *sql.Conn
	query string
	stmt  driver.Stmt
	args  []driver.NamedValue
	row   []driver.Value
}

func newStatement(conn *sql.Conn, query string) *statement {
	return &statement{conn: conn, query: query}
}

// add appends a parameter to those of the next run.
func (st *statement) add(v driver.Value) {
	st.args = append(st.args, driver.NamedValue{Ordinal: len(st.args) + 1, Value: v})
}

// run runs the statement with the parameters that were added, and forgets them.
// It gives each row to yield until that returns false; the slice is used again.
//
// A context that can end would cost the driver a goroutine a call, and database/sql
// would roll back in the midst of what is done past it. So callers use none, and
// look at theirs between groups of rows.
func (st *statement) run(yield func(row []driver.Value) (more bool)) error {
	defer func() { st.args = st.args[:0] }()
	return st.conn.Raw(func(raw any) error {
		if err := st.prepare(raw); err != nil {
			return err
		}
		query, ok := st.stmt.(driver.StmtQueryContext)
		if !ok {
			return fmt.Errorf("the driver's statement is a %T", st.stmt)
		}
		rows, err := query.QueryContext(context.Background(), st.args)
		if err != nil {
			return err
		}
		return errors.Join(st.read(rows, yield), rows.Close())
	})
}

func (st *statement) prepare(raw any) (err error) {
	if st.stmt != nil {
		return nil
	}
	conn, ok := raw.(driver.ConnPrepareContext)
	if !ok {
		return fmt.Errorf("the driver's connection is a %T", raw)
	}
	st.stmt, err = conn.PrepareContext(context.Background(), st.query)
	return err
}

func (st *statement) read(rows driver.Rows, yield func([]driver.Value) bool) error {
	if yield == nil {
		return nil
	}
	if st.row == nil {
		st.row = make([]driver.Value, len(rows.Columns()))
	}
	for {
		switch err := rows.Next(st.row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case !yield(st.row):
			return nil
		}
	}
}

func (st *statement) close() {
	if st != nil && st.stmt != nil {
		_ = st.stmt.Close()
	}
}

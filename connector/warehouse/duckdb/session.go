//go:build cgo

package duckdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// session is a sealed database that holds what one statement names.
type session struct {
	*database
	engine    *engine
	folder    folder
	statement warehouse.Statement
	tree      *tree
	tables    []*table
	temp      *tempFolder
	shift     int // bytes that stand before the statement's SQL in what is run
}

// open returns a session for the statement, with the statement checked, its
// tables found and everything else locked.
func (e *engine) open(ctx context.Context, st warehouse.Statement) (*session, error) {
	s := &session{engine: e, statement: st}
	var err error
	if s.folder, err = openFolder(e.path); err != nil {
		return nil, s.failed(err)
	}
	if s.database, err = open(); err != nil {
		return nil, s.failed(err)
	}
	if err := s.prepareDatabase(ctx); err != nil {
		err = s.failed(err)
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) prepareDatabase(ctx context.Context) error {
	var err error
	if s.temp, err = newTempFolder(s.engine.settings.TempDir); err != nil {
		return &ceap.Error{Code: ceap.CodeUnavailable, Message: "making a temporary folder", Err: err, Hint: "set connectors.data-warehouse.tempDir"}
	}
	if err := s.limit(ctx); err != nil {
		return err
	}
	if err := s.parse(ctx); err != nil {
		return err
	}
	database, err := s.folder.database(s.statement.Database)
	if err != nil {
		return err
	}
	if err := s.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+quoteName(database)); err != nil {
		return err
	}
	if err := s.findTables(ctx, database); err != nil {
		return err
	}
	return s.seal(ctx, database)
}

// limit bounds memory, threads and disk.
func (s *session) limit(ctx context.Context) error {
	set := s.engine.settings
	return s.exec(ctx, fmt.Sprintf(`
		SET memory_limit=%s;
		SET threads=%d;
		SET max_temp_directory_size=%s;
		SET temp_directory=%s;
		SET TimeZone='UTC';
		SET errors_as_json=true`,
		quoteText(set.MemoryLimit), set.Threads, quoteText(set.MaxTempSize), quoteText(s.temp.path)))
}

// parse checks the statement by its syntax tree. Nothing may be prepared before:
// to prepare is not always harmless.
func (s *session) parse(ctx context.Context) error {
	rows, err := s.texts(ctx, "SELECT json_serialize_sql($sql::VARCHAR)",
		map[string]string{"sql": s.statement.SQL})
	if err != nil {
		return err
	}
	s.tree, err = parseTree(rows[0][0])
	return err
}

// findTables makes a view of each table that the statement names, once.
func (s *session) findTables(ctx context.Context, database string) error {
	known := map[string]bool{}
	for _, ref := range s.tree.tables {
		if ref.database == "" {
			ref.database = database
		}
		key := strings.ToLower(ref.database + "\x00" + ref.name)
		if known[key] {
			continue
		}
		known[key] = true
		t, err := s.folder.table(ref.database, ref.name)
		if err == nil {
			err = s.createView(ctx, t)
		}
		if err != nil {
			return &tableError{err, ref.offset}
		}
		s.tables = append(s.tables, t)
	}
	return nil
}

// tableError is an error about the table named at a place of the query.
type tableError struct {
	err    error
	offset int
}

func (e *tableError) Error() string { return e.err.Error() }

// seal locks everything that the statement does not need, in an order that
// DuckDB accepts.
func (s *session) seal(ctx context.Context, database string) error {
	dirs := []string{s.temp.path}
	var files []string
	for _, t := range s.tables {
		if len(t.files) == 1 && t.files[0] == t.path {
			files = append(files, t.path)
		} else {
			dirs = append(dirs, t.path)
		}
	}
	return s.exec(ctx, fmt.Sprintf(`
		SET allowed_directories=%s;
		SET allowed_paths=%s;
		SET enable_external_access=false;
		SET autoinstall_known_extensions=false;
		SET autoload_known_extensions=false;
		SET allow_community_extensions=false;
		SET schema=%s;
		SET lock_configuration=true`,
		list(dirs, quoteText), list(files, quoteText), quoteText(quoteName(database))))
}

// close drops the database and its temporary folder.
func (s *session) close() {
	if s.database != nil {
		s.database.close()
	}
	if s.temp != nil {
		_ = s.temp.remove() // only DuckDB's own files lie there; what stays, the next one removes
	}
}

// prepareQuery prepares the statement, with types that have no [ceap.Value] cast
// to text, and returns the columns as they were before.
func (s *session) prepareQuery(ctx context.Context) (*statement, []column, error) {
	s.shift = 0
	st, columns, err := s.prepareBound(ctx, s.statement.SQL)
	if err != nil {
		return nil, nil, err
	}
	wrapped, shift := asText(s.statement.SQL, columns)
	if wrapped == s.statement.SQL {
		return st, columns, nil
	}
	st.close()
	s.shift = shift
	st, _, err = s.prepareBound(ctx, wrapped)
	return st, columns, err
}

// prepareBound prepares a query and binds the statement's parameters.
func (s *session) prepareBound(ctx context.Context, sql string) (*statement, []column, error) {
	st, err := s.prepare(sql)
	if err != nil {
		return nil, nil, err
	}
	if err := s.bindAll(st); err != nil {
		st.close()
		return nil, nil, err
	}
	columns, ok := st.columns()
	if !ok { // a type depends on a parameter's, as in SELECT $x
		if columns, err = s.boundColumns(ctx, sql); err != nil {
			st.close()
			return nil, nil, err
		}
	}
	return st, columns, nil
}

// boundColumns returns the columns that a query has once its parameters have
// values. It runs the query for none of its rows.
func (s *session) boundColumns(ctx context.Context, sql string) ([]column, error) {
	const before = "SELECT * FROM (\n"
	s.shift += len(before)
	defer func() { s.shift -= len(before) }()
	st, err := s.prepare(before + sql + "\n) LIMIT 0")
	if err != nil {
		return nil, err
	}
	defer st.close()
	if err := s.bindAll(st); err != nil {
		return nil, err
	}
	c, err := st.run(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.columns, nil
}

func (s *session) bindAll(st *statement) error {
	for _, p := range s.statement.Params {
		if err := st.bind(p.Name, p.Value); err != nil {
			return err
		}
	}
	return nil
}

// asText wraps the query so that its columns of other than native types become
// text; names, order and LIMIT stay. It returns the query itself if there are
// none, and how many bytes stand before it.
func asText(query string, columns []column) (wrapped string, shift int) {
	var out, names []string
	wrap := false
	for i := range columns {
		name := fmt.Sprintf("c%d", i)
		names = append(names, name)
		if columns[i].native() {
			out = append(out, name+" AS "+quoteName(columns[i].name))
			continue
		}
		wrap = true
		out = append(out, fmt.Sprintf("CAST(%s AS VARCHAR) AS %s", name, quoteName(columns[i].name)))
	}
	if !wrap {
		return query, 0
	}
	before := "SELECT " + strings.Join(out, ", ") + " FROM (\n"
	return before + query + "\n) AS q(" + strings.Join(names, ", ") + ")", len(before)
}

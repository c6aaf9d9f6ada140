//go:build cgo

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	bind "github.com/duckdb/duckdb-go-bindings"
)

// engineError is what DuckDB says, as it says it.
type engineError struct{ text string }

func (e *engineError) Error() string { return e.text }

// database is a DuckDB database in memory with one connection. One statement
// runs at a time.
type database struct {
	db   bind.Database
	conn bind.Connection
}

func open() (*database, error) {
	var config bind.Config
	if bind.CreateConfig(&config) == bind.StateError {
		return nil, errors.New("creating a configuration")
	}
	defer bind.DestroyConfig(&config)
	d := &database{}
	var text string
	if bind.OpenExt(":memory:", &d.db, config, &text) == bind.StateError {
		bind.Close(&d.db)
		return nil, &engineError{text}
	}
	if bind.Connect(d.db, &d.conn) == bind.StateError {
		bind.Close(&d.db)
		return nil, errors.New("connecting to the database")
	}
	return d, nil
}

func (d *database) close() {
	bind.Disconnect(&d.conn)
	bind.Close(&d.db)
}

// exec runs statements of ours for their effect.
func (d *database) exec(ctx context.Context, sql string) error {
	stop := d.interruptOn(ctx)
	defer stop()
	var result bind.Result
	defer bind.DestroyResult(&result)
	if bind.Query(d.conn, sql, &result) == bind.StateError {
		return &engineError{bind.ResultError(&result)}
	}
	return nil
}

// interruptOn interrupts whatever runs once ctx ends, until stop is called.
// DuckDB forgets an interrupt that comes just before a statement starts, so it is
// repeated.
func (d *database) interruptOn(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		again := time.NewTicker(20 * time.Millisecond)
		defer again.Stop()
		for {
			bind.Interrupt(d.conn)
			select {
			case <-done:
				return
			case <-again.C:
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-gone // the connection may be freed next
	})
}

// statement is a prepared statement.
type statement struct {
	d  *database
	ps bind.PreparedStatement
}

// prepare parses and plans one statement. Only
// text that [parseTree] found to be one SELECT may come here: preparing two
// statements runs the first.
func (d *database) prepare(sql string) (*statement, error) {
	s := &statement{d: d}
	if bind.Prepare(d.conn, sql, &s.ps) == bind.StateError {
		err := &engineError{bind.PrepareError(s.ps)}
		bind.DestroyPrepare(&s.ps)
		return nil, err
	}
	return s, nil
}

func (s *statement) close() { bind.DestroyPrepare(&s.ps) }

// bind binds a text to the parameter of that name.
func (s *statement) bind(name, value string) error {
	var at bind.IdxT
	if bind.BindParameterIndex(s.ps, &at, name) == bind.StateError {
		return fmt.Errorf("binding $%s: no such parameter", name)
	}
	if bind.BindVarchar(s.ps, at, value) == bind.StateError {
		return &engineError{bind.PrepareError(s.ps)}
	}
	return nil
}

// columns returns the result's columns. ok is false if a type depends on a
// parameter, as in SELECT $x.
func (s *statement) columns() (columns []column, ok bool) {
	columns = make([]column, bind.PreparedStatementColumnCount(s.ps))
	ok = true
	for i := range columns {
		t := bind.PreparedStatementColumnLogicalType(s.ps, bind.IdxT(i))
		columns[i] = newColumn(bind.PreparedStatementColumnName(s.ps, bind.IdxT(i)), t)
		bind.DestroyLogicalType(&t)
		ok = ok && columns[i].typ != bind.TypeInvalid
	}
	return columns, ok
}

// cursor is a running statement, read chunk by chunk. A chunk is 2048 rows at
// most and is computed when it is asked for.
type cursor struct {
	ctx     context.Context //nolint:containedctx // it spans the calls of one statement
	result  bind.Result
	chunk   bind.DataChunk
	columns []column
	rows    int
	stop    func()
}

// run starts the statement. Cancelling ctx interrupts it, also later.
func (s *statement) run(ctx context.Context) (*cursor, error) {
	c := &cursor{ctx: ctx, stop: s.d.interruptOn(ctx)}
	var pending bind.PendingResult
	// The only entry that streams instead of keeping the whole result.
	if bind.PendingPreparedStreaming(s.ps, &pending) == bind.StateError {
		err := &engineError{bind.PendingError(pending)}
		bind.DestroyPending(&pending)
		c.stop()
		return nil, err
	}
	state := bind.ExecutePending(pending, &c.result)
	bind.DestroyPending(&pending)
	if state == bind.StateError {
		err := &engineError{bind.ResultError(&c.result)}
		c.close()
		return nil, err
	}
	c.columns = make([]column, bind.ColumnCount(&c.result))
	for i := range c.columns {
		t := bind.ColumnLogicalType(&c.result, bind.IdxT(i))
		c.columns[i] = newColumn(bind.ColumnName(&c.result, bind.IdxT(i)), t)
		bind.DestroyLogicalType(&t)
	}
	return c, nil
}

// next fetches a chunk; false after the last. What the chunk before gave is no
// longer valid.
func (c *cursor) next() (bool, error) {
	bind.DestroyDataChunk(&c.chunk)
	c.rows = 0
	if err := context.Cause(c.ctx); err != nil {
		return false, err
	}
	c.chunk = bind.FetchChunk(c.result)
	if c.chunk.Ptr == nil { // the end, or an error
		if text := bind.ResultError(&c.result); text != "" {
			return false, &engineError{text}
		}
		return false, nil
	}
	c.rows = int(bind.DataChunkGetSize(c.chunk)) //nolint:gosec // at most the engine's vector size
	for i := range c.columns {
		c.columns[i].point(bind.DataChunkGetVector(c.chunk, bind.IdxT(i)), c.rows)
	}
	return c.rows > 0, nil
}

func (c *cursor) close() {
	bind.DestroyDataChunk(&c.chunk)
	bind.DestroyResult(&c.result)
	c.stop()
}

// texts runs a statement of ours and returns its rows as text; NULL is "".
func (d *database) texts(ctx context.Context, sql string, params map[string]string) ([][]string, error) {
	s, err := d.prepare(sql)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for name, value := range params {
		if err := s.bind(name, value); err != nil {
			return nil, err
		}
	}
	c, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var out [][]string
	for {
		more, err := c.next()
		if err != nil || !more {
			return out, err
		}
		out = append(out, c.texts()...)
	}
}

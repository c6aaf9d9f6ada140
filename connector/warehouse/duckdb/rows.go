//go:build cgo

package duckdb

import (
	"io"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// rows is a running query.
type rows struct {
	session  *session
	prepared *statement
	cursor   *cursor
	columns  []connector.Column
	values   []ceap.Value
	records  []connector.Record
	read     int64
	err      error
}

// Columns returns the columns as the query names them, with the types they had
// before any became text.
func (r *rows) Columns() []connector.Column { return r.columns }

// Next returns the rows of the next chunk. Its strings share one piece of memory,
// which lives as long as one of them.
func (r *rows) Next() ([]connector.Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	more, err := r.cursor.next()
	switch {
	case err != nil:
		r.err = r.session.failed(err)
	case !more:
		r.err = io.EOF
	}
	if r.err != nil {
		return nil, r.err
	}
	return r.batch(), nil
}

func (r *rows) batch() []connector.Record {
	width, height := len(r.columns), r.cursor.rows
	if cap(r.records) < height {
		r.records, r.values = make([]connector.Record, height), make([]ceap.Value, height*width)
	}
	size := 0
	for i := range r.cursor.columns {
		size += r.cursor.columns[i].textSize()
	}
	arena := make([]byte, 0, size)
	for i := range r.cursor.columns {
		arena = r.cursor.columns[i].fill(r.values[i:], width, arena)
	}
	records := r.records[:height]
	for row := range records {
		r.read++
		records[row] = connector.Record{Row: r.read, Values: r.values[row*width : (row+1)*width : (row+1)*width]}
	}
	return records
}

// Close stops the query and drops its database.
func (r *rows) Close() error {
	if r.session == nil {
		return nil
	}
	r.cursor.close()
	r.prepared.close()
	r.session.close()
	r.session, r.cursor, r.err = nil, nil, io.ErrClosedPipe
	return nil
}

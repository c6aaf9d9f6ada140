//go:build cgo

package sqlite

import (
	"database/sql/driver"
	"strings"

	"github.com/ceap-platform/ceap"
)

// groupRows is how many rows one INSERT writes: enough that the cost of a
// statement does not count, and well within SQLite's 32,766 parameters.
const groupRows = 100

// insertColumns are the columns of an INSERT; those left out are NULL.
const insertColumns = `id, customer, scope, subject_type, subject_id, event_at, score, channel_set, status, version,
	created_at, updated_at, expires_at, writer, creator, body`

const insertWidth = 16

// inserter inserts groups of candidates.
type inserter struct {
	statements map[int]*statement // by the number of rows
	changes    *statement

	// Most rows share most of these with the row before.
	scope, set, writer, version, event boxed[int64]
	subjectType                        boxed[string]
}

// boxed keeps a value as the driver takes it, so that a run of equal ones needs
// one allocation.
type boxed[T comparable] struct {
	last  T
	value driver.Value
}

func (b *boxed[T]) of(v T) driver.Value {
	if b.value == nil || b.last != v {
		b.last, b.value = v, v
	}
	return b.value
}

func insertQuery(rows int) string {
	row := "(?" + strings.Repeat(",?", insertWidth-1) + ")"
	return "INSERT INTO candidates (" + insertColumns + ") VALUES " + row + strings.Repeat(","+row, rows-1) +
		" ON CONFLICT (customer, scope, subject_type, subject_id) DO NOTHING"
}

// insert runs one INSERT and returns how many of the rows were not there yet.
func (in *inserter) insert(u *upsert, rows []pending) (inserted int, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	st := in.statements[len(rows)]
	if st == nil {
		st = newStatement(u.conn, insertQuery(len(rows)))
		if in.statements == nil {
			in.statements = map[int]*statement{}
			in.changes = newStatement(u.conn, "SELECT changes()")
		}
		in.statements[len(rows)] = st
	}
	in.bind(st, u, rows)
	if err := st.run(nil); err != nil {
		return 0, err
	}
	err = in.changes.run(func(row []driver.Value) bool {
		n, _ := row[0].(int64) // changes() is an integer
		inserted = int(n)
		return false
	})
	return inserted, err
}

func (in *inserter) bind(st *statement, u *upsert, rows []pending) {
	var open, now, expires driver.Value = statusOpen, u.now, u.expires
	for i := range rows {
		p := &rows[i]
		c := u.batch[p.index]
		writer, score := in.writer.of(p.writer), nullScore(c)
		st.add(p.id)
		st.add(c.CustomerID)
		st.add(in.scope.of(p.scope))
		st.add(in.subjectType.of(c.SubjectType))
		st.add(c.SubjectID)
		st.add(in.event.of(c.EventDate.UnixMicro()))
		st.add(score)
		st.add(in.set.of(p.set))
		st.add(open)
		st.add(in.version.of(p.version))
		st.add(now)
		st.add(now)
		st.add(expires)
		st.add(writer)
		st.add(writer)
		st.add(p.body)
	}
}

func (in *inserter) close() {
	for _, st := range in.statements {
		st.close()
	}
	in.changes.close()
}

// nullScore returns the candidate's score, or NULL.
func nullScore(c *ceap.Candidate) driver.Value {
	if !c.Scored {
		return nil
	}
	return c.Score
}

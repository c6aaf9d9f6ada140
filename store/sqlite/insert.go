//go:build cgo

package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/ceap-platform/ceap"
)

// groupRows is how many rows one INSERT writes: enough that the cost of a
// statement does not count, and well within SQLite's 32,766 parameters.
const groupRows = 50

// insertColumns are the columns of an INSERT; those left out are NULL.
const insertColumns = `id, customer, scope, subject_type, subject_id, event_at, score, bucket, channel_set, status, version,
	created_at, updated_at, expires_at, writer, creator, body`

const insertWidth = 17

// inserter inserts groups of candidates past database/sql, at the driver: it
// spends as long on binding a group's parameters as SQLite on storing it. The
// driver's Query binds and runs a statement in one call, its Exec needs a call
// for each parameter.
type inserter struct {
	group driver.Stmt // inserts groupRows rows
	args  []driver.NamedValue
	boxed map[int64]driver.Value // numbers that most rows share
}

func insertQuery(rows int) string {
	row := "(?" + strings.Repeat(",?", insertWidth-1) + "),"
	return "INSERT INTO candidates (" + insertColumns + ") VALUES " + strings.TrimSuffix(strings.Repeat(row, rows), ",") +
		" ON CONFLICT (customer, scope, subject_type, subject_id) DO NOTHING"
}

// insert runs one INSERT and returns how many of the rows were not there yet.
func (in *inserter) insert(u *upsert, rows []pending) (inserted int, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	in.bind(u, rows)
	err = u.conn.Raw(func(raw any) error {
		conn, ok := raw.(driver.ConnPrepareContext)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T", raw)
		}
		stmt := in.group
		if len(rows) != groupRows || stmt == nil {
			if stmt, err = conn.PrepareContext(u.ctx, insertQuery(len(rows))); err != nil {
				return err
			}
			if len(rows) == groupRows {
				in.group = stmt
			} else {
				defer func() { _ = stmt.Close() }()
			}
		}
		return in.run(stmt)
	})
	if err != nil {
		return 0, err
	}
	return inserted, u.tx.QueryRowContext(u.ctx, "SELECT changes()").Scan(&inserted)
}

func (in *inserter) run(stmt driver.Stmt) error {
	query, ok := stmt.(driver.StmtQueryContext)
	if !ok {
		return fmt.Errorf("the driver's statement is a %T", stmt)
	}
	// A context that can end costs the driver a goroutine a call; the caller looks
	// at it between groups.
	rows, err := query.QueryContext(context.Background(), in.args)
	if err != nil {
		return err
	}
	return rows.Close()
}

func (in *inserter) bind(u *upsert, rows []pending) {
	if in.boxed == nil {
		in.boxed = map[int64]driver.Value{}
	}
	in.args = in.args[:0]
	add := func(v driver.Value) {
		in.args = append(in.args, driver.NamedValue{Ordinal: len(in.args) + 1, Value: v})
	}
	now, expires := in.box(u.now), in.box(u.expires)
	for i := range rows {
		p := &rows[i]
		c := u.batch[p.index]
		writer := in.box(p.writer)
		add(p.id)
		add(c.CustomerID)
		add(in.box(p.scope))
		add(c.SubjectType)
		add(c.SubjectID)
		add(c.EventDate.UnixMicro())
		add(nullScore(c))
		add(in.box(bucketOf(c.Score, c.Scored)))
		add(in.box(p.set))
		add(in.box(statusOpen))
		add(in.box(p.version))
		add(now)
		add(now)
		add(expires)
		add(writer)
		add(writer)
		add(string(p.body))
	}
}

// box returns the number as a value, the same one each time: most rows share
// most of their numbers.
func (in *inserter) box(n int64) driver.Value {
	if v, ok := in.boxed[n]; ok {
		return v
	}
	in.boxed[n] = n
	return in.boxed[n]
}

func (in *inserter) close() {
	if in.group != nil {
		_ = in.group.Close()
	}
}

// nullScore returns the candidate's score, or NULL.
func nullScore(c *ceap.Candidate) driver.Value {
	if !c.Scored {
		return nil
	}
	return c.Score
}

//go:build cgo

package sqlite

import (
	"cmp"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/ceap-platform/ceap"
)

// rangeSlack is how many rows the range of a group may hold for each of its own
// before each is looked up by itself, which costs as much as reading a few.
const rangeSlack = 3

const findOne = "SELECT " + columns + " FROM candidates WHERE customer = ? AND scope = ? AND subject_type = ? AND subject_id = ?"

const findRange = "SELECT " + columns + ` FROM candidates INDEXED BY candidates_key
	WHERE (customer, scope, subject_type, subject_id) >= (?, ?, ?, ?) AND (customer, scope, subject_type, subject_id) <= (?, ?, ?, ?) AND +scope = ?
	ORDER BY customer, scope, subject_type, subject_id`

// readGroup finds the stored rows of the group.
func (u *upsert) readGroup() error {
	u.rows = u.rows[:0]
	for i := range u.group {
		u.group[i].row = -1
	}
	done := 0
	if !u.sparse && u.dense() {
		var err error
		if done, err = u.readRange(); err != nil {
			return err
		}
		u.sparse = done < len(u.group)
	}
	for i := done; i < len(u.group); i++ {
		if err := u.readOne(&u.group[i]); err != nil {
			return err
		}
	}
	return nil
}

// dense reports whether the group may be read as a range: it is sorted, and of
// one scope.
func (u *upsert) dense() bool {
	for i := 1; i < len(u.group); i++ {
		p, last := &u.group[i], &u.group[i-1]
		if p.scope != last.scope || compareInScope(u.batch[p.index], u.batch[last.index]) <= 0 {
			return false
		}
	}
	return len(u.group) > 1
}

func compareInScope(a, b *ceap.Candidate) int {
	return cmp.Or(cmp.Compare(a.CustomerID, b.CustomerID), cmp.Compare(a.SubjectType, b.SubjectType), cmp.Compare(a.SubjectID, b.SubjectID))
}

// readRange reads from the group's first key to its last, and returns how many of
// the group's rows it has settled: fewer than all if too much lies between them.
func (u *upsert) readRange() (settled int, err error) {
	if u.rangeStmt == nil {
		u.rangeStmt = newStatement(u.conn, findRange)
	}
	first, last := u.batch[u.group[0].index], u.batch[u.group[len(u.group)-1].index]
	for _, c := range []*ceap.Candidate{first, last} {
		u.rangeStmt.add(c.CustomerID)
		u.rangeStmt.add(u.group[0].scope)
		u.rangeStmt.add(c.SubjectType)
		u.rangeStmt.add(c.SubjectID)
	}
	u.rangeStmt.add(u.group[0].scope)
	var failed error
	read, next := 0, 0
	err = u.rangeStmt.run(func(values []driver.Value) bool {
		if read++; read > rangeSlack*len(u.group) {
			settled = next
			return false
		}
		key := ceap.Candidate{Key: ceap.Key{CustomerID: text(values[1]), SubjectType: text(values[3]), SubjectID: text(values[4])}}
		for next < len(u.group) && compareInScope(u.batch[u.group[next].index], &key) < 0 {
			next++
		}
		if next < len(u.group) && compareInScope(u.batch[u.group[next].index], &key) == 0 {
			failed = u.keep(&u.group[next], values)
			next++
		}
		return failed == nil
	})
	if read <= rangeSlack*len(u.group) {
		settled = len(u.group)
	}
	return settled, cmp.Or(err, failed)
}

func (u *upsert) readOne(p *pending) error {
	if u.findStmt == nil {
		u.findStmt = newStatement(u.conn, findOne)
	}
	c := u.batch[p.index]
	u.findStmt.add(c.CustomerID)
	u.findStmt.add(p.scope)
	u.findStmt.add(c.SubjectType)
	u.findStmt.add(c.SubjectID)
	var failed error
	err := u.findStmt.run(func(values []driver.Value) bool {
		failed = u.keep(p, values)
		return false
	})
	return cmp.Or(err, failed)
}

// keep keeps the stored row of p.
func (u *upsert) keep(p *pending, values []driver.Value) error {
	p.row = len(u.rows)
	u.rows = append(u.rows, stored{})
	return u.rows[p.row].set(values)
}

// set reads a row as the driver gives it.
func (r *stored) set(values []driver.Value) error {
	for i, target := range [...]*int64{
		0: &r.id, 2: &r.scope, 5: &r.eventAt, 7: &r.channelSet, 8: &r.status, 9: &r.version,
		10: &r.createdAt, 11: &r.updatedAt, 12: &r.expiresAt, 15: &r.writer, 16: &r.creator,
	} {
		if target == nil {
			continue
		}
		n, ok := values[i].(int64)
		if !ok {
			return fmt.Errorf("column %d of a candidate is a %T", i, values[i])
		}
		*target = n
	}
	r.customer, r.subjectType, r.subjectID, r.body = text(values[1]), text(values[3]), text(values[4]), text(values[17])
	r.score.V, r.score.Valid = values[6].(float64)
	r.closedAt.V, r.closedAt.Valid = values[13].(int64)
	r.closedChannel = sql.Null[string]{V: text(values[14]), Valid: values[14] != nil}
	return nil
}

func text(v driver.Value) string {
	s, _ := v.(string) // or NULL
	return s
}

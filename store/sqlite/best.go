//go:build cgo

package sqlite

import (
	"bytes"
	"container/heap"
	"context"
	"database/sql"
	"errors"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// best returns up to q.Limit+1 open candidates behind the cursor, the best first,
// from one snapshot of the store.
func (s *Store) best(ctx context.Context, q store.Query, after *cursor) ([]stored, error) {
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	scopes, sets, err := s.lists(ctx, tx, q)
	if err != nil {
		return nil, err
	}
	m := merge{ctx: ctx, tx: tx}
	defer m.close()
	if after != nil {
		m.after = after.rank()
	}
	m.resolve, err = tx.PrepareContext(ctx, "SELECT "+columns+" FROM candidates WHERE id = ? AND version = ? AND status = 0")
	if err != nil {
		return nil, err
	}
	for _, sc := range scopes {
		for _, set := range sets {
			if err := m.addList(slot{sc, set}, s.scopeOf(sc)); err != nil {
				return nil, err
			}
		}
	}
	var out []stored
	for len(out) <= q.Limit {
		row, ok, err := m.next()
		if err != nil || !ok {
			return out, err
		}
		if q.Now.IsZero() || row.expiresAt > q.Now.UnixMicro() {
			out = append(out, row)
		}
	}
	return out, nil
}

// rank returns the place that appendRank gives the candidate the cursor names.
func (c *cursor) rank() []byte {
	key := ceap.Key{CustomerID: c.Customer, ProgramID: c.Program, Marketplace: c.Marketplace, SubjectType: c.SubjectType, SubjectID: c.SubjectID}
	return newEntry(-c.Score, !c.Unscored, -c.Event, 0, 0).appendRank(nil, key)
}

// merge merges the pages of several lists into the order of ranks. A list's pages
// come in the order of their first entries, and a page is opened only when its
// first entry may be the next.
type merge struct {
	ctx     context.Context //nolint:containedctx // lives as long as one query
	tx      *sql.Tx
	resolve *sql.Stmt
	after   []byte // a rank; nil for the beginning
	lists   []*list
	heads   heads
}

// list reads where the pages of a slot begin.
type list struct {
	scope scope
	rows  *sql.Rows
}

// head is what a merge has at hand of one page.
type head struct {
	rank []byte  // of the row, or of the page's first entry while the page is closed
	page int64   // of a closed page
	list *list   // of the page
	open bool    // whether row and rest are set
	row  stored  // the candidate of that rank
	rest []entry // behind it
}

// heads is a heap.
type heads []*head

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return bytes.Compare(h[i].rank, h[j].rank) < 0 }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface].
func (h *heads) Push(x any) { *h = append(*h, x.(*head)) } // only heads are pushed

// Pop implements [heap.Interface].
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (m *merge) close() {
	for _, l := range m.lists {
		_ = l.rows.Close()
	}
	if m.resolve != nil {
		_ = m.resolve.Close()
	}
}

// addList adds the pages of a slot that end behind the cursor.
func (m *merge) addList(at slot, sc scope) error {
	rows, err := m.tx.QueryContext(m.ctx, //nolint:rowserrcheck // nextPage asks
		"SELECT id, first FROM ranks INDEXED BY ranks_order WHERE scope = ? AND channel_set = ? AND last > ? ORDER BY first",
		at.scope, at.set, append([]byte{}, m.after...))
	if err != nil {
		return err
	}
	l := &list{scope: sc, rows: rows}
	m.lists = append(m.lists, l)
	return m.nextPage(l)
}

// nextPage adds the next page of a list, closed.
func (m *merge) nextPage(l *list) error {
	if !l.rows.Next() {
		return l.rows.Err()
	}
	h := &head{list: l}
	if err := l.rows.Scan(&h.page, &h.rank); err != nil {
		return err
	}
	heap.Push(&m.heads, h)
	return nil
}

// next returns the next open candidate; ok is false after the last.
func (m *merge) next() (row stored, ok bool, err error) {
	for len(m.heads) > 0 && !ok {
		h := heap.Pop(&m.heads).(*head) // only heads are pushed
		if h.open {
			row, ok = h.row, true
		} else {
			if h.rest, err = readPage(m.ctx, m.tx, h.page); err != nil {
				return row, false, err
			}
			if err := m.nextPage(h.list); err != nil {
				return row, false, err
			}
		}
		more, err := m.advance(h)
		if err != nil {
			return row, false, err
		}
		if more {
			heap.Push(&m.heads, h)
		}
	}
	return row, ok, nil
}

// advance goes to the next valid entry of a page that lies behind the cursor.
func (m *merge) advance(h *head) (bool, error) {
	h.open = true
	for len(h.rest) > 0 {
		e := h.rest[0]
		h.rest = h.rest[1:]
		if m.after != nil && bytes.Compare(e.appendRank(nil, ceap.Key{})[:16], m.after[:16]) < 0 {
			continue
		}
		err := m.resolve.QueryRowContext(m.ctx, e.id, e.version).Scan(h.row.targets()...)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return false, err
		}
		h.rank = e.appendRank(h.rank[:0], h.row.key(h.list.scope))
		if bytes.Compare(h.rank, m.after) > 0 {
			return true, nil
		}
	}
	return false, nil
}

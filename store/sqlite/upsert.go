//go:build cgo

package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

type candidates Store

var _ store.Candidates = (*candidates)(nil)

// Upsert implements [store.Candidates]. The batch is one transaction.
func (c *candidates) Upsert(ctx context.Context, batch []*ceap.Candidate, opts store.UpsertOptions) ([]store.UpsertResult, error) {
	s := (*Store)(c)
	results := make([]store.UpsertResult, len(batch))
	if len(batch) == 0 {
		return results, nil
	}
	if !opts.DryRun {
		s.writing.Lock()
		defer s.writing.Unlock()
	}
	if err := ctx.Err(); err != nil {
		return nil, storeError("storing candidates", s.path, err)
	}
	db := s.bulk
	if opts.DryRun {
		db = s.read
		if err := s.names.reload(ctx, s.read); err != nil {
			return nil, storeError("storing candidates", s.path, err)
		}
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, storeError("storing candidates", s.path, err)
	}
	defer func() { _ = conn.Close() }() // back to the pool
	// The transaction must not end by itself in the midst of a group; see statement.
	whole := context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(whole, nil)
	if err != nil {
		return nil, storeError("storing candidates", s.path, err)
	}
	defer func() { _ = tx.Rollback() }() // harmless after Commit
	u := upsert{
		ctx: whole, asked: ctx, s: s, conn: conn, tx: tx, opts: opts, batch: batch, results: results,
		now: opts.Now.UnixMicro(), expires: opts.Now.Add(opts.TTL).UnixMicro(), optimistic: true,
		fresh: map[int64]block{}, ranks: map[slot][]ranked{}, stale: map[int64]int64{},
	}
	u.names = s.names.interner(whole, tx)
	u.names.dryRun = opts.DryRun
	defer u.close()
	if err := u.run(); err != nil { //nolint:contextcheck // the transaction is whole or nothing; run looks at the caller's context between groups
		return nil, storeError("storing candidates", s.path, err)
	}
	if opts.DryRun {
		return results, nil
	}
	if err := tx.Commit(); err != nil {
		return nil, storeError("storing candidates", s.path, err)
	}
	u.names.commit()
	return results, nil
}

// upsert is the work on one batch.
type upsert struct {
	ctx     context.Context //nolint:containedctx // lives as long as one call; does not end
	asked   context.Context //nolint:containedctx // the caller's
	s       *Store
	conn    *sql.Conn // of tx
	tx      *sql.Tx
	opts    store.UpsertOptions
	batch   []*ceap.Candidate
	results []store.UpsertResult
	now     int64
	expires int64
	names   *interner

	blocked    map[string][]string // programs opted out of, by customer; "" means all
	marks      bool                // whether there are closing marks at all
	nextID     int64
	optimistic bool // whether the rows of the next group are likely to be new
	sparse     bool // whether many stored rows lie between those of the batch

	rangeStmt, findStmt, markStmt, updateStmt *statement
	inserter                                  inserter
	group                                     []pending
	rows                                      []stored // of the group
	bodies                                    []byte

	fresh map[int64]block   // by scope: the ids that this transaction has given out
	ranks map[slot][]ranked // entries to add
	stale map[int64]int64   // by scope: how many entries have become stale
}

// block is a range of ids, both inclusive.
type block struct{ first, last int64 }

// pending is a row of the group at work.
type pending struct {
	index   int // in the batch
	row     int // in rows; -1 if it is not stored
	id      int64
	scope   int64
	set     int64
	writer  int64
	body    string
	version int64
	mark    []byte // of a mark that is to go
}

func (u *upsert) close() {
	u.inserter.close()
	for _, st := range []*statement{u.rangeStmt, u.findStmt, u.markStmt, u.updateStmt} {
		st.close()
	}
}

func (u *upsert) run() error {
	if err := u.prepare(); err != nil {
		return err
	}
	for start := 0; start < len(u.batch); start += groupRows {
		if err := u.asked.Err(); err != nil {
			return err
		}
		if err := u.writeGroup(start, min(start+groupRows, len(u.batch))); err != nil {
			return err
		}
	}
	for scope, b := range u.fresh {
		if err := u.addBlock(scope, b); err != nil {
			return err
		}
	}
	return u.addRanks()
}

// addRanks adds the entries of what was opened or updated.
func (u *upsert) addRanks() error {
	for scope, n := range u.stale {
		if err := addStale(u.ctx, u.tx, scope, n); err != nil {
			return err
		}
	}
	p := newPages(u.ctx, u.tx)
	defer p.close()
	for at, entries := range u.ranks {
		if err := p.add(at, entries); err != nil {
			return err
		}
	}
	return nil
}

// opened notes the entry of a candidate that is open with this id and version.
func (u *upsert) opened(p *pending, id, version int64) {
	c := u.batch[p.index]
	at := slot{p.scope, p.set}
	u.ranks[at] = append(u.ranks[at], ranked{newEntry(c.Score, c.Scored, c.EventDate.UnixMicro(), id, version), &c.Key})
}

// created notes that the row of p was inserted.
func (u *upsert) created(p *pending) {
	u.results[p.index] = store.UpsertResult{Kind: ceap.OutcomeCreated}
	if !u.opts.DryRun {
		u.opened(p, p.id, p.version)
	}
}

func (u *upsert) addBlock(scope int64, b block) error {
	_, err := u.tx.ExecContext(u.ctx, "INSERT INTO blocks (scope, created_at, expires_at, first_id, last_id) VALUES (?, ?, ?, ?, ?)",
		scope, u.now, u.expires, b.first, b.last)
	return err
}

// prepare reads what concerns the whole batch.
func (u *upsert) prepare() (err error) {
	if u.blocked, err = u.optOuts(); err != nil {
		return err
	}
	row := u.tx.QueryRowContext(u.ctx, "SELECT EXISTS (SELECT 1 FROM marks), COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'candidates'), 0) + 1")
	if err := row.Scan(&u.marks, &u.nextID); err != nil {
		return err
	}
	return nil
}

// optOuts returns the programs that customers of the batch have opted out of. A
// large batch is dense in the order of customers, so a range is read.
func (u *upsert) optOuts() (map[string][]string, error) {
	first, last := u.batch[0].CustomerID, u.batch[0].CustomerID
	for _, c := range u.batch {
		first, last = min(first, c.CustomerID), max(last, c.CustomerID)
	}
	blocked := map[string][]string{}
	var customer, program string
	query := "SELECT customer, program FROM opt_outs WHERE channel = '' AND customer BETWEEN ? AND ?"
	err := each(u.ctx, u.tx, query, []any{first, last}, []any{&customer, &program}, func() error {
		blocked[customer] = append(blocked[customer], program)
		return nil
	})
	return blocked, err
}

func (u *upsert) optedOut(c *ceap.Candidate) bool {
	programs := u.blocked[c.CustomerID]
	return programs != nil && (slices.Contains(programs, "") || slices.Contains(programs, c.ProgramID))
}

// writeGroup decides the rows from start to end of the batch.
func (u *upsert) writeGroup(start, end int) error {
	if err := u.collect(start, end); err != nil {
		return err
	}
	if u.opts.DryRun || !u.optimistic {
		return u.decideGroup()
	}
	if err := u.checkMarks(); err != nil {
		return err
	}
	inserted, err := u.insert(u.group)
	if err != nil {
		return err
	}
	if inserted == len(u.group) {
		for i := range u.group {
			u.created(&u.group[i])
		}
		return nil
	}
	u.optimistic = inserted > 0
	if err := u.readGroup(); err != nil {
		return err
	}
	for i := range u.group {
		p := &u.group[i]
		switch {
		case p.row < 0:
			return ceap.Errorf(ceap.CodeInternal, "candidate %s was neither inserted nor found", u.batch[p.index].Key)
		case u.rows[p.row].id == p.id:
			u.created(p)
		default:
			if err := u.decide(p, &u.rows[p.row]); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect makes the group of the rows from start to end of the batch that no
// opt-out keeps away.
func (u *upsert) collect(start, end int) error {
	u.group, u.bodies = u.group[:0], u.bodies[:0]
	var ends [groupRows]int
	for i := start; i < end; i++ {
		c := u.batch[i]
		if u.optedOut(c) {
			u.results[i] = store.OptedOut()
			continue
		}
		p, err := u.pending(i, c)
		if err != nil {
			return err
		}
		u.group = append(u.group, p)
		u.bodies = appendBody(u.bodies, c)
		ends[len(u.group)-1] = len(u.bodies)
	}
	bodies, at := string(u.bodies), 0
	for i := range u.group {
		u.group[i].body = bodies[at:ends[i]]
		at = ends[i]
	}
	return nil
}

func (u *upsert) pending(i int, c *ceap.Candidate) (p pending, err error) {
	p = pending{index: i, version: 1}
	if p.scope, err = u.names.scope(scope{c.ProgramID, c.Marketplace}); err != nil {
		return p, err
	}
	if p.set, err = u.names.channelSet(c.Channels); err != nil {
		return p, err
	}
	p.writer, err = u.names.writer(writer{u.opts.RunID, c.Meta.CorrelationID, c.Meta.ConnectorID})
	return p, err
}

// decideGroup looks every row up first: for rows that are likely to exist, and
// for a dry run, which must not insert.
func (u *upsert) decideGroup() error {
	if err := u.readGroup(); err != nil {
		return err
	}
	fresh := u.group[:0]
	for _, p := range u.group {
		if p.row < 0 {
			fresh = append(fresh, p)
		} else if err := u.decide(&p, &u.rows[p.row]); err != nil {
			return err
		}
	}
	u.group = fresh
	u.optimistic = len(u.group) > groupRows/2
	if err := u.checkMarks(); err != nil {
		return err
	}
	if !u.opts.DryRun {
		if _, err := u.insert(u.group); err != nil {
			return err
		}
	}
	for i := range u.group {
		u.created(&u.group[i])
	}
	return nil
}

// insert inserts the rows that are not there yet, and returns how many these
// were.
func (u *upsert) insert(rows []pending) (int, error) {
	for i := range rows {
		p := &rows[i]
		p.id = u.nextID
		u.nextID++
		b, ok := u.fresh[p.scope]
		if !ok {
			b.first = p.id
		}
		b.last = p.id
		u.fresh[p.scope] = b
		if p.mark != nil {
			if _, err := u.tx.ExecContext(u.ctx, "DELETE FROM marks WHERE hash = ?", p.mark); err != nil {
				return 0, err
			}
		}
	}
	return u.inserter.insert(u, rows)
}

const findMarks = "SELECT hash, status, event_at, closed_at, version FROM marks WHERE hash IN (?"

// checkMarks rejects the rows of the group that a closing mark keeps away, and
// leaves the others in it.
func (u *upsert) checkMarks() error {
	if !u.marks || len(u.group) == 0 {
		return nil
	}
	if u.markStmt == nil {
		u.markStmt = newStatement(u.conn, findMarks+strings.Repeat(",?", groupRows-1)+")")
	}
	rows := make(map[string]int, len(u.group)) // by hash
	var hash []byte
	for i := range groupRows {
		if i < len(u.group) { // else the last one again, which is harmless
			c := u.batch[u.group[i].index]
			hash = u.s.markOf(c.CustomerID, scope{c.ProgramID, c.Marketplace}, c.SubjectType, c.SubjectID)
			rows[string(hash)] = i
		}
		u.markStmt.add(hash)
	}
	away := map[int]bool{}
	err := u.markStmt.run(func(v []driver.Value) bool {
		hash, _ := v[0].([]byte)
		i := rows[string(hash)]
		p := &u.group[i]
		var n [4]int64 // status, event_at, closed_at, version
		for k := range n {
			n[k], _ = v[k+1].(int64)
		}
		was := store.Known{Status: statusOf(n[0]), EventDate: fromMicros(n[1]), ClosedAt: fromMicros(n[2])}
		if result, step := store.Decide(was, u.batch[p.index], u.opts); step == store.Leave {
			u.results[p.index] = result
			away[i] = true
		} else {
			p.version, p.mark = n[3]+1, hash
		}
		return true
	})
	if err != nil || len(away) == 0 {
		return err
	}
	kept := u.group[:0]
	for i, p := range u.group {
		if !away[i] {
			kept = append(kept, p)
		}
	}
	u.group = kept
	return nil
}

// decide decides about a candidate that is stored already.
func (u *upsert) decide(p *pending, row *stored) (err error) {
	c := u.batch[p.index]
	was := store.Known{
		Status: statusOf(row.status), EventDate: fromMicros(row.eventAt), ExpiresAt: fromMicros(row.expiresAt), ClosedAt: fromMicros(row.closedAt.V),
		SameContent: row.sameContent(c, p.body) && row.channelSet == p.set,
	}
	if was.RunID, err = u.runOf(row.writer); err != nil {
		return err
	}
	if was.RunID == u.opts.RunID {
		if was.CreatedRunID, err = u.runOf(row.creator); err != nil {
			return err
		}
	}
	result, step := store.Decide(was, c, u.opts)
	u.results[p.index] = result
	switch step {
	case store.Open:
		return u.reopen(p, row)
	case store.Change:
		return u.update(p, row)
	default:
		return nil
	}
}

func (u *upsert) runOf(id int64) (string, error) {
	u.names.known.mu.RLock()
	w, ok := u.names.known.writerOf[id]
	u.names.known.mu.RUnlock()
	if ok {
		return w.run, nil
	}
	for w, known := range u.names.writers {
		if known == id {
			return w.run, nil
		}
	}
	var run string
	err := u.tx.QueryRowContext(u.ctx, "SELECT run FROM writers WHERE id = ?", id).Scan(&run)
	return run, err
}

const updateOne = `UPDATE candidates SET event_at = ?, score = ?, channel_set = ?, version = version + 1,
	updated_at = MAX(updated_at, ?), writer = ?, body = ? WHERE id = ?`

// update writes new content into an open candidate. The version grows and
// updatedAt never goes back (I32).
func (u *upsert) update(p *pending, row *stored) error {
	if u.opts.DryRun {
		return nil
	}
	if u.updateStmt == nil {
		u.updateStmt = newStatement(u.conn, updateOne)
	}
	c := u.batch[p.index]
	for _, v := range [...]driver.Value{c.EventDate.UnixMicro(), nullScore(c), p.set, u.now, p.writer, p.body, row.id} {
		u.updateStmt.add(v)
	}
	u.stale[row.scope]++
	u.opened(p, row.id, row.version+1)
	return u.updateStmt.run(nil)
}

// reopen begins a new life of a candidate that was closed or has expired.
func (u *upsert) reopen(p *pending, row *stored) error {
	if u.opts.DryRun {
		return nil
	}
	if err := u.addBlock(row.scope, block{row.id, row.id}); err != nil {
		return err
	}
	if row.status == statusOpen {
		u.stale[row.scope]++
	}
	u.opened(p, row.id, row.version+1)
	c := u.batch[p.index]
	_, err := u.tx.ExecContext(u.ctx, `UPDATE candidates SET event_at = ?, score = ?, channel_set = ?, version = version + 1,
		status = 0, created_at = ?, updated_at = MAX(updated_at, ?), expires_at = ?, closed_at = NULL, closed_channel = NULL,
		writer = ?, creator = ?, body = ? WHERE id = ?`,
		c.EventDate.UnixMicro(), nullScore(c), p.set, u.now, u.now, u.expires, p.writer, p.writer, p.body, row.id)
	return err
}

//go:build cgo

package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/ceap-platform/ceap"
)

// compactPages is how many small pages of a kind are rewritten into one.
const compactPages = 16

// rewritePages bounds the pages that one transaction of a sweep rewrites.
const rewritePages = 64

// slot is what the pages of one list belong to.
type slot struct{ scope, set int64 }

// ranked is an entry with the key of its candidate.
type ranked struct {
	entry

	key *ceap.Key
}

// compareRanked is [ceap.CompareRank].
func compareRanked(a, b ranked) int {
	if c := a.compare(b.entry); c != 0 {
		return c
	}
	return a.key.Compare(*b.key)
}

// pages writes pages of ranks in one transaction.
type pages struct {
	ctx    context.Context //nolint:containedctx // lives as long as one transaction
	tx     *sql.Tx
	lookup *sql.Stmt
}

func newPages(ctx context.Context, tx *sql.Tx) *pages { return &pages{ctx: ctx, tx: tx} }

func (p *pages) close() {
	if p.lookup != nil {
		_ = p.lookup.Close()
	}
}

// add writes entries, which it sorts, and rewrites small pages if there are many.
func (p *pages) add(at slot, entries []ranked) error {
	if err := p.write(at, entries); err != nil || len(entries) >= smallPage {
		return err
	}
	return p.compact(at)
}

// write cuts the entries into pages of about equal size.
func (p *pages) write(at slot, entries []ranked) error {
	slices.SortFunc(entries, compareRanked)
	count := (len(entries) + pageEntries - 1) / pageEntries
	var plain []entry
	var packed, first, last []byte
	for i := range count {
		part := entries[i*len(entries)/count : (i+1)*len(entries)/count]
		plain = plain[:0]
		for _, e := range part {
			plain = append(plain, e.entry)
		}
		head, tail := part[0], part[len(part)-1]
		packed = appendEntries(packed[:0], plain)
		first, last = head.appendRank(first[:0], *head.key), tail.appendRank(last[:0], *tail.key)
		_, err := p.tx.ExecContext(p.ctx, "INSERT INTO ranks (scope, channel_set, first, last, count, entries) VALUES (?, ?, ?, ?, ?, ?)",
			at.scope, at.set, first, last, len(part), packed)
		if err != nil {
			return err
		}
	}
	return nil
}

// compact rewrites the small pages of a kind once there are many of them. What
// comes out is of the next kind, so an entry is rewritten twice in this way.
func (p *pages) compact(at slot) error {
	for _, kind := range [...]struct{ from, below int }{{1, compactPages}, {compactPages, smallPage}} {
		ids, err := p.list(`SELECT id FROM ranks WHERE scope = ? AND channel_set = ? AND count >= ? AND count < ? AND count < 256`,
			at.scope, at.set, kind.from, kind.below)
		if err != nil || len(ids) < compactPages {
			return err
		}
		if err := p.rewrite(at, ids); err != nil {
			return err
		}
	}
	return nil
}

func (p *pages) list(query string, args ...any) (ids []int64, err error) {
	var id int64
	err = each(p.ctx, p.tx, query, args, []any{&id}, func() error { ids = append(ids, id); return nil })
	return ids, err
}

// rewrite replaces pages of a slot by new ones without stale entries. Pages that
// are gone do not matter.
func (p *pages) rewrite(at slot, ids []int64) error {
	var all []entry
	for _, id := range ids {
		entries, err := readPage(p.ctx, p.tx, id)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		all = append(all, entries...)
	}
	kept, err := p.valid(at, all)
	if err != nil {
		return err
	}
	stale := int64(len(all) - len(kept))
	if err := p.write(at, kept); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := p.tx.ExecContext(p.ctx, "DELETE FROM ranks WHERE id = ?", id); err != nil {
			return err
		}
	}
	_, err = p.tx.ExecContext(p.ctx, "UPDATE scopes SET stale = MAX(stale - ?, 0) WHERE id = ?", stale, at.scope)
	return err
}

// readPage returns the entries of a page.
func readPage(ctx context.Context, tx execer, id int64) ([]entry, error) {
	var count int
	var packed sql.RawBytes
	rows, err := tx.QueryContext(ctx, "SELECT count, entries FROM ranks WHERE id = ?", id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		return nil, cmp.Or(rows.Err(), sql.ErrNoRows)
	}
	if err := rows.Scan(&count, &packed); err != nil {
		return nil, err
	}
	return parseEntries(packed, count)
}

// valid returns the entries that are not stale, with their keys. It looks them up
// in the order of their ids, as they lie in the file.
func (p *pages) valid(at slot, entries []entry) ([]ranked, error) {
	if p.lookup == nil {
		var err error
		p.lookup, err = p.tx.PrepareContext(p.ctx, `SELECT customer, subject_type, subject_id FROM candidates
			WHERE id = ? AND version = ? AND status = 0`)
		if err != nil {
			return nil, err
		}
	}
	var sc scope
	if err := p.tx.QueryRowContext(p.ctx, "SELECT program, marketplace FROM scopes WHERE id = ?", at.scope).Scan(&sc.program, &sc.marketplace); err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.id, b.id) })
	kept := make([]ranked, 0, len(entries))
	for _, e := range entries {
		key := ceap.Key{ProgramID: sc.program, Marketplace: sc.marketplace}
		err := p.lookup.QueryRowContext(p.ctx, e.id, e.version).Scan(&key.CustomerID, &key.SubjectType, &key.SubjectID)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, ranked{e, &key})
	}
	return kept, nil
}

// addStale counts entries that have become stale.
func addStale(ctx context.Context, tx execer, scopeID, n int64) error {
	_, err := tx.ExecContext(ctx, "UPDATE scopes SET stale = stale + ? WHERE id = ?", n, scopeID)
	return err
}

// sweepRanks rewrites the pages of the scopes most of whose entries are stale.
func (s *Store) sweepRanks(ctx context.Context) error {
	query := `SELECT s.id, r.channel_set, r.id FROM scopes s JOIN ranks r ON r.scope = s.id
		WHERE s.stale > (SELECT SUM(count) FROM ranks WHERE scope = s.id) / 2 ORDER BY s.id, r.channel_set, r.first`
	type work struct {
		slot

		ids []int64
	}
	var todo []work
	var at slot
	var id int64
	err := each(ctx, s.read, query, nil, []any{&at.scope, &at.set, &id}, func() error {
		if n := len(todo); n == 0 || todo[n-1].slot != at || len(todo[n-1].ids) == rewritePages {
			todo = append(todo, work{slot: at})
		}
		last := &todo[len(todo)-1]
		last.ids = append(last.ids, id)
		return nil
	})
	if err != nil {
		return storeError("finding stale ranks", s.path, err)
	}
	for _, w := range todo {
		err := s.update(ctx, "rewriting ranks", func(tx *sql.Tx) error {
			p := newPages(ctx, tx)
			defer p.close()
			return p.rewrite(w.slot, w.ids)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

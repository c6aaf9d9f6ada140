//go:build cgo

package sqlite

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ceap-platform/ceap"
)

// Entries returns how many entries the pages of ranks hold, and how many pages
// there are.
func (s *Store) Entries(ctx context.Context) (entries, pages int, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT COALESCE(SUM(count), 0), COUNT(*) FROM ranks").Scan(&entries, &pages)
	return entries, pages, err
}

// Exec runs a statement on the writing connections, such as a PRAGMA.
func (s *Store) Exec(ctx context.Context, statement string) error {
	if _, err := s.write.ExecContext(ctx, statement); err != nil {
		return err
	}
	_, err := s.bulk.ExecContext(ctx, statement)
	return err
}

// Text returns the one value that a query answers.
func (s *Store) Text(ctx context.Context, query string) (text string, err error) {
	err = s.read.QueryRowContext(ctx, query).Scan(&text)
	return text, err
}

// CheckRanks checks what the package's documentation says of ranks.
func (s *Store) CheckRanks(ctx context.Context) error {
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := s.names.reload(ctx, tx); err != nil {
		return err
	}
	open := map[int64]stored{}
	var row stored
	err = each(ctx, tx, "SELECT "+columns+" FROM candidates WHERE status = 0", nil, row.targets(), func() error { open[row.id] = row; return nil })
	if err != nil {
		return err
	}
	var page pageCheck
	stale := map[int64]int64{}
	seen := map[int64]bool{}
	err = each(ctx, tx, "SELECT scope, channel_set, first, last, count, entries FROM ranks", nil,
		[]any{&page.scope, &page.set, &page.first, &page.last, &page.count, &page.packed}, func() error {
			return s.checkPage(page, open, seen, stale)
		})
	if err != nil {
		return err
	}
	if len(seen) != len(open) {
		return fmt.Errorf("%d of %d open candidates have a valid entry", len(seen), len(open))
	}
	var id, n int64
	return each(ctx, tx, "SELECT id, stale FROM scopes", nil, []any{&id, &n}, func() error {
		if stale[id] != n {
			return fmt.Errorf("%d entries of scope %d are stale; %d are counted", stale[id], id, n)
		}
		return nil
	})
}

type pageCheck struct {
	slot

	first, last, packed []byte
	count               int
}

func (s *Store) checkPage(page pageCheck, open map[int64]stored, seen map[int64]bool, stale map[int64]int64) error {
	entries, err := parseEntries(page.packed, page.count)
	if err != nil || page.count == 0 || page.count > pageEntries {
		return fmt.Errorf("a page of %d entries: %w", page.count, err)
	}
	place := page.first
	for _, e := range entries {
		row, ok := open[e.id]
		if !ok || row.version != e.version {
			stale[page.scope]++
			continue
		}
		if seen[e.id] || row.scope != page.scope || row.channelSet != page.set || row.rank() != e {
			return fmt.Errorf("entry %+v in slot %+v (seen: %v) is of row %+v", e, page.slot, seen[e.id], row)
		}
		seen[e.id] = true
		rank := e.appendRank(nil, row.key(s.scopeOf(row.scope)))
		if bytes.Compare(place, rank) > 0 || bytes.Compare(rank, page.last) > 0 {
			return fmt.Errorf("entry %+v is out of order", e)
		}
		place = rank
	}
	return nil
}

// Place returns the bytes that stand for the candidate's rank.
func Place(c *ceap.Candidate) []byte {
	return newEntry(c.Score, c.Scored, c.EventDate.UnixMicro(), 1, 1).appendRank(nil, c.Key)
}

// Repack writes entries given as score, event, id and version, and reads them.
func Repack(entries [][4]int64) ([][4]int64, error) {
	var plain []entry
	for _, e := range entries {
		plain = append(plain, entry{uint64(e[0]), uint64(e[1]), e[2], e[3]})
	}
	got, err := parseEntries(appendEntries(nil, plain), len(plain))
	var out [][4]int64
	for _, e := range got {
		out = append(out, [4]int64{int64(e.score), int64(e.event), e.id, e.version})
	}
	return out, err
}

// ParseEntries reads a page of ranks.
func ParseEntries(b []byte, count int) (int, error) {
	entries, err := parseEntries(b, count)
	return len(entries), err
}

//go:build cgo

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// sweepRows bounds the rows of one transaction of a sweep, so that other writers
// need not wait long.
const sweepRows = 5000

// Close implements [store.Candidates].
func (c *candidates) Close(ctx context.Context, key ceap.Key, closing store.Closing) error {
	s := (*Store)(c)
	return s.update(ctx, "closing a candidate", func(tx *sql.Tx) error {
		row, err := s.find(ctx, tx, key)
		if errors.Is(err, sql.ErrNoRows) {
			return s.closedBefore(ctx, tx, key, closing)
		}
		if err != nil {
			return err
		}
		return s.closeRow(ctx, tx, row, scope{key.ProgramID, key.Marketplace}, closing)
	})
}

// closeRow closes a candidate that is there. Its entry among the ranks is stale
// from then on.
func (s *Store) closeRow(ctx context.Context, tx *sql.Tx, row stored, sc scope, closing store.Closing) error {
	if closes, err := closing.Closes(statusOf(row.status)); err != nil || !closes {
		return err
	}
	if row.status == statusOpen {
		if err := addStale(ctx, tx, row.scope, 1); err != nil {
			return err
		}
	}
	at := closing.At.UnixMicro()
	if closing.Status == ceap.StatusDeleted {
		return s.bury(ctx, tx, row, sc, statusDeleted, at)
	}
	status := statusSent
	if closing.Status == ceap.StatusConsumed {
		status = statusConsumed
	}
	_, err := tx.ExecContext(ctx, `UPDATE candidates SET status = ?, closed_at = ?, closed_channel = ?, version = version + 1,
		updated_at = MAX(updated_at, ?) WHERE id = ?`, status, at, closing.Channel, at, row.id)
	return err
}

// closedBefore answers for a candidate that is not there: deleting what was
// deleted is harmless.
func (s *Store) closedBefore(ctx context.Context, tx *sql.Tx, key ceap.Key, closing store.Closing) error {
	hash := s.markOf(key.CustomerID, scope{key.ProgramID, key.Marketplace}, key.SubjectType, key.SubjectID)
	var status int64
	err := tx.QueryRowContext(ctx, "SELECT status FROM marks WHERE hash = ?", hash).Scan(&status)
	if err == nil && status == statusDeleted && closing.Status == ceap.StatusDeleted {
		return nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return notFound(key)
}

func notFound(key ceap.Key) error {
	return ceap.Errorf(ceap.CodeNotFound, "there is no candidate %s", key)
}

// bury replaces a candidate by its closing mark. If it was open, its rank is
// stale, which is for the caller to count.
func (s *Store) bury(ctx context.Context, tx *sql.Tx, row stored, sc scope, status, at int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO marks (hash, status, event_at, closed_at, version) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET status = excluded.status, event_at = excluded.event_at, closed_at = excluded.closed_at, version = excluded.version`,
		s.markOf(row.customer, sc, row.subjectType, row.subjectID), status, row.eventAt, at, row.version)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM candidates WHERE id = ?", row.id)
	return err
}

func (s *Store) find(ctx context.Context, tx *sql.Tx, key ceap.Key) (stored, error) {
	var row stored
	err := tx.QueryRowContext(ctx, "SELECT "+columns+` FROM candidates WHERE customer = ? AND subject_type = ? AND subject_id = ?
		AND scope = (SELECT id FROM scopes WHERE program = ? AND marketplace = ?)`,
		key.CustomerID, key.SubjectType, key.SubjectID, key.ProgramID, key.Marketplace).Scan(row.targets()...)
	return row, err
}

// Sweep implements [store.Candidates].
func (c *candidates) Sweep(ctx context.Context, now time.Time) (int64, error) {
	s := (*Store)(c)
	err := s.update(ctx, "removing old closing marks and scores", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM marks WHERE closed_at <= ?", now.Add(-store.MarkLife).UnixMicro()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM scores WHERE expires_at <= ?", now.UnixMicro())
		return err
	})
	if err != nil {
		return 0, err
	}
	expired, err := s.expiredBlocks(ctx, now.UnixMicro())
	if err != nil {
		return 0, storeError("finding expired candidates", s.path, err)
	}
	var removed int64
	for _, b := range expired {
		for done := false; !done; {
			var n int64
			if n, done, err = s.sweepSome(ctx, b); err != nil {
				return removed, err
			}
			removed += n
		}
	}
	return removed, s.sweepRanks(ctx)
}

// storedBlock is a row of the table blocks.
type storedBlock struct {
	block

	id, scope, expiresAt int64
}

func (s *Store) expiredBlocks(ctx context.Context, now int64) ([]storedBlock, error) {
	var b storedBlock
	var out []storedBlock
	err := each(ctx, s.read, "SELECT id, scope, expires_at, first_id, last_id FROM blocks WHERE expires_at <= ? ORDER BY expires_at, id",
		[]any{now}, []any{&b.id, &b.scope, &b.expiresAt, &b.first, &b.last}, func() error { out = append(out, b); return nil })
	return out, err
}

// sweepSome buries up to sweepRows candidates of an expired block, or else
// removes the block, and is done. Candidates of its range that live longer, since
// they were opened again, have a block of their own.
func (s *Store) sweepSome(ctx context.Context, b storedBlock) (removed int64, done bool, err error) {
	err = s.update(ctx, "removing expired candidates", func(tx *sql.Tx) error {
		var sc scope
		if err := tx.QueryRowContext(ctx, "SELECT program, marketplace FROM scopes WHERE id = ?", b.scope).Scan(&sc.program, &sc.marketplace); err != nil {
			return err
		}
		var row stored
		var rows []stored
		err := each(ctx, tx, "SELECT "+columns+" FROM candidates WHERE id BETWEEN ? AND ? AND scope = ? AND expires_at <= ? LIMIT ?",
			[]any{b.first, b.last, b.scope, b.expiresAt, sweepRows}, row.targets(), func() error { rows = append(rows, row); return nil })
		if err != nil {
			return err
		}
		var stale int64
		for _, row := range rows {
			status, at := row.status, row.closedAt.V
			if status == statusOpen {
				status, at = statusExpired, row.expiresAt
				stale++
			}
			if err := s.bury(ctx, tx, row, sc, status, at); err != nil {
				return err
			}
		}
		if err := addStale(ctx, tx, b.scope, stale); err != nil {
			return err
		}
		removed, done = int64(len(rows)), len(rows) < sweepRows
		if done {
			_, err = tx.ExecContext(ctx, "DELETE FROM blocks WHERE id = ?", b.id)
		}
		return err
	})
	if err != nil {
		return 0, true, err
	}
	return removed, done, nil
}

//go:build cgo

package sqlite

import (
	"context"
	"database/sql"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

type programs Store

var _ store.Programs = (*programs)(nil)

// Put implements [store.Programs].
func (p *programs) Put(ctx context.Context, item ceap.ProgramItem) error {
	s := (*Store)(p)
	return s.update(ctx, "storing a program", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO programs (program, marketplace, document, enabled, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET document = excluded.document, enabled = excluded.enabled, updated_at = excluded.updated_at`,
			item.ProgramID, item.Marketplace, string(item.Document), item.Enabled, item.CreatedAt.UnixMicro(), item.UpdatedAt.UnixMicro())
		return err
	})
}

// List implements [store.Programs].
func (p *programs) List(ctx context.Context, programID string) ([]ceap.ProgramItem, error) {
	s := (*Store)(p)
	var items []ceap.ProgramItem
	var item ceap.ProgramItem
	var document string
	var created, updated int64
	query := "SELECT program, marketplace, document, enabled, created_at, updated_at FROM programs WHERE ?1 = '' OR program = ?1 ORDER BY program, marketplace"
	err := each(ctx, s.read, query, []any{programID}, []any{&item.ProgramID, &item.Marketplace, &document, &item.Enabled, &created, &updated}, func() error {
		item.Document, item.CreatedAt, item.UpdatedAt = []byte(document), fromMicros(created), fromMicros(updated)
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, storeError("reading programs", s.path, err)
	}
	return items, nil
}

// Delete implements [store.Programs].
func (p *programs) Delete(ctx context.Context, programID, marketplace string) error {
	s := (*Store)(p)
	return s.update(ctx, "deleting a program", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM programs WHERE program = ? AND marketplace = ?", programID, marketplace)
		return orNotFound(res, err, "the store has no program %q for %s", programID, marketplace)
	})
}

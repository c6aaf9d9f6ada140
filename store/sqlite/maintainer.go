//go:build cgo

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

type maintainer Store

var _ store.Maintainer = (*maintainer)(nil)

// Location implements [store.Maintainer].
func (m *maintainer) Location() string { return m.path }

// Check implements [store.Maintainer]: it writes, and takes it back.
func (m *maintainer) Check(ctx context.Context) error {
	s := (*Store)(m)
	return s.update(ctx, "checking that the store can be written", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO settings (name, value) VALUES ('check', zeroblob(65536)) ON CONFLICT DO UPDATE SET value = excluded.value"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM settings WHERE name = 'check'")
		return err
	})
}

// Backup implements [store.Maintainer]. The copy has no free pages and needs no
// journal; the artefacts of runs are not part of it.
func (m *maintainer) Backup(ctx context.Context, file string) error {
	s := (*Store)(m)
	if _, err := os.Stat(file); err == nil {
		return ceap.Errorf(ceap.CodeConflict, "%s exists", file).WithHint("name a file that does not")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return ceap.Errorf(ceap.CodeUnavailable, "looking for %s: %w", file, err)
	}
	temporary := file + partial
	defer func() { _ = os.Remove(temporary) }() // it is gone if all went well
	_ = os.Remove(temporary)
	// A connection of its own: those that read may not write any file, and those
	// that write are busy.
	db, err := connect(ctx, opening{path: s.path, synchronous: "NORMAL", cacheMB: 8}, 1)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it only reads the store
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", temporary); err != nil {
		return storeError("backing up to "+file, s.path, err)
	}
	if err := os.Rename(temporary, file); err != nil {
		return ceap.Errorf(ceap.CodeUnavailable, "finishing the backup: %w", err)
	}
	return nil
}

//go:build cgo

package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"

	"github.com/ceap-platform/ceap"
)

// storeError says what was being done, and gives the error a code.
func storeError(doing, path string, err error) error {
	if _, ok := errors.AsType[*ceap.Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &ceap.Error{Code: ceap.CodeCancelled, Err: fmt.Errorf("%s: %w", doing, err)}
	}
	e := &ceap.Error{Code: ceap.CodeInternal, Err: fmt.Errorf("%s in the store %s: %w", doing, path, err)}
	failure, ok := errors.AsType[sqlite3.Error](err)
	if !ok {
		return e
	}
	hints := map[sqlite3.ErrNo]string{
		sqlite3.ErrBusy:     "another process is writing to the store; try again",
		sqlite3.ErrReadonly: "give this user the right to write the file and its folder",
		sqlite3.ErrIoErr:    "check the disk and its free space",
		sqlite3.ErrCorrupt:  "the file is damaged; restore a backup",
		sqlite3.ErrFull:     "the disk is full; free space and run again, nothing that was stored is lost",
		sqlite3.ErrCantOpen: "check that the path is a file this user may open, in a folder this user may write",
		sqlite3.ErrNotADB:   "the file is not a store of CEAP; name another path under `store` in ceap.yaml",
	}
	if hint, ok := hints[failure.Code]; ok {
		e.Code, e.Hint = ceap.CodeUnavailable, hint
	}
	return e
}

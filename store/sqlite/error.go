package sqlite

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"

	"github.com/ceap-platform/ceap"
)

// The result codes of SQLite that say something about the machine rather than
// about us, from https://www.sqlite.org/rescode.html.
const (
	codeBusy     = 5
	codeReadOnly = 8
	codeIOErr    = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
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
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return e
	}
	hints := map[int]string{
		codeBusy:     "another process is writing to the store; try again",
		codeReadOnly: "give this user the right to write the file and its folder",
		codeIOErr:    "check the disk and its free space",
		codeCorrupt:  "the file is damaged; restore a backup",
		codeFull:     "the disk is full; free space and run again, nothing that was stored is lost",
		codeCantOpen: "check that the path is a file this user may open, in a folder this user may write",
		codeNotADB:   "the file is not a store of CEAP; name another path under `store` in ceap.yaml",
	}
	if hint, ok := hints[failure.Code()&0xFF]; ok {
		e.Code, e.Hint = ceap.CodeUnavailable, hint
	}
	return e
}

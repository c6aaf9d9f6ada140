//go:build cgo

package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/sqlite"
	"github.com/ceap-platform/ceap/store/storetest"
)

func open(t *testing.T) store.Roles {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store", "ceap.db"), 8)
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s.Roles()
}

func TestStore_Conformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, open)
}

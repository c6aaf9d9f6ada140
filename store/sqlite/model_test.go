//go:build cgo

package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ceap-platform/ceap/store/sqlite"
	"github.com/ceap-platform/ceap/store/storetest"
)

func TestI4_I6_I31_I32_I36_StoreAgreesWithModel(t *testing.T) {
	t.Parallel()
	storetest.RunModel(t, 0, func(t *testing.T) storetest.Modelled {
		t.Helper()
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ceap.db"), 8)
		if err != nil {
			t.Fatal(err)
		}
		return storetest.Modelled{
			Roles: s.Roles(),
			Close: func() { _ = s.Close() },
			Check: func(candidates int, swept bool) error {
				if err := s.CheckRanks(t.Context()); err != nil || !swept {
					return err
				}
				entries, _, err := s.Entries(t.Context())
				if most := 2*candidates + 2*4; err == nil && entries > most { // one of rounding in each of four scopes
					err = fmt.Errorf("%d entries after a sweep; at most %d for %d candidates", entries, most, candidates)
				}
				return err
			},
		}
	})
}

package dynamodb_test

import (
	"testing"

	"github.com/ceap-platform/ceap/store/storetest"
)

// TestI4_I6_I31_I32_I36_StoreAgreesWithModel runs on moto a little, since that takes
// its time.
func TestI4_I6_I31_I32_I36_StoreAgreesWithModel(t *testing.T) {
	t.Parallel()
	t.Run("moto", func(t *testing.T) {
		t.Parallel()
		modelRounds(t, 3, func(t *testing.T) *stage { t.Helper(); return bareStage(t) })
	})
	for _, e := range emulators {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			endpoint := e.start(t)
			modelRounds(t, 10, func(t *testing.T) *stage {
				t.Helper()
				s := bareStage(t)
				s.move(endpoint)
				return s
			})
		})
	}
}

func modelRounds(t *testing.T, rounds int, newStage func(*testing.T) *stage) {
	t.Helper()
	storetest.RunModel(t, rounds, func(t *testing.T) storetest.Modelled {
		t.Helper()
		s := newStage(t)
		s.deploy(t)
		return storetest.Modelled{Roles: s.open(t), Close: func() {}}
	})
}

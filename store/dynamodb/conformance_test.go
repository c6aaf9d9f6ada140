package dynamodb_test

import (
	"testing"

	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/storetest"
)

func TestStore_Conformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Roles {
		t.Helper()
		return newStage(t).open(t)
	})
}

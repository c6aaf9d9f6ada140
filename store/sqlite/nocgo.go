//go:build !cgo

package sqlite

import (
	"context"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

func open(context.Context, string, int) (store.Roles, error) {
	return store.Roles{}, ceap.Errorf(ceap.CodeUnsupported, "the store sqlite is not in this build, which was made without cgo").
		WithHint("build with CGO_ENABLED=1 and a C compiler")
}

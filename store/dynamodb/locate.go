package dynamodb

import (
	"context"

	"github.com/ceap-platform/ceap/store"
)

var _ store.Locator = (*artifacts)(nil)

// Locate implements [store.Locator].
func (a *artifacts) Locate(ctx context.Context, name string) (bucket, key string, err error) {
	_, bucket, err = a.client(ctx)
	return bucket, name, err
}

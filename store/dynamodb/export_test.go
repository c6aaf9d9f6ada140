package dynamodb

import (
	"time"

	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

// WithTicks lets claims be renewed when the channel delivers.
func WithTicks(roles store.Roles, ticks <-chan time.Time) {
	r, ok := roles.Runs.(*runs)
	if !ok {
		panic("not of this store")
	}
	r.every = func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} }
}

// RoundTrip returns the document as it is once it was an item.
func RoundTrip(document []byte) ([]byte, error) {
	n, err := plugin.FromJSON("", document)
	if err != nil {
		return nil, err
	}
	v, err := attribute(n)
	if err != nil {
		return nil, err
	}
	return node(v).Canonical(), nil
}

package filtertest

import (
	"context"
	"slices"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
)

// OptOuts is a fake of customers' wishes: a list of them.
type OptOuts []ceap.OptOut

var _ filter.OptOuts = OptOuts(nil)

// OptOutsOf returns the wishes of those customers.
func (o OptOuts) OptOutsOf(ctx context.Context, customerIDs []string) (map[string][]ceap.OptOut, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found := map[string][]ceap.OptOut{}
	for _, wish := range o {
		if slices.Contains(customerIDs, wish.CustomerID) {
			found[wish.CustomerID] = append(found[wish.CustomerID], wish)
		}
	}
	return found, nil
}

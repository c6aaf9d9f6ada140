package app

import (
	"context"

	"github.com/ceap-platform/ceap/internal/explain"
)

// Why says what happened to a customer: in the latest runs, in the store, and by
// the customer's own wishes. Returns invalid without a customer.
func (a *App) Why(ctx context.Context, q explain.Question) (explain.Answer, error) {
	roles, err := a.store()
	if err != nil {
		return explain.Answer{}, err
	}
	from := explain.Readers{Candidates: roles.Candidates, Runs: roles.Runs, OptOuts: roles.OptOuts, Artifacts: roles.Artifacts}
	return explain.New(from, a.now).Why(ctx, q)
}

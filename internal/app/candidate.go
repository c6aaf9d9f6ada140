package app

import (
	"context"
	"errors"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// Candidates returns a page of stored candidates. Without Now in the query the
// App's clock decides what is expired.
func (a *App) Candidates(ctx context.Context, q store.Query) (store.Page, error) {
	roles, err := a.store()
	if err != nil {
		return store.Page{}, err
	}
	if q.Now.IsZero() {
		q.Now = a.now()
	}
	return roles.Candidates.Find(ctx, q)
}

// Candidate returns the candidate of that key, whatever its status. Returns
// not_found if there is none or it was deleted.
func (a *App) Candidate(ctx context.Context, key ceap.Key) (ceap.Candidate, error) {
	roles, err := a.store()
	if err != nil {
		return ceap.Candidate{}, err
	}
	return roles.Candidates.Get(ctx, key)
}

// ConsumeCandidate marks a candidate as done with, through that channel or ""
// for none, so that no run brings it back (D5). Returns not_found if there is
// none.
func (a *App) ConsumeCandidate(ctx context.Context, key ceap.Key, channel string) error {
	return a.closeCandidate(ctx, key, store.Closing{Status: ceap.StatusConsumed, Channel: channel, At: a.now()})
}

// DeleteCandidate removes a candidate and leaves a mark, so that no run brings
// it back (D5, I36). Returns not_found if there is none.
func (a *App) DeleteCandidate(ctx context.Context, key ceap.Key) error {
	return a.closeCandidate(ctx, key, store.Closing{Status: ceap.StatusDeleted, At: a.now()})
}

func (a *App) closeCandidate(ctx context.Context, key ceap.Key, closing store.Closing) error {
	roles, err := a.store()
	if err != nil {
		return err
	}
	return roles.Candidates.Close(ctx, key, closing)
}

// OptOut records a customer's wish, which removes the candidates that it covers,
// and returns how many these were (I68). The wish is in force from then on.
func (a *App) OptOut(ctx context.Context, wish ceap.OptOut) (removed int64, err error) {
	if wish.CustomerID == "" {
		return 0, &ceap.Error{Code: ceap.CodeInvalid, Field: "customerId", Message: "is empty", Hint: "name the customer"}
	}
	roles, err := a.store()
	if err != nil {
		return 0, err
	}
	if wish.At.IsZero() {
		wish.At = a.now().UTC()
	}
	return roles.OptOuts.Put(ctx, wish)
}

// OptIn withdraws the opt-out of exactly that customer, program and channel.
// Returns not_found if there is none, with those there are.
func (a *App) OptIn(ctx context.Context, customerID, programID, channel string) error {
	roles, err := a.store()
	if err != nil {
		return err
	}
	err = roles.OptOuts.Withdraw(ctx, customerID, programID, channel)
	if ceap.ErrorCode(err) != ceap.CodeNotFound {
		return err
	}
	wishes, finding := roles.OptOuts.OptOutsOf(ctx, []string{customerID})
	if finding != nil {
		return errors.Join(err, finding)
	}
	return noSuchOptOut(customerID, wishes[customerID])
}

func noSuchOptOut(customerID string, wishes []ceap.OptOut) error {
	missing := ceap.Errorf(ceap.CodeNotFound, "the customer has no such opt-out")
	if len(wishes) == 0 {
		return missing.WithHint("nothing is to be withdrawn: %q has not opted out of anything", customerID)
	}
	scopes := make([]string, len(wishes))
	for i, w := range wishes {
		scopes[i] = scope(w)
	}
	return missing.WithHint("withdraw exactly what was recorded: %s", strings.Join(scopes, "; "))
}

// scope says in words what an opt-out covers.
func scope(w ceap.OptOut) string {
	program, channel := "every program", "every channel"
	if w.ProgramID != "" {
		program = "program " + w.ProgramID
	}
	if w.Channel != "" {
		channel = "channel " + w.Channel
	}
	return program + ", " + channel
}

//go:build cgo

package main

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

// nowhere returns the plug-ins with a store in place of DynamoDB that forgets
// candidates at once. The rest lies in folder.
func nowhere(folder string) (plugin.Set, error) {
	set := builtin.All()
	local, err := plugin.Lookup(set.Stores, "store", "sqlite")
	if err != nil {
		return set, err
	}
	type settings struct {
		Stage           string `json:"stage"`
		Region          string `json:"region,omitempty"`
		ArtifactsBucket string `json:"artifactsBucket,omitempty"`
	}
	set.Stores = []plugin.Of[store.Roles]{local, plugin.Define("dynamodb", "forgets", settings{}, func(env plugin.Env, _ settings) (store.Roles, error) {
		env.Dir = folder
		roles, err := local.Open(env, nil)
		if err != nil {
			return roles, err
		}
		roles.Candidates = forgetful{roles.Candidates}
		roles.Artifacts = located{roles.Artifacts, filepath.Join(folder, ".ceap", "artifacts")}
		roles.Runs = &leased{Runs: roles.Runs, claims: map[string]store.Claim{}}
		return roles, nil
	})}
	return set, nil
}

// forgetful takes every candidate for a new one and writes none.
type forgetful struct{ store.Candidates }

// Upsert implements [store.Candidates].
func (forgetful) Upsert(_ context.Context, batch []*ceap.Candidate, _ store.UpsertOptions) ([]store.UpsertResult, error) {
	results := make([]store.UpsertResult, len(batch))
	for i := range results {
		results[i].Kind = ceap.OutcomeCreated
	}
	return results, nil
}

// located says where files lie in a folder.
type located struct {
	store.Artifacts
	folder string
}

// Locate implements [store.Locator].
func (l located) Locate(_ context.Context, name string) (bucket, key string, err error) { //nolint:unparam // the contract
	return "", filepath.Join(l.folder, filepath.FromSlash(name)), nil
}

// leased leases runs to whoever asks in this process.
type leased struct {
	store.Runs
	mu     sync.Mutex
	claims map[string]store.Claim
}

// Lease implements [store.Leaser].
func (l *leased) Lease(ctx context.Context, run *ceap.Run, owner string, _ time.Duration) (*ceap.Run, bool, error) {
	prior, claim, err := l.Begin(ctx, run)
	if err != nil || claim == nil {
		return prior, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claims[owner] = claim
	return prior, true, nil
}

// Renew implements [store.Leaser].
func (*leased) Renew(context.Context, ceap.Run, string, time.Duration) error { return nil }

// Unlease implements [store.Leaser].
func (l *leased) Unlease(_ context.Context, _ ceap.Run, owner string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	claim := l.claims[owner]
	if claim == nil {
		return nil
	}
	delete(l.claims, owner)
	return claim.Release()
}

package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// leaseTests is for stores whose Runs implement [store.Leaser].
func leaseTests() tests {
	return tests{
		"a lease outlives the call, and its owner gets it again": withLeaser(func(t *testing.T, roles store.Roles, leaser store.Leaser) {
			run := newRun("run-1", "b1", "in")
			if prior := lease(t, leaser, run, "one"); prior != nil {
				t.Errorf("prior of a new batch: %v", prior)
			}
			again := newRun("run-2", "b1", "in")
			prior := lease(t, leaser, again, "one")
			if prior == nil || again.RunID != "run-1" || again.Result.RunID != "run-1" {
				t.Errorf("the owner's second lease is of %s, prior %v", again.RunID, prior)
			}
			runs, err := roles.Runs.Find(t.Context(), store.RunQuery{})
			if err != nil || len(runs) != 1 || runs[0].RunID != "run-1" || runs[0].Result.Status != ceap.RunRunning {
				t.Errorf("runs %v, %v", runs, err)
			}
		}),
		"nobody else gets it, and the message names the run": withLeaser(func(t *testing.T, roles store.Roles, leaser store.Leaser) {
			lease(t, leaser, newRun("run-1", "b1", "in"), "one")
			for _, batch := range []string{"b1", "b2"} {
				wantBusy(t, leaser, newRun("run-2", batch, "in"), "two")
				_, _, err := roles.Runs.Begin(t.Context(), newRun("run-2", batch, "in"))
				wantRun1(t, err)
			}
			other := newRun("run-3", "b3", "in")
			other.Result.Marketplace = "UK"
			lease(t, leaser, other, "two")
		}),
		"a lease and a claim keep each other out": withLeaser(func(t *testing.T, roles store.Roles, leaser store.Leaser) {
			_, claim, err := roles.Runs.Begin(t.Context(), newRun("run-1", "b1", "in"))
			if err != nil {
				t.Fatal(err)
			}
			wantBusy(t, leaser, newRun("run-2", "b2", "in"), "two")
			if err := claim.Release(); err != nil {
				t.Fatal(err)
			}
			lease(t, leaser, newRun("run-2", "b2", "in"), "two")
		}),
		"a finished run is returned without a lease (D44, I5)": withLeaser(func(t *testing.T, roles store.Roles, leaser store.Leaser) {
			run := newRun("run-1", "b1", "in")
			lease(t, leaser, run, "one")
			run.Result.Status = ceap.RunSucceeded
			if err := roles.Runs.Save(t.Context(), *run); err != nil {
				t.Fatal(err)
			}
			unlease(t, leaser, *run, "one")
			prior, held, err := leaser.Lease(t.Context(), newRun("run-2", "b1", "in"), "two", time.Minute)
			if err != nil || held || prior == nil {
				t.Fatalf("%v %v %v", prior, held, err)
			}
			equal(t, "prior", *run, *prior)
			_, held, err = leaser.Lease(t.Context(), newRun("run-2", "b1", "other"), "two", time.Minute)
			if held {
				t.Error("a batch of another input is leased")
			}
			wantCode(t, err, ceap.CodeConflict)
			// Neither answer left a lease behind.
			lease(t, leaser, newRun("run-3", "b3", "in"), "three")
		}),
		"a lease that is over goes to the next, and the run goes on (I7)": withLeaser(func(t *testing.T, _ store.Roles, leaser store.Leaser) {
			run := newRun("run-1", "b1", "in")
			if _, held, err := leaser.Lease(t.Context(), run, "one", 0); err != nil || !held {
				t.Fatalf("%v %v", held, err)
			}
			next := newRun("run-2", "b1", "in")
			prior := lease(t, leaser, next, "two")
			if prior == nil || next.RunID != "run-1" {
				t.Errorf("prior %v, run %s", prior, next.RunID)
			}
			wantCode(t, leaser.Renew(t.Context(), *run, "one", time.Minute), ceap.CodeConflict)
			unlease(t, leaser, *run, "one") // harmless, and no help to others
			wantBusy(t, leaser, newRun("run-3", "b3", "in"), "three")
		}),
		"a renewed lease stands for as long as was said last": withLeaser(func(t *testing.T, _ store.Roles, leaser store.Leaser) {
			run := newRun("run-1", "b1", "in")
			lease(t, leaser, run, "one")
			for _, life := range []time.Duration{time.Hour, 0} {
				if err := leaser.Renew(t.Context(), *run, "one", life); err != nil {
					t.Fatal(err)
				}
				wantCode(t, leaser.Renew(t.Context(), *run, "two", life), ceap.CodeConflict)
				if life > 0 {
					wantBusy(t, leaser, newRun("run-1", "b1", "in"), "two")
				}
			}
			lease(t, leaser, newRun("run-1", "b1", "in"), "two")
		}),
		"what is given up is free": withLeaser(func(t *testing.T, _ store.Roles, leaser store.Leaser) {
			run := newRun("run-1", "b1", "in")
			unlease(t, leaser, *run, "one")
			wantCode(t, leaser.Renew(t.Context(), *run, "one", time.Minute), ceap.CodeConflict)
			lease(t, leaser, run, "one")
			unlease(t, leaser, *run, "two")
			wantBusy(t, leaser, newRun("run-2", "b1", "in"), "two")
			unlease(t, leaser, *run, "one")
			unlease(t, leaser, *run, "one")
			wantCode(t, leaser.Renew(t.Context(), *run, "one", time.Minute), ceap.CodeConflict)
			lease(t, leaser, newRun("run-2", "b1", "in"), "two")
		}),
		"of many owners at once one gets the lease": withLeaser(func(t *testing.T, roles store.Roles, leaser store.Leaser) {
			var mu sync.Mutex
			owners := map[string]bool{}
			var group sync.WaitGroup
			for i := range 20 {
				group.Go(func() {
					owner := fmt.Sprintf("owner-%d", i/2) // each twice
					_, held, err := leaser.Lease(t.Context(), newRun(fmt.Sprintf("run-%d", i), "b", "in"), owner, time.Minute)
					mu.Lock()
					defer mu.Unlock()
					if held {
						owners[owner] = true
					} else {
						wantCode(t, err, ceap.CodeConflict)
					}
				})
			}
			group.Wait()
			if len(owners) != 1 {
				t.Errorf("the lease was given to %v", owners)
			}
			runs, err := roles.Runs.Find(t.Context(), store.RunQuery{})
			if err != nil || len(runs) != 1 {
				t.Errorf("the batch has %d runs, %v", len(runs), err)
			}
		}),
	}
}

func withLeaser(test func(*testing.T, store.Roles, store.Leaser)) func(*testing.T, store.Roles) {
	return func(t *testing.T, roles store.Roles) {
		t.Helper()
		leaser, ok := roles.Runs.(store.Leaser)
		if !ok {
			t.Skip("the store's runs cannot be leased: they do not implement store.Leaser")
		}
		test(t, roles, leaser)
	}
}

// lease takes a lease for a minute, which must succeed.
func lease(t *testing.T, leaser store.Leaser, run *ceap.Run, owner string) (prior *ceap.Run) {
	t.Helper()
	prior, held, err := leaser.Lease(t.Context(), run, owner, time.Minute)
	if err != nil || !held {
		t.Fatalf("leasing %s to %s: held %t, %v", run.RunID, owner, held, err)
	}
	return prior
}

func unlease(t *testing.T, leaser store.Leaser, run ceap.Run, owner string) {
	t.Helper()
	if err := leaser.Unlease(t.Context(), run, owner); err != nil {
		t.Fatalf("giving up the lease of %s by %s: %v", run.RunID, owner, err)
	}
}

// wantBusy expects that the lease is not given, since run-1 is in progress.
func wantBusy(t *testing.T, leaser store.Leaser, run *ceap.Run, owner string) {
	t.Helper()
	_, held, err := leaser.Lease(t.Context(), run, owner, time.Minute)
	if held {
		t.Error("the lease was given")
	}
	wantRun1(t, err)
}

// wantRun1 expects that run-1 is named as the one in progress.
func wantRun1(t *testing.T, err error) {
	t.Helper()
	wantCode(t, err, ceap.CodeConflict)
	if err != nil && !strings.Contains(err.Error(), "run-1") {
		t.Errorf("%v does not name run-1", err)
	}
}

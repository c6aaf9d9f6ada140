package dynamodb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/dynamodb"
)

// beginTicking begins a run whose claim is renewed when tick is called, which
// returns once that is done.
func beginTicking(t *testing.T, roles store.Roles, run *ceap.Run) (claim store.Claim, tick func()) {
	t.Helper()
	ticks := make(chan time.Time)
	dynamodb.WithTicks(roles, ticks)
	_, claim, err := roles.Runs.Begin(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := claim.Release(); err != nil {
			t.Error(err)
		}
	})
	return claim, func() { ticks <- time.Time{} }
}

func TestRuns_BeginRenewsItsClaim(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles, other := s.open(t), s.open(t)
	claim, tick := beginTicking(t, roles, newRun("run-1", "b1"))
	for range 5 {
		s.clock.forward(50 * time.Second)
		tick()
		tick() // is taken when the one before has been done
		_, _, err := other.Runs.Begin(t.Context(), newRun("run-2", "b2"))
		wantCode(t, err, ceap.CodeConflict, `run run-1 of "product-reviews" for US (batch "b1") is in progress since 2026-01-27T12:00:00Z`,
			"stands until "+s.clock.Now().Add(time.Minute).Format(time.RFC3339))
	}
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
	_, claim, err := other.Runs.Begin(t.Context(), newRun("run-2", "b2"))
	if err != nil {
		t.Fatal(err)
	}
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestRuns_DeadProcess(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	dead, other := s.open(t), s.open(t)
	if _, _, err := dead.Runs.Begin(t.Context(), newRun("run-1", "b1")); err != nil {
		t.Fatal(err)
	}
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	s.clock.forward(time.Minute - time.Microsecond)
	_, _, err := other.Runs.Begin(t.Context(), newRun("run-2", "b1"))
	wantCode(t, err, ceap.CodeConflict, "run-1")
	s.clock.forward(time.Microsecond)
	run := newRun("run-2", "b1")
	prior, claim, err := other.Runs.Begin(t.Context(), run)
	if err != nil || prior == nil || run.RunID != "run-1" {
		t.Fatalf("run %s, prior %v, %v", run.RunID, prior, err)
	}
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestRuns_LostClaim(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles, other := s.open(t), s.open(t)
	claim, tick := beginTicking(t, roles, newRun("run-1", "b1"))
	s.clock.forward(time.Minute)
	run := newRun("run-2", "b2")
	if _, held, err := other.Runs.(store.Leaser).Lease(t.Context(), run, "other", time.Minute); err != nil || !held {
		t.Fatal(err)
	}
	tick()
	// Releasing what is lost harms nobody, and waits for the renewal.
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
	if log := s.log.String(); !strings.Contains(log, "the claim of a run is lost") || !strings.Contains(log, "run run-2") {
		t.Errorf("the log does not say that the claim is lost, and to whom: %s", log)
	}
	if err := other.Runs.(store.Leaser).Renew(t.Context(), *run, "other", time.Minute); err != nil {
		t.Error(err)
	}
}

func TestRuns_RenewalMissed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	s.cloud.Inject(awstest.Fault{On: "dynamodb.UpdateItem", Times: 1, Do: awstest.Answer(400, "AccessDeniedException")})
	claim, tick := beginTicking(t, roles, newRun("run-1", "b1"))
	tick()
	s.clock.forward(15 * time.Second)
	tick()
	s.clock.forward(50 * time.Second)
	tick()
	if log := s.log.String(); !strings.Contains(log, "trying again") {
		t.Errorf("the renewal that was refused is not in the log: %s", log)
	}
	_, _, err := s.open(t).Runs.Begin(t.Context(), newRun("run-2", "b2"))
	wantCode(t, err, ceap.CodeConflict, "run-1")
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestLeaser_LostAnswer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	leaser := s.open(t).Runs.(store.Leaser)
	// The call is given up with the lease taken: the owner asks again.
	s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Times: 3, Do: awstest.LoseAnswer()})
	if _, _, err := leaser.Lease(t.Context(), newRun("run-1", "b1"), "one", time.Minute); err == nil {
		t.Fatal("three lost answers are no error")
	}
	if n := len(s.items(t, "Runs", "PROG#")); n != 0 && n != 1 {
		t.Fatalf("%d items", n)
	}
	run := newRun("run-2", "b1")
	if _, held, err := leaser.Lease(t.Context(), run, "one", time.Minute); err != nil || !held {
		t.Fatalf("%t %v", held, err)
	}
	s.cloud.Inject(awstest.Fault{On: "dynamodb.DeleteItem", Times: 1, Do: awstest.LoseAnswer()})
	if err := leaser.Unlease(t.Context(), *run, "one"); err != nil {
		t.Error(err)
	}
	s.cloud.Inject(awstest.Fault{On: "dynamodb.UpdateItem", Times: 1, Do: awstest.LoseAnswer()})
	if _, held, err := leaser.Lease(t.Context(), run, "two", time.Minute); err != nil || !held {
		t.Fatalf("%t %v", held, err)
	}
	if err := leaser.Renew(t.Context(), *run, "two", time.Minute); err != nil {
		t.Error(err)
	}
}

func TestLeaser_Renew_OverButNotTaken(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	leaser := s.open(t).Runs.(store.Leaser)
	run := newRun("run-1", "b1")
	if _, _, err := leaser.Lease(t.Context(), run, "one", time.Minute); err != nil {
		t.Fatal(err)
	}
	s.clock.forward(time.Hour)
	if err := leaser.Renew(t.Context(), *run, "one", time.Minute); err != nil {
		t.Fatal(err)
	}
	_, held, err := leaser.Lease(t.Context(), newRun("run-2", "b2"), "two", time.Minute)
	if held {
		t.Error("a lease that was renewed late is given to another")
	}
	wantCode(t, err, ceap.CodeConflict, "run-1")
}

package dynamodb_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/store"
)

func newRun(id, batch string) *ceap.Run {
	return &ceap.Run{RunID: id, InputHash: "in", Result: ceap.RunResult{
		RunID: id, BatchID: batch, ProgramID: "product-reviews", Marketplace: "US", Status: ceap.RunRunning, StartedAt: noon(), AsOf: noon(),
	}}
}

func findRuns(t *testing.T, roles store.Roles, q store.RunQuery) []ceap.Run {
	t.Helper()
	runs, err := roles.Runs.Find(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func TestRuns_LongResult(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	run := newRun("run-1", "b")
	if _, _, err := roles.Runs.Begin(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	for i := range 30_000 {
		run.Result.Warnings = append(run.Result.Warnings, fmt.Sprintf("connector %d has columns that nothing maps", i))
	}
	if err := roles.Runs.Save(t.Context(), *run); err != nil {
		t.Fatal(err)
	}
	record := s.items(t, "Runs", "RUN#run-1")[0]
	if b, ok := record["resultGzip"].(*types.AttributeValueMemberB); !ok || len(b.Value) > 300<<10 || record["result"] != nil {
		t.Errorf("the result is kept as %T and %T", record["resultGzip"], record["result"])
	}
	for _, q := range []store.RunQuery{{RunID: "run-1"}, {}, {ProgramID: "product-reviews"}} {
		if diff := cmp.Diff([]ceap.Run{*run}, findRuns(t, roles, q)); diff != "" {
			t.Errorf("%+v (-want +got):\n%.1000s", q, diff)
		}
	}
	// Text without repetition cannot be compressed into an item.
	run.Result.Message = noise(1 << 20)
	wantCode(t, roles.Runs.Save(t.Context(), *run), ceap.CodeUnsupported, "run-1", "an item holds")
}

func TestRuns_Find(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	ids := map[string]bool{}
	for i := range 130 {
		run := newRun(fmt.Sprintf("run-%03d#", i), fmt.Sprintf("batch-%03d", i))
		run.Result.StartedAt = noon().Add(time.Duration(i/2) * time.Microsecond) // two at a time
		run.Result.Marketplace = []string{"US", "UK"}[i%2]
		run.Result.ProgramID = []string{"a", "a#b", "c%23"}[i%3]
		run.Result.Status = ceap.RunSucceeded
		if i%10 == 0 {
			run.Result.Status = ceap.RunFailed
		}
		if i%40 == 0 { // so that pages of an index are needed
			run.Result.Message = noise(300 << 10)
		}
		if err := roles.Runs.Save(t.Context(), *run); err != nil {
			t.Fatal(err)
		}
		ids[run.RunID] = true
	}
	for _, c := range []struct {
		q           store.RunQuery
		count       int
		first, last string
	}{
		{store.RunQuery{}, 100, "run-129#", "run-030#"},
		{store.RunQuery{Limit: 1000}, 130, "run-129#", "run-000#"},
		{store.RunQuery{Limit: 3}, 3, "run-129#", "run-127#"},
		{store.RunQuery{ProgramID: "a#b"}, 43, "run-127#", "run-001#"},
		{store.RunQuery{ProgramID: "a"}, 44, "run-129#", "run-000#"},
		{store.RunQuery{ProgramID: "a", Marketplace: "UK"}, 22, "run-129#", "run-003#"},
		{store.RunQuery{Marketplace: "US", Status: ceap.RunFailed, Limit: 5}, 5, "run-120#", "run-080#"},
		{store.RunQuery{BatchID: "batch-007"}, 1, "run-007#", "run-007#"},
		{store.RunQuery{RunID: "run-007#", Status: ceap.RunFailed}, 0, "", ""},
		{store.RunQuery{RunID: "run-007#", Marketplace: "UK", ProgramID: "a#b"}, 1, "run-007#", "run-007#"},
	} {
		runs := findRuns(t, roles, c.q)
		if len(runs) != c.count {
			t.Errorf("%+v finds %d runs, want %d", c.q, len(runs), c.count)
			continue
		}
		if c.count > 0 && (runs[0].RunID != c.first || runs[c.count-1].RunID != c.last) {
			t.Errorf("%+v finds %s to %s, want %s to %s", c.q, runs[0].RunID, runs[c.count-1].RunID, c.first, c.last)
		}
		for i := range runs[:max(len(runs)-1, 0)] {
			if a, b := runs[i], runs[i+1]; a.Result.StartedAt.Before(b.Result.StartedAt) ||
				a.Result.StartedAt.Equal(b.Result.StartedAt) && a.RunID < b.RunID {
				t.Errorf("%+v: %s comes before %s", c.q, a.RunID, b.RunID)
			}
		}
	}
	if n := s.cloud.Count("dynamodb.Scan"); n > 0 {
		t.Errorf("finding runs took %d scans", n)
	}
}

func TestRuns_LostAnswers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	// The lease, the batch and the record are each written, and written again.
	for skip := range 3 {
		run := newRun(fmt.Sprintf("run-%d", skip), fmt.Sprintf("b%d", skip))
		s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Skip: skip, Times: 1, Do: awstest.LoseAnswer()})
		prior, claim, err := roles.Runs.Begin(t.Context(), run)
		if err != nil || prior != nil {
			t.Fatalf("%d: prior %v, %v", skip, prior, err)
		}
		if err := claim.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if runs := findRuns(t, roles, store.RunQuery{}); len(runs) != 3 {
		t.Errorf("%d runs", len(runs))
	}
	if left := s.items(t, "Runs", "PROG#"); len(left) != 3 {
		t.Errorf("%d items beside the runs, want one for each batch", len(left))
	}
}

func TestRuns_Throttled(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Times: 2, Do: awstest.Throttle()})
	s.cloud.Inject(awstest.Fault{On: "dynamodb.GetItem", Times: 1, Do: awstest.Throttle()})
	if _, _, err := roles.Runs.Begin(t.Context(), newRun("run-1", "b")); err != nil {
		t.Fatal(err)
	}
}

// TestRuns_Interrupted begins a batch whose first process died at each of its
// writes.
func TestRuns_Interrupted(t *testing.T) {
	t.Parallel()
	for writes := range 4 {
		t.Run(fmt.Sprintf("after %d writes", writes), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			if writes < 3 {
				s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Skip: writes, Do: awstest.Answer(400, "AccessDeniedException")})
				// Nor can it give up its lease.
				if writes > 0 {
					s.cloud.Inject(awstest.Fault{On: "dynamodb.DeleteItem", Do: awstest.Answer(400, "AccessDeniedException")})
				}
			}
			_, _, err := s.open(t).Runs.Begin(t.Context(), newRun("run-1", "b"))
			if writes < 3 {
				wantCode(t, err, ceap.CodeForbidden)
			} else if err != nil {
				t.Fatal(err)
			}
			healed := *s
			healed.load = awstest.Start(t).Load
			s.clock.forward(time.Minute)
			run := newRun("run-2", "b")
			prior, claim, err := healed.open(t).Runs.Begin(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			if err := claim.Release(); err != nil {
				t.Error(err)
			}
			if (prior != nil) != (writes == 3) {
				t.Errorf("prior is %v", prior)
			}
			want := "run-1"
			if writes < 2 {
				want = "run-2"
			}
			if runs := findRuns(t, healed.open(t), store.RunQuery{}); len(runs) != 1 || runs[0].RunID != want || run.RunID != want {
				t.Errorf("run %s, stored %v", run.RunID, runs)
			}
		})
	}
}

package storetest

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

func optOutTests() tests {
	return tests{
		"an opt-out removes what it covers and keeps it away (I6, I68)": func(t *testing.T, roles store.Roles) {
			other := candidate("a", "1")
			other.ProgramID = "video-ratings"
			upsert(t, roles, options("run-1"), candidate("a", "1"), candidate("a", "2"), candidate("b", "1"))
			upsert(t, roles, options("run-2"), other)
			equal(t, "removed", int64(2), optOut(t, roles, ceap.OptOut{CustomerID: "a", ProgramID: "product-reviews", At: noon()}))
			equal(t, "outcomes", []string{"rejected OPTED_OUT", "unchanged"}, upsert(t, roles, options("run-3"), candidate("a", "1"), candidate("b", "1")))
			equal(t, "other program", []string{"unchanged"}, upsert(t, roles, options("run-4"), other))
			equal(t, "removed by all programs", int64(1), optOut(t, roles, ceap.OptOut{CustomerID: "a", At: noon()}))
			equal(t, "other program", []string{"rejected OPTED_OUT"}, upsert(t, roles, options("run-5"), other))
		},
		"an opt-out of a channel removes nothing": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("a", "1"))
			equal(t, "removed", int64(0), optOut(t, roles, ceap.OptOut{CustomerID: "a", Channel: "email", At: noon()}))
			equal(t, "outcome", []string{"unchanged"}, upsert(t, roles, options("run-2"), candidate("a", "1")))
		},
		"it stands until withdrawn; the first time stays": func(t *testing.T, roles store.Roles) {
			first := ceap.OptOut{CustomerID: "a", ProgramID: "p", Channel: "sms", Reason: "STOP", At: noon()}
			optOut(t, roles, first)
			again := first
			again.At = noon().Add(time.Hour)
			optOut(t, roles, again)
			optOut(t, roles, ceap.OptOut{CustomerID: "a", At: noon()})
			optOut(t, roles, ceap.OptOut{CustomerID: "c", At: noon()})
			got, err := roles.OptOuts.OptOutsOf(t.Context(), []string{"a", "b"})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "opt-outs", map[string][]ceap.OptOut{"a": {{CustomerID: "a", At: noon()}, first}}, got)
			if err := roles.OptOuts.Withdraw(t.Context(), "a", "p", "sms"); err != nil {
				t.Fatal(err)
			}
			wantCode(t, roles.OptOuts.Withdraw(t.Context(), "a", "p", "sms"), ceap.CodeNotFound)
			got, err = roles.OptOuts.OptOutsOf(t.Context(), []string{"a"})
			if err != nil || len(got["a"]) != 1 {
				t.Errorf("%v, %v", got, err)
			}
		},
		"many customers at once": func(t *testing.T, roles store.Roles) {
			var ids []string
			for i := range 3000 {
				ids = append(ids, fmt.Sprintf("c%d", i))
			}
			optOut(t, roles, ceap.OptOut{CustomerID: "c2999", At: noon()})
			got, err := roles.OptOuts.OptOutsOf(t.Context(), ids)
			if err != nil || len(got) != 1 || len(got["c2999"]) != 1 {
				t.Errorf("%v, %v", got, err)
			}
		},
	}
}

func optOut(t *testing.T, roles store.Roles, o ceap.OptOut) int64 {
	t.Helper()
	removed, err := roles.OptOuts.Put(t.Context(), o)
	if err != nil {
		t.Fatalf("opting out: %v", err)
	}
	return removed
}

func programTests() tests {
	return tests{
		"put, list, replace, delete": func(t *testing.T, roles store.Roles) {
			item := func(program, marketplace, document string, at time.Time) ceap.ProgramItem {
				return ceap.ProgramItem{ProgramID: program, Marketplace: marketplace, Document: []byte(document), Enabled: true, CreatedAt: at, UpdatedAt: at}
			}
			for _, it := range []ceap.ProgramItem{item("b", "US", `{"x":1}`, noon()), item("a", "US", `{}`, noon()), item("a", "*", `{}`, noon())} {
				if err := roles.Programs.Put(t.Context(), it); err != nil {
					t.Fatal(err)
				}
			}
			changed := item("b", "US", `{"x":2}`, noon().Add(time.Hour))
			changed.Enabled = false
			if err := roles.Programs.Put(t.Context(), changed); err != nil {
				t.Fatal(err)
			}
			changed.CreatedAt = noon()
			got, err := roles.Programs.List(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "all", []ceap.ProgramItem{item("a", "*", `{}`, noon()), item("a", "US", `{}`, noon()), changed}, got)
			got, err = roles.Programs.List(t.Context(), "b")
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "one", []ceap.ProgramItem{changed}, got)
			if err := roles.Programs.Delete(t.Context(), "b", "US"); err != nil {
				t.Fatal(err)
			}
			wantCode(t, roles.Programs.Delete(t.Context(), "b", "US"), ceap.CodeNotFound)
		},
	}
}

func newRun(id, batch, input string) *ceap.Run {
	return &ceap.Run{RunID: id, InputHash: input, Result: ceap.RunResult{
		RunID: id, BatchID: batch, ProgramID: "product-reviews", Marketplace: "US", Status: ceap.RunRunning, StartedAt: noon(), AsOf: noon(),
	}}
}

func runTests() tests {
	return tests{
		"a finished batch is returned, not run again (D44, I5)": func(t *testing.T, roles store.Roles) {
			run := newRun("run-1", "b", "in")
			prior, claim, err := roles.Runs.Begin(t.Context(), run)
			if err != nil || prior != nil || claim == nil {
				t.Fatalf("%v %v %v", prior, claim, err)
			}
			run.Result.Status, run.Result.Message = ceap.RunSucceeded, "done"
			save(t, roles, *run, claim)
			again := newRun("run-2", "b", "in")
			prior, claim, err = roles.Runs.Begin(t.Context(), again)
			if err != nil || claim != nil || prior == nil {
				t.Fatalf("%v %v %v", prior, claim, err)
			}
			equal(t, "prior", *run, *prior)
			_, _, err = roles.Runs.Begin(t.Context(), newRun("run-3", "b", "other"))
			wantCode(t, err, ceap.CodeConflict)
		},
		"an unfinished batch goes on under its id (I7)": func(t *testing.T, roles store.Roles) {
			for _, status := range []ceap.RunStatus{ceap.RunRunning, ceap.RunFailed, ceap.RunPartial, ceap.RunCancelled, ceap.RunSkipped} {
				run := newRun("run-"+string(status), "batch-"+string(status), "in")
				_, claim, err := roles.Runs.Begin(t.Context(), run)
				if err != nil {
					t.Fatal(err)
				}
				run.Result.Status = status
				save(t, roles, *run, claim)
				again := newRun("other", "batch-"+string(status), "in")
				prior, claim, err := roles.Runs.Begin(t.Context(), again)
				if err != nil || prior == nil || claim == nil {
					t.Fatalf("%s: %v %v %v", status, prior, claim, err)
				}
				equal(t, "run id", "run-"+string(status), again.RunID)
				if err := claim.Release(); err != nil {
					t.Fatal(err)
				}
			}
		},
		"one run of a program and marketplace at a time": func(t *testing.T, roles store.Roles) {
			_, claim, err := roles.Runs.Begin(t.Context(), newRun("run-1", "b1", "in"))
			if err != nil {
				t.Fatal(err)
			}
			for _, batch := range []string{"b1", "b2"} {
				_, _, err = roles.Runs.Begin(t.Context(), newRun("run-2", batch, "in"))
				wantCode(t, err, ceap.CodeConflict)
			}
			other := newRun("run-3", "b3", "in")
			other.Result.Marketplace = "UK"
			_, free, err := roles.Runs.Begin(t.Context(), other)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := free.Release(); err != nil {
					t.Fatal(err)
				}
				if err := claim.Release(); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err = roles.Runs.Begin(t.Context(), newRun("run-4", "b4", "in")); err != nil {
				t.Error(err)
			}
		},
		"of many that begin at once one gets the claim": func(t *testing.T, roles store.Roles) {
			var mu sync.Mutex
			claims := 0
			var group sync.WaitGroup
			for i := range 20 {
				group.Go(func() {
					_, claim, err := roles.Runs.Begin(t.Context(), newRun(fmt.Sprintf("run-%d", i), "b", "in"))
					mu.Lock()
					defer mu.Unlock()
					if err == nil && claim != nil {
						claims++
					} else if ceap.ErrorCode(err) != ceap.CodeConflict {
						t.Errorf("%v", err)
					}
				})
			}
			group.Wait()
			equal(t, "claims", 1, claims)
		},
		"runs are found latest first": func(t *testing.T, roles store.Roles) {
			for i, id := range []string{"run-1", "run-2", "run-3"} {
				run := newRun(id, id, "in")
				run.Result.StartedAt = noon().Add(time.Duration(i) * time.Minute)
				_, claim, err := roles.Runs.Begin(t.Context(), run)
				if err != nil {
					t.Fatal(err)
				}
				run.Result.Status = ceap.RunSucceeded
				if i == 1 {
					run.Result.Status = ceap.RunFailed
				}
				save(t, roles, *run, claim)
			}
			for _, c := range []struct {
				q    store.RunQuery
				want []string
			}{
				{store.RunQuery{}, []string{"run-3", "run-2", "run-1"}},
				{store.RunQuery{Limit: 1}, []string{"run-3"}},
				{store.RunQuery{Status: ceap.RunFailed}, []string{"run-2"}},
				{store.RunQuery{RunID: "run-1"}, []string{"run-1"}},
				{store.RunQuery{BatchID: "run-2", ProgramID: "product-reviews", Marketplace: "US"}, []string{"run-2"}},
				{store.RunQuery{ProgramID: "other"}, nil},
			} {
				runs, err := roles.Runs.Find(t.Context(), c.q)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, r := range runs {
					got = append(got, r.RunID)
				}
				equal(t, fmt.Sprintf("%+v", c.q), c.want, got)
			}
		},
	}
}

func save(t *testing.T, roles store.Roles, run ceap.Run, claim store.Claim) {
	t.Helper()
	if err := roles.Runs.Save(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
}

func artifactTests() tests {
	return tests{
		"a file appears whole or not at all": func(t *testing.T, roles store.Roles) {
			w, err := roles.Artifacts.Create(t.Context(), "runs/r1/journal/a")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte("hello ")); err != nil {
				t.Fatal(err)
			}
			_, err = roles.Artifacts.Open(t.Context(), "runs/r1/journal/a")
			wantCode(t, err, ceap.CodeNotFound)
			if _, err := w.Write([]byte("world")); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			equal(t, "content", "hello world", read(t, roles, "runs/r1/journal/a"))
			w, err = roles.Artifacts.Create(t.Context(), "runs/r1/journal/b")
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Discard(); err != nil {
				t.Fatal(err)
			}
			names, err := roles.Artifacts.List(t.Context(), "runs/")
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "names", []string{"runs/r1/journal/a"}, names)
		},
		"list and remove by prefix": func(t *testing.T, roles store.Roles) {
			for _, name := range []string{"runs/r1/b", "runs/r1/a/x", "runs/r10/a"} {
				w, err := roles.Artifacts.Create(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if err := roles.Artifacts.Remove(t.Context(), "runs/r1/"); err != nil {
				t.Fatal(err)
			}
			names, err := roles.Artifacts.List(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "names", []string{"runs/r10/a"}, names)
			if err := roles.Artifacts.Remove(t.Context(), "runs/none/"); err != nil {
				t.Error(err)
			}
		},
		"names stay inside": func(t *testing.T, roles store.Roles) {
			for _, name := range []string{"", "/etc/x", "../x", "a/../../x", "a//b", "a/./b"} {
				_, err := roles.Artifacts.Create(t.Context(), name)
				wantCode(t, err, ceap.CodeInvalid)
			}
		},
	}
}

func read(t *testing.T, roles store.Roles, name string) string {
	t.Helper()
	r, err := roles.Artifacts.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

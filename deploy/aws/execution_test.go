package aws_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap/internal/awstest"
)

const runInput = `{"programId":"product-reviews","marketplace":"US","batchId":"b-1","correlationId":"c-1","dateRange":{"start":"2026-01-26","end":"2026-01-27"}}`

func TestExecution_Succeeds(t *testing.T) {
	t.Parallel()
	s := newScripted(t, "happy")
	s.parts, s.shards = []string{"p-0001", "p-0002"}, []string{"s-00", "s-01", "s-02"}
	e := s.run(t)
	if e.Status != types.ExecutionStatusSucceeded {
		t.Fatalf("the execution %s: %s, %s", e.Status, sdk.ToString(e.Error), sdk.ToString(e.Cause))
	}
	t.Run("its output is the run's result", func(t *testing.T) {
		t.Parallel()
		if diff := cmp.Diff(decode(t, s.result("SUCCEEDED")), decode(t, []byte(sdk.ToString(e.Output)))); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
	})
	t.Run("its steps come in order", func(t *testing.T) {
		t.Parallel()
		if diff := cmp.Diff([]string{"plan", "start", "parts", "shards", "reduce"}, s.steps()); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"extract p-0001", "extract p-0002", "store s-00", "store s-01", "store s-02"}, s.done()); diff != "" {
			t.Errorf("parts (-want +got):\n%s", diff)
		}
	})
	t.Run("plan is told the input and the execution", func(t *testing.T) {
		t.Parallel()
		name := sdk.ToString(e.Name)
		want := map[string]any{"step": "plan", "input": decode(t, []byte(runInput)), "execution": map[string]any{"id": sdk.ToString(e.ExecutionArn), "name": name}}
		if diff := cmp.Diff(want, s.payload("plan")); diff != "" {
			t.Errorf("payload (-want +got):\n%s", diff)
		}
	})
	t.Run("the other steps are told the run", func(t *testing.T) {
		t.Parallel()
		for _, step := range []string{"start", "parts", "shards"} {
			if diff := cmp.Diff(map[string]any{"step": step, "run": s.planned}, s.payload(step)); diff != "" {
				t.Errorf("payload of %s (-want +got):\n%s", step, diff)
			}
		}
		if got := object(object(s.payload("reduce")["state"])["run"]); !cmp.Equal(s.planned, got) {
			t.Errorf("reduce is told the run %v", got)
		}
	})
	t.Run("parts are told the run and themselves", func(t *testing.T) {
		t.Parallel()
		want := map[string]any{"step": "store", "run": s.planned, "part": map[string]any{"id": "s-01", "rows": 5.}}
		if diff := cmp.Diff(want, s.payload("store s-01")); diff != "" {
			t.Errorf("payload (-want +got):\n%s", diff)
		}
	})
}

func TestExecution_WaitsForQueries(t *testing.T) {
	t.Parallel()
	s := newScripted(t, "waits")
	s.parts, s.shards, s.checks = []string{"p-0001"}, []string{"s-00"}, 2
	if e := s.run(t); e.Status != types.ExecutionStatusSucceeded {
		t.Fatalf("the execution %s: %s", e.Status, sdk.ToString(e.Cause))
	}
	if diff := cmp.Diff([]string{"plan", "start", "check", "check", "parts", "shards", "reduce"}, s.steps()); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestExecution_RunsNoMapOverNothing(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		parts, shards, want []string
	}{
		"no rows":              {want: nil},
		"rows of no candidate": {parts: []string{"p-0001"}, want: []string{"extract p-0001"}},
		"taken up again":       {shards: []string{"s-01"}, want: []string{"store s-01"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newScripted(t, "nothing-"+strings.ReplaceAll(what, " ", "-"))
			s.parts, s.shards, s.status = c.parts, c.shards, "EMPTY"
			e := s.run(t)
			if e.Status != types.ExecutionStatusSucceeded {
				t.Fatalf("the execution %s: %s", e.Status, sdk.ToString(e.Cause))
			}
			if diff := cmp.Diff(c.want, s.done()); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"plan", "start", "parts", "shards", "reduce"}, s.steps()); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExecution_TriesAgain fails single calls: those of a handler that says that
// a repetition helps, those that Lambda refuses, and one whose process dies.
func TestExecution_TriesAgain(t *testing.T) {
	t.Parallel()
	s := newScripted(t, "again")
	s.parts, s.shards = []string{"p-0001", "p-0002"}, []string{"s-00"}
	s.fail("extract p-0002", "CeapTransient", 2)
	s.fail("shards", "CeapTransient", 1)
	s.fail("extract p-0001", "Lambda.TooManyRequestsException", 1)
	s.cloud.Inject(awstest.Fault{
		On: "lambda.Invoke", Times: 1, Do: awstest.CrashLate(),
		If: func(c *awstest.Call) bool { return c.Name == s.partName && strings.Contains(string(c.Body), "s-00") },
	})
	e := s.run(t)
	if e.Status != types.ExecutionStatusSucceeded {
		t.Fatalf("the execution %s: %s, %s", e.Status, sdk.ToString(e.Error), sdk.ToString(e.Cause))
	}
	for name, want := range map[string]int{"extract p-0002": 3, "shards": 2, "store s-00": 2, "extract p-0001": 2, "parts": 1} {
		if got := s.calls(name); got != want {
			t.Errorf("%s was called %d times; want %d", name, got, want)
		}
	}
}

// TestExecution_FailsWithTheRun asserts that a part that fails for good neither
// stops the others nor hides: Reduce sees its missing report and decides.
func TestExecution_FailsWithTheRun(t *testing.T) {
	t.Parallel()
	s := newScripted(t, "part-fails")
	s.parts, s.shards = []string{"p-0001", "p-0002", "p-0003"}, []string{"s-00"}
	s.fail("extract p-0002", "CeapInvalid", 100)
	e := s.run(t)
	if e.Status != types.ExecutionStatusFailed {
		t.Fatalf("the execution %s: %s", e.Status, sdk.ToString(e.Output))
	}
	if got := s.calls("extract p-0002"); got != 1 {
		t.Errorf("a part that no repetition helps was tried %d times", got)
	}
	if diff := cmp.Diff([]string{"extract p-0001", "extract p-0003", "store s-00"}, s.done()); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if got := sdk.ToString(e.Error); got != "CeapPartial" {
		t.Errorf("Error = %q", got)
	}
	if got, want := sdk.ToString(e.Cause), "no report of extract p-0002"; got != want {
		t.Errorf("Cause = %q; want %q", got, want)
	}
}

// TestExecution_CatchesIntoReduce breaks each step after Plan for good.
func TestExecution_CatchesIntoReduce(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"start", "check", "parts", "shards"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := newScripted(t, "catches-"+step)
			s.parts, s.shards, s.checks = []string{"p-0001"}, []string{"s-00"}, 1
			s.fail(step, "CeapFailed", 100)
			e := s.run(t)
			if e.Status != types.ExecutionStatusFailed || sdk.ToString(e.Error) != "CeapFailed" {
				t.Errorf("the execution %s with %q", e.Status, sdk.ToString(e.Error))
			}
			if want := "as planned by the test"; !strings.Contains(sdk.ToString(e.Cause), want) {
				t.Errorf("Cause = %q; want %q", sdk.ToString(e.Cause), want)
			}
			if steps := s.steps(); steps[len(steps)-1] != "reduce" {
				t.Errorf("steps = %v; want reduce last", steps)
			}
			caught := object(object(s.payload("reduce")["state"])["error"])
			if caught["Error"] != "CeapFailed" || caught["Cause"] == "" {
				t.Errorf("reduce is told the error %v", caught)
			}
		})
	}
}

// TestExecution_CatchesAMissingList loses the list of a Map, which then fails
// itself, unlike with children that fail.
func TestExecution_CatchesAMissingList(t *testing.T) {
	t.Parallel()
	s := newScripted(t, "no-list")
	s.parts, s.shards, s.loseLists = []string{"p-0001"}, []string{"s-00"}, true
	e := s.run(t)
	if e.Status != types.ExecutionStatusFailed {
		t.Fatalf("the execution %s", e.Status)
	}
	if diff := cmp.Diff([]string{"plan", "start", "parts", "reduce"}, s.steps()); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestExecution_EndsWithPlan(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]types.ExecutionStatus{
		"SUCCEEDED": types.ExecutionStatusSucceeded, "EMPTY": types.ExecutionStatusSucceeded, "SKIPPED": types.ExecutionStatusSucceeded,
		"PARTIAL": types.ExecutionStatusFailed, "FAILED": types.ExecutionStatusFailed, "CANCELLED": types.ExecutionStatusFailed,
	} {
		t.Run("a result that is "+status, func(t *testing.T) {
			t.Parallel()
			s := newScripted(t, "done-"+strings.ToLower(status))
			s.planned = map[string]any{"action": "done", "result": decode(t, s.result(status))}
			e := s.run(t)
			if e.Status != want {
				t.Fatalf("the execution %s: %s", e.Status, sdk.ToString(e.Cause))
			}
			if want == types.ExecutionStatusFailed && sdk.ToString(e.Error) != "CeapFailed" {
				t.Errorf("Error = %q", sdk.ToString(e.Error))
			}
			if want == types.ExecutionStatusSucceeded && !cmp.Equal(s.planned["result"], any(decode(t, []byte(sdk.ToString(e.Output))))) {
				t.Errorf("output = %s", sdk.ToString(e.Output))
			}
			if steps := s.steps(); !slices.Equal(steps, []string{"plan"}) {
				t.Errorf("steps = %v", steps)
			}
		})
	}
	t.Run("its error is the execution's", func(t *testing.T) {
		t.Parallel()
		s := newScripted(t, "plan-fails")
		s.fail("plan", "CeapInvalid", 100)
		e := s.run(t)
		if e.Status != types.ExecutionStatusFailed || sdk.ToString(e.Error) != "CeapInvalid" {
			t.Errorf("the execution %s with %q", e.Status, sdk.ToString(e.Error))
		}
		if s.calls("plan") != 1 || s.calls("reduce") != 0 {
			t.Errorf("plan was called %d times and reduce %d; nothing is to be reduced", s.calls("plan"), s.calls("reduce"))
		}
	})
}

func decode(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

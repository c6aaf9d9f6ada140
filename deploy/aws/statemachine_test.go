package aws_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const machineFile = "statemachine.asl.json"

func readMachine(t *testing.T) machine {
	t.Helper()
	data, err := os.ReadFile(machineFile)
	if err != nil {
		t.Fatal(err)
	}
	// 1 MB: the largest definition of a state machine, from the Step Functions quotas.
	if len(data) > 1<<20 {
		t.Errorf("%s has %d bytes", machineFile, len(data))
	}
	var m machine
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStateMachine_IsPortable(t *testing.T) {
	t.Parallel()
	for _, problem := range checkPortable(readMachine(t)) {
		t.Error(problem)
	}
}

// TestCheckPortable_Refuses breaks the machine in every way that the checker is
// for.
func TestCheckPortable_Refuses(t *testing.T) {
	t.Parallel()
	type edit struct {
		path  string // to a field, with dots
		value any    // nil removes the field
		want  string
	}
	for what, e := range map[string]edit{
		"JSONata":                   {"QueryLanguage", "JSONata", "the field QueryLanguage is not portable"},
		"no time-out":               {"TimeoutSeconds", nil, "the machine has no TimeoutSeconds"},
		"a start that is missing":   {"StartAt", "Nowhere", `StartAt names "Nowhere"`},
		"a variable":                {"States.Plan.Assign", map[string]any{"x": 1.}, "the field Assign is not portable"},
		"an unknown state":          {"States.Plan.Next", "Nowhere", `Next names "Nowhere"`},
		"an unreachable state":      {"States.WaitQueries.Next", "Reduce", "CheckQueries: nothing leads there"},
		"an Activity":               {"States.Plan.Type", "Activity", `the type "Activity" is not portable`},
		"another resource":          {"States.StartQueries.Resource", "arn:aws:states:::athena:startQueryExecution.sync", "is not portable"},
		"a task without time-out":   {"States.BuildParts.TimeoutSeconds", nil, "a Task has TimeoutSeconds"},
		"a task without Retry":      {"States.BuildParts.Retry", nil, "a Task has Retry"},
		"a child without Retry":     {"States.StoreParts.ItemProcessor.States.StorePart.Retry", nil, "a Task has Retry"},
		"Retry at a Map":            {"States.ExtractParts.Retry", []any{}, "the field Retry is not portable"},
		"Retry of everything":       {"States.Plan.Retry", []any{map[string]any{"ErrorEquals": []any{"States.ALL"}}}, "repeats what no repetition helps"},
		"Retry without throttling":  {"States.Plan.Retry", []any{map[string]any{"ErrorEquals": []any{"CeapTransient"}}}, "leaves out CeapTransient or throttling"},
		"a Catch at Plan":           {"States.Plan.Catch", []any{map[string]any{"ErrorEquals": []any{"States.ALL"}, "ResultPath": "$.error", "Next": "Reduce"}}, "nothing is to be caught"},
		"a Catch at Reduce":         {"States.Reduce.Catch", []any{map[string]any{"ErrorEquals": []any{"States.ALL"}, "ResultPath": "$.error", "Next": "Failed"}}, "nothing is to be caught"},
		"no Catch":                  {"States.BuildShards.Catch", nil, "caught into Reduce"},
		"a Catch elsewhere":         {"States.BuildShards.Catch", []any{map[string]any{"ErrorEquals": []any{"States.ALL"}, "ResultPath": "$.error", "Next": "Failed"}}, "caught into Reduce"},
		"a Map without Catch":       {"States.StoreParts.Catch", nil, "caught into Reduce"},
		"results in the state":      {"States.StoreParts.ResultPath", "$.results", "ResultPath is null"},
		"a JSONL reader":            {"States.StoreParts.ItemReader.ReaderConfig.InputType", "JSONL", "the portable reader"},
		"a listing reader":          {"States.StoreParts.ItemReader.Resource", "arn:aws:states:::s3:listObjectsV2", "the portable reader"},
		"a batcher":                 {"States.StoreParts.ItemBatcher", map[string]any{}, "the field ItemBatcher is not portable"},
		"a writer that is computed": {"States.StoreParts.ResultWriter.Parameters.Prefix.$", "$.run.folder", "the field Prefix.$ is not portable"},
		"Express children":          {"States.StoreParts.ItemProcessor.ProcessorConfig.ExecutionType", "EXPRESS", "the portable mode"},
		"a tolerated share":         {"States.StoreParts.ToleratedFailurePercentage", 5., "the field ToleratedFailurePercentage is not portable"},
		"an unguarded Map":          {"States.AnyShards.Choices", []any{}, "without asking whether $.store.count is 0"},
		"a guard of another Map":    {"States.StoreParts.MaxConcurrencyPath", "$.extract.concurrency", "without asking whether $.extract.count is 0"},
		"a Choice without Default":  {"States.Verdict.Default", nil, "a Choice without Default"},
		"an intrinsic function":     {"States.Plan.Parameters.Payload.input.$", "States.UUID()", "only paths are portable"},
		"an end with Next":          {"States.Done.Next", "Failed", "wants Next, or an end"},
		"no end":                    {"States.Reduce.Next", nil, "wants Next, or an end"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := readMachine(t)
			set(t, m, e.path, e.value)
			if problems := strings.Join(checkPortable(m), "\n"); !strings.Contains(problems, e.want) {
				t.Errorf("problems = %q; want %q", problems, e.want)
			}
		})
	}
}

// set changes the field at a path of names. The last name may end in ".$".
func set(t *testing.T, m machine, path string, value any) {
	t.Helper()
	reference := strings.HasSuffix(path, ".$")
	names := strings.Split(strings.TrimSuffix(path, ".$"), ".")
	for _, name := range names[:len(names)-1] {
		if m = object(m[name]); m == nil {
			t.Fatalf("%s: there is no %s", path, name)
		}
	}
	last := names[len(names)-1]
	if reference {
		last += ".$"
	}
	if value == nil {
		delete(m, last)
	} else {
		m[last] = value
	}
}

func TestStateMachine_PassesASLValidator(t *testing.T) {
	t.Parallel()
	validator := tool(t, "asl-validator", filepath.Join("node", "node_modules", ".bin", "asl-validator"), filepath.Join("aws", "node_modules", ".bin", "asl-validator"))
	out, err := exec.CommandContext(t.Context(), validator, "--json-path", machineFile).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// tool returns the absolute path of the first of the paths below .tools that
// exists. Without one the test is skipped, or fails where CEAP_REQUIRE_TOOLS is 1.
func tool(t *testing.T, name string, paths ...string) string {
	t.Helper()
	for _, path := range paths {
		absolute, err := filepath.Abs(filepath.Join("..", "..", ".tools", path))
		if err != nil {
			t.Fatal(err)
		}
		switch _, err := os.Stat(absolute); {
		case err == nil:
			return absolute
		case !errors.Is(err, fs.ErrNotExist):
			t.Fatal(err)
		}
	}
	if os.Getenv("CEAP_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s is missing: run `make setup`", name)
	}
	t.Skipf("%s is missing: run `make setup`", name)
	return ""
}

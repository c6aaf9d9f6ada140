//go:build cgo

package aws_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/awslambda"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/internal/awstest/athena"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/stage"
	store "github.com/ceap-platform/ceap/store/dynamodb"
)

const (
	guardedStage = "iam"
	quickStart   = `{"programId":"quick-start","marketplace":"US","batchId":"b-1","dateRange":{"start":"2026-01-26","end":"2026-01-27"}}`
)

// TestPolicies_AreEnough runs programs with the real functions, each behind a gate
// that asks the template whether the function's role may do what it does. The
// emulator itself lets everybody do everything.
//
//nolint:paralleltest // the functions read their endpoint from the environment
func TestPolicies_AreEnough(t *testing.T) {
	f := newGuarded(t)
	run := f.plan(t, quickStart)
	f.work(t, run)
	reduced := f.call(t, "control", map[string]any{"step": "reduce", "state": map[string]any{"run": run}})
	if reduced["status"] != "SUCCEEDED" {
		t.Errorf("the run ended %v: %v", reduced["status"], reduced["cause"])
	}
	// Once more over the same rows: now there are candidates to compare with.
	run = f.plan(t, strings.Replace(quickStart, "b-1", "b-2", 1))
	f.work(t, run)
	f.call(t, "control", map[string]any{"step": "reduce", "state": map[string]any{"run": run}})
	// A run that fails on its way: what it started is stopped.
	run = f.plan(t, strings.Replace(quickStart, "b-1", "b-3", 1))
	f.call(t, "control", map[string]any{"step": "start", "run": run})
	failed := map[string]any{"run": run, "error": map[string]any{"Error": "CeapFailed", "Cause": "as planned"}}
	f.call(t, "control", map[string]any{"step": "reduce", "state": failed})
	// Without a range, the last run is looked for; rows without any are explained.
	f.call(t, "etl", map[string]any{"programId": "quick-start", "marketplace": "US"})
	f.call(t, "etl", map[string]any{"programId": "quick-start", "marketplace": "US", "dateRange": map[string]any{"start": "2026-01-20", "end": "2026-01-21"}})
	f.call(t, "control", map[string]any{"step": "schedule", "programId": "quick-start", "marketplace": "US", "scheduledTime": "2026-01-28T06:00:00Z"})
	for _, g := range f.gates {
		for _, refused := range g.refused() {
			t.Errorf("%s lacks %s", g.role, refused)
		}
		if len(g.granted()) == 0 {
			t.Errorf("%s was asked for nothing; the test looks in the wrong place", g.role)
		}
		t.Logf("%s used %s", g.role, strings.Join(g.granted(), ", "))
	}
}

// guarded is the functions of a stage, each behind its gate.
type guarded struct {
	functions map[string]*awslambda.Function
	gates     map[string]*gate
	cloud     *awstest.Cloud
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	f := &guarded{functions: map[string]*awslambda.Function{}, gates: map[string]*gate{}, cloud: awstest.Start(t)}
	const bucket = "ceap-artifacts-" + guardedStage + "-" + awstest.Account + "-" + awstest.Region
	files := awsapi.S3(f.cloud.Config)
	for _, name := range []string{bucket, "ceap-athena-results-dev"} {
		if _, err := files.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: sdk.String(name)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range store.Tables(guardedStage) {
		if _, err := dynamodb.NewFromConfig(f.cloud.Config).CreateTable(t.Context(), table); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sfn.NewFromConfig(f.cloud.Config).CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: sdk.String("CeapBatchIngestion-" + guardedStage), RoleArn: sdk.String("arn:aws:iam::" + awstest.Account + ":role/states"),
		Definition: sdk.String(`{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}`),
	}); err != nil {
		t.Fatal(err)
	}
	project := filepath.Join("..", "..", "examples", "quick-start")
	lake, err := athena.New(athena.Options{S3: files, Folder: filepath.Join(project, "warehouse")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lake.Close() })
	f.cloud.HandleAthena(lake)
	for _, entry := range f.cloud.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
	c, _, err := config.Load(config.Sources{Dir: project, Environ: []string{
		"CEAP_STAGE=" + guardedStage, "CEAP_ARTIFACTS_BUCKET=" + bucket, "CEAP_RESULTS_BUCKET=ceap-athena-results-dev",
	}})
	if err != nil {
		t.Fatal(err)
	}
	c = c.OnAWS()
	if _, err := f.app(t, c).ApplyProgram(t.Context(), filepath.Join("programs", "quick-start.json")); err != nil {
		t.Fatal(err)
	}
	template := readTemplate(t)
	template.values["Stage"] = guardedStage
	for name, role := range map[string]string{awslambda.HandlerETL: "ETLRole", awslambda.HandlerControl: "ControlRole", awslambda.HandlerPart: "PartRole"} {
		f.gates[name] = newGate(t, template, role, f.cloud)
		f.functions[name] = &awslambda.Function{App: f.app(t, c), Stage: stage.New(guardedStage, awsapi.Lazy("")), Log: slog.New(slog.DiscardHandler), Metrics: io.Discard}
	}
	return f
}

func (f *guarded) app(t *testing.T, c *config.Config) *app.App {
	t.Helper()
	at := time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC)
	a, err := app.New(t.Context(), c, builtin.All(), app.Deps{Now: func() time.Time { return at }, SortMemory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// call invokes a function. Its clients find AWS behind its gate.
func (f *guarded) call(t *testing.T, name string, payload any) map[string]any {
	t.Helper()
	t.Setenv("AWS_ENDPOINT_URL", f.gates[name].url)
	data, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := f.functions[name].Handle(t.Context(), name, data)
	if err != nil {
		t.Fatalf("%s of %s: %v; the role lacks %v", name, data, err, f.gates[name].refused())
	}
	return decode(t, answer)
}

func (f *guarded) plan(t *testing.T, input string) map[string]any {
	t.Helper()
	return f.call(t, "control", map[string]any{"step": "plan", "input": json.RawMessage(input), "execution": map[string]any{"id": "x", "name": "x"}})
}

// work takes the steps between plan and reduce.
func (f *guarded) work(t *testing.T, run map[string]any) {
	t.Helper()
	waiting := f.call(t, "control", map[string]any{"step": "start", "run": run})
	for tries := 0; waiting["done"] != true && tries < 100; tries++ {
		waiting = f.call(t, "control", map[string]any{"step": "check", "run": run})
	}
	for _, steps := range [][2]string{{"parts", "extract"}, {"shards", "store"}} {
		todo := f.call(t, "control", map[string]any{"step": steps[0], "run": run})
		if number(todo["count"]) == 0 {
			t.Fatalf("there are no %s: %v", steps[0], todo)
		}
		bucket, _ := todo["bucket"].(string)
		key, _ := todo["key"].(string)
		file, err := awsapi.S3(f.cloud.Config).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		var parts []any
		if err := json.NewDecoder(file.Body).Decode(&parts); err != nil {
			t.Fatal(err)
		}
		for part := range slices.Values(parts) {
			f.call(t, "part", map[string]any{"step": steps[1], "run": run, "part": part})
		}
	}
}

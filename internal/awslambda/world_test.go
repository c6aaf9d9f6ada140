//go:build cgo

package awslambda_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/awslambda"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/internal/awstest/athena"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/journal"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/stage"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
	dynamo "github.com/ceap-platform/ceap/store/dynamodb"
)

// clock is the time in all processes of a world.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock() *clock {
	c := &clock{}
	c.set(time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC))
	return c
}

func (c *clock) set(at time.Time)        { c.at.Store(&at) }
func (c *clock) now() time.Time          { return *c.at.Load() }
func (c *clock) advance(d time.Duration) { c.set(c.now().Add(d)) }

// world is a place where programs run: one process on this machine, or the state
// machine of a stage.
type world struct {
	name  string
	app   *app.App
	roles store.Roles // the app's store once more, to look into
	clock *clock
	dir   string
	run   func(t *testing.T, req app.RunRequest) (ceap.RunResult, error)
	cloud *awstest.Cloud // nil on this machine
	lake  *athena.Fake
	stage string

	metrics lines // what the functions wrote in the embedded metric format
}

// load reads the configuration of the project.
func load(t *testing.T, dir string, environ ...string) *config.Config {
	t.Helper()
	c, _, err := config.Load(config.Sources{Dir: dir, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newApp(t *testing.T, c *config.Config, clock *clock) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), c, builtin.All(), app.Deps{Now: clock.now, SortMemory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// embedded returns the world of one process over a copy of the project.
func embedded(t *testing.T, project string, environ ...string) *world {
	t.Helper()
	w := &world{name: "embedded", clock: newClock(), dir: copyProject(t, project)}
	c := load(t, w.dir, environ...)
	w.app = newApp(t, c, w.clock)
	p, err := plugin.Lookup(builtin.All().Stores, "store", c.Store.Type)
	if err != nil {
		t.Fatal(err)
	}
	if w.roles, err = p.Open(plugin.Env{Logger: slog.New(slog.DiscardHandler), Now: w.clock.now, Dir: c.Dir}, c.Store.Settings); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.roles.Close() })
	w.run = func(t *testing.T, req app.RunRequest) (ceap.RunResult, error) {
		t.Helper()
		return w.app.Run(t.Context(), req, &pipeline.Meter{})
	}
	return w
}

// stages numbers the stages, since one emulator serves the tests of the process.
var stages atomic.Int64 //nolint:gochecknoglobals // one emulator for all tests of the process

// onAWS returns the world of a stage on the emulator: the shipped state machine,
// the functions, the tables and Athena over a copy of the project.
func onAWS(t *testing.T, project string, environ ...string) *world {
	t.Helper()
	cloud := awstest.Start(t)
	w := &world{name: "aws", clock: newClock(), dir: copyProject(t, project), cloud: cloud, stage: fmt.Sprintf("p%d", stages.Add(1))}
	for _, entry := range cloud.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
	bucket := "ceap-artifacts-" + w.stage + "-" + awstest.Account + "-" + awstest.Region
	files := awsapi.S3(cloud.Config)
	for _, name := range []string{bucket, resultsBucket} {
		if _, err := files.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(name)}); err != nil && awsapi.Code(err) != "BucketAlreadyOwnedByYou" {
			t.Fatal(err)
		}
	}
	tables := dynamodb.NewFromConfig(cloud.Config)
	for _, table := range dynamo.Tables(w.stage) {
		if _, err := tables.CreateTable(t.Context(), table); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	w.lake, err = athena.New(athena.Options{S3: files, Folder: filepath.Join(w.dir, "warehouse"), UnloadFiles: 3, UnloadRows: 1000, GroupRows: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.lake.Close() })
	cloud.HandleAthena(w.lake)

	environ = append(environ, "CEAP_STAGE="+w.stage)
	c := load(t, w.dir, environ...).OnAWS()
	w.app = newApp(t, c, w.clock)
	tableConfig := dynamo.DefaultConfig()
	tableConfig.Stage = w.stage
	w.roles = dynamo.New(plugin.Env{Logger: slog.New(slog.DiscardHandler), Now: w.clock.now}, tableConfig, cloud.Load)
	s := stage.New(w.stage, cloud.Load)
	w.functions(t, c, s)
	w.machine(t)
	w.run = func(t *testing.T, req app.RunRequest) (ceap.RunResult, error) {
		t.Helper()
		return w.app.RunOnStage(t.Context(), s, req, &pipeline.Meter{}, pause)
	}
	return w
}

const resultsBucket = "ceap-athena-results-dev"

// pause is short: the emulator is quick.
func pause(ctx context.Context, _ time.Duration) {
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// functions starts the functions of the stage, each with an App of its own, as
// processes have.
func (w *world) functions(t *testing.T, c *config.Config, s *stage.Stage) {
	t.Helper()
	log := &lines{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for name, handler := range map[string]string{"ETLLambda": awslambda.HandlerETL, "control": awslambda.HandlerControl, "part": awslambda.HandlerPart} {
		f := &awslambda.Function{App: newApp(t, c, w.clock), Stage: s, Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: &w.metrics}
		w.cloud.HandleFunction("ceap-"+w.stage+"-"+name, func(ctx context.Context, payload []byte) ([]byte, error) {
			return f.Handle(ctx, handler, payload)
		})
	}
}

// lines collects log lines of several goroutines.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// machine makes the shipped state machine.
func (w *world) machine(t *testing.T) {
	t.Helper()
	definition, err := os.ReadFile("../../deploy/aws/statemachine.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	function := func(name string) string {
		return "arn:aws:lambda:" + awstest.Region + ":" + awstest.Account + ":function:ceap-" + w.stage + "-" + name
	}
	text := strings.NewReplacer(
		"${ControlFunctionArn}", function("control"), "${PartFunctionArn}", function("part"),
		"${ArtifactsBucket}", "ceap-artifacts-"+w.stage+"-"+awstest.Account+"-"+awstest.Region,
	).Replace(string(definition))
	if strings.Contains(text, "${") {
		t.Fatalf("the state machine has substitutions that the test does not know: %s", text[strings.Index(text, "${"):][:40])
	}
	_, err = sfn.NewFromConfig(w.cloud.Config).CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("CeapBatchIngestion-" + w.stage), Definition: &text,
		RoleArn: aws.String("arn:aws:iam::" + awstest.Account + ":role/machine"),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// copyProject copies a project's folder without what runs have left in it.
func copyProject(t *testing.T, project string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(project)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, ".ceap")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// apply stores a program, given as a file of the project or as its text.
func (w *world) apply(t *testing.T, program string) {
	t.Helper()
	if strings.Contains(program, "\n") {
		name := filepath.Join("programs", "given.yaml")
		w.write(t, name, program)
		program = name
	}
	if _, err := w.app.ApplyProgram(t.Context(), program); err != nil {
		t.Fatal(err)
	}
}

// write replaces a file of the project.
func (w *world) write(t *testing.T, name, text string) {
	t.Helper()
	full := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// candidates returns all candidates of the program in a marketplace, closed ones
// too, without the ids that differ from world to world.
func (w *world) candidates(t *testing.T, programID, marketplace string) []ceap.Candidate {
	t.Helper()
	var out []ceap.Candidate
	q := store.Query{ProgramID: programID, Marketplace: marketplace, Channel: "*", Now: w.clock.now(), Limit: 1000}
	for {
		page, err := w.roles.Candidates.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Candidates {
			c.Meta.RunID, c.Meta.CreatedRunID, c.Meta.CorrelationID = "", "", ""
			out = append(out, c)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return out
		}
	}
}

// outcomes returns the run's journal in the order of its rows.
func (w *world) outcomes(t *testing.T, runID string) []ceap.Outcome {
	t.Helper()
	j, err := journal.Open(t.Context(), w.roles.Artifacts, runID)
	if ceap.ErrorCode(err) == ceap.CodeNotFound {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []ceap.Outcome
	for o, err := range j.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b ceap.Outcome) int {
		return cmp.Or(cmp.Compare(a.ConnectorID, b.ConnectorID), cmp.Compare(a.Row, b.Row))
	})
	return out
}

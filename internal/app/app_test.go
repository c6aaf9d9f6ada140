//go:build cgo

package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/explain"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

// deployment is an App over a temporary folder, with a clock of its own and a
// connector that hands out rows from memory.
type deployment struct {
	*app.App
	dir string
	now time.Time
	log bytes.Buffer
}

type noConfig struct{}

// plugins returns the set that ships, with the connector "memory".
func plugins(rows ...string) plugin.Set {
	open := func(plugin.Env, noConfig) (connector.Connector, error) { return memory(rows), nil }
	return builtin.All().With(plugin.Define("memory", "rows from memory", noConfig{}, open))
}

func deploy(t *testing.T, set plugin.Set, change ...func(*config.Config)) *deployment {
	t.Helper()
	d := &deployment{dir: t.TempDir(), now: time.Date(2026, 1, 28, 8, 0, 0, 0, time.UTC)}
	c := config.Default()
	c.Dir, c.Given = d.dir, "."
	for _, f := range change {
		f(&c)
	}
	n := 0
	a, err := app.New(t.Context(), &c, set, app.Deps{
		Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
		Now:    func() time.Time { return d.now },
		NewID:  func() string { n++; return fmt.Sprintf("run-%03d", n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	d.App = a
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return d
}

// write writes a file of the project.
func (d *deployment) write(t *testing.T, name, text string) {
	t.Helper()
	full := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func document(programID, marketplace string) string {
	return fmt.Sprintf("programId: %s\nmarketplace: %s\ncandidateTTLDays: 3\ndataConnectors: [{connectorId: m, connectorType: memory}]\n", programID, marketplace)
}

func (d *deployment) run(t *testing.T, name string) ceap.RunResult {
	t.Helper()
	res, err := d.Run(t.Context(), app.RunRequest{Program: name}, nil)
	if err != nil {
		t.Fatalf("running %s: %v", name, err)
	}
	return res
}

func TestApp_FindsPrograms(t *testing.T) { //nolint:tparallel // each step builds on the one before
	t.Parallel()
	d := deploy(t, plugins("C-1"))
	d.write(t, "programs/us.yaml", document("reviews", "US"))
	d.write(t, "programs/uk.yaml", document("reviews", "UK"))
	d.write(t, "programs/.hidden.yaml", document("reviews", "US"))
	d.write(t, "programs/notes.txt", "not a program")
	d.write(t, "elsewhere/one.yaml", document("one", "US"))

	t.Run("several files make one program, a marketplace each", func(t *testing.T) {
		_, err := d.Run(t.Context(), app.RunRequest{Program: "reviews"}, nil)
		if ceap.ErrorCode(err) != ceap.CodeInvalid || !strings.Contains(err.Error(), "US") || !strings.Contains(err.Error(), "UK") {
			t.Errorf("without a marketplace: %v", err)
		}
		in := app.RunRequest{Input: pipeline.Input{RunInput: ceap.RunInput{ProgramID: "reviews", Marketplace: "UK"}}}
		if res, err := d.Run(t.Context(), in, nil); err != nil || res.Marketplace != "UK" {
			t.Errorf("UK: %v, %v", res.Marketplace, err)
		}
	})
	t.Run("a file that exists is that file", func(t *testing.T) {
		if res := d.run(t, "elsewhere/one.yaml"); res.ProgramID != "one" || res.Counts.Created != 1 {
			t.Errorf("result = %+v", res)
		}
	})
	t.Run("a file comes before the store", func(t *testing.T) {
		if _, err := d.ApplyProgram(t.Context(), "elsewhere/one.yaml"); err != nil {
			t.Fatal(err)
		}
		stored := d.run(t, "one")
		d.write(t, "programs/one.yaml", strings.Replace(document("one", "US"), "candidateTTLDays: 3", "candidateTTLDays: 4", 1))
		if fromFile := d.run(t, "one"); fromFile.ProgramHash == stored.ProgramHash {
			t.Error("the stored program ran although there is a file")
		}
	})
	t.Run("two files for one marketplace are named", func(t *testing.T) {
		d.write(t, "programs/us2.yaml", document("reviews", "US"))
		_, err := d.Run(t.Context(), app.RunRequest{Program: "reviews"}, nil)
		if ceap.ErrorCode(err) != ceap.CodeConflict || !strings.Contains(err.Error(), "programs/us.yaml and programs/us2.yaml") {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("an unknown program is told with the nearest", func(t *testing.T) {
		_, err := d.Run(t.Context(), app.RunRequest{Program: "review"}, nil)
		if ceap.ErrorCode(err) != ceap.CodeNotFound || !strings.Contains(err.Error(), `did you mean "reviews"?`) {
			t.Errorf("err = %v", err)
		}
	})
}

func TestI18_SwitchedOffProgramsDoNothing(t *testing.T) {
	t.Parallel()
	d := deploy(t, plugins("C-1"))
	d.write(t, "programs/reviews.yaml", document("reviews", "US"))
	for _, name := range []string{"reviews", "programs/reviews.yaml"} {
		if _, err := d.SwitchProgram(t.Context(), name, "", false); err != nil {
			t.Fatal(err)
		}
		if res := d.run(t, name); res.Status != ceap.RunSkipped || res.Counts.Extracted != 0 {
			t.Errorf("%s, switched off: %s, %+v", name, res.Status, res.Counts)
		}
		// Applying a changed document does not switch it on.
		d.write(t, "programs/reviews.yaml", document("reviews", "US")+"programName: Changed for "+filepath.Base(name)+"\n")
		applied, err := d.ApplyProgram(t.Context(), "programs/reviews.yaml")
		if err != nil || len(applied) != 1 || applied[0].Enabled || applied[0].Outcome != "updated" {
			t.Fatalf("applied = %+v, %v", applied, err)
		}
		if res := d.run(t, name); res.Status != ceap.RunSkipped {
			t.Errorf("%s, applied again: %s", name, res.Status)
		}
		if _, err := d.SwitchProgram(t.Context(), name, "US", true); err != nil {
			t.Fatal(err)
		}
		if res := d.run(t, name); res.Status != ceap.RunSucceeded {
			t.Errorf("%s, switched on: %s", name, res.Status)
		}
	}
}

func TestApp_RunSweeps(t *testing.T) {
	t.Parallel()
	d := deploy(t, plugins("C-1", "C-2"))
	d.write(t, "programs/reviews.yaml", document("reviews", "US"))
	first := d.run(t, "reviews")
	if first.Counts.Created != 2 {
		t.Fatalf("counts = %+v", first.Counts)
	}
	d.now = d.now.AddDate(0, 0, 8) // beyond the candidates' 3 days and the journal's 7
	second := d.run(t, "reviews")
	if second.Counts.Rejected != 2 {
		t.Errorf("expired candidates came back: %+v", second.Counts)
	}
	answer, err := d.Why(t.Context(), explain.Question{CustomerID: "C-1"})
	if err != nil {
		t.Fatal(err)
	}
	var states []explain.JournalState
	for _, run := range answer.Programs[0].Runs {
		states = append(states, run.Journal)
	}
	if diff := cmp.Diff([]explain.JournalState{explain.JournalComplete, explain.JournalSwept}, states); diff != "" {
		t.Errorf("journals, latest first (-want +got):\n%s", diff)
	}
	page, err := d.Candidates(t.Context(), store.Query{CustomerID: "C-1", IncludeClosed: true})
	if err != nil || len(page.Candidates) != 0 {
		t.Errorf("candidates that expired are still there: %v, %v", page.Candidates, err)
	}
}

// brokenSweep is a store whose sweep fails.
type brokenSweep struct{ store.Candidates }

func (brokenSweep) Sweep(context.Context, time.Time) (int64, error) {
	return 0, errors.New("the sweep broke")
}

func TestApp_BrokenSweepFailsNoRun(t *testing.T) {
	t.Parallel()
	set := plugins("C-1")
	sqlite := set.Stores[0]
	set.Stores = append(slices.Clone(set.Stores), plugin.Define("broken", "a store that cannot sweep", noConfig{}, func(env plugin.Env, _ noConfig) (store.Roles, error) {
		roles, err := sqlite.Open(env, nil)
		roles.Candidates = brokenSweep{roles.Candidates}
		return roles, err
	}))
	d := deploy(t, set, func(c *config.Config) { c.Store.Type = "broken" })
	d.write(t, "programs/reviews.yaml", document("reviews", "US"))
	if res := d.run(t, "reviews"); res.Status != ceap.RunSucceeded {
		t.Errorf("status = %s", res.Status)
	}
	if !strings.Contains(d.log.String(), "the sweep broke") {
		t.Errorf("the log does not say so:\n%s", &d.log)
	}
}

func TestI68_OptOutRemovesWhatItCovers(t *testing.T) {
	t.Parallel()
	d := deploy(t, plugins("C-1", "C-2"))
	d.write(t, "programs/reviews.yaml", document("reviews", "US"))
	d.write(t, "programs/ratings.yaml", document("ratings", "US"))
	d.run(t, "reviews")
	d.run(t, "ratings")
	removed, err := d.OptOut(t.Context(), ceap.OptOut{CustomerID: "C-1", ProgramID: "reviews"})
	if err != nil || removed != 1 {
		t.Errorf("one program: removed %d, %v", removed, err)
	}
	removed, err = d.OptOut(t.Context(), ceap.OptOut{CustomerID: "C-1"})
	if err != nil || removed != 1 {
		t.Errorf("every program: removed %d, %v", removed, err)
	}
	if res := d.run(t, "reviews"); res.Counts.Rejected != 1 || res.Counts.Stored != 1 {
		t.Errorf("after the opt-out: %+v", res.Counts)
	}
	if _, err := d.OptOut(t.Context(), ceap.OptOut{}); ceap.ErrorCode(err) != ceap.CodeInvalid {
		t.Errorf("nobody: %v", err)
	}
}

func TestApp_RunByID(t *testing.T) {
	t.Parallel()
	d := deploy(t, plugins("C-1"))
	d.write(t, "programs/reviews.yaml", document("reviews", "US"))
	if _, err := d.RunByID(t.Context(), ""); ceap.ErrorCode(err) != ceap.CodeNotFound {
		t.Errorf("no runs: %v", err)
	}
	first := d.run(t, "reviews")
	d.now = d.now.Add(time.Minute)
	second := d.run(t, "reviews")
	for id, want := range map[string]string{"": second.RunID, first.RunID: first.RunID, second.RunID: second.RunID} {
		if got, err := d.RunByID(t.Context(), id); err != nil || got.RunID != want {
			t.Errorf("%q: %q, %v", id, got.RunID, err)
		}
	}
	if _, err := d.RunByID(t.Context(), "run-"); ceap.ErrorCode(err) != ceap.CodeInvalid {
		t.Errorf("a beginning that two runs share: %v", err)
	}
	if _, err := d.RunByID(t.Context(), "ran"); ceap.ErrorCode(err) != ceap.CodeNotFound {
		t.Errorf("a run that there is not: %v", err)
	}
}

func TestApp_Validate(t *testing.T) {
	t.Parallel()
	d := deploy(t, plugins("C-1"), func(c *config.Config) {
		c.Models = map[string]config.Model{"stood-in": {ModelType: "static", Config: node(t, `{"value": 0.5}`)}}
	})
	d.write(t, "programs/a.yaml", document("a", "US")+`
filterChain:
  filters:
    - {filterId: best, filterType: capacity, order: 1, parameters: {maxPerCustomer: 1}}
    - {filterId: eligible, filterType: eligibility, order: 2, parameters: {requiredChannels: [email]}}
scoringModels:
  - {modelId: stood-in, modelType: sagemaker}
  - {modelId: alone, modelType: sagemaker}
`)
	d.write(t, "programs/b.yaml", "programId: b\n")
	found, err := d.Validate(t.Context(), nil)
	if err != nil || len(found) != 2 {
		t.Fatalf("%d validations, %v", len(found), err)
	}
	var warned []string
	for _, w := range found[0].Problems.Warnings() {
		if strings.Contains(w.Message, ceap.ReasonModelNotConfigured) {
			warned = append(warned, w.Path)
		}
	}
	if diff := cmp.Diff([]string{`model "alone"`}, warned); diff != "" || !found[0].Valid() {
		t.Errorf("models that lack something (-want +got):\n%s\nproblems: %v", diff, found[0].Problems)
	}
	var steps []string
	for _, step := range found[0].Plan {
		steps = append(steps, step.Step)
		if late := step.Step == "filter eligible"; late != strings.HasPrefix(step.Note, "could stand before") {
			t.Errorf("step %q has the note %q", step.Step, step.Note)
		}
	}
	want := []string{"extract m", "filter opt_out", "score stood-in alone", "rank best", "filter eligible", "store"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if found[1].Valid() || found[1].File != "programs/b.yaml" {
		t.Errorf("the broken program: %+v", found[1])
	}
	if _, err := os.Stat(filepath.Join(d.dir, ".ceap")); !os.IsNotExist(err) {
		t.Errorf("validating made a store: %v", err)
	}
}

func TestApp_Doctor(t *testing.T) {
	t.Parallel()
	d := deploy(t, plugins("C-1"), func(c *config.Config) { c.TempDir = "missing" })
	d.write(t, "programs/a.yaml", document("a", "US")+"channels: [{channelType: email, config: {templateId: hello}}]\n")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := d.Doctor(stopped, "a", "", nil); ceap.ErrorCode(err) != ceap.CodeCancelled {
		t.Errorf("stopped: %v", err)
	}
	found, err := d.Doctor(t.Context(), "a", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range found.Checks {
		if c.Status != connector.CheckOK {
			got[c.Name] = c.Status
		}
	}
	delete(got, "program") // sections that are absent
	want := map[string]string{"temporary files": connector.CheckFailed, "template hello": connector.CheckWarning, "m: fields": connector.CheckWarning}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks that are not ok (-want +got):\n%s", diff)
	}
	if failed, surroundings := found.Failed(); !failed || !surroundings {
		t.Errorf("Failed() = %v, %v", failed, surroundings)
	}
	d.write(t, "templates/hello/subject.txt", "Hello")
	d.write(t, "missing/x", "")
	if found, err = d.Doctor(t.Context(), "a", "", nil); err != nil {
		t.Fatal(err)
	}
	if failed, _ := found.Failed(); failed {
		t.Errorf("all is well, but: %+v", found.Checks)
	}
}

func TestNew_RefusesUnknownNames(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.Store.Type = "sqlight"
	c.Models = map[string]config.Model{"m": {ModelType: "logistics"}}
	_, err := app.New(t.Context(), &c, builtin.All(), app.Deps{})
	if ceap.ErrorCode(err) != ceap.CodeInvalid || !strings.Contains(err.Error(), "sqlight") || !strings.Contains(err.Error(), "logistics") {
		t.Errorf("err = %v", err)
	}
}

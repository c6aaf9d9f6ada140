package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/store"
)

// project returns a folder with that ceap.yaml; "" means none.
func project(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if text != "" {
		if err := os.WriteFile(filepath.Join(dir, config.FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func load(t *testing.T, s config.Sources) *config.Config {
	t.Helper()
	c, warnings, err := config.Load(s)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("Load: %v, warnings %v", err, warnings)
	}
	return c
}

func TestLoad_Precedence(t *testing.T) {
	t.Parallel()
	dir := project(t, "log: {level: info, format: json}\njournal: {keepDays: 3}\nprograms: mine\n")
	c := load(t, config.Sources{
		Dir:     dir,
		Flags:   map[string]string{"log.level": "debug"},
		Environ: []string{"CEAP_LOG_LEVEL=error", "CEAP_JOURNAL_KEEP_DAYS=5", "CEAP_DIR=/nowhere", "HOME=/root"},
	})
	got := []any{c.Log.Level, c.Journal.KeepDays, c.Log.Format, c.Programs, c.Templates, c.Dir, c.Store.Type}
	want := []any{"debug", 5, "json", "mine", "templates", dir, "sqlite"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flag, environment, environment over default, file, file, default, flag, default (-want +got):\n%s", diff)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	t.Run("without a file the defaults hold", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"", "   \n", "# log: {level: debug}\n"} {
			dir := project(t, text)
			c := load(t, config.Sources{Dir: dir})
			want := config.Default()
			want.Dir, want.Given = dir, dir
			if diff := cmp.Diff(&want, c); diff != "" {
				t.Errorf("%q (-want +got):\n%s", text, diff)
			}
		}
	})
	t.Run("the environment names the folder", func(t *testing.T) {
		t.Parallel()
		dir := project(t, "tempDir: /scratch\n")
		if c := load(t, config.Sources{Environ: []string{"CEAP_DIR=" + dir}}); c.Dir != dir || c.TempDir != "/scratch" {
			t.Errorf("config = %+v", c)
		}
	})
	t.Run("relative paths count from the folder", func(t *testing.T) {
		t.Parallel()
		dir := project(t, "")
		c := load(t, config.Sources{Dir: dir})
		if got := c.Path(c.Programs); got != filepath.Join(dir, "programs") {
			t.Errorf("Path = %s", got)
		}
		if c.Path("/a/b") != "/a/b" || c.Path("") != "" {
			t.Errorf("absolute and empty paths are changed: %s, %s", c.Path("/a/b"), c.Path(""))
		}
	})
	t.Run("all problems are told at once, with their places", func(t *testing.T) {
		t.Parallel()
		dir := project(t, "jornal: {keepDays: 3}\nlog:\n  level: loud\njournal: {keepDays: 0}\nstore: {type: 3}\n")
		_, _, err := config.Load(config.Sources{Dir: dir, Flags: map[string]string{"log.format": "xml"}, Environ: []string{"CEAP_JOURNAL_KEEP_DAYS=soon"}})
		if ceap.ErrorCode(err) != ceap.CodeInvalid {
			t.Fatalf("err = %v", err)
		}
		file := filepath.Join(dir, config.FileName)
		for _, want := range []string{
			file + ":1:1: ", "jornal", `"journal"`, file + ":3:10: ", file + ":4:21: ", file + ":5:15: ", "CEAP_JOURNAL_KEEP_DAYS: ", "--log-format: ",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is missing in:\n%v", want, err)
			}
		}
	})
	t.Run("a variable that looks misspelled draws a warning", func(t *testing.T) {
		t.Parallel()
		_, warnings, err := config.Load(config.Sources{Dir: t.TempDir(), Environ: []string{"CEAP_LOGLEVEL=debug", "CEAP_SERVICE_HOST=10.0.0.1"}})
		if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].String(), "CEAP_LOG_LEVEL") {
			t.Errorf("warnings = %v, err = %v", warnings, err)
		}
	})
	t.Run("a folder that is missing or a file is refused", func(t *testing.T) {
		t.Parallel()
		dir := project(t, "log: {level: info}\n")
		_, _, err := config.Load(config.Sources{Dir: filepath.Join(dir, "gone")})
		if ceap.ErrorCode(err) != ceap.CodeNotFound || !strings.Contains(err.Error(), "ceap init") {
			t.Errorf("missing folder: %v", err)
		}
		_, _, err = config.Load(config.Sources{Dir: filepath.Join(dir, config.FileName)})
		if ceap.ErrorCode(err) != ceap.CodeInvalid {
			t.Errorf("file: %v", err)
		}
	})
}

func TestNoColor(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]bool{"NO_COLOR=1": true, "NO_COLOR=": false, "TERM=dumb": true, "TERM=xterm": false, "COLOR=1": false} {
		if got := config.NoColor([]string{environ}); got != want {
			t.Errorf("%s: %v", environ, got)
		}
	}
}

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	c := config.Default()
	if problems := c.Validate(); len(problems) > 0 {
		t.Errorf("the default is invalid: %v", problems)
	}
	c.Journal.KeepDays, c.Log.Level, c.Programs, c.Store.Type = 0, "loud", "", ""
	if problems := c.Validate(); len(problems) != 4 {
		t.Errorf("problems = %v", problems)
	}
}

type fakeSettings struct {
	Engine  string `json:"engine" doc:"The engine."`
	Threads int    `json:"threads" ceap:"min=1" doc:"Threads."`
}

func fakePlugins() plugin.Set {
	type none struct{}
	return plugin.Set{
		Connectors: []plugin.Of[connector.Connector]{
			plugin.Define("data-warehouse", "a fake", none{}, func(plugin.Env, none) (connector.Connector, error) { return nil, nil }).
				WithSettings(fakeSettings{Engine: "duckdb", Threads: 1}),
			plugin.Define("plain", "a fake", none{}, func(plugin.Env, none) (connector.Connector, error) { return nil, nil }),
		},
		Stores: []plugin.Of[store.Roles]{
			plugin.Define("sqlite", "a fake", none{}, func(plugin.Env, none) (store.Roles, error) { return store.Roles{}, nil }),
		},
		Scorers: []plugin.Of[scorer.Scorer]{
			plugin.Define("logistic", "a fake", none{}, func(plugin.Env, none) (scorer.Scorer, error) { return nil, nil }),
		},
	}
}

func TestConfig_Settings(t *testing.T) {
	t.Parallel()
	t.Run("the file's settings stand over the plug-in's defaults", func(t *testing.T) {
		t.Parallel()
		c := load(t, config.Sources{Dir: project(t, "connectors:\n  data-warehouse: {threads: 4}\nmodels:\n  review: {modelType: logistic}\n")})
		s, problems := c.Settings(fakePlugins())
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if diff := cmp.Diff(fakeSettings{Engine: "duckdb", Threads: 4}, s.Of(config.KindConnectors, "data-warehouse")); diff != "" {
			t.Error(diff)
		}
		if got := s.Of(config.KindConnectors, "plain"); got != nil {
			t.Errorf("settings of a plug-in without any: %v", got)
		}
		again, _ := c.Settings(fakePlugins())
		if diff := cmp.Diff(s, again); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("unknown names and keys are told with their places", func(t *testing.T) {
		t.Parallel()
		dir := project(t, `connectors:
  data-warehose: {threads: 4}
  data-warehouse: {thread: 4}
  plain: {a: 1}
models:
  review: {modelType: logistics}
store: {type: sqlight}
`)
		_, problems := load(t, config.Sources{Dir: dir}).Settings(fakePlugins())
		text := problems.Error()
		for _, want := range []string{
			":2:18: ", `unknown connector type "data-warehose"`, `"data-warehouse"`, ":3:20: ", "thread", ":4:10: ", "no settings",
			`models.review.modelType: unknown model type "logistics"`, `store.type: unknown store type "sqlight"`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in:\n%s", want, text)
			}
		}
		if len(problems) != 5 {
			t.Errorf("%d problems:\n%s", len(problems), text)
		}
	})
}

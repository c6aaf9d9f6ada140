//go:build cgo

package sample_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/internal/sample"
)

func TestInitProject(t *testing.T) {
	t.Parallel()

	t.Run("writes what it says, sorted", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "new", "shop")
		names := initProject(t, dir)
		if diff := cmp.Diff(tree(t, dir), names); diff != "" {
			t.Errorf("files on disk and files reported (-disk +reported):\n%s", diff)
		}
		for _, want := range []string{"ceap.yaml", "README.md", "programs/product-reviews.json", "templates/product-review-request/body.txt"} {
			if !slices.Contains(names, want) {
				t.Errorf("%s is missing", want)
			}
		}
	})

	t.Run("its programs and configuration are without fault", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		initProject(t, dir)
		checkProject(t, dir, "product-reviews", "quick-start")
	})

	t.Run("keeps the guide's words", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		initProject(t, dir)
		for name, golden := range map[string]string{
			"programs/product-reviews.json":                                  "program-config.json",
			"warehouse/quick_start/product_deliveries/sample-deliveries.csv": "sample-deliveries.csv",
		} {
			if diff := cmp.Diff(read(t, "testdata", "guide", golden), read(t, dir, name)); diff != "" {
				t.Errorf("%s (-guide +project):\n%s", name, diff)
			}
		}
		schema := read(t, dir, "warehouse/ceap_data_dev/product_deliveries/_schema.sql")
		if diff := cmp.Diff(columns(t, guide(t, "product_deliveries.sql")), columns(t, schema)); diff != "" {
			t.Errorf("columns of product_deliveries (-guide +project):\n%s", diff)
		}
	})

	t.Run("overwrites nothing", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, dir, "ceap.yaml", "mine")
		write(t, dir, "programs", "a file where a folder has to be")
		_, err := sample.InitProject(dir)
		if ceap.ErrorCode(err) != ceap.CodeConflict {
			t.Fatalf("InitProject = %v, want a conflict", err)
		}
		if !strings.Contains(err.Error(), dir+" already has ceap.yaml, programs;") {
			t.Errorf("the error does not name exactly what is in the way: %v", err)
		}
		if diff := cmp.Diff([]string{"ceap.yaml", "programs"}, tree(t, dir)); diff != "" {
			t.Errorf("files afterwards (-want +got):\n%s", diff)
		}
		if got := read(t, dir, "ceap.yaml"); got != "mine" {
			t.Errorf("ceap.yaml was overwritten with %q", got)
		}
	})

	t.Run("counts what it does not name", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		n := len(initProject(t, dir))
		_, err := sample.InitProject(dir)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf(" and %d more;", n-5)) {
			t.Errorf("InitProject of a project of %d files = %v", n, err)
		}
	})

	t.Run("leaves what else lies in the folder", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, dir, "notes.txt", "mine")
		initProject(t, dir)
		if got := read(t, dir, "notes.txt"); got != "mine" {
			t.Errorf("notes.txt is %q", got)
		}
	})

	t.Run("a folder that is a file is in conflict", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, dir, "shop", "a file")
		if _, err := sample.InitProject(filepath.Join(dir, "shop")); ceap.ErrorCode(err) != ceap.CodeConflict {
			t.Errorf("InitProject = %v, want a conflict", err)
		}
	})

	t.Run("a folder below a file is unavailable, and nothing is left", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, dir, "file", "")
		if _, err := sample.InitProject(filepath.Join(dir, "file", "shop")); ceap.ErrorCode(err) != ceap.CodeUnavailable {
			t.Errorf("InitProject = %v, want unavailable", err)
		}
		if diff := cmp.Diff([]string{"file"}, tree(t, dir)); diff != "" {
			t.Errorf("files afterwards (-want +got):\n%s", diff)
		}
	})
}

func initProject(t *testing.T, dir string) []string {
	t.Helper()
	names, err := sample.InitProject(dir)
	if err != nil {
		t.Fatalf("InitProject: %v", err)
	}
	return names
}

// checkProject loads the configuration and every program strictly, against the
// plug-ins that ship, and wants exactly these programs.
func checkProject(t *testing.T, dir string, want ...string) {
	t.Helper()
	c, warnings, err := config.Load(config.Sources{Dir: dir})
	if err != nil {
		t.Fatalf("config.Load: %v", err)
	}
	if len(warnings) > 0 {
		t.Errorf("the configuration has warnings: %v", warnings)
	}
	settings, problems := c.Settings(builtin.All())
	if err := problems.Err(); err != nil {
		t.Errorf("settings: %v", err)
	}
	var ids []string
	entries, err := os.ReadDir(filepath.Join(dir, "programs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		data := read(t, dir, "programs", entry.Name())
		loaded := program.Load(entry.Name(), []byte(data), program.Options{Plugins: builtin.All(), Settings: settings.Of})
		if err := loaded.Err(); err != nil {
			t.Errorf("%s: %v", entry.Name(), err)
		}
		ids = append(ids, loaded.ProgramID)
		for _, p := range loaded.Programs {
			checkParts(t, dir, c, p)
		}
	}
	slices.Sort(ids)
	slices.Sort(want)
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
}

// checkParts wants an answer for every model, a template for every channel, and
// no channel that sends.
func checkParts(t *testing.T, dir string, c *config.Config, p *program.Program) {
	t.Helper()
	for _, m := range p.Models {
		if _, standIn := c.Models[m.ID]; m.Type == "sagemaker" && !standIn {
			t.Errorf("%s: nothing answers for the model %s", p.ProgramID, m.ID)
		}
	}
	for _, ch := range p.Channels {
		if ch.Mode != program.ModeShadow {
			t.Errorf("%s: channel %s is %s", p.ProgramID, ch.ID, ch.Mode)
		}
		if _, err := os.Stat(filepath.Join(dir, "templates", ch.TemplateID)); err != nil {
			t.Errorf("%s: channel %s has no template: %v", p.ProgramID, ch.ID, err)
		}
	}
}

// tree returns the files below dir, with slashes, sorted.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// guide returns one of the guide's snippets.
func guide(t *testing.T, name string) string {
	t.Helper()
	return read(t, "testdata", "guide", name)
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// columns returns the columns of a CREATE EXTERNAL TABLE with their types, those
// of the partition last.
func columns(t *testing.T, ddl string) []string {
	t.Helper()
	found := regexp.MustCompile(`(\w+) (STRING|DOUBLE|BOOLEAN|INT)\b`).FindAllString(ddl, -1)
	if len(found) == 0 {
		t.Fatalf("no columns in %q", ddl)
	}
	return found
}

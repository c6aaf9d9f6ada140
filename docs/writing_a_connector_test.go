//go:build cgo

// The binary that the page builds contains DuckDB, which needs cgo.

package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWritingAConnector follows the page: it runs the script, and tests, builds
// and runs the connector in Go, in a module of its own beside this one.
func TestWritingAConnector(t *testing.T) {
	t.Parallel()
	p := connectorPage(t)
	if len(p.blocks) < 15 {
		t.Fatalf("the page has only %d blocks", len(p.blocks))
	}
	s := newSession(t, p)
	writeModule(t, filepath.Join(s.dir, "src"))
	writeGoEnv(t, s.home)
	s.run()
}

// TestWritingAConnector_IsTheExample holds that the page shows the files of
// examples/custom-connector, where src is its own folder.
func TestWritingAConnector_IsTheExample(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, b := range connectorPage(t).blocks {
		name := strings.TrimPrefix(b.attr["file"], "src/")
		example := filepath.Join(root, "examples", "custom-connector", filepath.FromSlash(name))
		data, err := os.ReadFile(example)
		if name == "" || err != nil {
			continue // a file of the page's first half
		}
		shown[name] = true
		if diff := cmp.Diff(string(data), b.body); diff != "" {
			t.Errorf("docs/writing-a-connector.md:%d differs from the example (-example +page):\n%s", b.line, diff)
		}
	}
	for _, name := range []string{"main.go", "dailycsv.go", "dailycsv_test.go", "programs/delivery-reviews.yaml"} {
		if !shown[name] {
			t.Errorf("the page does not show the example's %s", name)
		}
	}
}

func connectorPage(t *testing.T) page {
	t.Helper()
	return readPage(t, filepath.Join(root, "docs", "writing-a-connector.md"))
}

// writeModule writes the module files that `go mod init` and `go get` would
// write, with this module in the place of a released version.
func writeModule(t *testing.T, dir string) {
	t.Helper()
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(here, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	const module = "github.com/ceap-platform/ceap"
	mod := strings.Replace(read("go.mod"), "module "+module+"\n", "module example.com/my-ceap\n", 1)
	mod += fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %s => %q\n", module, module, here)
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": mod, "go.sum": read("go.sum")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// writeGoEnv lets the go command of the page's user find what is built and
// downloaded already. It asks no network.
func writeGoEnv(t *testing.T, home string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatalf("asking the go command for its folders: %v", err)
	}
	cache, modules, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	text := "GOPROXY=off\nGOTOOLCHAIN=local\nGOFLAGS=-mod=mod\nGOCACHE=" + cache + "\nGOMODCACHE=" + modules + "\n"
	// Where the go command looks depends on the system.
	for _, dir := range []string{".config/go", "Library/Application Support/go"} {
		name := filepath.Join(home, filepath.FromSlash(dir), "env")
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

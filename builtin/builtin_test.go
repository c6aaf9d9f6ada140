package builtin_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap/builtin"
)

func TestAll_Check(t *testing.T) {
	t.Parallel()
	if err := builtin.All().Check(); err != nil {
		t.Error(err)
	}
}

// Every folder below a contract is a plug-in, a family's parent, or the
// contract's suite; the first two must be listed.
func TestAll_ListsEveryFolder(t *testing.T) {
	t.Parallel()
	listed := imports(t)
	found := 0
	for _, kind := range []string{"connector", "filter", "scorer", "store"} {
		for _, folder := range pluginFolders(t, kind) {
			found++
			if !listed["github.com/ceap-platform/ceap/"+folder] {
				t.Errorf("%s holds a plug-in that package builtin does not list", folder)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d plug-in folders were found; the test looks in the wrong place", found)
	}
}

// pluginFolders returns the folders below one kind that hold non-test Go files,
// members of families included, suites excluded.
func pluginFolders(t *testing.T, kind string) []string {
	t.Helper()
	var folders []string
	for _, pattern := range []string{"*/*.go", "*/*/*.go"} {
		names, err := filepath.Glob(filepath.Join("..", kind, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			folder := filepath.ToSlash(filepath.Dir(strings.TrimPrefix(name, ".."+string(filepath.Separator))))
			if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(folder, "test") || strings.Contains(folder, "testdata") {
				continue
			}
			if len(folders) == 0 || folders[len(folders)-1] != folder {
				folders = append(folders, folder)
			}
		}
	}
	return folders
}

// imports returns what the non-test files of package builtin import.
func imports(t *testing.T) map[string]bool {
	t.Helper()
	listed := map[string]bool{}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			listed[imported] = true
		}
	}
	return listed
}

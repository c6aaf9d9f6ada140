package cli

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEngines(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{Deps: []*debug.Module{{Path: "github.com/mattn/go-sqlite3", Version: "v1.0.0"}, {Path: "example.com/other", Version: "v2.0.0"}}}
	want := []engine{{Name: "DuckDB", Version: absent}, {Name: "SQLite", Module: "github.com/mattn/go-sqlite3", Version: "v1.0.0"}}
	if diff := cmp.Diff(want, engines(info)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The modules that `ceap version` looks for are those that the module requires.
func TestEngines_KnowTheDrivers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var info debug.BuildInfo
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require ")); len(fields) >= 2 {
			info.Deps = append(info.Deps, &debug.Module{Path: fields[0], Version: fields[1]})
		}
	}
	for _, e := range engines(&info) {
		if e.Module == "" {
			t.Errorf("go.mod requires no driver of %s that `ceap version` knows", e.Name)
		}
	}
}

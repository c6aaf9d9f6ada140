//go:build !cgo

package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/cli"
)

func TestRun_WithoutEngines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(args ...string) (exit int, out string) {
		var b bytes.Buffer
		exit = cli.Run(t.Context(), builtin.All(), cli.Streams{In: strings.NewReader(""), Out: &b, Err: &b}, append([]string{"-C", dir}, args...)...)
		return exit, b.String()
	}
	if exit, out := run("version"); exit != 0 || !strings.Contains(out, "DuckDB  not in this build") {
		t.Errorf("version: exit %d\n%s", exit, out)
	}
	if exit, out := run("init", "."); exit != 0 {
		t.Fatalf("init: exit %d\n%s", exit, out)
	}
	if exit, out := run("validate"); exit != 2 || !strings.Contains(out, "engine duckdb is not in this build") {
		t.Errorf("validate: exit %d\n%s", exit, out)
	}
	if exit, out := run("run", "quick-start", "--dry-run"); exit != 3 || !strings.Contains(out, "not in this build") {
		t.Errorf("run: exit %d\n%s", exit, out)
	}
	if exit, out := run("runs", "list"); exit != 3 || !strings.Contains(out, "not in this build") {
		t.Errorf("runs list: exit %d\n%s", exit, out)
	}
}

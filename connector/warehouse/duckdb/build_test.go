//go:build cgo

package duckdb_test

import (
	"os"
	"os/exec"
	"testing"
)

// TestBuild_WithoutCgo holds that the twin has what the engine has.
func TestBuild_WithoutCgo(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "vet", "../...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("CGO_ENABLED=0 go vet: %v\n%s", err, out)
	}
}

//go:build cgo

package duckdb

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTempFolder_RemovesThoseOfKilledProcessesOnly(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	inUse, err := newTempFolder(base)
	if err != nil {
		t.Fatal(err)
	}
	abandoned := filepath.Join(base, tempPrefix+"abandoned")
	fresh := filepath.Join(base, tempPrefix+"fresh")
	other := filepath.Join(base, "not-ours")
	for _, dir := range []string{abandoned, fresh, other} {
		if err := os.MkdirAll(filepath.Join(dir, "spilled"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	hourAgo := time.Now().Add(-time.Hour)
	for _, dir := range []string{abandoned, other, inUse.path} {
		if err := os.Chtimes(dir, hourAgo, hourAgo); err != nil {
			t.Fatal(err)
		}
	}
	mine, err := newTempFolder(base)
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{abandoned: false, fresh: true, other: true, inUse.path: true, mine.path: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s: there %v, want %v", filepath.Base(dir), err == nil, want)
		}
	}
	for _, folder := range []*tempFolder{mine, inUse} {
		if err := folder.remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(folder.path); err == nil {
			t.Errorf("%s is still there", folder.path)
		}
	}
}

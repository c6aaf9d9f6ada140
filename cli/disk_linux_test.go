//go:build cgo

package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk mounts a disk of some bytes, and returns its folder and a function
// that gives it more.
func smallDisk(t *testing.T, size string) (dir string, grow func(size string)) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a full disk is left out: a small one cannot be mounted (%v); run the tests as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir, func(size string) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size="+size); err != nil {
			t.Fatal(err)
		}
	}
}

const wideProgram = `
programId: wide
marketplace: US
dataConnectors:
  - connectorId: rows
    connectorType: data-warehouse
    sourceConfig:
      database: db
      query: |
        SELECT 'c' || i AS customer_id, 'product' AS subject_type, 'p' || i AS subject_id, '{startDate}' AS event_date,
          repeat(md5(i::VARCHAR), 20) AS note
        FROM range(ROWS) t(i)
        ORDER BY i + length(note)
`

// TestFullDisk fills the disk of the store, and that of temporary files, in the
// middle of a run. The run says so, leaves nothing half done, and after space is
// freed ends as one that nothing disturbed (I7).
func TestFullDisk(t *testing.T) {
	t.Parallel()
	binary := buildBinary(t)
	for name, c := range map[string]struct {
		rows          int
		config, small string
		words         []string
	}{
		"of the store": {
			30_000, "store: {path: %s/ceap.db}\n", "3m",
			[]string{"database or disk is full", "do: the disk is full; free space and run again, nothing that was stored is lost"},
		},
		"of a store that is new": {
			30_000, "store: {path: %s/ceap.db}\n", "64k", []string{"the disk is full; free space and run again"},
		},
		"of temporary files": {
			100_000, "tempDir: %s\n", "2m", []string{"no space left on device", "do: free space in that folder, or set another with `tempDir` in ceap.yaml"},
		},
		"of the query's temporary files": {
			250_000, "connectors: {data-warehouse: {tempDir: %s, memoryLimit: 150MB}}\n", "1m",
			[]string{"Query execution failed: ", "No space left on device", "do: free space there, or set another folder with connectors.data-warehouse.tempDir"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk, grow := smallDisk(t, c.small)
			files := map[string]string{
				"programs/wide.yaml": strings.ReplaceAll(wideProgram, "ROWS", fmt.Sprint(c.rows)), "warehouse/db/t/a.csv": "a\n1\n",
			}
			undisturbed := newProject(t, binary, files)
			args := days("run", "wide", "--batch-id", "b", "--as-of", "2026-01-28", "--json")
			quiet := undisturbed.start(args...)
			quiet.expect(0)
			want := quiet.result()

			files["ceap.yaml"] = fmt.Sprintf(c.config, disk)
			p := newProject(t, binary, files)
			p.start(days("run", "wide", "--batch-id", "b", "--as-of", "2026-01-28")...).expect(3, c.words...)
			if c.small != "64k" {
				p.start("candidates", "list", "--program", "wide").expect(0, "No candidates")
				p.start("runs", "show").expect(0, "FAILED")
			}
			grow("1g")
			again := p.start(args...)
			again.expect(0)
			got := again.result()
			if got.Counts != want.Counts || got.ResultHash != want.ResultHash || !got.AsOf.Equal(want.AsOf) {
				t.Errorf("after space was freed: %+v %s\nundisturbed: %+v %s", got.Counts, got.ResultHash, want.Counts, want.ResultHash)
			}
			p.start("why", "c7", "--program", "wide").expect(0, "product/p7: stored: a new candidate")
		})
	}
}

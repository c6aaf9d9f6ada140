package spool

import (
	"os"

	"golang.org/x/sys/unix"
)

// createUnnamed opens a file of dir that never has a name, where the file system
// can do that.
func createUnnamed(dir string) (*os.File, error) {
	return os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600) //nolint:gosec // a folder that the deployment names
}

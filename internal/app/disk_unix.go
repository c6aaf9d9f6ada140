//go:build linux || darwin

package app

import "syscall"

// freeBytes returns the disk space that is free at a folder, and whether that is
// known.
func freeBytes(dir string) (uint64, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true //nolint:gosec // the size of a block is not negative
}

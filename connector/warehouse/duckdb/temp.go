//go:build cgo

package duckdb

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// tempPrefix begins the names of the folders that DuckDB spills into.
const tempPrefix = "ceap-duckdb-"

// tempLock is the file of such a folder that its process holds locked. The system
// gives the lock up when the process ends, however it does.
const tempLock = "in-use"

// tempGrace is how young a folder may be without a lock: its process may be about
// to take it.
const tempGrace = time.Minute

// tempFolder is a folder to spill into.
type tempFolder struct {
	path string
	lock *flock.Flock
}

// newTempFolder makes a folder in base, the system's own if that is "", and
// removes those of processes that were killed.
func newTempFolder(base string) (*tempFolder, error) {
	path, err := os.MkdirTemp(base, tempPrefix)
	if err != nil {
		return nil, err
	}
	t := &tempFolder{path: path, lock: flock.New(filepath.Join(path, tempLock))}
	if err := t.lock.Lock(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	removeAbandoned(filepath.Dir(path), path)
	return t, nil
}

// removeAbandoned removes what killed processes left. What cannot be removed is
// left to the next one.
func removeAbandoned(base, own string) {
	info, err := os.Stat(own)
	if err != nil {
		return
	}
	folders, err := filepath.Glob(filepath.Join(base, tempPrefix+"*"))
	if err != nil {
		return
	}
	for _, folder := range folders {
		other, err := os.Stat(folder)
		if err != nil || folder == own || info.ModTime().Sub(other.ModTime()) < tempGrace {
			continue
		}
		lock := flock.New(filepath.Join(folder, tempLock))
		if free, err := lock.TryLock(); err == nil && free {
			_ = os.RemoveAll(folder)
			_ = lock.Unlock()
		}
	}
}

func (t *tempFolder) remove() error {
	return errors.Join(os.RemoveAll(t.path), t.lock.Unlock())
}

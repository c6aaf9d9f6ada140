package sample

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
)

// folder is a folder that files are added to. It remembers what it made.
type folder struct {
	root string
	made []string // files and folders, in the order in which they were made
}

// shownNames is how many names of files a message lists.
const shownNames = 5

// free returns an error of conflict if one of the names, relative to the folder,
// exists already, or has a file where a folder has to be.
func (f *folder) free(names []string) error {
	hint := "nothing was written; choose an empty folder, or move what is there"
	if info, err := os.Stat(f.root); err == nil && !info.IsDir() {
		return ceap.Errorf(ceap.CodeConflict, "%s is a file", f.root).WithHint("%s", hint)
	}
	var taken []string
	parents := map[string]bool{}
	for _, name := range names {
		if _, err := os.Stat(f.path(name)); err == nil {
			taken = append(taken, name)
		}
		for at := path.Dir(name); at != "." && !parents[at]; at = path.Dir(at) {
			parents[at] = true
			if info, err := os.Stat(f.path(at)); err == nil && !info.IsDir() {
				taken = append(taken, at)
			}
		}
	}
	if len(taken) == 0 {
		return nil
	}
	more := ""
	if n := len(taken) - shownNames; n > 0 {
		taken, more = taken[:shownNames], fmt.Sprintf(" and %d more", n)
	}
	return ceap.Errorf(ceap.CodeConflict, "%s already has %s%s", f.root, strings.Join(taken, ", "), more).WithHint("%s", hint)
}

// write adds a file.
func (f *folder) write(name string, data []byte) error {
	file, err := f.create(name)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return f.done(name, errors.Join(err, file.Close()))
}

// create adds an empty file and the folders above it. The caller closes it.
func (f *folder) create(name string) (*os.File, error) {
	if err := f.mkdir(path.Dir(name)); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(f.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // G302, G304: a project is for others to read, and lies where its user says
	if err != nil {
		return nil, f.done(name, err)
	}
	f.made = append(f.made, f.path(name))
	return file, nil
}

// mkdir adds a folder and those above it, unless they are there.
func (f *folder) mkdir(name string) error {
	at := f.path(name)
	var missing []string
	for {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, at)
		at = filepath.Dir(at)
	}
	for _, dir := range slices.Backward(missing) {
		if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // G301: a project is for others to read
			return f.done(name, err)
		}
		f.made = append(f.made, dir)
	}
	return nil
}

// done wraps what went wrong with a file or folder.
func (f *folder) done(name string, err error) error {
	if err == nil {
		return nil
	}
	return ceap.Errorf(ceap.CodeUnavailable, "writing %s: %w", f.path(name), err)
}

// undo removes what was made, the last first. What cannot be removed stays.
func (f *folder) undo() {
	for _, made := range slices.Backward(f.made) {
		_ = os.Remove(made)
	}
	f.made = nil
}

func (f *folder) path(name string) string { return filepath.Join(f.root, filepath.FromSlash(name)) }

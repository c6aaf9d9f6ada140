// Package sample writes project folders that run as they are: a small one to
// start from ([InitProject]) and a generated shop of any size to try CEAP on
// ([Shop]). It only writes files; it neither validates nor runs anything.
//
// Its functions are safe for concurrent use on different folders.
package sample

import (
	"embed"
	"io/fs"
	"path"
)

// The folders' fixed files. "all:" keeps those that start with "_" or ".".
//
//go:embed all:project all:shop
var files embed.FS

// InitProject writes a project folder: configuration, two programs with the data
// that they read, a template, and a README that says what to type. Both programs
// store three candidates for 2026-01-26 to 2026-01-27 in the marketplace US.
//
// It makes dir if need be and returns the files it wrote, relative to dir, with
// slashes, sorted. It overwrites nothing: if one of the files exists, or stands
// where a folder has to be, it writes none and returns an error of
// [ceap.CodeConflict] that names them, the first five if there are more. A folder that cannot be written
// is an error of [ceap.CodeUnavailable], and what was written before it is
// removed again.
func InitProject(dir string) ([]string, error) {
	names := list("project")
	f := folder{root: dir}
	if err := f.free(names); err != nil {
		return nil, err
	}
	if err := f.copyAll("project", names); err != nil {
		f.undo()
		return nil, err
	}
	return names, nil
}

// list returns the files below one of the embedded folders, relative to it.
func list(root string) []string {
	var names []string
	sub, _ := fs.Sub(files, root) // only a malformed name is an error
	_ = fs.WalkDir(sub, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err // embedded folders can always be read
	})
	return names
}

// copyAll writes files of one of the embedded folders.
func (f *folder) copyAll(root string, names []string) error {
	for _, name := range names {
		data, err := files.ReadFile(path.Join(root, name))
		if err != nil {
			return err
		}
		if err := f.write(name, data); err != nil {
			return err
		}
	}
	return nil
}

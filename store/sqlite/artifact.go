//go:build cgo

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// artifacts keeps the files of runs in a folder.
type artifacts struct{ dir string }

var _ store.Artifacts = (*artifacts)(nil)

// partial marks a file that is still being written, or was when its process
// died. No artefact's name may end so.
const partial = ".partial"

func (a *artifacts) file(name string) (string, error) {
	if !fs.ValidPath(name) || name == "." || strings.HasSuffix(name, partial) {
		return "", ceap.Errorf(ceap.CodeInvalid, "%q is not the name of an artefact", name)
	}
	return filepath.Join(a.dir, filepath.FromSlash(name)), nil
}

func fileError(doing, name string, err error) error {
	code := ceap.CodeUnavailable
	if errors.Is(err, fs.ErrNotExist) {
		code = ceap.CodeNotFound
	}
	return &ceap.Error{Code: code, Err: fmt.Errorf("%s artefact %q: %w", doing, name, err)}
}

type artifactWriter struct {
	*os.File
	name, final string
	done        bool
}

// Create implements [store.Artifacts].
func (a *artifacts) Create(_ context.Context, name string) (store.ArtifactWriter, error) {
	final, err := a.file(name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(final), 0o750); err != nil {
		return nil, fileError("creating", name, err)
	}
	file, err := os.CreateTemp(filepath.Dir(final), "*"+partial)
	if err != nil {
		return nil, fileError("creating", name, err)
	}
	return &artifactWriter{File: file, name: name, final: final}, nil
}

func (w *artifactWriter) Write(b []byte) (int, error) {
	n, err := w.File.Write(b)
	if err != nil {
		err = fileError("writing", w.name, err)
	}
	return n, err
}

// Close implements [store.ArtifactWriter].
func (w *artifactWriter) Close() error {
	if w.done {
		return nil
	}
	w.done = true
	err := w.Sync()
	if closing := w.File.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(w.Name(), w.final)
	}
	if err != nil {
		_ = os.Remove(w.Name())
		return fileError("writing", w.name, err)
	}
	return nil
}

// Discard implements [store.ArtifactWriter].
func (w *artifactWriter) Discard() error {
	if w.done {
		return nil
	}
	w.done = true
	return errors.Join(w.File.Close(), os.Remove(w.Name()))
}

type artifactReader struct {
	*os.File
	size int64
}

// Size implements [store.ArtifactReader].
func (r artifactReader) Size() int64 { return r.size }

// Open implements [store.Artifacts].
func (a *artifacts) Open(_ context.Context, name string) (store.ArtifactReader, error) {
	path, err := a.file(name)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path) //nolint:gosec // a checked path below the folder of artefacts
	if err != nil {
		return nil, fileError("opening", name, err)
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, fileError("opening", name, err)
	}
	return artifactReader{file, info.Size()}, nil
}

// List implements [store.Artifacts].
func (a *artifacts) List(_ context.Context, prefix string) ([]string, error) {
	var names []string
	// Only the folder that the prefix names needs reading.
	root := filepath.Join(a.dir, filepath.FromSlash(prefix[:strings.LastIndexByte(prefix, '/')+1]))
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() || strings.HasSuffix(path, partial) {
			return err
		}
		name, err := filepath.Rel(a.dir, path)
		if name = filepath.ToSlash(name); err == nil && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, fileError("listing", prefix, err)
	}
	slices.Sort(names)
	return names, nil
}

// Remove implements [store.Artifacts].
func (a *artifacts) Remove(_ context.Context, prefix string) error {
	path, err := a.file(strings.TrimSuffix(prefix, "/"))
	if err != nil || !strings.HasSuffix(prefix, "/") {
		return ceap.Errorf(ceap.CodeInvalid, "%q is not a folder of artefacts", prefix)
	}
	if err := os.RemoveAll(path); err != nil {
		return fileError("removing", prefix, err)
	}
	return nil
}

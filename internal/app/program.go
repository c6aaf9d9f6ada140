package app

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
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
)

// maxProgramFile is the size above which a file is not read; the parser's own
// bound is 1 MiB and says so.
const maxProgramFile = 2 << 20

// options says what programs are checked against.
func (a *App) options() program.Options {
	return program.Options{Plugins: a.plugins, Settings: a.settings.Of, Env: a.env()}
}

// programFile is a file of the programs folder, loaded.
type programFile struct {
	name string // relative to the project's folder
	program.Loaded
}

// isProgramFile reports whether the name is one of a program document.
func isProgramFile(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json", ".jsonc", ".yaml", ".yml":
		return !strings.HasPrefix(filepath.Base(name), ".")
	default:
		return false
	}
}

// programFiles loads the files of the programs folder, sorted by name. A folder
// that is missing has none.
func (a *App) programFiles() ([]programFile, error) {
	entries, err := os.ReadDir(a.config.Path(a.config.Programs))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, ceap.Errorf(ceap.CodeUnavailable, "reading the programs folder: %w", err)
	}
	var files []programFile
	for _, entry := range entries {
		if entry.IsDir() || !isProgramFile(entry.Name()) {
			continue
		}
		file, err := a.loadFile(filepath.Join(a.config.Programs, entry.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// loadFile loads a program file, whose name is relative to the project's folder.
// Returns not_found if there is none.
func (a *App) loadFile(name string) (programFile, error) {
	full := a.config.Path(name)
	switch info, err := os.Stat(full); {
	case errors.Is(err, fs.ErrNotExist):
		return programFile{}, ceap.Errorf(ceap.CodeNotFound, "the file %s does not exist", a.config.Shown(name)).
			WithHint("programs lie in %s", a.config.Shown(a.config.Programs))
	case err == nil && info.IsDir():
		return programFile{}, ceap.Errorf(ceap.CodeInvalid, "%s is a folder", a.config.Shown(name)).WithHint("name a program file in it")
	case err == nil && info.Size() > maxProgramFile:
		return programFile{}, ceap.Errorf(ceap.CodeInvalid, "%s has %d bytes, too many for a program", a.config.Shown(name), info.Size())
	}
	data, err := os.ReadFile(full) //nolint:gosec // the user names the file
	if err != nil {
		return programFile{}, ceap.Errorf(ceap.CodeUnavailable, "reading a program: %w", err)
	}
	return programFile{name, program.Load(a.config.Shown(name), data, a.options())}, nil
}

// findProgram returns the program that the argument names: a file, else the id
// of a program in the folder, else the id of one in the store. Returns not_found
// with the nearest name, and conflict if two files give one program.
func (a *App) findProgram(ctx context.Context, name string) (program.Loaded, error) {
	if name == "" {
		return program.Loaded{}, ceap.Errorf(ceap.CodeInvalid, "no program is named").WithHint("give a program's id or file")
	}
	if isProgramFile(name) || strings.ContainsRune(name, filepath.Separator) {
		file, err := a.loadFile(name)
		return file.Loaded, err
	}
	if info, err := os.Stat(a.config.Path(name)); err == nil && info.Mode().IsRegular() {
		file, err := a.loadFile(name)
		return file.Loaded, err
	}
	files, err := a.programFiles()
	if err != nil {
		return program.Loaded{}, err
	}
	if found, err := ofProgram(files, name); err != nil || len(found.Programs)+len(found.Problems) > 0 {
		return found, err
	}
	items, err := a.items(ctx, "")
	if err != nil {
		return program.Loaded{}, err
	}
	mine := slices.DeleteFunc(slices.Clone(items), func(it ceap.ProgramItem) bool { return it.ProgramID != name })
	if len(mine) > 0 {
		return program.LoadItems(mine, a.options()), nil
	}
	return program.Loaded{}, a.unknownProgram(name, files, items)
}

// ofProgram unites the files that give the program: one per marketplace, or
// several.
func ofProgram(files []programFile, programID string) (program.Loaded, error) {
	united := program.Loaded{ProgramID: programID}
	owner := map[string]string{}
	for _, file := range files {
		if file.ProgramID != programID {
			continue
		}
		united.Problems = append(united.Problems, file.Problems...)
		for _, p := range file.Programs {
			if first, twice := owner[p.Marketplace]; twice {
				return united, ceap.Errorf(ceap.CodeConflict, "program %q for %s stands in two files: %s and %s", programID, p.Marketplace, first, p.Source.File).
					WithHint("remove one, or name the file instead of the program")
			}
			owner[p.Marketplace] = p.Source.File
			united.Programs = append(united.Programs, p)
		}
	}
	return united, nil
}

// unknownProgram says which programs there are, and which files hide one because
// they cannot be read.
func (a *App) unknownProgram(name string, files []programFile, items []ceap.ProgramItem) error {
	var known, broken []string
	for _, file := range files {
		if file.ProgramID == "" {
			broken = append(broken, a.config.Shown(file.name))
			continue
		}
		known = append(known, file.ProgramID)
	}
	for _, it := range items {
		known = append(known, it.ProgramID)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	err := &ceap.Error{Code: ceap.CodeNotFound, Message: fmt.Sprintf("there is no program %q", name)}
	var hints []string
	if near := plugin.Nearest(name, known); near != "" {
		hints = append(hints, fmt.Sprintf("did you mean %q?", near))
	}
	switch {
	case len(known) > 0:
		hints = append(hints, "programs: "+strings.Join(known, ", "))
	default:
		hints = append(hints, fmt.Sprintf("put a program file into %s, or name one", a.config.Shown(a.config.Programs)))
	}
	if len(broken) > 0 {
		hints = append(hints, "not readable: "+strings.Join(broken, ", ")+" (`ceap validate` says why)")
	}
	err.Hint = strings.Join(hints, "; ")
	return err
}

// programFor returns the program of a run, fit to run, with the operator's
// switch.
func (a *App) programFor(ctx context.Context, name string, in ceap.RunInput) (*program.Program, error) {
	if name == "" {
		name = in.ProgramID
	}
	found, err := a.findProgram(ctx, name)
	if err != nil {
		return nil, err
	}
	if in.ProgramID != "" && found.ProgramID != "" && found.ProgramID != in.ProgramID {
		return nil, ceap.Errorf(ceap.CodeInvalid, "the input is for program %q, but %q is the program %q", in.ProgramID, name, found.ProgramID).
			WithHint("name the same program in both places")
	}
	p, err := found.Program(in.Marketplace)
	if err != nil {
		return nil, err
	}
	return a.switched(ctx, p)
}

// switched returns the program, disabled if the operator has switched it off.
func (a *App) switched(ctx context.Context, p *program.Program) (*program.Program, error) {
	items, err := a.items(ctx, p.ProgramID)
	if err != nil {
		return nil, err
	}
	return switchedBy(items, p), nil
}

// switchedBy is switched with the items of the program.
func switchedBy(items []ceap.ProgramItem, p *program.Program) *program.Program {
	for _, it := range items {
		if it.Marketplace == p.Marketplace && !it.Enabled && p.Enabled {
			off := *p
			off.Enabled, off.Disabled = false, program.SwitchedOff(p.ProgramID)
			return &off
		}
	}
	return p
}

// items returns the stored items of a program, or of all for "".
func (a *App) items(ctx context.Context, programID string) ([]ceap.ProgramItem, error) {
	roles, err := a.store()
	if err != nil {
		return nil, err
	}
	return roles.Programs.List(ctx, programID)
}

// ProgramIDs returns the ids of the programs in the folder, and of those in the
// store if that can be opened, sorted. It is for completion.
func (a *App) ProgramIDs(ctx context.Context) []string {
	var ids []string
	if files, err := a.programFiles(); err == nil {
		for _, file := range files {
			if file.ProgramID != "" {
				ids = append(ids, file.ProgramID)
			}
		}
	}
	if items, err := a.items(ctx, ""); err == nil {
		for _, it := range items {
			ids = append(ids, it.ProgramID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/internal/stage"
	"github.com/ceap-platform/ceap/plugin"
)

// Pushed says what became of a program that was pushed to a stage, for one
// marketplace.
type Pushed struct {
	Applied

	Schedule  string   `json:"schedule,omitempty"`  // such as cron(0 2 * * ? *), in Timezone; "" if it has none
	Timezone  string   `json:"timezone,omitempty"`  // an IANA name, with a schedule
	Scheduled string   `json:"scheduled,omitempty"` // created, updated, unchanged or removed; "" without a schedule
	Unchecked []string `json:"unchecked,omitempty"` // why fields could not be told
}

// PushProgram stores a program, named by its file or by its id in the programs
// folder, for one marketplace or with "" for all, and makes its schedules on the
// stage what the program says. The App's store must be the stage's. Returns invalid,
// with nothing stored, if [App.Validate] finds anything wrong. Pushing it again
// changes nothing.
func (a *App) PushProgram(ctx context.Context, s *stage.Stage, name, marketplace string) ([]Pushed, error) {
	files, err := a.filesOf(ctx, name)
	if err != nil {
		return nil, err
	}
	unchecked, err := a.fitToPush(ctx, files, marketplace)
	if err != nil {
		return nil, err
	}
	out := []Pushed{}
	for _, file := range files {
		applied, err := a.applyFile(ctx, file, marketplace)
		for _, one := range applied {
			out = append(out, Pushed{Applied: one, Unchecked: unchecked[one.Marketplace]})
		}
		if err != nil {
			return out, err
		}
	}
	if len(out) == 0 {
		return nil, ceap.Errorf(ceap.CodeNotFound, "%s gives no program%s", name, forMarketplace(marketplace))
	}
	scheduled, err := a.SyncSchedules(ctx, s, out[0].ProgramID)
	for i := range out {
		if at := slices.IndexFunc(scheduled, func(p Pushed) bool { return p.Marketplace == out[i].Marketplace }); at >= 0 {
			out[i].Schedule, out[i].Timezone, out[i].Scheduled = scheduled[at].Schedule, scheduled[at].Timezone, scheduled[at].Scheduled
		}
	}
	return out, err
}

// filesOf returns the file of that name, or the files that give the program of that
// id.
func (a *App) filesOf(ctx context.Context, name string) ([]programFile, error) {
	info, err := os.Stat(a.config.Path(name))
	if isProgramFile(name) || (err == nil && info.Mode().IsRegular()) {
		file, err := a.loadFile(name)
		return []programFile{file}, err
	}
	all, err := a.programFiles()
	if err != nil {
		return nil, err
	}
	mine := slices.DeleteFunc(slices.Clone(all), func(f programFile) bool { return f.ProgramID != name })
	if len(mine) == 0 {
		if items, err := a.items(ctx, name); err == nil && name != "" && len(items) > 0 {
			return nil, ceap.Errorf(ceap.CodeNotFound, "no file in %s gives the program %q", a.config.Shown(a.config.Programs), name).
				WithHint("it is stored already; `ceap program pull %s` makes a file of it", name)
		}
		return nil, a.unknownProgram(name, all, nil)
	}
	_, err = ofProgram(all, name)
	return mine, err
}

// fitToPush returns why fields could not be checked, by marketplace, and an error
// with all that is wrong.
func (a *App) fitToPush(ctx context.Context, files []programFile, marketplace string) (unchecked map[string][]string, err error) {
	unchecked = map[string][]string{}
	var problems ceap.Problems
	for _, file := range files {
		if err := file.Err(); err != nil {
			return nil, err
		}
		for _, p := range file.Programs {
			if marketplace != "" && p.Marketplace != marketplace {
				continue
			}
			v := a.validate(ctx, p)
			problems = append(problems, v.Problems.Errors()...)
			unchecked[p.Marketplace] = v.Unchecked
		}
	}
	if ctx.Err() != nil {
		return nil, ceap.Errorf(ceap.CodeCancelled, "looking at the program: %w", ctx.Err())
	}
	return unchecked, problems.Err()
}

// SyncSchedules makes the schedules of a program what its stored items say: one for
// each marketplace with a batchSchedule, switched off for a program that is
// disabled, and none for the others and for the marketplaces that are named as gone.
// Those of which there is nothing to tell are left out of the result.
func (a *App) SyncSchedules(ctx context.Context, s *stage.Stage, programID string, gone ...string) ([]Pushed, error) {
	items, err := a.items(ctx, programID)
	if err != nil {
		return nil, err
	}
	var out []Pushed
	for _, p := range program.LoadItems(items, a.options()).Programs {
		one := Pushed{Applied: Applied{ProgramID: programID, Marketplace: p.Marketplace, Enabled: p.Enabled}}
		wanted, has := scheduleOf(p)
		if !has {
			gone = append(gone, p.Marketplace)
			continue
		}
		if one.Scheduled, err = s.PutSchedule(ctx, wanted); err != nil {
			return out, fmt.Errorf("the program is stored, but not its schedule: %w", err)
		}
		one.Schedule, one.Timezone = wanted.Expression, wanted.Timezone
		out = append(out, one)
	}
	for _, marketplace := range gone {
		removed, err := s.RemoveSchedule(ctx, programID, marketplace)
		if err != nil {
			return out, fmt.Errorf("the program has no schedule, but the stage may: %w", err)
		}
		if removed {
			out = append(out, Pushed{Applied: Applied{ProgramID: programID, Marketplace: marketplace}, Scheduled: stage.ScheduleRemoved})
		}
	}
	return out, nil
}

// scheduleOf returns the schedule of a program, if it has one. A program that cannot
// run is not woken up.
func scheduleOf(p *program.Program) (stage.Schedule, bool) {
	if p.Schedule == "" {
		return stage.Schedule{}, false
	}
	return stage.Schedule{
		ProgramID: p.ProgramID, Marketplace: p.Marketplace, Expression: string(p.Schedule), Timezone: p.Timezone.String(),
		Enabled: p.Enabled && p.Err() == nil,
	}, true
}

// Pulled says what became of a stored program that was written to a file.
type Pulled struct {
	ProgramID   string `json:"programId"`
	Marketplace string `json:"marketplace"`
	File        string `json:"file"`
	Outcome     string `json:"outcome"` // created, updated or unchanged
}

// Pull says what to write where.
type Pull struct {
	Marketplace string // "" means each
	File        string // "" means the file that gives the program, else a new one of the programs folder
	Force       bool   // replace a file that says something else
}

// PullProgram writes a stored program into a file: the effective document as JSON,
// which gives the same program when it is pushed. A file that says the same is left
// as it is. Returns conflict if a file says something else, unless that may be
// replaced.
func (a *App) PullProgram(ctx context.Context, programID string, o Pull) ([]Pulled, error) {
	programs, err := a.storedPrograms(ctx, programID, o.Marketplace)
	if err != nil {
		return nil, err
	}
	if o.File != "" && len(programs) > 1 {
		return nil, ceap.Errorf(ceap.CodeInvalid, "program %q has several marketplaces, each with a document of its own", programID).
			WithHint("add --marketplace, one of: %s", strings.Join(marketplacesOf(programs), ", "))
	}
	local, err := a.programFiles()
	if err != nil {
		return nil, err
	}
	out := []Pulled{}
	for _, p := range programs {
		name := o.File
		if name == "" {
			name = a.pullTarget(local, p, programs)
		}
		outcome, err := a.pullOutcome(name, p)
		if outcome == pullReplaces && !o.Force {
			err = ceap.Errorf(ceap.CodeConflict, "%s differs from what is stored", a.config.Shown(name)).
				WithHint("--force replaces it, comments and all; --file - prints what is stored")
		}
		if err == nil && outcome != pullSame {
			err = a.writeProgram(name, p)
		}
		if err != nil {
			return out, err
		}
		out = append(out, Pulled{ProgramID: p.ProgramID, Marketplace: p.Marketplace, File: a.config.Shown(name), Outcome: outcome})
	}
	return out, nil
}

// storedPrograms returns the programs of the store's items, each fit to be written.
func (a *App) storedPrograms(ctx context.Context, programID, marketplace string) ([]*program.Program, error) {
	items, err := a.items(ctx, programID)
	if err != nil {
		return nil, err
	}
	if programID == "" || len(items) == 0 {
		return nil, a.notStored(ctx, programID)
	}
	loaded := program.LoadItems(items, a.options())
	if marketplace != "" {
		p, err := loaded.Program(marketplace)
		if p == nil {
			return nil, err
		}
		return []*program.Program{p}, unreadable(p)
	}
	for _, p := range loaded.Programs {
		if err := unreadable(p); err != nil {
			return nil, err
		}
	}
	if len(loaded.Programs) == 0 {
		_, err := loaded.Program("")
		return nil, err
	}
	return loaded.Programs, nil
}

// unreadable returns an error for an item of which there is no document. One with
// other errors can be mended in a file.
func unreadable(p *program.Program) error {
	if p.Document == nil {
		return p.Err()
	}
	return nil
}

func marketplacesOf(programs []*program.Program) []string {
	var out []string
	for _, p := range programs {
		out = append(out, p.Marketplace)
	}
	return out
}

// pullTarget returns the file that gives the program, else the name of a new one:
// with its marketplace, if it is one of several that are pulled.
func (a *App) pullTarget(local []programFile, p *program.Program, pulled []*program.Program) string {
	for _, file := range local {
		for _, own := range file.Programs {
			if own.ProgramID == p.ProgramID && own.Marketplace == p.Marketplace {
				return file.name
			}
		}
	}
	name := p.ProgramID
	if len(pulled) > 1 {
		name += "-" + p.Marketplace
	}
	// Ids may hold what names of files may not.
	safe := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '_'
		}
		return r
	}, strings.TrimLeft(name, "."))
	return filepath.Join(a.config.Programs, safe+".json")
}

// What pulling does to a file.
const (
	pullCreates  = "created"
	pullReplaces = "updated"
	pullSame     = "unchanged"
)

// pullOutcome says what writing the program into the file would do to it. Returns
// conflict if other programs stand there, too.
func (a *App) pullOutcome(name string, p *program.Program) (string, error) {
	file, err := a.loadFile(name)
	if ceap.ErrorCode(err) == ceap.CodeNotFound {
		return pullCreates, nil
	}
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(file.Programs, func(own *program.Program) bool {
		return own.ProgramID == p.ProgramID && own.Marketplace == p.Marketplace
	})
	switch {
	case at >= 0 && file.Programs[at].Hash == p.Hash:
		return pullSame, nil
	case len(file.Programs) > 1:
		return "", ceap.Errorf(ceap.CodeConflict, "%s gives %d marketplaces, and differs from what is stored for %s", a.config.Shown(name), len(file.Programs), p.Marketplace).
			WithHint("pull to another place with --file, compare, and change the file by hand")
	default:
		return pullReplaces, nil
	}
}

// writeProgram writes the program's document into the file.
func (a *App) writeProgram(name string, p *program.Program) error {
	text, err := readableDocument(p)
	if err != nil {
		return err
	}
	return a.replaceFile(name, text)
}

// StoredDocument returns the effective document of a stored program as JSON for
// people. The marketplace may be "" if the program has one.
func (a *App) StoredDocument(ctx context.Context, programID, marketplace string) ([]byte, error) {
	programs, err := a.storedPrograms(ctx, programID, marketplace)
	if err != nil {
		return nil, err
	}
	if len(programs) > 1 {
		return nil, ceap.Errorf(ceap.CodeInvalid, "program %q has several marketplaces, each with a document of its own", programID).
			WithHint("add --marketplace, one of: %s", strings.Join(marketplacesOf(programs), ", "))
	}
	return readableDocument(programs[0])
}

// readableDocument returns the program's document, indented, with its queries as
// people write them.
func readableDocument(p *program.Program) ([]byte, error) {
	node, err := plugin.FromJSON(p.ProgramID, p.Document)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(node); err != nil {
		return nil, fmt.Errorf("encoding the program: %w", err)
	}
	return b.Bytes(), nil
}

// replaceFile writes a file whole or not at all.
func (a *App) replaceFile(name string, content []byte) error {
	full := a.config.Path(name)
	err := os.MkdirAll(filepath.Dir(full), 0o750)
	var temp *os.File
	if err == nil {
		temp, err = os.CreateTemp(filepath.Dir(full), ".ceap-*")
	}
	if err != nil {
		return ceap.Errorf(ceap.CodeUnavailable, "writing a program: %w", err)
	}
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Chmod(fs.FileMode(0o644)), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), full)
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // the first error says what is wrong
		return ceap.Errorf(ceap.CodeUnavailable, "writing a program: %w", err)
	}
	return nil
}

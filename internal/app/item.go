package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/store"
)

// Where a program comes from.
const (
	OriginFile  = "file"
	OriginStore = "store"
)

// ProgramEntry is a program of one marketplace in a list.
type ProgramEntry struct {
	ProgramID   string    `json:"programId"`
	ProgramName string    `json:"programName,omitempty"`
	Marketplace string    `json:"marketplace"`
	Origin      string    `json:"origin"` // OriginFile or OriginStore
	File        string    `json:"file,omitempty"`
	Enabled     bool      `json:"enabled"`            // whether a run would do anything
	Disabled    string    `json:"disabled,omitempty"` // why not
	Valid       bool      `json:"valid"`
	Hash        string    `json:"hash,omitempty"`
	UpdatedAt   time.Time `json:"updatedAt,omitzero"` // of the stored item
}

// Programs returns all programs, those of files first, sorted by id and
// marketplace within each. Items of the store that a file takes the place of are
// left out, but their switch counts.
func (a *App) Programs(ctx context.Context) ([]ProgramEntry, error) {
	files, err := a.programFiles()
	if err != nil {
		return nil, err
	}
	items, err := a.items(ctx, "")
	if err != nil {
		return nil, err
	}
	out := []ProgramEntry{}
	inFiles := map[string]bool{}
	for _, file := range files {
		inFiles[file.ProgramID] = true
		for _, p := range file.Programs {
			if p, err = a.switched(ctx, p); err != nil {
				return nil, err
			}
			entry := entryOf(p, OriginFile)
			entry.File = p.Source.File
			out = append(out, entry)
		}
	}
	sortEntries(out)
	var stored []ProgramEntry
	for _, group := range byProgram(items) {
		if !inFiles[group[0].ProgramID] {
			stored = append(stored, storedEntries(group, a.options())...)
		}
	}
	sortEntries(stored)
	return append(out, stored...), nil
}

func storedEntries(items []ceap.ProgramItem, o program.Options) []ProgramEntry {
	var out []ProgramEntry
	for _, p := range program.LoadItems(items, o).Programs {
		entry := entryOf(p, OriginStore)
		i := slices.IndexFunc(items, func(it ceap.ProgramItem) bool { return it.Marketplace == p.Marketplace })
		entry.UpdatedAt = items[i].UpdatedAt
		out = append(out, entry)
	}
	return out
}

func entryOf(p *program.Program, origin string) ProgramEntry {
	return ProgramEntry{
		ProgramID: p.ProgramID, ProgramName: p.Name, Marketplace: p.Marketplace, Origin: origin,
		Enabled: p.Enabled, Disabled: p.Disabled, Valid: p.Err() == nil, Hash: p.Hash,
	}
}

func sortEntries(entries []ProgramEntry) {
	slices.SortFunc(entries, func(a, b ProgramEntry) int {
		if c := strings.Compare(a.ProgramID, b.ProgramID); c != 0 {
			return c
		}
		return strings.Compare(a.Marketplace, b.Marketplace)
	})
}

// byProgram groups items, which are sorted by program.
func byProgram(items []ceap.ProgramItem) [][]ceap.ProgramItem {
	var groups [][]ceap.ProgramItem
	for _, it := range items {
		if n := len(groups); n > 0 && groups[n-1][0].ProgramID == it.ProgramID {
			groups[n-1] = append(groups[n-1], it)
			continue
		}
		groups = append(groups, []ceap.ProgramItem{it})
	}
	return groups
}

// Applied says what became of one item of an applied file.
type Applied struct {
	ProgramID   string        `json:"programId"`
	Marketplace string        `json:"marketplace"` // CONFIG or * for a base item
	Outcome     string        `json:"outcome"`     // created, updated or unchanged
	Enabled     bool          `json:"enabled"`     // the operator's switch, which applying does not touch
	Warnings    ceap.Problems `json:"warnings,omitempty"`
}

// ApplyProgram stores the programs of a file, one item per marketplace, or its
// base item. Returns invalid, with nothing stored, if anything is wrong with the
// file. Applying the same file again changes nothing.
func (a *App) ApplyProgram(ctx context.Context, name string) ([]Applied, error) {
	file, err := a.loadFile(name)
	if err != nil {
		return nil, err
	}
	return a.applyFile(ctx, file, "")
}

// applyFile stores what the file gives for one marketplace, or for "" everything.
func (a *App) applyFile(ctx context.Context, file programFile, marketplace string) ([]Applied, error) {
	if err := file.Err(); err != nil {
		return nil, err
	}
	roles, err := a.store()
	if err != nil {
		return nil, err
	}
	stored, err := roles.Programs.List(ctx, file.ProgramID)
	if err != nil {
		return nil, err
	}
	now := a.now().UTC()
	var items []ceap.ProgramItem
	if file.Base != nil && marketplace == "" {
		base := *file.Base
		base.UpdatedAt = now
		items = append(items, base)
	}
	for _, p := range file.Programs {
		if marketplace == "" || p.Marketplace == marketplace {
			items = append(items, p.Item(now))
		}
	}
	out := []Applied{}
	for _, item := range items {
		applied, err := put(ctx, roles.Programs, item, stored)
		if err != nil {
			return out, err
		}
		applied.Warnings = file.Problems.Warnings()
		out = append(out, applied)
	}
	return out, nil
}

// put stores an item unless it is there already, and keeps its switch.
func put(ctx context.Context, programs store.Programs, item ceap.ProgramItem, stored []ceap.ProgramItem) (Applied, error) {
	applied := Applied{ProgramID: item.ProgramID, Marketplace: item.Marketplace, Outcome: "created", Enabled: true}
	for _, old := range stored {
		if old.Marketplace != item.Marketplace {
			continue
		}
		item.Enabled, applied.Enabled, applied.Outcome = old.Enabled, old.Enabled, "updated"
		if string(old.Document) == string(item.Document) {
			applied.Outcome = "unchanged"
			return applied, nil
		}
	}
	if item.CreatedAt.IsZero() {
		item.CreatedAt = item.UpdatedAt
	}
	if err := programs.Put(ctx, item); err != nil {
		return applied, fmt.Errorf("storing program %q for %s: %w", item.ProgramID, item.Marketplace, err)
	}
	return applied, nil
}

// SwitchProgram switches a program on or off, for one marketplace or with "" for
// all, and returns the marketplaces. The switch holds for programs in files too:
// switching one off stores it. Returns not_found if there is no such program.
func (a *App) SwitchProgram(ctx context.Context, name, marketplace string, enabled bool) ([]string, error) {
	found, err := a.findProgram(ctx, name)
	if err != nil {
		return nil, err
	}
	stored, err := a.items(ctx, found.ProgramID)
	if err != nil {
		return nil, err
	}
	roles, err := a.store()
	if err != nil {
		return nil, err
	}
	var switched, known []string
	for _, p := range found.Programs {
		known = append(known, p.Marketplace)
		if marketplace != "" && p.Marketplace != marketplace {
			continue
		}
		item := p.Item(a.now().UTC())
		if i := slices.IndexFunc(stored, func(it ceap.ProgramItem) bool { return it.Marketplace == p.Marketplace }); i >= 0 {
			item = stored[i]
			item.UpdatedAt = a.now().UTC()
		} else if p.Document == nil {
			return switched, found.Err()
		}
		item.Enabled = enabled
		if err := roles.Programs.Put(ctx, item); err != nil {
			return switched, err
		}
		switched = append(switched, p.Marketplace)
	}
	if len(switched) == 0 {
		return nil, ceap.Errorf(ceap.CodeNotFound, "program %q has no marketplace %q", found.ProgramID, marketplace).
			WithHint("it has: %s", strings.Join(known, ", "))
	}
	return switched, nil
}

// DeleteProgram removes the items of a program from the store, for one
// marketplace or with "" for all, base items included, and returns their
// marketplaces. Candidates and runs stay. Returns not_found if there are none.
func (a *App) DeleteProgram(ctx context.Context, programID, marketplace string) ([]string, error) {
	items, err := a.items(ctx, programID)
	if err != nil {
		return nil, err
	}
	roles, err := a.store()
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, it := range items {
		if marketplace != "" && it.Marketplace != marketplace {
			continue
		}
		if err := roles.Programs.Delete(ctx, it.ProgramID, it.Marketplace); err != nil {
			return removed, err
		}
		removed = append(removed, it.Marketplace)
	}
	if len(removed) == 0 {
		return nil, ceap.Errorf(ceap.CodeNotFound, "the store has no program %q%s", programID, forMarketplace(marketplace)).
			WithHint("programs in files are removed by deleting the file; `ceap program list` shows which is which")
	}
	return removed, nil
}

func forMarketplace(marketplace string) string {
	if marketplace == "" {
		return ""
	}
	return " for " + marketplace
}

// ProgramDocument returns the effective document of a program for a marketplace,
// or of its only one for "", as canonical JSON (D11).
func (a *App) ProgramDocument(ctx context.Context, name, marketplace string) ([]byte, error) {
	found, err := a.findProgram(ctx, name)
	if err != nil {
		return nil, err
	}
	p, err := found.Program(marketplace)
	if err != nil {
		return nil, err
	}
	return p.Document, nil
}

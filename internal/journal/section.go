package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// sectionsFolder is where the sections of a journal lie, below its folder.
const sectionsFolder = "parts/"

// isSectionPart reports whether the name is that of a part of a section.
func isSectionPart(name string) bool {
	return regexp.MustCompile(`^parts/[0-9A-Za-z_-]{1,80}/[0-9A-Za-z_-]{1,80}/part-[0-9]{5}\.parquet$`).MatchString(name)
}

// Section is a piece of a journal that one of several processes writes: the
// journal of one part of a run. [Assemble] makes a journal of the sections.
type Section struct {
	writer *Writer
}

// Written is what a section holds.
type Written struct {
	Files  []File                     `json:"files"`
	Counts map[ceap.OutcomeKind]int64 `json:"counts"` // rows by outcome
}

// CreateSection begins a section of the run's journal. Work and name, of letters,
// digits, - and _, say whose: sections of other work do not touch each other's
// files, and a section that is written again replaces itself. Returns invalid for
// names that no path can hold.
func CreateSection(ctx context.Context, artifacts store.Artifacts, now func() time.Time, runID, work, name string) (*Section, error) {
	dir, err := folder(runID)
	if err != nil {
		return nil, err
	}
	w := newWriter(ctx, artifacts, now, dir, Head{RunID: runID})
	w.prefix = path.Join(sectionsFolder, work, name)
	if !isSectionPart(partName(w.prefix, 1)) {
		return nil, ceap.Errorf(ceap.CodeInvalid, "%q is not the name of a section", w.prefix)
	}
	return &Section{w}, nil
}

// Write appends the outcomes, which the caller may reuse afterwards. After an
// error, each further call returns the same one.
func (s *Section) Write(outcomes []ceap.Outcome) error { return s.writer.Write(outcomes) }

// Close finishes the files and returns what they hold. After an error the
// section is dropped.
func (s *Section) Close() (Written, error) {
	w := s.writer
	if w.done {
		return Written{}, errors.Join(w.err, errors.New("the section is closed"))
	}
	if w.err == nil {
		w.err = errors.Join(w.flush(), w.closePart())
	}
	if w.err != nil {
		s.Discard()
		return Written{}, w.err
	}
	w.done = true
	return Written{Files: w.manifest.Files, Counts: maps.Clone(w.manifest.Counts)}, nil
}

// Discard drops the file that is being written. It is harmless after Close.
func (s *Section) Discard() {
	w := s.writer
	if w.done {
		return
	}
	w.done = true
	if w.part != nil {
		_ = w.part.discard() // what stays has no manifest, and goes with the run's files
	}
}

// Assemble makes the run's journal of sections, in their order, and removes what
// is not part of it. complete says whether they hold every row of the run.
func Assemble(ctx context.Context, artifacts store.Artifacts, now func() time.Time, head Head, work string, complete bool, sections []Written) error { //nolint:revive // complete is a fact about the rows, not a mode
	dir, err := folder(head.RunID)
	if err != nil {
		return err
	}
	m := newWriter(ctx, artifacts, now, dir, head).manifest
	m.Complete = complete
	for _, s := range sections {
		m.Files = append(m.Files, s.Files...)
		for kind, n := range s.Counts {
			m.Counts[kind] += n
			m.Rows += n
		}
	}
	if err := m.validate(head.RunID); err != nil {
		return fmt.Errorf("assembling the journal of run %q: %w", head.RunID, err)
	}
	if err := m.write(ctx, artifacts); err != nil {
		return err
	}
	if err := removeAttempts(ctx, artifacts, dir, 0); err != nil {
		return err
	}
	return removeSections(ctx, artifacts, dir, work)
}

// removeSections removes the sections of all work but the one to keep.
func removeSections(ctx context.Context, artifacts store.Artifacts, dir, keep string) error {
	names, err := artifacts.List(ctx, dir+sectionsFolder)
	if err != nil {
		return fmt.Errorf("listing the sections of %s: %w", dir, err)
	}
	done := map[string]bool{dir + sectionsFolder + keep + "/": true}
	for _, name := range names {
		work := path.Dir(path.Dir(name)) + "/"
		if done[work] {
			continue
		}
		done[work] = true
		if err := artifacts.Remove(ctx, work); err != nil {
			return fmt.Errorf("removing %s: %w", work, err)
		}
	}
	return nil
}

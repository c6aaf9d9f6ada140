package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// manifestVersion is the version of the layout that this package writes, and
// the only one it reads.
const manifestVersion = 1

// maxManifest is the size in bytes beyond which no manifest is read. A part
// takes about 150 bytes there, so that this allows some 10^10 rows.
const maxManifest = 4 << 20

// Manifest describes the journal of one run.
type Manifest struct {
	Version     int    `json:"version"`
	RunID       string `json:"runId"`
	ProgramID   string `json:"programId"`
	Marketplace string `json:"marketplace"`
	// Attempt numbers the attempts that began a journal of this run. It is at
	// least the run's own attempt.
	Attempt  int                        `json:"attempt"`
	Complete bool                       `json:"complete"` // every extracted row is in it
	Rows     int64                      `json:"rows"`
	Counts   map[ceap.OutcomeKind]int64 `json:"counts"` // rows by outcome
	Files    []File                     `json:"files"`  // in the order of the rows
	// WrittenAt is when the journal was closed, or begun if its only attempt
	// never closed it; UTC.
	WrittenAt time.Time `json:"writtenAt"`
	// SweptAt is when the rows were removed, with Files then empty and Rows and
	// Counts as they were; zero if they are there.
	SweptAt time.Time `json:"sweptAt,omitzero"`
}

// File is one part of a journal.
type File struct {
	Name   string `json:"name"` // below the journal's folder
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// folder returns the artefact prefix of a run's journal. The id must be one part
// of a path.
func folder(runID string) (string, error) {
	if runID == "" || runID == "." || runID == ".." || strings.ContainsAny(runID, "/\\\x00") {
		return "", ceap.Errorf(ceap.CodeInvalid, "%q is not the id of a run", runID)
	}
	return "runs/" + runID + "/journal/", nil
}

// runOf returns the id of the run whose manifest has that name.
func runOf(name string) (string, bool) {
	id, ok := strings.CutSuffix(strings.TrimPrefix(name, "runs/"), "/journal/manifest.json")
	return id, ok && !strings.Contains(id, "/")
}

// attemptFolder returns the artefact prefix of an attempt's parts.
func attemptFolder(folder string, attempt int) string {
	return folder + attemptName(attempt) + "/"
}

// attemptName returns the prefix of the names of an attempt's parts.
func attemptName(attempt int) string { return "attempt-" + strconv.Itoa(attempt) }

// readManifest returns the manifest of the run. Returns not_found if there is
// none, unavailable if it is damaged and unsupported if a newer version wrote it.
func readManifest(ctx context.Context, artifacts store.Artifacts, runID string) (Manifest, error) {
	dir, err := folder(runID)
	if err != nil {
		return Manifest{}, err
	}
	name := dir + "manifest.json"
	file, err := artifacts.Open(ctx, name)
	if ceap.ErrorCode(err) == ceap.CodeNotFound {
		return Manifest{}, &ceap.Error{Code: ceap.CodeNotFound, Message: fmt.Sprintf("run %q has no journal", runID), Err: err}
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("opening the journal of run %q: %w", runID, err)
	}
	defer file.Close() //nolint:errcheck // only read
	if file.Size() > maxManifest {
		return Manifest{}, damaged(name, fmt.Errorf("it has %d bytes, more than %d", file.Size(), maxManifest))
	}
	data, err := io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
	if err != nil {
		return Manifest{}, fmt.Errorf("reading %s: %w", name, err)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, damaged(name, err)
	}
	if m.Version > manifestVersion {
		return Manifest{}, ceap.Errorf(ceap.CodeUnsupported, "%s has version %d; this build reads version %d", name, m.Version, manifestVersion).
			WithHint("use the version of CEAP that ran %s, or a newer one", runID)
	}
	if err := m.validate(runID); err != nil {
		return Manifest{}, damaged(name, err)
	}
	return m, nil
}

// validate reports whether the manifest can be one that this package wrote.
func (m *Manifest) validate(runID string) error {
	switch {
	case m.Version != manifestVersion:
		return fmt.Errorf("it has version %d", m.Version)
	case m.RunID != runID:
		return fmt.Errorf("it belongs to run %q", m.RunID)
	case m.Attempt < 1:
		return fmt.Errorf("it has attempt %d", m.Attempt)
	case !m.SweptAt.IsZero() && len(m.Files) > 0:
		return errors.New("it is swept, yet names files")
	}
	var counted, filed int64
	for _, n := range m.Counts {
		if n < 0 {
			return errors.New("it has a negative count")
		}
		counted += n
	}
	for i, file := range m.Files {
		if file.Name != partName(attemptName(m.Attempt), i+1) && !isSectionPart(file.Name) {
			return fmt.Errorf("its file %d is called %q", i+1, file.Name)
		}
		if file.Rows < 1 || file.Bytes < 1 {
			return fmt.Errorf("its file %q has %d rows and %d bytes", file.Name, file.Rows, file.Bytes)
		}
		filed += file.Rows
	}
	if counted != m.Rows || filed != m.Rows && m.SweptAt.IsZero() {
		return fmt.Errorf("it says %d rows, counts %d and has files of %d", m.Rows, counted, filed)
	}
	return nil
}

// write replaces the manifest of the run.
func (m *Manifest) write(ctx context.Context, artifacts store.Artifacts) error {
	dir, err := folder(m.RunID)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the manifest of run %q: %w", m.RunID, err)
	}
	file, err := artifacts.Create(ctx, dir+"manifest.json")
	if err != nil {
		return fmt.Errorf("writing the manifest of run %q: %w", m.RunID, err)
	}
	if _, err := file.Write(append(data, '\n')); err != nil {
		return errors.Join(fmt.Errorf("writing the manifest of run %q: %w", m.RunID, err), file.Discard())
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("writing the manifest of run %q: %w", m.RunID, err)
	}
	return nil
}

// partName returns the name of a part, from 1, below the journal's folder.
func partName(prefix string, part int) string {
	return path.Join(prefix, fmt.Sprintf("part-%05d.parquet", part))
}

// removeAttempts removes the parts of all attempts but the one to keep; 0 keeps
// none.
func removeAttempts(ctx context.Context, artifacts store.Artifacts, dir string, keep int) error {
	names, err := artifacts.List(ctx, dir+"attempt-")
	if err != nil {
		return fmt.Errorf("listing the attempts of %s: %w", dir, err)
	}
	done := map[string]bool{attemptFolder(dir, keep): true}
	for _, name := range names {
		attempt := path.Dir(name) + "/"
		if done[attempt] {
			continue
		}
		done[attempt] = true
		if err := artifacts.Remove(ctx, attempt); err != nil {
			return fmt.Errorf("removing %s: %w", attempt, err)
		}
	}
	return nil
}

// IsDamaged reports whether the error says that a file of a journal is not as
// this package wrote it.
func IsDamaged(err error) bool {
	_, ok := errors.AsType[*damage](err)
	return ok
}

// damage says what is wrong with a file.
type damage struct{ err error }

func (d *damage) Error() string { return d.err.Error() }
func (d *damage) Unwrap() error { return d.err }

// damaged returns the error of a file that is not as this package wrote it.
func damaged(name string, err error) error {
	return &ceap.Error{
		Code:    ceap.CodeUnavailable,
		Message: "the journal's file " + name + " is damaged",
		Err:     &damage{err},
		Hint:    "restore it from a backup, or run the same dates again under a new batchId to get a new journal",
	}
}

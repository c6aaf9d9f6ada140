package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// The shape of the parts. Each number of rows is a multiple of the one before,
// so that equal outcomes give equal bytes however they are spread over calls of
// Write.
const (
	batchRows    = 1 << 10
	rowGroupRows = 1 << 17
	partRows     = 1 << 20
	// pageBytes is a page's size before compression: a look-up unpacks one page
	// per column.
	pageBytes = 64 << 10
	// dictionaryBytes bounds a column's dictionary in memory; reasons that name
	// values can all differ, and are then written plainly.
	dictionaryBytes = 256 << 10
	// boundBytes is how much of a value the bounds of a page keep: enough to
	// tell ids with long common prefixes apart.
	boundBytes = 64
)

// Head says whose journal is written.
type Head struct {
	RunID       string
	ProgramID   string
	Marketplace string
	Attempt     int // of the run, from 1
}

// Writer writes the journal of one attempt.
type Writer struct {
	artifacts store.Artifacts
	now       func() time.Time
	create    func(name string) (store.ArtifactWriter, error)
	detached  func() context.Context // for the work that follows a cancellation

	dir      string
	prefix   string // of the names of the parts, below dir
	manifest Manifest
	earlier  *Manifest // what [Open] finds until Close; nil if nothing
	batch    *batch
	part     *part // nil between parts
	shape    shape
	err      error // the first error; nothing is written after it
	done     bool
}

// shape is how rows are cut into row groups and parts.
type shape struct{ rowGroupRows, partRows int64 }

// Create begins the journal of an attempt. What earlier attempts wrote stays
// readable until Close; without any, the run has an empty, incomplete journal
// from now on, so that a process that dies leaves a trace of it.
//
// The context ends Create alone: a run that is cancelled still closes its
// journal. Returns invalid if the run's id is no part of a path.
func Create(ctx context.Context, artifacts store.Artifacts, now func() time.Time, head Head) (*Writer, error) {
	dir, err := folder(head.RunID)
	if err != nil {
		return nil, err
	}
	w := newWriter(ctx, artifacts, now, dir, head)
	keep := 0
	switch earlier, err := readManifest(ctx, artifacts, head.RunID); {
	case err == nil:
		w.earlier, keep = &earlier, earlier.Attempt
		w.manifest.Attempt = max(w.manifest.Attempt, earlier.Attempt+1)
	case ceap.ErrorCode(err) == ceap.CodeNotFound || IsDamaged(err):
		if err := w.manifest.write(ctx, artifacts); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	if err := removeAttempts(ctx, artifacts, dir, keep); err != nil {
		return nil, err
	}
	w.prefix = attemptName(w.manifest.Attempt)
	return w, nil
}

// newWriter returns a Writer that has written nothing yet; its prefix is still
// to be set.
func newWriter(ctx context.Context, artifacts store.Artifacts, now func() time.Time, dir string, head Head) *Writer {
	w := &Writer{
		artifacts: artifacts,
		now:       now,
		detached:  func() context.Context { return context.WithoutCancel(ctx) },
		dir:       dir,
		manifest: Manifest{
			Version: manifestVersion, RunID: head.RunID, ProgramID: head.ProgramID, Marketplace: head.Marketplace,
			Attempt: max(head.Attempt, 1), Counts: map[ceap.OutcomeKind]int64{}, Files: []File{}, WrittenAt: now().UTC(),
		},
		batch: newBatch(batchRows),
		shape: shape{rowGroupRows, partRows},
	}
	w.create = func(name string) (store.ArtifactWriter, error) { //nolint:contextcheck // it is called after the constructor
		return artifacts.Create(w.detached(), name)
	}
	return w
}

// Write appends the outcomes, which the caller may reuse afterwards. After an
// error, each further call returns the same one.
func (w *Writer) Write(outcomes []ceap.Outcome) error {
	for i := range outcomes {
		if w.err != nil {
			return w.err
		}
		w.batch.add(&outcomes[i])
		if w.batch.full() {
			w.err = w.flush()
		}
	}
	return w.err
}

// flush moves the batch into the part, and closes a part that has its rows.
func (w *Writer) flush() error {
	if len(w.batch.rows) == 0 {
		return nil
	}
	defer w.batch.reset()
	if w.part == nil {
		name := partName(w.prefix, len(w.manifest.Files)+1)
		file, err := w.create(w.dir + name)
		if err != nil {
			return fmt.Errorf("creating %s: %w", w.dir+name, err)
		}
		w.part = newPart(name, file, w.shape.rowGroupRows)
	}
	if err := w.part.write(w.batch.rows); err != nil {
		return fmt.Errorf("writing %s: %w", w.dir+w.part.file.Name, err)
	}
	for i := range w.batch.rows {
		w.manifest.Counts[ceap.OutcomeKind(w.batch.rows[i].Outcome)]++
	}
	w.manifest.Rows += int64(len(w.batch.rows))
	if w.part.file.Rows >= w.shape.partRows {
		return w.closePart()
	}
	return nil
}

func (w *Writer) closePart() error {
	if w.part == nil {
		return nil
	}
	file, err := w.part.close()
	if err != nil {
		return fmt.Errorf("closing %s: %w", w.dir+w.part.file.Name, err)
	}
	w.manifest.Files = append(w.manifest.Files, file)
	w.part = nil
	return nil
}

// Close writes the manifest and removes what earlier attempts wrote. A journal
// that is not complete, because its run was stopped, never replaces a complete
// one: it is dropped. Close returns the manifest that is now the run's, also
// with an error if only the earlier attempts could not be removed.
//
// After an error of Write, Close returns that error and drops the attempt.
func (w *Writer) Close(complete bool) (Manifest, error) { //nolint:revive // a fact about the rows, not a mode
	if w.done {
		return Manifest{}, errors.Join(w.err, errors.New("the journal is closed"))
	}
	if w.err == nil {
		w.err = errors.Join(w.flush(), w.closePart())
	}
	if w.err != nil {
		return Manifest{}, errors.Join(w.err, w.Discard())
	}
	if e := w.earlier; !complete && e != nil && e.Complete && e.SweptAt.IsZero() {
		return *e, w.Discard()
	}
	ctx := w.detached()
	w.manifest.Complete, w.manifest.WrittenAt = complete, w.now().UTC()
	if err := w.manifest.write(ctx, w.artifacts); err != nil {
		return Manifest{}, errors.Join(err, w.Discard())
	}
	w.done = true
	return w.copyManifest(), removeAttempts(ctx, w.artifacts, w.dir, w.manifest.Attempt)
}

func (w *Writer) copyManifest() Manifest {
	m := w.manifest
	m.Counts = maps.Clone(m.Counts)
	return m
}

// Discard drops what this attempt wrote and leaves the journal before it. It is
// harmless after Close.
func (w *Writer) Discard() error {
	if w.done {
		return nil
	}
	w.done = true
	if w.err == nil {
		w.err = errors.New("the journal was discarded")
	}
	ctx := w.detached()
	var errs []error
	if w.part != nil {
		errs = append(errs, w.part.discard())
	}
	if w.earlier == nil {
		errs = append(errs, w.artifacts.Remove(ctx, w.dir))
	} else {
		errs = append(errs, w.artifacts.Remove(ctx, attemptFolder(w.dir, w.manifest.Attempt)))
	}
	return errors.Join(errs...)
}

// part is a Parquet file that is being written.
type part struct {
	file   File
	out    store.ArtifactWriter
	hash   hash.Hash
	writer *parquet.GenericWriter[row]
}

func newPart(name string, out store.ArtifactWriter, rowGroupRows int64) *part {
	p := &part{file: File{Name: name}, out: out, hash: sha256.New()}
	p.writer = parquet.NewGenericWriter[row](
		io.MultiWriter(out, p.hash, (*byteCount)(&p.file.Bytes)),
		parquet.CreatedBy("ceap", "1", ""),
		// Version 1 is what every reader knows.
		parquet.DataPageVersion(1),
		parquet.DataPageStatistics(false), // the page index has them
		parquet.PageBufferSize(pageBytes),
		parquet.MaxRowsPerRowGroup(rowGroupRows),
		parquet.DictionaryMaxBytes(dictionaryBytes),
		parquet.ColumnIndexSizeLimit(func([]string) int { return boundBytes }),
		parquet.SkipPageBounds("reason"),
		parquet.SkipPageBounds("value"),
		// Measured with BenchmarkWriter: 5 bytes a row where Snappy takes 17, at nine
		// tenths of its speed.
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
	)
	return p
}

func (p *part) write(rows []row) error {
	n, err := p.writer.Write(rows)
	p.file.Rows += int64(n)
	return err
}

func (p *part) close() (File, error) {
	if err := p.writer.Close(); err != nil {
		return File{}, err
	}
	if err := p.out.Close(); err != nil {
		return File{}, err
	}
	p.file.SHA256 = hex.EncodeToString(p.hash.Sum(nil))
	return p.file, nil
}

func (p *part) discard() error { return p.out.Discard() }

// byteCount counts the bytes written to it.
type byteCount int64

func (c *byteCount) Write(b []byte) (int, error) {
	*c += byteCount(len(b))
	return len(b), nil
}

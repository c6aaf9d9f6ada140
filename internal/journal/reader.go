package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/parquet-go/parquet-go"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// Journal is the journal of a run, for reading.
type Journal struct {
	artifacts store.Artifacts
	manifest  Manifest
	dir       string
	verified  []bool // by file: whether its checksum was found right
}

// Open reads the manifest of the run's journal. Returns not_found if the run has
// none, and unavailable if the manifest is damaged ([IsDamaged]).
func Open(ctx context.Context, artifacts store.Artifacts, runID string) (*Journal, error) {
	manifest, err := readManifest(ctx, artifacts, runID)
	if err != nil {
		return nil, err
	}
	dir, err := folder(runID)
	if err != nil {
		return nil, err
	}
	return &Journal{artifacts: artifacts, manifest: manifest, dir: dir, verified: make([]bool, len(manifest.Files))}, nil
}

// Manifest returns the manifest. Its Complete says whether every row of the run
// is in the journal, and its SweptAt whether the rows have been removed.
func (j *Journal) Manifest() Manifest { return j.manifest }

// All yields the outcomes in the order in which they were written, up to the
// first error. A damaged file is an error that names it ([IsDamaged]), before
// any of its outcomes.
func (j *Journal) All(ctx context.Context) iter.Seq2[ceap.Outcome, error] {
	return func(yield func(ceap.Outcome, error) bool) {
		for i := range j.manifest.Files {
			more, err := j.eachOutcome(ctx, i, yield)
			if err != nil {
				yield(ceap.Outcome{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// eachOutcome yields the outcomes of file i and reports whether yield wants more.
func (j *Journal) eachOutcome(ctx context.Context, i int, yield func(ceap.Outcome, error) bool) (more bool, err error) {
	file, err := j.open(ctx, i)
	if err != nil {
		return false, err
	}
	defer file.close() //nolint:errcheck // only read
	rows := make([]row, batchRows)
	for _, group := range file.groups {
		reader, err := file.rowsOf(group)
		if err != nil {
			return false, err
		}
		for left := group.NumRows(); left > 0; {
			// Not in one guard with yield: a caller's panic is not a damaged file.
			n, err := file.read(ctx, reader, rows[:min(left, batchRows)])
			if err != nil {
				return false, err
			}
			left -= int64(n)
			for k := range rows[:n] {
				if !yield(rows[k].outcome(), nil) {
					return false, nil
				}
			}
		}
	}
	return true, nil
}

// partReader reads one part whose checksum is right.
type partReader struct {
	name   string
	source store.ArtifactReader
	groups []parquet.RowGroup
}

// open opens file i, and checks its size, its checksum, once, its columns and its rows.
func (j *Journal) open(ctx context.Context, i int) (*partReader, error) {
	file := j.manifest.Files[i]
	p := &partReader{name: j.dir + file.Name}
	source, err := j.artifacts.Open(ctx, p.name)
	if ceap.ErrorCode(err) == ceap.CodeNotFound {
		return nil, damaged(p.name, errors.New("it is missing"))
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", p.name, err)
	}
	p.source = source
	if err := j.prepare(ctx, i, p); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (j *Journal) prepare(ctx context.Context, i int, p *partReader) error {
	if err := j.verify(ctx, i, p); err != nil {
		return err
	}
	return p.guard(func() error {
		file, err := parquet.OpenFile(p.source, p.source.Size())
		if err != nil {
			return err
		}
		// Other columns would be read as if they were empty.
		if !parquet.EqualNodes(file.Schema(), parquet.SchemaOf(row{})) {
			return errors.New("it has other columns")
		}
		p.groups = file.RowGroups()
		var rows int64
		for _, group := range p.groups {
			rows += group.NumRows()
		}
		if want := j.manifest.Files[i].Rows; rows != want || file.NumRows() != want {
			return fmt.Errorf("it has %d rows instead of %d", rows, want)
		}
		return nil
	})
}

// verify compares the file with the manifest. Nothing is decoded before, since
// the decoder trusts what it reads.
func (j *Journal) verify(ctx context.Context, i int, p *partReader) error {
	want := j.manifest.Files[i]
	if size := p.source.Size(); size != want.Bytes {
		return damaged(p.name, fmt.Errorf("it has %d bytes instead of %d", size, want.Bytes))
	}
	if j.verified[i] {
		return nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, contextReader{ctx, io.NewSectionReader(p.source, 0, want.Bytes)}); err != nil {
		return fmt.Errorf("reading %s: %w", p.name, err)
	}
	if hex.EncodeToString(hash.Sum(nil)) != want.SHA256 {
		return damaged(p.name, errors.New("its checksum is not the one in the manifest"))
	}
	j.verified[i] = true
	return nil
}

func (p *partReader) close() error { return p.source.Close() }

// guard runs f and returns its error, or its panic, as that of a damaged file.
func (p *partReader) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = damaged(p.name, fmt.Errorf("decoding it: %v", r))
		}
	}()
	if err := f(); err != nil {
		return damaged(p.name, err)
	}
	return nil
}

// rowsOf returns a reader at the first row of the group.
func (p *partReader) rowsOf(group parquet.RowGroup) (reader *parquet.GenericReader[row], err error) {
	err = p.guard(func() error {
		reader = parquet.NewGenericRowGroupReader[row](group)
		return nil
	})
	return reader, err
}

// read reads the next rows, at least one, and returns how many.
func (p *partReader) read(ctx context.Context, reader *parquet.GenericReader[row], rows []row) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	err = p.guard(func() error {
		clear(rows)
		n, err = reader.Read(rows)
		switch {
		case n > 0 && errors.Is(err, io.EOF):
			return nil
		case n == 0 && err == nil:
			return io.ErrNoProgress
		}
		return err
	})
	return n, err
}

// contextReader reads until the context ends.
type contextReader struct {
	ctx    context.Context //nolint:containedctx // lives as long as one io.Copy
	reader io.Reader
}

func (r contextReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.reader.Read(b)
}

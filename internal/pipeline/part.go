package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/internal/journal"
	"github.com/ceap-platform/ceap/internal/spool"
	"github.com/ceap-platform/ceap/store"
)

// Extract reads the rows of a part, maps them, and spreads the candidates over
// shards. A part that has a report is done.
func (d *Distributed) Extract(ctx context.Context, open Opener, w Work, part Part) (PartReport, error) {
	return d.part(ctx, open, w, part, func(*PartReport) bool { return true }, func(x *execution, r *PartReport) error {
		return d.extract(ctx, x, w, part, r)
	})
}

// Store takes the candidates of a shard through the filters and models and
// stores them. A part that has a report is done, unless the report is of an
// earlier attempt and has rows to try again.
func (d *Distributed) Store(ctx context.Context, open Opener, w Work, part Part) (PartReport, error) {
	done := func(r *PartReport) bool { return r.clean() || r.Attempt == w.Attempt }
	return d.part(ctx, open, w, part, done, func(x *execution, r *PartReport) error {
		return d.store(ctx, x, w, part)
	})
}

// part does the work of a part, with what all parts have around it: the lease,
// the journal and the report. What goes wrong is noted for [Distributed.Reduce].
func (d *Distributed) part(ctx context.Context, open Opener, w Work, part Part, done func(*PartReport) bool, work func(*execution, *PartReport) error) (PartReport, error) {
	r := PartReport{ID: part.ID, Attempt: w.Attempt, StartedAt: d.Runner.Now().UTC()}
	var earlier PartReport
	if ok, err := d.found(ctx, w.file("reports/"+part.ID+".json"), &earlier); err != nil || ok && done(&earlier) {
		return earlier, err
	}
	p, stages, err := d.planned(ctx, open, w)
	if err != nil {
		return r, err
	}
	if err := d.renew(ctx, w); err != nil {
		return r, err
	}
	if err := d.report(ctx, d.execution(p, stages), w, &r, work); err != nil {
		// The report says that a part is done; why it is not must be told apart.
		note := partFailure{Attempt: w.Attempt, Code: ceap.ErrorCode(err), Message: err.Error()}
		return r, errors.Join(err, d.save(context.WithoutCancel(ctx), w.file("failures/"+part.ID+".json"), note))
	}
	return r, nil
}

// partFailure says why a part did not finish.
type partFailure struct {
	Attempt int       `json:"attempt"`
	Code    ceap.Code `json:"code"`
	Message string    `json:"message"`
}

func (d *Distributed) report(ctx context.Context, x *execution, w Work, r *PartReport, work func(*execution, *PartReport) error) error {
	section, err := journal.CreateSection(ctx, d.Artifacts, d.Runner.Now, w.RunID, w.Key, r.ID)
	if err != nil {
		return err
	}
	defer section.Discard()
	x.account.journal = sectionJournal{section}
	told := len(x.warnings) // those of the program, which Reduce tells
	if err := work(x, r); err != nil {
		return err
	}
	if err := x.account.flush(); err != nil {
		return err
	}
	if r.Journal, err = section.Close(); err != nil {
		return err
	}
	r.Tally, r.Notes, r.Queries = x.account.tally(), x.notes, x.queries
	r.Warnings = x.warnings[told:]
	r.EndedAt = d.Runner.Now().UTC()
	return d.save(ctx, w.file("reports/"+r.ID+".json"), r)
}

// sectionJournal is a section as the account knows it. Parts close their section
// themselves.
type sectionJournal struct{ *journal.Section }

// Close implements [Journal].
func (sectionJournal) Close(bool) error { return nil }

func (d *Distributed) extract(ctx context.Context, x *execution, w Work, part Part, r *PartReport) error {
	if part.Source >= len(x.def.Sources) || part.Shards < 1 {
		return ceap.Errorf(ceap.CodeInvalid, "part %q names source %d and %d shards", part.ID, part.Source, part.Shards)
	}
	name := w.file("shuffle/" + part.ID)
	out, err := d.Artifacts.Create(ctx, name)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	to, err := newShuffler(&x.layouts, part.Shards, name, out)
	if err != nil {
		return errors.Join(err, out.Discard())
	}
	if err := d.rowsOf(ctx, x, w, part, to); err != nil {
		return errors.Join(err, out.Discard(), x.closeReading())
	}
	x.commit(ctx) // to Marks, which Reduce saves
	if d.Marks != nil {
		r.Marks = d.Marks.list()
	}
	if r.Pieces, err = to.close(); err != nil {
		return err
	}
	return x.closeReading()
}

// rowsOf maps the rows of a part.
func (d *Distributed) rowsOf(ctx context.Context, x *execution, w Work, part Part, to entries) error {
	if part.Whole {
		return x.read(ctx, part.Source, to)
	}
	source := x.def.Sources[part.Source]
	parted, ok := source.Connector.(connector.Parted)
	if !ok {
		return ceap.Errorf(ceap.CodeConflict, "connector %q cannot be read in parts", source.ID)
	}
	var origins []origin
	if err := d.load(ctx, w.file("sources.json"), &origins); err != nil {
		return fmt.Errorf("reading the sources of run %s: %w", w.RunID, err)
	}
	transform, err := source.Connector.Transform(origins[part.Source].Columns, x.request(source))
	if err != nil {
		return fmt.Errorf("connector %q: %w", source.ID, err)
	}
	for _, piece := range part.Parts {
		before := x.account.counts.Extracted
		if err := x.mapPart(ctx, part.Source, parted, transform, piece, to); err != nil {
			return fmt.Errorf("connector %q: %w", source.ID, err)
		}
		if got := x.account.counts.Extracted - before; got != piece.Rows {
			return ceap.Errorf(ceap.CodeInternal, "connector %q: a part has %d rows; %d were read", source.ID, piece.Rows, got)
		}
	}
	return nil
}

func (x *execution) mapPart(ctx context.Context, index int, parted connector.Parted, transform connector.Transform, piece connector.Part, to entries) (err error) {
	stream, err := parted.ExtractPart(ctx, x.request(x.def.Sources[index]), piece)
	if err != nil {
		return err
	}
	defer func() {
		if closing := stream.Close(); err == nil {
			err = closing
		}
	}()
	return x.mapRows(ctx, index, stream, transform, to)
}

// BuildShards lists the parts to store and returns those that are not done yet:
// none, with complete false, if parts to extract are missing.
func (d *Distributed) BuildShards(ctx context.Context, w Work) (m Manifest, complete bool, err error) {
	if err := d.renew(ctx, w); err != nil {
		return Manifest{}, false, err
	}
	var parts []Part
	if err := d.load(ctx, w.file("parts.json"), &parts); err != nil {
		return Manifest{}, false, fmt.Errorf("reading the parts of run %s: %w", w.RunID, err)
	}
	reports, err := d.reports(ctx, w, parts)
	if err != nil {
		return Manifest{}, false, err
	}
	pieces := map[int][]piece{}
	for _, r := range reports {
		if r == nil {
			return Manifest{}, false, nil
		}
		for _, p := range r.Pieces {
			pieces[p.Shard] = append(pieces[p.Shard], p)
		}
	}
	shards, err := d.listShards(ctx, w, pieces)
	if err != nil {
		return Manifest{}, false, err
	}
	if reports, err = d.reports(ctx, w, shards); err != nil {
		return Manifest{}, false, err
	}
	m, err = d.todo(ctx, w, "store", shards, func(i int) bool { return reports[i] == nil || !reports[i].clean() })
	return m, true, err
}

// listShards writes the pieces of each shard, and the list of shards.
func (d *Distributed) listShards(ctx context.Context, w Work, pieces map[int][]piece) ([]Part, error) {
	shards := []Part{}
	var of []int
	last := -1
	for shard := range pieces {
		last = max(last, shard)
	}
	for shard := range last + 1 {
		if len(pieces[shard]) == 0 {
			continue
		}
		part := Part{ID: fmt.Sprintf("s-%05d", shard+1)}
		part.Pieces = w.file("pieces/" + part.ID + ".json")
		for _, p := range pieces[shard] {
			part.Rows += p.Rows
		}
		shards, of = append(shards, part), append(of, shard)
	}
	err := each(ctx, len(shards), func(ctx context.Context, i int) error {
		return d.save(ctx, shards[i].Pieces, pieces[of[i]])
	})
	if err != nil {
		return nil, err
	}
	return shards, d.save(ctx, w.file("shards.json"), shards)
}

// store decides the candidates of a shard.
func (d *Distributed) store(ctx context.Context, x *execution, _ Work, part Part) error {
	var pieces []piece
	if err := d.load(ctx, part.Pieces, &pieces); err != nil {
		return fmt.Errorf("reading the pieces of %s: %w", part.ID, err)
	}
	sorter := spool.NewSorter(x.tempDir, d.Runner.sortMemory())
	if err := d.gather(ctx, x, pieces, sorter); err != nil {
		sorter.Discard()
		return err
	}
	if sorter.Count() != part.Rows {
		sorter.Discard()
		return ceap.Errorf(ceap.CodeInternal, "part %s has %d rows; %d were read", part.ID, part.Rows, sorter.Count())
	}
	it, err := sorter.Sort(ctx)
	if err != nil {
		sorter.Discard()
		return err
	}
	return x.decide(ctx, it)
}

// fetched is how many pieces wait in memory.
const fetched = 8

// gather reads pieces, several at a time, into the sorter.
func (d *Distributed) gather(ctx context.Context, x *execution, pieces []piece, to entries) error {
	unpack, err := newPieceDecoder()
	if err != nil {
		return fmt.Errorf("starting decompression: %w", err)
	}
	defer unpack.Close()
	g, ctx := errgroup.WithContext(ctx)
	slots := make([]chan []byte, len(pieces))
	for i := range slots {
		slots[i] = make(chan []byte, 1)
	}
	waiting := make(chan struct{}, fetched)
	g.Go(func() error {
		readers, ctx := errgroup.WithContext(ctx)
		for i, p := range pieces {
			select {
			case waiting <- struct{}{}:
			case <-ctx.Done():
				return errors.Join(context.Cause(ctx), readers.Wait())
			}
			readers.Go(func() error {
				data, err := d.fetch(ctx, p)
				slots[i] <- data
				return err
			})
		}
		return readers.Wait()
	})
	g.Go(func() error {
		for i, p := range pieces {
			var data []byte
			select {
			case data = <-slots[i]:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			<-waiting
			if data == nil {
				return nil // the reader tells why
			}
			if err := readPiece(unpack, data, p, &x.layouts, to.Add); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// fetch reads a piece as it lies in its file.
func (d *Distributed) fetch(ctx context.Context, p piece) ([]byte, error) {
	if p.Length < 1 || p.Length > maxPiece || p.Offset < 0 {
		return nil, ceap.Errorf(ceap.CodeInternal, "%s can have no %d bytes at %d", p.File, p.Length, p.Offset)
	}
	if r, ok := d.Artifacts.(store.RangeReader); ok {
		data, err := r.ReadRange(ctx, p.File, p.Offset, p.Length)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", p.File, err)
		}
		return data, nil
	}
	file, err := d.Artifacts.Open(ctx, p.File)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", p.File, err)
	}
	defer file.Close() //nolint:errcheck // only read
	data := make([]byte, p.Length)
	if n, err := file.ReadAt(data, p.Offset); err != nil && (n < len(data) || !errors.Is(err, io.EOF)) {
		return nil, fmt.Errorf("reading %s: %w", p.File, err)
	}
	return data, nil
}

package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/spool"
)

// Sizes of what travels between the goroutines of a run.
const (
	batchRows   = 2048    // enough that the hand-over costs nothing per row
	batchBytes  = 1 << 20 // for rows with much text
	batchesOpen = 4       // batches that wait for a worker
)

// batch is a number of rows in the order of their keys.
type batch struct {
	arena    []byte // the entries' bytes, which the rows' strings share
	spans    []span
	rows     []row
	refs     []*row // to rows, for the stages
	done     chan struct{}
	err      error
	tallies  []modelTally
	broken   int64
	brokenBy string
}

// span is where an entry lies in the arena.
type span struct {
	key, data, scores int // their lengths
	seq               int64
	duplicate         bool
	winnerSource      int
	winner            int64 // the row that is the candidate, if this is a duplicate
}

// batches recycles batches. Arenas are not recycled: the strings of rows that
// are remembered as samples share them.
type batches struct{ pool sync.Pool }

func (p *batches) get() *batch {
	b, ok := p.pool.Get().(*batch)
	if !ok {
		b = &batch{spans: make([]span, 0, batchRows), rows: make([]row, batchRows), refs: make([]*row, 0, batchRows)}
	}
	b.arena, b.spans, b.refs = make([]byte, 0, 256<<10), b.spans[:0], b.refs[:0]
	b.done, b.err, b.broken, b.brokenBy = make(chan struct{}), nil, 0, ""
	return b
}

func (p *batches) put(b *batch) { p.pool.Put(b) }

func (b *batch) full() bool { return len(b.spans) == batchRows || len(b.arena) >= batchBytes }

func (b *batch) add(s span, key, data, scores []byte) {
	s.key, s.data, s.scores = len(key), len(data), len(scores)
	b.spans = append(b.spans, s)
	b.arena = append(append(append(b.arena, key...), data...), scores...)
}

// decode fills the batch's rows from its arena.
func (b *batch) decode(ls *layouts, d *Definition) error {
	rest := b.arena
	for i, s := range b.spans {
		r := &b.rows[i]
		r.outcome, r.filterID, r.code, r.reason, r.step = "", "", "", "", -1
		c := &r.candidate
		c.Scores, c.Scored, c.Score = c.Scores[:0], false, 0
		if err := r.decode(rest[:s.key], rest[s.key:s.key+s.data], ls); err != nil {
			return err
		}
		c.ProgramID, c.Marketplace, c.Meta.ConnectorID = d.ProgramID, d.Marketplace, d.Sources[r.source].ID
		if s.scores > 0 {
			said := decoder{b: rest[s.key+s.data : s.key+s.data+s.scores]}
			if said.scores(c); said.bad {
				return ceap.Errorf(ceap.CodeInternal, "the scores of a spooled row cannot be read back")
			}
		}
		if s.duplicate {
			r.outcome, r.code = ceap.OutcomeDuplicate, ceap.ReasonDuplicate
			r.reason = fmt.Sprintf("row %d of %s is the same candidate and comes first", s.winner, d.Sources[s.winnerSource].ID)
		}
		b.refs = append(b.refs, r)
		rest = rest[s.key+s.data+s.scores:]
	}
	return nil
}

// feed hands batches to emit, in order, until there are no more rows.
type feed func(ctx context.Context, emit func(*batch) error) error

// sortedFeed feeds the rows of an iterator, telling duplicates (D14): of the
// entries with one identity the first is the candidate.
func sortedFeed(it *spool.Iterator, pool *batches) feed {
	return func(_ context.Context, emit func(*batch) error) error {
		b := pool.get()
		var identity []byte
		var winner span
		for it.Next() {
			e := it.Entry()
			var s span
			source, number := originOf(e.Key, e.Data)
			if id := e.Key[:identityLen(e.Key)]; identity != nil && bytes.Equal(id, identity) {
				s = span{duplicate: true, winnerSource: winner.winnerSource, winner: winner.winner}
			} else {
				identity = append(identity[:0], id...)
				winner = span{winnerSource: source, winner: number}
			}
			b.add(s, e.Key, e.Data, nil)
			if b.full() {
				if err := emit(b); err != nil {
					return err
				}
				b = pool.get()
			}
		}
		if it.Err() != nil {
			return it.Err()
		}
		if len(b.spans) > 0 {
			return emit(b)
		}
		return nil
	}
}

// logFeed feeds the rows of a log, numbered from 0.
func logFeed(log *spool.Log, pool *batches) feed {
	return func(_ context.Context, emit func(*batch) error) error {
		b := pool.get()
		var seq int64
		err := log.Each(func(entry []byte) error {
			key, data, scores := splitLogged(entry)
			b.add(span{seq: seq}, key, data, scores)
			seq++
			if !b.full() {
				return nil
			}
			full := b
			b = pool.get()
			return emit(full)
		})
		if err == nil && len(b.spans) > 0 {
			err = emit(b)
		}
		return err
	}
}

// appendLogged appends a row in the form that a log keeps: key and data with
// their lengths before them, then the scores.
func appendLogged(b, key, data []byte, c *ceap.Candidate) []byte {
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	b = binary.AppendUvarint(b, uint64(len(data)))
	b = append(b, data...)
	return appendScores(b, c)
}

func splitLogged(b []byte) (key, data, scores []byte) {
	n, size := binary.Uvarint(b)
	key, b = b[size:size+int(n)], b[size+int(n):] //nolint:gosec // a length that we wrote
	n, size = binary.Uvarint(b)
	return key, b[size : size+int(n)], b[size+int(n):] //nolint:gosec // a length that we wrote
}

// parallel takes the batches of a feed through work, with several workers, and
// hands them to sink in the order of the feed.
func parallel(ctx context.Context, workers int, from feed, work func() func(context.Context, *batch) error, sink func(context.Context, *batch) error) error {
	g, ctx := errgroup.WithContext(ctx)
	todo := make(chan *batch)
	ordered := make(chan *batch, workers+batchesOpen)
	g.Go(func() error {
		defer close(ordered)
		defer close(todo)
		return from(ctx, func(b *batch) error {
			select {
			case ordered <- b:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			select {
			case todo <- b:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	})
	for range workers {
		apply := work()
		g.Go(func() error {
			for b := range todo {
				b.err = guard(func() error { return apply(ctx, b) })
				close(b.done)
			}
			return nil
		})
	}
	g.Go(func() error { return drain(ctx, ordered, sink) })
	return g.Wait()
}

// drain hands batches to sink as soon as they are done, in their order.
func drain(ctx context.Context, ordered <-chan *batch, sink func(context.Context, *batch) error) error {
	for b := range ordered {
		select {
		case <-b.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if b.err != nil {
			return b.err
		}
		if err := sink(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/internal/spool"
	"github.com/ceap-platform/ceap/store"
)

// The names of the stages, as results and errors show them.
const (
	StageExtract = "extract"
	StageStore   = "store"
)

// execution is one attempt of one run.
type execution struct {
	runner  *Runner
	stages  *Stages
	def     *Definition
	req     connector.Request
	opts    store.UpsertOptions
	log     *slog.Logger
	tempDir string
	meter   *Meter

	correlationID string
	mapOnly       bool // the run ends after mapping
	decided       bool // every row has gone through the steps

	account  account
	layouts  layouts
	pool     batches
	notes    []ceap.MappingNote
	reading  []reading // streams that want to know how the run ends
	warnings []string
	queries  []ceap.QueryNote
	took     []ceap.StageTime
}

// extract reads every source, maps its rows and returns the candidates sorted, or
// none of them if the run ends with this stage.
func (x *execution) extract(ctx context.Context) (*spool.Iterator, error) {
	x.meter.stage.Store(StageExtract)
	defer x.clock(StageExtract)()
	sorter := spool.NewSorter(x.tempDir, x.runner.sortMemory())
	for i := range x.def.Sources {
		if err := x.read(ctx, i, sorter); err != nil {
			sorter.Discard()
			return nil, err
		}
	}
	if err := x.account.flush(); err != nil {
		sorter.Discard()
		return nil, err
	}
	it, err := sorter.Sort(ctx)
	if err != nil {
		sorter.Discard()
		return nil, err
	}
	return it, nil
}

// read reads one source.
func (x *execution) read(ctx context.Context, index int, to entries) (err error) {
	source := x.def.Sources[index]
	req := x.req
	req.ConnectorID = source.ID
	stream, err := source.Connector.Extract(ctx, req)
	if err != nil {
		return fmt.Errorf("connector %q: %w", source.ID, err)
	}
	if !x.keep(source.ID, stream) {
		defer func() {
			if closing := stream.Close(); err == nil {
				err = closing
			}
		}()
	}
	transform, err := source.Connector.Transform(stream.Columns(), req)
	if err != nil {
		return fmt.Errorf("connector %q: %w", source.ID, err)
	}
	resolution := transform.Resolution()
	x.notes = append(x.notes, resolution.Notes...)
	x.warn(resolution.Warnings...)
	if err := x.mapRows(ctx, index, stream, transform, to); err != nil {
		return fmt.Errorf("connector %q: %w", source.ID, err)
	}
	if r, ok := stream.(connector.Reporter); ok {
		x.report(ctx, source.ID, r.Report())
	}
	return nil
}

// report takes over what a source says of its result.
func (x *execution) report(ctx context.Context, connectorID string, r connector.Report) {
	x.warn(r.Warnings...)
	if len(r.Unused) > 0 {
		x.log.InfoContext(ctx, "settings not used by this engine", "connector", connectorID, "settings", r.Unused)
	}
	if r.QueryID != "" {
		x.queries = append(x.queries, ceap.QueryNote{ConnectorID: connectorID, QueryID: r.QueryID, BytesScanned: r.BytesScanned})
	}
}

// entries takes the entries of rows that have become candidates.
type entries interface {
	Add(key, data []byte) error // which may keep neither
}

func (x *execution) mapRows(ctx context.Context, index int, stream connector.Stream, transform connector.Transform, to entries) error {
	enc := encoder{layouts: &x.layouts}
	var c ceap.Candidate
	for {
		records, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		x.account.extracted(len(records))
		for _, rec := range records {
			if err := transform.Map(rec, &c); err != nil {
				if err := x.unfit(index, rec.Row, &c, err); err != nil {
					return err
				}
				continue
			}
			if x.mapOnly {
				x.meter.finished.Add(1)
				continue
			}
			key, data := enc.encode(&c, index, rec.Row)
			if enc.last >= maxLayouts {
				return ceap.Errorf(ceap.CodeInvalid, "the rows name more than %d different sets of channels", maxLayouts)
			}
			if err := to.Add(key, data); err != nil {
				return err
			}
		}
	}
}

// unfit brings a row that cannot become a candidate to its end.
func (x *execution) unfit(index int, number int64, c *ceap.Candidate, err error) error {
	o := ceap.Outcome{ConnectorID: x.def.Sources[index].ID, Row: number, Key: c.Key, EventDate: c.EventDate}
	o.ProgramID, o.Marketplace = x.def.ProgramID, x.def.Marketplace
	if mismatch, ok := errors.AsType[*connector.Mismatch](err); ok {
		o.Kind, o.ReasonCode, o.Reason = ceap.OutcomeRejected, mismatch.Code, mismatch.Reason
		x.account.early++
		return x.account.add(&o, nil, nil, nil)
	}
	o.Kind, o.ReasonCode, o.Reason = ceap.OutcomeInvalid, ceap.ReasonBadValue, err.Error()
	if invalid, ok := errors.AsType[*connector.Invalid](err); ok {
		o.ReasonCode, o.Field, o.Value = invalid.Code, invalid.Field, invalid.Value
	}
	return x.account.add(&o, nil, nil, nil)
}

// decide takes the sorted candidates through the steps and stores them.
func (x *execution) decide(ctx context.Context, it *spool.Iterator) error {
	x.meter.stage.Store(StageStore)
	defer x.clock(StageStore)()
	defer it.Close()
	from := sortedFeed(it, &x.pool)
	first := 0
	var ranked *ranking
	var log *spool.Log
	defer func() {
		if log != nil {
			log.Discard()
		}
	}()
	for {
		last := x.nextRank(first)
		if last == len(x.stages.steps) {
			return x.segment(ctx, from, ranked, first, last, x.newStorer(ctx))
		}
		next, err := x.segmentToLog(ctx, from, ranked, first, last)
		if err != nil {
			return err
		}
		if log != nil {
			log.Discard()
		}
		log = next
		ranker, _ := x.stages.steps[last].Filter.(filter.Ranker)
		if ranked, err = x.rank(ctx, log, ranker.Limits()); err != nil {
			return err
		}
		from, first = logFeed(log, &x.pool), last+1
	}
}

// nextRank returns the index of the next step that compares the candidates of
// the whole run, or the number of steps.
func (x *execution) nextRank(first int) int {
	i := slices.IndexFunc(x.stages.steps[first:], func(s Step) bool { return s.Kind == StepRank })
	if i < 0 {
		return len(x.stages.steps)
	}
	return first + i
}

// sink takes batches in order. It owns them, and brings their rows to an end or
// passes them on.
type sink interface {
	take(ctx context.Context, b *batch) error
	// finish is called once, after the last batch or after err ended the feed. It
	// returns err, or what else went wrong.
	finish(ctx context.Context, err error) error
}

// segment takes rows through the steps between two rank steps.
func (x *execution) segment(ctx context.Context, from feed, ranked *ranking, first, last int, to sink) error {
	work := func() func(context.Context, *batch) error {
		w := x.stages.newWorker()
		return func(ctx context.Context, b *batch) error {
			if err := b.decode(&x.layouts, x.def); err != nil {
				return err
			}
			if ranked != nil {
				for i, r := range b.refs {
					ranked.judge(w, r, b.spans[i].seq, first-1, x.stages.steps[first-1].Name)
				}
			}
			err := w.apply(ctx, b.refs, first, last)
			b.tallies = append(b.tallies[:0], w.tallies...)
			b.broken, b.brokenBy = w.broken, w.brokenBy
			clear(w.tallies)
			w.broken, w.brokenBy = 0, ""
			return err
		}
	}
	return to.finish(ctx, parallel(ctx, x.runner.workers(), from, work, to.take))
}

// segmentToLog is a segment whose survivors are kept in a new log.
func (x *execution) segmentToLog(ctx context.Context, from feed, ranked *ranking, first, last int) (*spool.Log, error) {
	log, err := spool.NewLog(x.tempDir)
	if err != nil {
		return nil, err
	}
	if err := x.segment(ctx, from, ranked, first, last, &logger{x: x, log: log}); err != nil {
		log.Discard()
		return nil, err
	}
	if err := log.Finish(); err != nil {
		return nil, err
	}
	return log, nil
}

// logger keeps the open rows in a log.
type logger struct {
	x   *execution
	log *spool.Log
	buf []byte
}

func (l *logger) take(_ context.Context, b *batch) error {
	l.x.account.merge(b)
	rest := b.arena
	for i, r := range b.refs {
		s := b.spans[i]
		entry := rest[:s.key+s.data]
		rest = rest[s.key+s.data+s.scores:]
		if !r.open() {
			if err := l.x.account.finish(r); err != nil {
				return err
			}
			continue
		}
		l.buf = appendLogged(l.buf[:0], entry[:s.key], entry[s.key:], &r.candidate)
		if err := l.log.Add(l.buf); err != nil {
			return err
		}
	}
	l.x.pool.put(b)
	return nil
}

func (l *logger) finish(_ context.Context, err error) error {
	return cmp.Or(err, l.x.account.flush())
}

// clock measures a stage's wall time until the returned function is called.
func (x *execution) clock(stage string) func() {
	start := x.runner.Now()
	return func() {
		x.took = append(x.took, ceap.StageTime{Stage: stage, DurationMs: x.runner.Now().Sub(start).Milliseconds()})
	}
}

// warn adds warnings, each once.
func (x *execution) warn(warnings ...string) {
	for _, w := range warnings {
		if !slices.Contains(x.warnings, w) {
			x.warnings = append(x.warnings, w)
		}
	}
}

// scoreCounts reports on the models and warns once for each that did not answer.
func (x *execution) scoreCounts() []ceap.ScoreCount {
	out := []ceap.ScoreCount{}
	for i, m := range x.def.Models {
		t := x.account.models[i]
		sc := ceap.ScoreCount{ModelID: m.ID, Scored: t.scored, Fallback: t.fallback, Cached: t.cached, Unscored: t.unscored, Reason: m.Note}
		if t.code != "" {
			sc.Reason = t.code + ": " + t.detail
			kept := ""
			if t.cached > 0 {
				kept = fmt.Sprintf("%d candidates got an earlier answer of it; ", t.cached)
			}
			x.warn(fmt.Sprintf("model %q: %s: %s%d candidates got its fallbackScore and %d no score from it: %s",
				m.ID, t.code, kept, t.fallback-t.cached, t.unscored, t.detail))
		}
		out = append(out, sc)
	}
	return out
}

// errorRate returns failed rows as a share of all.
func errorRate(c ceap.Counts) float64 {
	if c.Extracted == 0 {
		return 0
	}
	return float64(c.Failed) / float64(c.Extracted)
}

package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// Plan begins a run, or takes up one that has not finished (D44), under a lease
// of the owner. Snapshot is how the caller finds the same program again; see
// [Distributed.Snapshot]. done is the result of a run for which there is nothing
// to do: it was finished before, or its program is disabled. Errors are those of
// [Runner.Run] before a run begins.
func (d *Distributed) Plan(ctx context.Context, open Opener, in Input, owner string, snapshot json.RawMessage) (w Work, done *ceap.RunResult, err error) {
	var mine *Work
	b, err := d.Runner.begin(ctx, open, in, func(run *ceap.Run) (*ceap.Run, bool, error) {
		prior, held, err := d.Leases.Lease(ctx, run, owner, d.life())
		if err == nil && held && prior != nil {
			mine, err = d.planOf(ctx, run.RunID, owner)
		}
		return prior, held, err
	})
	if err != nil {
		return Work{}, nil, err
	}
	if mine != nil {
		return *mine, nil, nil // the answer to an earlier call was lost
	}
	res := &b.run.Result
	if b.replayed {
		return Work{}, res, nil
	}
	if d.Runner.skip(ctx, b.stages.definition, res) {
		if err := d.Runner.record(ctx, &b.run, nil); err != nil {
			return Work{}, nil, err
		}
		return Work{}, res, d.Leases.Unlease(ctx, b.run, owner)
	}
	w = Work{
		RunID: res.RunID, ProgramID: res.ProgramID, Marketplace: res.Marketplace, BatchID: res.BatchID, CorrelationID: res.CorrelationID,
		Key: workKey(b.stages.definition), Attempt: res.Attempt, Owner: owner,
	}
	// The record shows the attempt while it is at work.
	if err := d.Runner.Runs.Save(ctx, b.run); err != nil {
		return Work{}, nil, fmt.Errorf("recording run %s: %w", w.RunID, err)
	}
	return w, nil, d.save(ctx, w.file("plan.json"), planFile{Work: w, Run: b.run, Snapshot: snapshot})
}

// planOf returns the work that the owner has planned for the run, nil if it has
// not.
func (d *Distributed) planOf(ctx context.Context, runID, owner string) (*Work, error) {
	w, err := d.WorkOf(ctx, runID)
	if ceap.ErrorCode(err) == ceap.CodeNotFound || err == nil && w.Owner != owner {
		return nil, nil //nolint:nilnil // nothing is an answer
	}
	return &w, err
}

// workKey tells programs apart: what was done for one is of no use to another.
func workKey(d *Definition) string {
	return d.Hash[:min(len(d.Hash), 12)]
}

// started is what Start leaves: the tickets by source; nil for a source that
// cannot be read in parts.
type started struct {
	Attempt int                 `json:"attempt"`
	Tickets []*connector.Ticket `json:"tickets"`
}

func (w Work) ticketFile() string { return w.file("tickets-" + strconv.Itoa(w.Attempt) + ".json") }

// Start begins the work of the sources that can be read in parts. A run that is
// taken up again and has its parts already starts nothing. Errors are those of
// [connector.Connector.Extract].
func (d *Distributed) Start(ctx context.Context, open Opener, w Work) error {
	p, stages, err := d.planned(ctx, open, w)
	if err != nil {
		return err
	}
	if err := d.renew(ctx, w); err != nil {
		return err
	}
	var parts []Part
	if listed, err := d.found(ctx, w.file("parts.json"), &parts); err != nil || listed && len(parts) > 0 {
		return err
	}
	s := started{Attempt: w.Attempt, Tickets: make([]*connector.Ticket, len(stages.definition.Sources))}
	if begun, err := d.found(ctx, w.ticketFile(), &started{}); err != nil || begun {
		return err
	}
	x := d.execution(p, stages)
	for i, source := range stages.definition.Sources {
		parted, ok := source.Connector.(connector.Parted)
		if !ok {
			continue
		}
		t, err := parted.Start(ctx, x.request(source), connector.Job{ID: w.RunID + "/" + source.ID + "/" + strconv.Itoa(w.Attempt)})
		if err != nil {
			return fmt.Errorf("connector %q: %w", source.ID, err)
		}
		s.Tickets[i] = &t
	}
	return d.save(ctx, w.ticketFile(), s)
}

// request returns the request for a source.
func (x *execution) request(source Source) connector.Request {
	req := x.req
	req.ConnectorID = source.ID
	return req
}

// Waiting says whether sources are still at work.
type Waiting struct {
	Done bool `json:"done"`
	// WaitSeconds is how long to wait before Check is called again: it grows with
	// the time that the sources have taken, from 2 to 30 seconds.
	WaitSeconds int    `json:"waitSeconds"`
	State       string `json:"state,omitempty"` // in the words of a source that is at work
}

// Check reports whether all sources are done. Errors are those of
// [connector.Connector.Extract]: that a query failed or took too long.
func (d *Distributed) Check(ctx context.Context, open Opener, w Work) (Waiting, error) {
	p, stages, err := d.planned(ctx, open, w)
	if err != nil {
		return Waiting{}, err
	}
	if err := d.renew(ctx, w); err != nil {
		return Waiting{}, err
	}
	var s started
	if ok, err := d.found(ctx, w.ticketFile(), &s); err != nil || !ok {
		return Waiting{Done: true, WaitSeconds: 2}, err
	}
	x := d.execution(p, stages)
	waiting := Waiting{Done: true, WaitSeconds: 2}
	for i, t := range s.Tickets {
		if t == nil {
			continue
		}
		source := stages.definition.Sources[i]
		parted, ok := source.Connector.(connector.Parted)
		if !ok {
			return Waiting{}, ceap.Errorf(ceap.CodeConflict, "connector %q has a ticket and cannot be read in parts", source.ID)
		}
		progress, err := parted.Poll(ctx, x.request(source), *t)
		if err != nil {
			return Waiting{}, fmt.Errorf("connector %q: %w", source.ID, err)
		}
		if !progress.Done {
			waiting.Done, waiting.State = false, progress.State
			waiting.WaitSeconds = max(waiting.WaitSeconds, min(30, int(d.Runner.Now().Sub(t.StartedAt)/(4*time.Second))))
		}
	}
	return waiting, nil
}

// BuildParts lists the parts to extract, in the order of the rows, and returns
// those that have no report yet. A column that a mapping names and no source has
// is an error of invalid here, before the first row is read (D18).
func (d *Distributed) BuildParts(ctx context.Context, open Opener, w Work) (Manifest, error) {
	p, stages, err := d.planned(ctx, open, w)
	if err != nil {
		return Manifest{}, err
	}
	if err := d.renew(ctx, w); err != nil {
		return Manifest{}, err
	}
	var parts []Part
	if listed, err := d.found(ctx, w.file("parts.json"), &parts); err != nil {
		return Manifest{}, err
	} else if !listed || len(parts) == 0 {
		if parts, err = d.listParts(ctx, d.execution(p, stages), w); err != nil {
			return Manifest{}, err
		}
	}
	reports, err := d.reports(ctx, w, parts)
	if err != nil {
		return Manifest{}, err
	}
	return d.todo(ctx, w, "extract", parts, func(i int) bool { return reports[i] == nil })
}

// todo writes which parts are still to be done.
func (d *Distributed) todo(ctx context.Context, w Work, step string, parts []Part, open func(i int) bool) (Manifest, error) {
	todo := []Part{}
	for i, part := range parts {
		if open(i) {
			todo = append(todo, part)
		}
	}
	m := Manifest{File: w.file(step + "-" + strconv.Itoa(w.Attempt) + ".json"), Count: len(todo)}
	return m, d.save(ctx, m.File, todo)
}

// listParts asks the sources for their parts and writes the list.
func (d *Distributed) listParts(ctx context.Context, x *execution, w Work) ([]Part, error) {
	var s started
	if err := d.load(ctx, w.ticketFile(), &s); err != nil {
		return nil, fmt.Errorf("reading the tickets of run %s: %w", w.RunID, err)
	}
	origins := make([]origin, len(x.def.Sources))
	found := make([][]connector.Part, len(x.def.Sources))
	var rows, size int64
	whole := false
	for i, source := range x.def.Sources {
		o := &origins[i]
		if s.Tickets[i] == nil {
			o.Whole, whole = true, true
			continue
		}
		parted, _ := source.Connector.(connector.Parted) // Start has found that it is one
		listed, err := parted.Parts(ctx, x.request(source), *s.Tickets[i])
		if err != nil {
			return nil, fmt.Errorf("connector %q: %w", source.ID, err)
		}
		transform, err := source.Connector.Transform(listed.Columns, x.request(source))
		if err != nil {
			return nil, fmt.Errorf("connector %q: %w", source.ID, err)
		}
		resolution := transform.Resolution()
		o.Columns, o.Report, o.Notes, o.Warned = listed.Columns, listed.Report, resolution.Notes, resolution.Warnings
		found[i] = listed.List
		for _, part := range listed.List {
			rows += part.Rows
			size += part.Bytes
		}
	}
	if err := d.save(ctx, w.file("sources.json"), origins); err != nil {
		return nil, err
	}
	perPart := max(d.partRows(), rows/d.maxParts())
	parts := group(found, origins, perPart, max(partBytes, size/d.maxParts()))
	shards := d.shards(x, rows, perPart, whole)
	for i := range parts {
		parts[i].ID, parts[i].Shards = fmt.Sprintf("e-%05d", i+1), shards
	}
	return parts, d.save(ctx, w.file("parts.json"), parts)
}

// partBytes is how much a part reads of its source, about.
const partBytes = 64 << 20

// group makes parts of at most these rows and bytes out of what the sources
// listed, as far as single pieces allow.
func group(found [][]connector.Part, origins []origin, rows, size int64) []Part {
	const maxPieces = 500 // a part travels as the input of a function
	parts := []Part{}
	for source, list := range found {
		if origins[source].Whole {
			parts = append(parts, Part{Source: source, Whole: true})
			continue
		}
		var open *Part
		var read int64
		for _, piece := range list {
			if open == nil || open.Rows+piece.Rows > rows || read+piece.Bytes > size || len(open.Parts) == maxPieces {
				parts = append(parts, Part{Source: source})
				open, read = &parts[len(parts)-1], 0
			}
			open.Parts = append(open.Parts, piece)
			open.Rows += piece.Rows
			read += piece.Bytes
		}
	}
	return parts
}

// shards returns over how many shards the candidates are spread. A filter that
// compares the candidates of the whole run needs them all in one.
func (d *Distributed) shards(x *execution, rows, perPart int64, whole bool) int { //nolint:revive // whole is a fact about the sources
	const ofUnknown = 16
	n := (rows + perPart - 1) / perPart
	if whole {
		n = max(n, ofUnknown)
	}
	if x.nextRank(0) < len(x.stages.steps) {
		n = 1
	}
	return int(min(max(n, 1), d.maxParts()))
}

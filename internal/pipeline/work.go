package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/store"
)

// Distributed runs programs as several processes, one after the other and side
// by side, which share nothing but the store: the functions of a state machine.
// The caller goes through the steps
//
//	Plan, Start, Check until done, BuildParts, Extract for each part,
//	BuildShards, Store for each shard, Reduce
//
// and may repeat any of them, also while the first call is still at work: each
// step finds what it has done before. Rows, outcomes, counts and result hash are
// those of [Runner.Run]. What the steps hand to each other lies among the run's
// artefacts, under runs/<runId>/work/.
//
// Its fields are set once; then it is safe for concurrent use.
type Distributed struct {
	Runner    *Runner
	Leases    store.Leaser
	Artifacts store.Artifacts
	Marks     *Marks // what the program's sources have for checkpoints; nil if nothing keeps them

	PartRows int64         // rows of a part, about. Default 100,000; more needs more time per process, fewer more requests.
	MaxParts int           // parts of a kind, about; their rows grow beyond it. Default 1,000.
	Lease    time.Duration // for how long a run is claimed without a sign of life. Default 20 minutes; more than a part takes.
}

// Work names a run to the steps after Plan. Its owner is who may work on it,
// such as an execution.
type Work struct {
	RunID         string `json:"runId"`
	ProgramID     string `json:"programId"`
	Marketplace   string `json:"marketplace"`
	BatchID       string `json:"batchId"`
	CorrelationID string `json:"correlationId"`
	Key           string `json:"key"` // of the effective program: another one starts from the beginning
	Attempt       int    `json:"attempt"`
	Owner         string `json:"owner"`
}

// file returns the name of an artefact of the work.
func (w Work) file(name string) string { return "runs/" + w.RunID + "/work/" + w.Key + "/" + name }

// Part is one part of a run, to extract or to store.
type Part struct {
	ID   string `json:"id"`
	Rows int64  `json:"rows"` // 0 if not known

	// Of parts to extract.
	Source int              `json:"source"`
	Whole  bool             `json:"whole,omitempty"` // the source cannot be read in parts
	Parts  []connector.Part `json:"parts,omitempty"`
	Shards int              `json:"shards,omitempty"`

	// Of parts to store.
	Pieces string `json:"pieces,omitempty"` // the artefact that lists its pieces
}

// Manifest says where the parts of a step are listed, as a JSON array.
type Manifest struct {
	File  string `json:"file"`
	Count int    `json:"count"`
}

// planFile is what Plan leaves for the other steps.
type planFile struct {
	Work     Work            `json:"work"`
	Run      ceap.Run        `json:"run"`
	Snapshot json.RawMessage `json:"snapshot"` // the program, as the caller gave it
}

// origin is what is known of a source before its rows are read.
type origin struct {
	Whole   bool               `json:"whole,omitempty"`
	Columns []connector.Column `json:"columns,omitempty"`
	Report  connector.Report   `json:"report"`
	Notes   []ceap.MappingNote `json:"notes,omitempty"`
	Warned  []string           `json:"warned,omitempty"`
}

func (d *Distributed) partRows() int64 {
	if d.PartRows > 0 {
		return d.PartRows
	}
	return 100_000
}

func (d *Distributed) maxParts() int64 {
	if d.MaxParts > 0 {
		return int64(d.MaxParts)
	}
	return 1000
}

func (d *Distributed) life() time.Duration {
	if d.Lease > 0 {
		return d.Lease
	}
	return 20 * time.Minute
}

// renew shows that the work goes on. Returns conflict if another owner has taken
// over.
func (d *Distributed) renew(ctx context.Context, w Work) error {
	run := ceap.Run{RunID: w.RunID, Result: ceap.RunResult{RunID: w.RunID, ProgramID: w.ProgramID, Marketplace: w.Marketplace, BatchID: w.BatchID}}
	return d.Leases.Renew(ctx, run, w.Owner, d.life())
}

// maxWorkFile bounds what is read back into memory at once.
const maxWorkFile = 256 << 20

// load reads an artefact that holds JSON. Returns not_found if there is none.
func (d *Distributed) load(ctx context.Context, name string, into any) error {
	file, err := d.Artifacts.Open(ctx, name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	if file.Size() > maxWorkFile {
		return ceap.Errorf(ceap.CodeInternal, "%s has %d bytes", name, file.Size())
	}
	data, err := io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return ceap.Errorf(ceap.CodeInternal, "reading %s: %w", name, err)
	}
	return nil
}

// found is load for what may be missing.
func (d *Distributed) found(ctx context.Context, name string, into any) (bool, error) {
	err := d.load(ctx, name, into)
	if ceap.ErrorCode(err) == ceap.CodeNotFound {
		return false, nil
	}
	return err == nil, err
}

// save writes an artefact that holds JSON, whole or not at all.
func (d *Distributed) save(ctx context.Context, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", name, err)
	}
	file, err := d.Artifacts.Create(ctx, name)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if _, err := file.Write(data); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", name, err), file.Discard())
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// requests bounds how many artefacts a step reads or writes at a time.
const requests = 32

// each calls one for 0 to n-1, several at a time, and returns the first error.
func each(ctx context.Context, n int, one func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for i := range n {
		g.Go(func() error { return one(ctx, i) })
	}
	return g.Wait()
}

// reports reads the reports of parts; nil for those that have none.
func (d *Distributed) reports(ctx context.Context, w Work, parts []Part) ([]*PartReport, error) {
	out := make([]*PartReport, len(parts))
	err := each(ctx, len(parts), func(ctx context.Context, i int) error {
		var r PartReport
		ok, err := d.found(ctx, w.file("reports/"+parts[i].ID+".json"), &r)
		if ok {
			out[i] = &r
		}
		return err
	})
	return out, err
}

// planned reads what Plan left, and opens the program as it was then.
func (d *Distributed) planned(ctx context.Context, open Opener, w Work) (*planFile, *Stages, error) {
	var p planFile
	if err := d.load(ctx, w.file("plan.json"), &p); err != nil {
		return nil, nil, fmt.Errorf("reading the plan of run %s: %w", w.RunID, err)
	}
	stages, err := openStages(open, p.Run.Result.AsOf)
	if err != nil {
		return nil, nil, err
	}
	if got := workKey(stages.definition); got != w.Key {
		return nil, nil, ceap.Errorf(ceap.CodeConflict, "the program %q is not the one that run %s was planned with", w.ProgramID, w.RunID).
			WithHint("start the run again with batchId %q", w.BatchID)
	}
	return &p, stages, nil
}

// Snapshot returns the program as the caller gave it to Plan.
func (d *Distributed) Snapshot(ctx context.Context, w Work) (json.RawMessage, error) {
	var p planFile
	if err := d.load(ctx, w.file("plan.json"), &p); err != nil {
		return nil, fmt.Errorf("reading the plan of run %s: %w", w.RunID, err)
	}
	return p.Snapshot, nil
}

// execution returns the work on a part of a run.
func (d *Distributed) execution(p *planFile, stages *Stages) *execution {
	return d.Runner.execution(stages, &p.Run, Input{}, &Meter{})
}

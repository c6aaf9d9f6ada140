package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/ceap-platform/ceap"
)

// WorkOf returns the latest work on a run, for who follows it. Returns not_found
// if no process has begun to work on it in parts.
func (d *Distributed) WorkOf(ctx context.Context, runID string) (Work, error) {
	names, err := d.Artifacts.List(ctx, "runs/"+runID+"/work/")
	if err != nil {
		return Work{}, fmt.Errorf("listing the work on run %s: %w", runID, err)
	}
	var latest Work
	for _, name := range names {
		if !strings.HasSuffix(name, "/plan.json") {
			continue
		}
		var p planFile
		if err := d.load(ctx, name, &p); err != nil {
			return Work{}, err
		}
		if p.Work.Attempt > latest.Attempt {
			latest = p.Work
		}
	}
	if latest.RunID == "" {
		return Work{}, ceap.Errorf(ceap.CodeNotFound, "nothing is known of work on run %s", runID)
	}
	return latest, nil
}

// Follow shows in the meter how far the work is: the rows of the parts that have
// been extracted, and then of those that have been stored. seen is for the next
// call: the rows of the parts that were found done before.
func (d *Distributed) Follow(ctx context.Context, w Work, seen map[string]int64, meter *Meter) error {
	var parts, shards []Part
	if ok, err := d.found(ctx, w.file("parts.json"), &parts); err != nil || !ok {
		meter.stage.Store(StageExtract)
		return err
	}
	stored, err := d.found(ctx, w.file("shards.json"), &shards)
	if err != nil {
		return err
	}
	stage := StageExtract
	if stored {
		stage = StageStore
	}
	meter.stage.Store(stage)
	names, err := d.Artifacts.List(ctx, w.file("reports/"))
	if err != nil {
		return fmt.Errorf("listing the reports of run %s: %w", w.RunID, err)
	}
	for _, name := range names {
		id := strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], ".json")
		if _, known := seen[id]; known {
			continue
		}
		var r PartReport
		if err := d.load(ctx, name, &r); err != nil {
			return err
		}
		seen[id] = 0
		meter.extracted.Add(r.Tally.Counts.Extracted)
		meter.finished.Add(r.Tally.Counts.Finished())
	}
	return nil
}

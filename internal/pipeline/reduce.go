package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/internal/journal"
)

// Failure says that a step before Reduce failed.
type Failure struct {
	Code    ceap.Code
	Message string
}

// Reduce adds up the reports of the parts and ends the run. A part without a
// report has failed, however its process died, and its rows with it: the verdict
// rests on the reports alone. failure, which may be nil, says which step ended
// the run before its parts were done.
//
// The result is recorded, the journal assembled and the lease given up. The
// error says why a run failed that did not come to its end; a run that failed by
// its counts has none, as with [Runner.Run].
func (d *Distributed) Reduce(ctx context.Context, open Opener, w Work, failure *Failure) (ceap.RunResult, error) {
	p, stages, err := d.planned(ctx, open, w)
	if err != nil {
		return ceap.RunResult{}, err
	}
	if err := d.renew(ctx, w); err != nil {
		return ceap.RunResult{}, err
	}
	x := d.execution(p, stages)
	sum := sum{d: d, x: x, w: w, began: p.Run.Result.StartedAt}
	if err := sum.add(ctx, failure); err != nil {
		return ceap.RunResult{}, err
	}
	res := &p.Run.Result
	if sum.failed != nil && sum.parts == nil {
		d.stopSources(ctx, x, w)
	}
	if x.decided && x.account.counts.Failed == 0 && x.account.broken == 0 {
		d.saveMarks(ctx, x, sum.marks)
	}
	x.complete(ctx, res, Input{}, sum.failed)
	if sum.lost != "" && (res.Status == ceap.RunPartial || res.Status == ceap.RunFailed) {
		res.Message = sum.lost
	}
	head := journal.Head{RunID: w.RunID, ProgramID: w.ProgramID, Marketplace: w.Marketplace, Attempt: w.Attempt}
	if err := journal.Assemble(ctx, d.Artifacts, d.Runner.Now, head, w.Key, x.decided && sum.lost == "", sum.sections); err != nil {
		return ceap.RunResult{}, err
	}
	if err := d.Runner.record(ctx, &p.Run, nil); err != nil {
		return ceap.RunResult{}, err
	}
	if err := d.Leases.Unlease(ctx, p.Run, w.Owner); err != nil {
		return ceap.RunResult{}, err
	}
	x.log.InfoContext(ctx, "run ended", "status", string(res.Status), "extracted", res.Counts.Extracted, "stored", res.Counts.Stored, "failed", res.Counts.Failed)
	return *res, x.verdict(ctx, res, sum.failed)
}

// stopSources ends what sources are still doing for a run that has failed.
func (d *Distributed) stopSources(ctx context.Context, x *execution, w Work) {
	var s started
	if ok, err := d.found(ctx, w.ticketFile(), &s); err != nil || !ok {
		return
	}
	for i, t := range s.Tickets {
		if t == nil {
			continue
		}
		if parted, ok := x.def.Sources[i].Connector.(connector.Parted); ok {
			if err := parted.Stop(ctx, x.request(x.def.Sources[i]), *t); err != nil {
				x.log.WarnContext(ctx, "stopping a source", "connector", x.def.Sources[i].ID, "error", err)
			}
		}
	}
}

// sum adds up the reports of a run.
type sum struct {
	d     *Distributed
	x     *execution
	w     Work
	began time.Time

	parts    []Part
	shards   []Part
	sections []journal.Written
	marks    []Mark
	failed   error  // why the run did not come to its end
	lost     string // which parts to store are missing; "" if none
}

func (s *sum) add(ctx context.Context, failure *Failure) error {
	if failure != nil {
		s.failed = &ceap.Error{Code: failure.Code, Message: failure.Message}
	}
	listed, err := s.d.found(ctx, s.w.file("parts.json"), &s.parts)
	if err != nil {
		return err
	}
	if !listed {
		if s.failed == nil {
			s.failed = ceap.Errorf(ceap.CodeInternal, "the run has no list of its parts")
		}
		return nil
	}
	extracted, err := s.extracted(ctx)
	if err != nil {
		return err
	}
	if !extracted {
		return nil
	}
	return s.stored(ctx)
}

// extracted adds the parts that extract, and reports whether none is missing.
func (s *sum) extracted(ctx context.Context) (bool, error) {
	var origins []origin
	if err := s.d.load(ctx, s.w.file("sources.json"), &origins); err != nil {
		return false, fmt.Errorf("reading the sources of run %s: %w", s.w.RunID, err)
	}
	reports, err := s.d.reports(ctx, s.w, s.parts)
	if err != nil {
		return false, err
	}
	next := 0
	var missing []Part
	for i, source := range s.x.def.Sources {
		o := &origins[i]
		s.x.notes = append(s.x.notes, o.Notes...)
		s.x.warn(o.Warned...)
		s.x.report(ctx, source.ID, o.Report)
		for ; next < len(s.parts) && s.parts[next].Source == i; next++ {
			r := reports[next]
			if r == nil {
				missing = append(missing, s.parts[next])
				s.x.account.counts.Extracted += s.parts[next].Rows
				continue
			}
			s.x.notes = append(s.x.notes, r.Notes...)
			s.x.warn(r.Warnings...)
			s.x.queries = append(s.x.queries, r.Queries...)
			if err := s.take(r); err != nil {
				return false, err
			}
		}
	}
	s.clock(StageExtract, s.began, reports)
	if len(missing) > 0 {
		why, err := s.why(ctx, missing, len(s.parts))
		if err != nil {
			return false, err
		}
		if s.failed == nil || ceap.ErrorCode(s.failed) != ceap.CodeCancelled {
			s.failed = why
		}
		return false, nil
	}
	return true, nil
}

// stored adds the parts that store.
func (s *sum) stored(ctx context.Context) error {
	listed, err := s.d.found(ctx, s.w.file("shards.json"), &s.shards)
	if err != nil {
		return err
	}
	if !listed && len(s.parts) > 0 {
		if s.failed == nil {
			s.failed = ceap.Errorf(ceap.CodeInternal, "the run has no list of its shards")
		}
		return nil
	}
	reports, err := s.d.reports(ctx, s.w, s.shards)
	if err != nil {
		return err
	}
	var missing []Part
	for i, r := range reports {
		if r == nil {
			missing = append(missing, s.shards[i])
			continue
		}
		if err := s.take(r); err != nil {
			return err
		}
	}
	s.clock(StageStore, time.Time{}, reports)
	s.x.decided = true
	if len(missing) == 0 {
		s.failed = nil // whatever happened on the way, nothing is missing
		return nil
	}
	why, err := s.why(ctx, missing, len(s.shards))
	if err != nil {
		return err
	}
	if s.failed != nil && ceap.ErrorCode(s.failed) == ceap.CodeCancelled {
		return nil // the rows were stopped, and did not fail
	}
	s.failed = nil
	var rows int64
	for _, part := range missing {
		rows += part.Rows
	}
	s.x.account.counts.Failed += rows
	s.x.account.absorbReason(ReasonTally{Kind: ceap.OutcomeFailed, Code: ceap.ReasonPartFailed, Count: rows, Reason: why.Error()})
	s.lost = fmt.Sprintf("%d of %d rows failed: %s; run it again with batchId %q to try them again",
		s.x.account.counts.Failed, s.x.account.counts.Extracted, why.Error(), s.w.BatchID)
	return nil
}

func (s *sum) take(r *PartReport) error {
	if !r.Tally.fits(s.x.stages) {
		return ceap.Errorf(ceap.CodeInternal, "the report of part %s is of another program", r.ID)
	}
	s.x.account.absorb(r.Tally)
	s.sections = append(s.sections, r.Journal)
	s.marks = append(s.marks, r.Marks...)
	return nil
}

// clock notes the wall time of a stage, from its begin, or else the first part's,
// to the end of its last part.
func (s *sum) clock(stage string, from time.Time, reports []*PartReport) {
	var to time.Time
	for _, r := range reports {
		if r == nil || r.Attempt != s.w.Attempt {
			continue
		}
		if from.IsZero() || r.StartedAt.Before(from) {
			from = r.StartedAt
		}
		if r.EndedAt.After(to) {
			to = r.EndedAt
		}
	}
	var took time.Duration
	if to.After(from) {
		took = to.Sub(from)
	}
	s.x.took = append(s.x.took, ceap.StageTime{Stage: stage, DurationMs: took.Milliseconds()})
}

// why says which parts are missing, and what the first of them said.
func (s *sum) why(ctx context.Context, missing []Part, of int) (*ceap.Error, error) {
	const shown = 20
	var note *partFailure
	var names []string
	for i, part := range missing {
		if i < shown {
			names = append(names, part.ID)
		}
		var f partFailure
		ok, err := s.d.found(ctx, s.w.file("failures/"+part.ID+".json"), &f)
		if err != nil {
			return nil, err
		}
		if ok && f.Attempt == s.w.Attempt && note == nil {
			note = &f
		}
		if note != nil && i >= shown {
			break
		}
	}
	if len(missing) > shown {
		names = append(names, "...")
	}
	which := fmt.Sprintf("%d of %d parts did not finish (%s)", len(missing), of, strings.Join(names, " "))
	if note == nil {
		return ceap.Errorf(ceap.CodeUnavailable, "%s and left no word: their processes died or ran out of time", which), nil
	}
	return ceap.Errorf(note.Code, "%s: %s", which, note.Message), nil
}

// ReadParts returns the parts that a manifest lists.
func (d *Distributed) ReadParts(ctx context.Context, m Manifest) ([]Part, error) {
	var parts []Part
	err := d.load(ctx, m.File, &parts)
	return parts, err
}

// MarshalCause returns a result as JSON of at most the size given, leaving out
// first samples, then what is only of use to people.
func MarshalCause(res ceap.RunResult, size int) ([]byte, error) {
	data, err := json.Marshal(res)
	if err != nil || len(data) <= size {
		return data, err
	}
	res.InvalidReasons = append([]ceap.InvalidReason{}, res.InvalidReasons...)
	for i := range res.InvalidReasons {
		res.InvalidReasons[i].Samples = nil
	}
	if data, err = json.Marshal(res); err != nil || len(data) <= size {
		return data, err
	}
	res.Warnings, res.Mappings, res.LeftOut = nil, nil, nil
	res.Message = res.Message[:min(len(res.Message), 2000)]
	if data, err = json.Marshal(res); err != nil || len(data) <= size {
		return data, err
	}
	return nil, errors.New("the result is too large to be handed on")
}

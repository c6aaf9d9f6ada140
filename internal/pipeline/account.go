package pipeline

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"

	"github.com/ceap-platform/ceap"
)

// samplesPerReason bounds the rows shown for a reason of invalidity.
const samplesPerReason = 5

// Journal takes the outcomes of a run's rows. Write may not keep the slice.
type Journal interface {
	Write(outcomes []ceap.Outcome) error
	// Close finishes the journal; complete says whether it holds every row.
	Close(complete bool) error
	// Discard drops it; harmless after Close.
	Discard()
}

type reasonKey struct{ filterID, code, field string }

type reasonTally struct {
	kind    ceap.OutcomeKind
	count   int64
	reason  string
	samples []ceap.RowSample
}

// account is the one place where rows come to an end: it counts them, adds them
// to the result hash and writes them to the journal. It is for one goroutine at
// a time.
type account struct {
	programID   string
	marketplace string
	sources     []Source
	journal     Journal
	meter       *Meter

	counts   ceap.Counts
	reasons  map[reasonKey]*reasonTally
	rejects  []int64 // by step, for the funnel
	early    int64   // rejected before the steps: rows of other programs and marketplaces
	late     int64   // rejected by the store
	models   []modelTally
	broken   int64
	brokenBy string // why the first of the broken was rejected
	hash     [4]uint64
	scratch  []byte
	out      []ceap.Outcome
}

// extracted counts a row that was read.
func (a *account) extracted(n int) {
	a.counts.Extracted += int64(n)
	a.meter.extracted.Add(int64(n))
}

// add brings a row to its end. content is what the row said, for the hash.
func (a *account) add(o *ceap.Outcome, identity, content []byte, l *layout) error {
	a.counts.Add(o.Kind)
	if o.ReasonCode != "" {
		a.reason(o)
	}
	a.digest(o, identity, content, l)
	a.out = append(a.out, *o)
	if len(a.out) == batchRows {
		return a.flush()
	}
	return nil
}

func (a *account) flush() error {
	if len(a.out) == 0 {
		return nil
	}
	a.meter.finished.Add(int64(len(a.out)))
	err := a.journal.Write(a.out)
	a.out = a.out[:0]
	return err
}

func (a *account) reason(o *ceap.Outcome) {
	key := reasonKey{o.FilterID, o.ReasonCode, o.Field}
	t := a.reasons[key]
	if t == nil {
		t = &reasonTally{kind: o.Kind, reason: o.Reason}
		a.reasons[key] = t
	}
	t.count++
	if o.Kind == ceap.OutcomeInvalid && len(t.samples) < samplesPerReason {
		t.samples = append(t.samples, ceap.RowSample{ConnectorID: o.ConnectorID, Row: o.Row, Value: o.Value, Reason: o.Reason})
	}
}

// digest adds the row to the result hash: what it said and what was decided, but
// not its position, nor whether the store had it already, so that a repeated run
// has the same hash. Sums do not depend on the order of rows.
func (a *account) digest(o *ceap.Outcome, identity, content []byte, l *layout) {
	kind := o.Kind
	if kind.Stored() {
		kind = "stored"
	}
	b := a.scratch[:0]
	for _, s := range [...]string{string(kind), o.FilterID, o.ReasonCode, o.Field, o.Value} {
		b = appendText(b, s)
	}
	if identity != nil {
		b = append(b, identity...)
		b = append(b, l.digest...)
		b = append(b, content...)
	} else {
		for _, s := range [...]string{o.CustomerID, o.SubjectType, o.SubjectID} {
			b = appendText(b, s)
		}
	}
	if o.Score != nil {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(*o.Score))
	}
	sum := sha256.Sum256(b)
	for i := range a.hash {
		a.hash[i] += binary.LittleEndian.Uint64(sum[8*i:])
	}
	a.scratch = b
}

// finish brings a row that went through the stages to its end.
func (a *account) finish(r *row) error {
	switch {
	case r.outcome != ceap.OutcomeRejected:
	case r.step >= 0:
		a.rejects[r.step]++
	default:
		a.late++
	}
	o := ceap.Outcome{
		ConnectorID: a.sources[r.source].ID, Row: r.number, Kind: r.outcome, Key: r.candidate.Key,
		EventDate: r.candidate.EventDate, FilterID: r.filterID, ReasonCode: r.code, Reason: r.reason,
	}
	o.ProgramID, o.Marketplace = a.programID, a.marketplace
	if r.candidate.Scored {
		o.Score = &r.candidate.Score
	}
	return a.add(&o, r.identity, r.content, r.layout)
}

func (a *account) merge(b *batch) {
	for i := range a.models {
		a.models[i].merge(b.tallies[i])
	}
	a.broken += b.broken
	a.brokenBy = cmp.Or(a.brokenBy, b.brokenBy)
}

func (a *account) resultHash() string {
	var b []byte
	for _, lane := range a.hash {
		b = binary.BigEndian.AppendUint64(b, lane)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// report fills the parts of the result that are sums over rows.
func (a *account) report(res *ceap.RunResult) {
	res.Counts = a.counts
	res.ResultHash = a.resultHash()
	res.InvalidReasons, res.Rejections, res.Failures = []ceap.InvalidReason{}, []ceap.RejectionCount{}, []ceap.ReasonCount{}
	for key, t := range a.reasons {
		switch t.kind {
		case ceap.OutcomeDuplicate, ceap.OutcomeCreated, ceap.OutcomeUpdated, ceap.OutcomeUnchanged: // their counts say it all
		case ceap.OutcomeInvalid:
			res.InvalidReasons = append(res.InvalidReasons, ceap.InvalidReason{ReasonCode: key.code, Field: key.field, Count: t.count, Samples: t.samples})
		case ceap.OutcomeRejected:
			res.Rejections = append(res.Rejections, ceap.RejectionCount{FilterID: key.filterID, ReasonCode: key.code, Count: t.count})
		case ceap.OutcomeFailed:
			res.Failures = append(res.Failures, ceap.ReasonCount{ReasonCode: key.code, Count: t.count, Reason: t.reason})
		}
	}
	slices.SortFunc(res.InvalidReasons, func(x, y ceap.InvalidReason) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.ReasonCode, y.ReasonCode), cmp.Compare(x.Field, y.Field))
	})
	slices.SortFunc(res.Rejections, func(x, y ceap.RejectionCount) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.FilterID, y.FilterID), cmp.Compare(x.ReasonCode, y.ReasonCode))
	})
	slices.SortFunc(res.Failures, func(x, y ceap.ReasonCount) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.ReasonCode, y.ReasonCode))
	})
}

// funnel says how many rows each stage let through. Without steps it ends with
// the mapping, which is as far as a run came that had not decided every row.
func (a *account) funnel(steps []Step) []ceap.FunnelStep {
	left := a.counts.Extracted
	var out []ceap.FunnelStep
	pass := func(name string, lost int64) {
		out = append(out, ceap.FunnelStep{Step: name, In: left, Out: left - lost})
		left -= lost
	}
	pass("extract", 0)
	pass("map and validate", a.counts.Invalid+a.early)
	if steps == nil {
		return out
	}
	pass("deduplicate", a.counts.Duplicate)
	for i, step := range steps {
		if step.Kind == StepScore {
			pass("score", 0)
			continue
		}
		pass("filter "+step.Name, a.rejects[i])
	}
	pass("store", a.late+a.counts.Failed)
	return out
}

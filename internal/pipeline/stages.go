package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/scorer"
)

// Stages are the filters and models of a program. They are safe for concurrent
// use.
type Stages struct {
	definition *Definition
	steps      []Step
}

// NewStages plans the program's steps. It returns an error of invalid if a
// filter needs a score that no model supplies (D55).
func NewStages(d *Definition) (*Stages, error) {
	steps, err := plan(d)
	if err != nil {
		return nil, err
	}
	return &Stages{definition: d, steps: steps}, nil
}

// Plan returns the steps in order.
func (s *Stages) Plan() []Step { return s.steps }

// row is a row on its way through the stages. Its outcome is empty until it has
// one.
type row struct {
	candidate ceap.Candidate
	source    int
	number    int64
	layout    *layout
	identity  []byte // customer and subject, for the result hash
	content   []byte // what else the row said, for the result hash

	outcome  ceap.OutcomeKind
	filterID string
	code     string
	reason   string
	step     int // the step that rejected it, for the funnel; -1 if none did
}

func (r *row) open() bool { return r.outcome == "" }

func (r *row) reject(step int, filterID, code, reason string) {
	r.outcome, r.step, r.filterID, r.code, r.reason = ceap.OutcomeRejected, step, filterID, code, reason
}

// modelTally says what a model did with the candidates that reached it.
type modelTally struct {
	scored, fallback, unscored int64
	cached                     int64  // of fallback, those whose stand-in is a kept answer
	code, detail               string // of the first that did not get an answer
}

// worker applies steps to rows. It is for one goroutine; its buffers are used
// again from batch to batch.
type worker struct {
	stages   *Stages
	pending  []*row
	batch    []*ceap.Candidate
	verdicts []filter.Verdict
	results  []scorer.Result
	tallies  []modelTally
	broken   int64  // rows rejected because a filter broke
	brokenBy string // why the first of them was
}

func (s *Stages) newWorker() *worker {
	return &worker{stages: s, tallies: make([]modelTally, len(s.definition.Models))}
}

// apply takes the open rows through the steps from first up to last, which it
// does not include. It returns an error only when ctx has ended.
func (w *worker) apply(ctx context.Context, rows []*row, first, last int) error {
	for i := first; i < last; i++ {
		step := &w.stages.steps[i]
		w.collect(rows)
		if len(w.batch) == 0 {
			return nil
		}
		if step.Kind == StepScore {
			w.score(ctx)
		} else {
			w.filter(ctx, i, step)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// collect gathers the rows that are still open.
func (w *worker) collect(rows []*row) {
	w.pending, w.batch = w.pending[:0], w.batch[:0]
	for _, r := range rows {
		if r.open() {
			w.pending = append(w.pending, r)
			w.batch = append(w.batch, &r.candidate)
		}
	}
}

func (w *worker) filter(ctx context.Context, index int, step *Step) {
	w.verdicts = resized(w.verdicts, len(w.batch))
	err := guard(func() error { return step.Filter.Apply(ctx, w.batch, w.verdicts) })
	for i, r := range w.pending {
		w.judge(r, index, step.Name, w.verdicts[i], err)
	}
}

// judge gives a row its filter's verdict. A filter that breaks never lets a row
// pass (D54).
func (w *worker) judge(r *row, index int, filterID string, v filter.Verdict, broken error) {
	if broken != nil {
		v = filter.Verdict{Err: broken}
	}
	switch {
	case v.Err != nil:
		w.broken++
		r.reject(index, filterID, ceap.ReasonFilterError, fmt.Sprintf("the filter %q broke: %v", filterID, v.Err))
		w.brokenBy = cmp.Or(w.brokenBy, r.reason)
	case v.Code != "":
		r.reject(index, filterID, v.Code, v.Reason)
	}
}

// score asks every model, then gives each candidate the mean of the answers,
// weighted by the weights of the models that answered (D57).
func (w *worker) score(ctx context.Context) {
	models := w.stages.definition.Models
	for _, c := range w.batch {
		c.Scores, c.Scored, c.Score = c.Scores[:0], false, 0
	}
	for i := range models {
		w.results = resized(w.results, len(w.batch))
		err := guard(func() error { return models[i].Scorer.Score(ctx, w.batch, w.results) })
		for j, c := range w.batch {
			c.Scores = append(c.Scores, models[i].scored(w.results[j], err))
			w.tallies[i].add(&c.Scores[len(c.Scores)-1])
		}
	}
	for _, c := range w.batch {
		combine(c, models)
	}
}

func (t *modelTally) add(s *ceap.Score) {
	switch s.State {
	case ceap.ScoreModel:
		t.scored++
		return
	case ceap.ScoreCached:
		t.cached++
		t.fallback++
	case ceap.ScoreFallback:
		t.fallback++
	case ceap.ScoreUnscored:
		t.unscored++
	}
	if t.code == "" {
		t.code, t.detail = s.Reason, s.Detail
	}
}

func (t *modelTally) merge(other modelTally) {
	t.scored += other.scored
	t.fallback += other.fallback
	t.cached += other.cached
	t.unscored += other.unscored
	if t.code == "" {
		t.code, t.detail = other.code, other.detail
	}
}

// scored turns a model's answer into a score on the scale 0..1 (D56). Without an
// answer it is one that the model has kept, else the program's fallback, else
// there is none (I28).
func (m *Model) scored(r scorer.Result, broken error) ceap.Score {
	if broken != nil {
		r = scorer.Result{Err: broken}
	}
	s := ceap.Score{ModelID: m.ID, State: ceap.ScoreUnscored}
	err := r.Err
	if err == nil || r.Cached {
		value, unusable := m.usable(r)
		if unusable == nil {
			s.State, s.Value, s.Confidence, s.HasConfidence = ceap.ScoreCached, value, r.Confidence, r.HasConfidence
		}
		if err == nil && unusable == nil {
			s.State = ceap.ScoreModel
			return s
		}
		err = cmp.Or(err, unusable)
	}
	s.Reason, s.Detail = ceap.ReasonModelError, err.Error()
	if _, ok := errors.AsType[*scorer.NotConfigured](err); ok {
		s.Reason = ceap.ReasonModelNotConfigured
	}
	if s.State == ceap.ScoreUnscored && m.Fallback != nil {
		if value, ok := m.normal(*m.Fallback); ok {
			s.State, s.Value = ceap.ScoreFallback, value
		}
	}
	return s
}

// usable returns the value of a result on the scale 0..1, or what is wrong with
// it.
func (m *Model) usable(r scorer.Result) (float64, error) {
	value, ok := m.normal(r.Value)
	switch {
	case !ok:
		return 0, fmt.Errorf("it answered %v, outside its scale of %v to %v", r.Value, m.Min, m.scaleMax())
	case r.HasConfidence && !(r.Confidence >= 0 && r.Confidence <= 1):
		return 0, fmt.Errorf("its confidence is %v, outside 0 to 1", r.Confidence)
	default:
		return value, nil
	}
}

func (m *Model) scaleMax() float64 {
	if m.Min == 0 && m.Max == 0 {
		return 1
	}
	return m.Max
}

// normal converts a value of the model's scale to 0..1, and reports whether it
// lies within the scale; NaN does not.
func (m *Model) normal(value float64) (float64, bool) {
	limit := m.scaleMax()
	if !(value >= m.Min && value <= limit) {
		return 0, false
	}
	return (value - m.Min) / (limit - m.Min), true
}

func combine(c *ceap.Candidate, models []Model) {
	var sum, weights float64
	for i := range c.Scores {
		if c.Scores[i].State == ceap.ScoreUnscored {
			continue
		}
		sum += c.Scores[i].Value * models[i].Weight
		weights += models[i].Weight
	}
	if weights > 0 {
		c.Scored, c.Score = true, min(sum/weights, 1)
	}
}

// guard calls a plug-in and turns a panic into an error of internal.
func guard(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = ceap.Errorf(ceap.CodeInternal, "a plug-in panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return call()
}

// resized returns a cleared slice of n elements, using s's memory if it can.
func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	s = s[:n]
	clear(s)
	return s
}

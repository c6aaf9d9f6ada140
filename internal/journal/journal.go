// Package journal keeps what became of every row of a run (I2): Parquet files
// and a manifest among the run's artefacts.
//
//	runs/<runId>/journal/manifest.json
//	runs/<runId>/journal/attempt-1/part-00001.parquet
//
// The manifest names the parts with their sizes and checksums, and is written
// after them, so that a journal is the whole of one attempt or nothing of it: an
// attempt that dies leaves the journal before it as it was. Equal outcomes in
// equal order give equal parts, byte for byte.
//
// Any Parquet tool reads the parts. This package reads none but its own, and
// only after their checksums were found right.
//
// The functions are safe for concurrent use; a [Writer] and a [Journal] are
// used by one goroutine at a time, and a run's journal is written by one Writer
// at a time.
package journal

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ceap-platform/ceap"
)

// row is one row of a part. Empty texts are NULL, so that they do not widen the
// bounds by which look-ups skip pages.
type row struct {
	ConnectorID string   `parquet:"connector_id,dict"`
	Row         int64    `parquet:"row"`
	Outcome     string   `parquet:"outcome,dict"`
	CustomerID  string   `parquet:"customer_id,optional"`
	SubjectType string   `parquet:"subject_type,optional,dict"`
	SubjectID   string   `parquet:"subject_id,optional"`
	ProgramID   string   `parquet:"program_id,optional,dict"`
	Marketplace string   `parquet:"marketplace,optional,dict"`
	EventDate   *int64   `parquet:"event_date,optional,timestamp(microsecond)"`
	FilterID    string   `parquet:"filter_id,optional,dict"`
	ReasonCode  string   `parquet:"reason_code,optional,dict"`
	Reason      string   `parquet:"reason,optional,dict"`
	Field       string   `parquet:"field,optional,dict"`
	Value       string   `parquet:"value,optional,dict"`
	Score       *float64 `parquet:"score,optional"`
}

// batch holds rows on their way into a part, with the values that they point to.
type batch struct {
	rows   []row
	dates  []int64
	scores []float64
}

func newBatch(size int) *batch {
	return &batch{rows: make([]row, 0, size), dates: make([]int64, size), scores: make([]float64, size)}
}

func (b *batch) full() bool { return len(b.rows) == cap(b.rows) }

// reset forgets the rows, and their strings with them.
func (b *batch) reset() {
	clear(b.rows)
	b.rows = b.rows[:0]
}

// add copies the outcome. The batch must not be full.
func (b *batch) add(o *ceap.Outcome) {
	i := len(b.rows)
	b.rows = append(b.rows, row{
		ConnectorID: text(o.ConnectorID),
		Row:         o.Row,
		Outcome:     text(string(o.Kind)),
		CustomerID:  text(o.CustomerID),
		SubjectType: text(o.SubjectType),
		SubjectID:   text(o.SubjectID),
		ProgramID:   text(o.ProgramID),
		Marketplace: text(o.Marketplace),
		FilterID:    text(o.FilterID),
		ReasonCode:  text(o.ReasonCode),
		Reason:      text(o.Reason),
		Field:       text(o.Field),
		Value:       text(o.Value),
	})
	if !o.EventDate.IsZero() {
		b.dates[i] = o.EventDate.UnixMicro()
		b.rows[i].EventDate = &b.dates[i]
	}
	if o.Score != nil {
		b.scores[i] = *o.Score
		b.rows[i].Score = &b.scores[i]
	}
}

// text returns s with bytes that are not UTF-8 as U+FFFD: Parquet's strings are
// UTF-8, and readers refuse whole files over one that is not.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// outcome returns the row as it was given to the writer.
func (r *row) outcome() ceap.Outcome {
	o := ceap.Outcome{
		ConnectorID: r.ConnectorID,
		Row:         r.Row,
		Kind:        ceap.OutcomeKind(r.Outcome),
		Key: ceap.Key{
			CustomerID:  r.CustomerID,
			ProgramID:   r.ProgramID,
			Marketplace: r.Marketplace,
			SubjectType: r.SubjectType,
			SubjectID:   r.SubjectID,
		},
		FilterID:   r.FilterID,
		ReasonCode: r.ReasonCode,
		Reason:     r.Reason,
		Field:      r.Field,
		Value:      r.Value,
		Score:      r.Score,
	}
	if r.EventDate != nil {
		o.EventDate = time.UnixMicro(*r.EventDate).UTC()
	}
	return o
}

package pipeline

import (
	"sync/atomic"
)

// Meter shows how far a run is, to whoever watches it. The zero Meter is ready;
// it is safe for concurrent use.
type Meter struct {
	stage     atomic.Value // string
	extracted atomic.Int64
	finished  atomic.Int64
}

// Progress is what a Meter shows at a moment.
type Progress struct {
	Stage     string // "extract" or "store"; "" before the first
	Extracted int64  // rows read
	Finished  int64  // rows that have reached their outcome
}

// Progress returns how far the run is.
func (m *Meter) Progress() Progress {
	stage, _ := m.stage.Load().(string)
	return Progress{Stage: stage, Extracted: m.extracted.Load(), Finished: m.finished.Load()}
}

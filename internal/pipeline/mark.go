package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// Marks takes the checkpoints of sources that a process reads for a run which
// other processes finish. They are saved when the run has stored its rows. It is
// safe for concurrent use.
type Marks struct {
	Kept connector.Checkpoints // where they end

	mu    sync.Mutex
	taken []Mark
}

// Mark is a checkpoint that is to be saved.
type Mark struct {
	Key  connector.CheckpointKey `json:"key"`
	Mark string                  `json:"mark"`
}

// Load implements [connector.Checkpoints].
func (m *Marks) Load(ctx context.Context, key connector.CheckpointKey) (string, error) {
	return m.Kept.Load(ctx, key)
}

// Save implements [connector.Checkpoints]: it only remembers.
func (m *Marks) Save(_ context.Context, key connector.CheckpointKey, mark string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken = append(m.taken, Mark{key, mark})
	return nil
}

func (m *Marks) list() []Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken
}

var _ connector.Checkpoints = (*Marks)(nil)

// reading is a stream that is kept open until the run has stored its rows.
type reading struct {
	connectorID string
	stream      connector.Committer
	closer      io.Closer
}

// keep keeps a stream that wants to know how the run ends.
func (x *execution) keep(connectorID string, stream connector.Stream) bool {
	c, ok := stream.(connector.Committer)
	if ok && !x.mapOnly && !x.opts.DryRun {
		x.reading = append(x.reading, reading{connectorID, c, stream})
		return true
	}
	return false
}

// commit tells the streams that their rows are stored. What cannot remember it
// reads them again, which changes nothing but the time it takes.
func (x *execution) commit(ctx context.Context) {
	for _, r := range x.reading {
		if err := r.stream.Commit(ctx); err != nil {
			x.forgot(ctx, r.connectorID, err)
		}
	}
}

func (x *execution) forgot(ctx context.Context, connectorID string, err error) {
	x.log.WarnContext(ctx, "saving a checkpoint", "connector", connectorID, "error", err.Error())
	x.warn(fmt.Sprintf("connector %q: how far it was read is not remembered, so the next run reads the same rows again: %v", connectorID, err))
}

// closeReading ends the streams that were kept open.
func (x *execution) closeReading() error {
	var errs []error
	for _, r := range x.reading {
		errs = append(errs, r.closer.Close())
	}
	x.reading = nil
	return errors.Join(errs...)
}

// saveMarks saves the checkpoints of a run that has stored its rows.
func (d *Distributed) saveMarks(ctx context.Context, x *execution, marks []Mark) {
	for _, m := range marks {
		err := error(ceap.Errorf(ceap.CodeUnsupported, "this deployment keeps no checkpoints"))
		if d.Marks != nil {
			err = d.Marks.Kept.Save(ctx, m.Key, m.Mark)
		}
		if err != nil {
			x.forgot(ctx, m.Key.ConnectorID, err)
		}
	}
}

package kinesis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// position is a place in a shard. The zero position is its oldest record.
type position struct {
	kind     positionKind
	at       time.Time
	sequence string
}

type positionKind uint8

const (
	oldest positionKind = iota
	atTime
	afterSequence
)

func (p position) apply(in *kinesis.GetShardIteratorInput) {
	switch p.kind {
	case atTime:
		in.ShardIteratorType, in.Timestamp = types.ShardIteratorTypeAtTimestamp, &p.at
	case afterSequence:
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &p.sequence
	default:
		in.ShardIteratorType = types.ShardIteratorTypeTrimHorizon
	}
}

const (
	markAfter = "after:" // a sequence number follows
	markAt    = "at:"    // a time follows
)

// String returns the position as checkpoints hold it.
func (p position) String() string {
	switch p.kind {
	case atTime:
		return markAt + p.at.UTC().Format(time.RFC3339Nano)
	case afterSequence:
		return markAfter + p.sequence
	default:
		return ""
	}
}

// parsePosition reads what String returns.
func parsePosition(mark string) (position, error) {
	if sequence, ok := strings.CutPrefix(mark, markAfter); ok && sequence != "" {
		return position{kind: afterSequence, sequence: sequence}, nil
	}
	if text, ok := strings.CutPrefix(mark, markAt); ok {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return position{kind: atTime, at: at}, nil
		}
	}
	return position{}, fmt.Errorf("%q is no checkpoint of a shard", mark)
}

// marks are the checkpoints of one stream for one connector of a program.
type marks struct {
	store connector.Checkpoints // nil if there are none
	req   connector.Request
	name  string
	known map[string]string
}

func (m *marks) key(shard string) connector.CheckpointKey {
	return connector.CheckpointKey{
		ProgramID: m.req.ProgramID, Marketplace: m.req.Marketplace, ConnectorID: m.req.ConnectorID, Shard: m.name + "/" + shard,
	}
}

// load returns the mark of a shard, "" if it was never read.
func (m *marks) load(ctx context.Context, shard string) (string, error) {
	if m.store == nil {
		return "", nil
	}
	if mark, ok := m.known[shard]; ok {
		return mark, nil
	}
	mark, err := m.store.Load(ctx, m.key(shard))
	if err != nil {
		return "", fmt.Errorf("loading the checkpoint of the shard %s of the stream %s: %w", shard, m.name, err)
	}
	m.known[shard] = mark
	return mark, nil
}

// place says where each of the shards starts: at its checkpoint; at its oldest
// record if it came out of shards that runs have read; else where the window
// starts.
func (r *reader) place(ctx context.Context, shards []*shard) error {
	for _, s := range shards {
		mark, err := r.marks.load(ctx, s.id)
		if err != nil {
			return err
		}
		if mark != "" {
			if s.start, err = parsePosition(mark); err != nil {
				return fmt.Errorf("reading the checkpoint of the shard %s: %w", s.id, err)
			}
			continue
		}
		continues, err := r.continues(ctx, s)
		if err != nil {
			return err
		}
		if !continues && !r.window.start.IsZero() {
			s.start = position{kind: atTime, at: r.window.start}
		}
	}
	return nil
}

// continues reports whether a shard without a checkpoint came out of one that
// has, however many splits and merges ago.
func (r *reader) continues(ctx context.Context, s *shard) (bool, error) {
	for _, parent := range s.parents {
		mark, err := r.marks.load(ctx, parent)
		if err != nil || mark != "" {
			return mark != "", err
		}
		at := slices.IndexFunc(r.shards, func(k *shard) bool { return k.id == parent })
		if at < 0 {
			continue
		}
		if yes, err := r.continues(ctx, r.shards[at]); yes || err != nil {
			return yes, err
		}
	}
	return false, nil
}

// save keeps how far each shard was read. A shard without a record in the window
// was read up to the window's end, unless it was read further before.
func (r *reader) save(ctx context.Context) error {
	if r.marks.store == nil || r.window.empty() {
		return nil
	}
	for _, s := range r.shards {
		p := s.from()
		if p.kind == oldest || p.kind == atTime && p.at.Before(r.window.end) {
			p = position{kind: atTime, at: r.window.end}
		}
		mark := p.String()
		if mark == r.marks.known[s.id] {
			continue
		}
		if err := r.marks.store.Save(ctx, r.marks.key(s.id), mark); err != nil {
			return fmt.Errorf("saving the checkpoint of the shard %s of the stream %s: %w", s.id, r.marks.name, err)
		}
		r.marks.known[s.id] = mark
	}
	return nil
}

// strange returns the error for a checkpoint that the stream does not know.
func (r *reader) strange(s *shard, err error) error {
	return &ceap.Error{
		Code:    ceap.CodeInvalid,
		Message: fmt.Sprintf("%sthe checkpoint of the shard %s does not belong to the stream %s", queryFailed, s.id, r.c.config.StreamName), Err: err,
		Hint: "if the stream was made anew, give the connector another connectorId, which starts without checkpoints",
	}
}

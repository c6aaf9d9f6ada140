package kinesis

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/ceap-platform/ceap/awsapi"
)

const (
	// maxRecords and pause are from the Kinesis quotas: a call returns 10,000
	// records at most, and a shard answers five calls a second.
	maxRecords = 10_000
	pause      = 200 * time.Millisecond
	// maxBackoff bounds the wait after a throttle, in which nothing is read.
	maxBackoff = 10 * time.Second
)

// record is a record with its place.
type record struct {
	shard    string
	sequence string
	data     []byte
}

// shard is a shard of the stream, and how far it was read.
type shard struct {
	id      string
	parents []string
	closed  bool
	start   position
	last    string // the sequence number of the last record that was handed out
	done    bool
}

// reader reads the records of a window, shard by shard in the order of their
// ids. Those of children are higher than those of their parents, so parents come
// before children, and the order is the same each time.
type reader struct {
	c      *Connector
	client client
	window window
	marks  *marks

	shards   []*shard
	at       int     // the shard being read
	iterator *string // nil if it is not open
	throttle time.Duration
	bytes    int64
}

// list adds the shards that are not known yet.
func (r *reader) list(ctx context.Context) error {
	name, arn := r.c.name()
	known := len(r.shards)
	for in := (&kinesis.ListShardsInput{StreamName: name, StreamARN: arn}); ; {
		out, err := r.client.ListShards(ctx, in)
		if err != nil {
			return r.failed(ctx, "listing the shards of the stream "+r.c.config.StreamName, err)
		}
		for i := range out.Shards {
			if s := shardOf(&out.Shards[i]); !slices.ContainsFunc(r.shards, func(k *shard) bool { return k.id == s.id }) {
				r.shards = append(r.shards, s)
			}
		}
		if out.NextToken == nil {
			break
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken} // with a token nothing else is allowed
	}
	slices.SortFunc(r.shards[known:], func(a, b *shard) int { return strings.Compare(a.id, b.id) })
	return r.place(ctx, r.shards[known:])
}

func shardOf(s *types.Shard) *shard {
	out := &shard{id: aws.ToString(s.ShardId)}
	for _, parent := range []*string{s.ParentShardId, s.AdjacentParentShardId} {
		if parent != nil {
			out.parents = append(out.parents, *parent)
		}
	}
	out.closed = s.SequenceNumberRange != nil && s.SequenceNumberRange.EndingSequenceNumber != nil
	return out
}

// next returns the next records, at least one, or [io.EOF] after the last.
func (r *reader) next(ctx context.Context) ([]record, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if r.at == len(r.shards) {
			// A shard may have been split or merged while it was read.
			if err := r.list(ctx); err != nil {
				return nil, err
			}
			if r.at == len(r.shards) {
				return nil, io.EOF
			}
		}
		s := r.shards[r.at]
		records, err := r.read(ctx, s)
		if err != nil {
			return nil, err
		}
		if s.done {
			r.at, r.iterator = r.at+1, nil
		}
		if len(records) > 0 {
			return records, nil
		}
	}
}

// read asks once for records of the shard.
func (r *reader) read(ctx context.Context, s *shard) ([]record, error) {
	if r.iterator == nil {
		if err := r.open(ctx, s); err != nil || r.iterator == nil {
			return nil, err // without an iterator and without an error it is tried again, unless the shard is done
		}
	} else if err := r.c.wait(ctx, pause); err != nil {
		return nil, err
	}
	_, arn := r.c.name()
	out, err := r.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: r.iterator, Limit: aws.Int32(maxRecords), StreamARN: arn})
	if err != nil {
		return nil, r.recover(ctx, s, err)
	}
	r.throttle, r.iterator = 0, out.NextShardIterator
	var records []record
	for i := range out.Records {
		in := &out.Records[i]
		// What arrives in a shard is in order but for clocks that differ by
		// milliseconds. The first record past the end is where the next window
		// starts, so nothing behind it is looked at.
		if in.ApproximateArrivalTimestamp != nil && !in.ApproximateArrivalTimestamp.Before(r.window.end) {
			s.done = true
			break
		}
		records = append(records, record{s.id, aws.ToString(in.SequenceNumber), in.Data})
		s.last = aws.ToString(in.SequenceNumber)
		r.bytes += int64(len(in.Data))
	}
	atTip := out.MillisBehindLatest != nil && *out.MillisBehindLatest == 0
	if r.iterator == nil || atTip && (!s.closed || len(out.Records) == 0) {
		s.done = true
	}
	return records, nil
}

// open asks for an iterator behind what was read.
func (r *reader) open(ctx context.Context, s *shard) error {
	name, arn := r.c.name()
	in := &kinesis.GetShardIteratorInput{StreamName: name, StreamARN: arn, ShardId: &s.id}
	s.from().apply(in)
	out, err := r.client.GetShardIterator(ctx, in)
	switch {
	case err == nil:
		r.iterator = out.ShardIterator
		return nil
	case awsapi.Code(err) == "ResourceNotFoundException" && s.closed:
		s.done = true // its records have outlived the retention meanwhile
		return nil
	case isThrottle(err):
		return r.backOff(ctx)
	case awsapi.Code(err) == "InvalidArgumentException" && s.last == "" && s.start.kind == afterSequence:
		return r.strange(s, err)
	default:
		return r.failed(ctx, fmt.Sprintf("opening the shard %s of the stream %s", s.id, r.c.config.StreamName), err)
	}
}

// from is where reading the shard goes on.
func (s *shard) from() position {
	if s.last != "" {
		return position{kind: afterSequence, sequence: s.last}
	}
	return s.start
}

// recover makes reading go on after an error that passes, from where it was.
func (r *reader) recover(ctx context.Context, s *shard, err error) error {
	switch {
	case awsapi.Code(err) == "ExpiredIteratorException":
		r.iterator = nil // they live five minutes, and a run may take its time
		return nil
	case isThrottle(err):
		return r.backOff(ctx)
	default:
		return r.failed(ctx, fmt.Sprintf("reading the shard %s of the stream %s", s.id, r.c.config.StreamName), err)
	}
}

func isThrottle(err error) bool {
	return slices.Contains([]string{
		"ProvisionedThroughputExceededException", "LimitExceededException", "ThrottlingException", "KMSThrottlingException",
	}, awsapi.Code(err))
}

// backOff waits after a throttle, longer each time, until maxWaitSeconds end it:
// other consumers of the stream may be busy for as long.
func (r *reader) backOff(ctx context.Context) error {
	r.throttle = min(max(2*r.throttle, time.Second), maxBackoff)
	r.c.log.DebugContext(ctx, "the stream is throttled", "stream", r.c.config.StreamName, "wait", r.throttle)
	return r.c.wait(ctx, r.throttle)
}

package kinesis_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/connector/kinesis"
	"github.com/ceap-platform/ceap/plugin"
)

// fake is a stream in memory. Unlike the emulator's its shards behave as those of
// Kinesis do: records stay in the shard they arrived in, closed shards end, and
// iterators expire.
type fake struct {
	mu     sync.Mutex
	name   string
	shards []*fakeShard
	next   int       // the next sequence number
	now    time.Time // when put records arrive, and what the connector takes for now
	page   int       // records per call; 0 means all

	// before is called ahead of each GetRecords, n from 1; its error is the answer.
	before func(n int) error
	gets   int
	// onOpen is called ahead of each GetShardIterator; its error is the answer.
	onOpen func(shard string) error
	opened []string // the kinds of iterators that were asked for
}

type fakeShard struct {
	id      string
	parents []string
	closed  bool
	records []fakeRecord
}

type fakeRecord struct {
	sequence int
	at       time.Time
	data     string
}

// newFake returns a stream with so many shards, just after the suite's range.
func newFake(shards int) *fake {
	f := &fake{name: "orders", next: 1, now: noon(26)}
	for range shards {
		f.add()
	}
	return f
}

// noon returns 12:00 of a day of January 2026, UTC.
func noon(day int) time.Time { return time.Date(2026, 1, day, 12, 0, 0, 0, time.UTC) }

// today returns the day of the connector's now, counted from January 1.
func (f *fake) today() int { return int(f.now.Sub(noon(1).Add(-12*time.Hour)).Hours())/24 + 1 }

func (f *fake) add(parents ...string) {
	f.shards = append(f.shards, &fakeShard{id: fmt.Sprintf("shardId-%012d", len(f.shards)), parents: parents})
}

// put adds a record to a shard. It arrives now.
func (f *fake) put(shard int, data string) {
	s := f.shards[shard]
	if s.closed {
		panic("a record for a closed shard")
	}
	s.records = append(s.records, fakeRecord{f.next, f.now, data})
	f.next++
}

// split closes a shard and opens two in its place.
func (f *fake) split(shard int) {
	s := f.shards[shard]
	s.closed = true
	f.add(s.id)
	f.add(s.id)
}

// merge closes two shards and opens one in their place.
func (f *fake) merge(a, b int) {
	f.shards[a].closed, f.shards[b].closed = true, true
	f.add(f.shards[a].id, f.shards[b].id)
}

func (f *fake) check(name *string) error {
	if aws.ToString(name) != f.name {
		return &types.ResourceNotFoundException{Message: aws.String("no such stream")}
	}
	return nil
}

// DescribeStreamSummary says that records are kept for a week.
func (f *fake) DescribeStreamSummary(_ context.Context, in *awskinesis.DescribeStreamSummaryInput, _ ...func(*awskinesis.Options)) (*awskinesis.DescribeStreamSummaryOutput, error) {
	return &awskinesis.DescribeStreamSummaryOutput{StreamDescriptionSummary: &types.StreamDescriptionSummary{
		RetentionPeriodHours: aws.Int32(7 * 24), StreamCreationTimestamp: aws.Time(noon(1)),
	}}, f.check(in.StreamName)
}

// ListStreams knows one stream.
func (f *fake) ListStreams(context.Context, *awskinesis.ListStreamsInput, ...func(*awskinesis.Options)) (*awskinesis.ListStreamsOutput, error) {
	return &awskinesis.ListStreamsOutput{StreamNames: []string{f.name}}, nil
}

// ListShards gives two shards at a time, closed ones included.
func (f *fake) ListShards(_ context.Context, in *awskinesis.ListShardsInput, _ ...func(*awskinesis.Options)) (*awskinesis.ListShardsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	from := 0
	if in.NextToken == nil {
		if err := f.check(in.StreamName); err != nil {
			return nil, err
		}
	} else if in.StreamName != nil {
		return nil, &types.InvalidArgumentException{Message: aws.String("a name beside a token")}
	} else {
		from, _ = strconv.Atoi(*in.NextToken)
	}
	out := &awskinesis.ListShardsOutput{}
	for i := from; i < min(from+2, len(f.shards)); i++ {
		s := f.shards[i]
		shard := types.Shard{ShardId: &s.id, SequenceNumberRange: &types.SequenceNumberRange{}}
		if len(s.parents) > 0 {
			shard.ParentShardId = &s.parents[0]
		}
		if len(s.parents) > 1 {
			shard.AdjacentParentShardId = &s.parents[1]
		}
		if s.closed {
			shard.SequenceNumberRange.EndingSequenceNumber = aws.String("9")
		}
		out.Shards = append(out.Shards, shard)
	}
	if from+2 < len(f.shards) {
		out.NextToken = aws.String(strconv.Itoa(from + 2))
	}
	return out, nil
}

// GetShardIterator returns "shard/index".
func (f *fake) GetShardIterator(_ context.Context, in *awskinesis.GetShardIteratorInput, _ ...func(*awskinesis.Options)) (*awskinesis.GetShardIteratorOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened = append(f.opened, fmt.Sprintf("%s %s", *in.ShardId, in.ShardIteratorType))
	if f.onOpen != nil {
		if err := f.onOpen(*in.ShardId); err != nil {
			return nil, err
		}
	}
	for i, s := range f.shards {
		if s.id != *in.ShardId {
			continue
		}
		at := 0
		switch in.ShardIteratorType {
		case types.ShardIteratorTypeAtTimestamp:
			for at < len(s.records) && s.records[at].at.Before(*in.Timestamp) {
				at++
			}
		case types.ShardIteratorTypeAfterSequenceNumber:
			sequence, err := strconv.Atoi(*in.StartingSequenceNumber)
			if err != nil {
				return nil, &types.InvalidArgumentException{Message: aws.String("it did not come from this stream")}
			}
			for at < len(s.records) && s.records[at].sequence <= sequence {
				at++
			}
		default:
		}
		return &awskinesis.GetShardIteratorOutput{ShardIterator: aws.String(fmt.Sprintf("%d/%d", i, at))}, nil
	}
	return nil, &types.ResourceNotFoundException{Message: aws.String("no such shard")}
}

// GetRecords returns the next page.
func (f *fake) GetRecords(ctx context.Context, in *awskinesis.GetRecordsInput, _ ...func(*awskinesis.Options)) (*awskinesis.GetRecordsOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.gets++
	n, before := f.gets, f.before
	f.mu.Unlock()
	if before != nil {
		if err := before(n); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	shard, index, _ := strings.Cut(*in.ShardIterator, "/")
	i, _ := strconv.Atoi(shard)
	at, _ := strconv.Atoi(index)
	s := f.shards[i]
	end := len(s.records)
	if f.page > 0 {
		end = min(at+f.page, end)
	}
	out := &awskinesis.GetRecordsOutput{MillisBehindLatest: aws.Int64(0)}
	for _, r := range s.records[at:end] {
		out.Records = append(out.Records, types.Record{
			Data: []byte(r.data), SequenceNumber: aws.String(strconv.Itoa(r.sequence)), ApproximateArrivalTimestamp: aws.Time(r.at),
		})
	}
	if end < len(s.records) {
		out.MillisBehindLatest = aws.Int64(1000)
	}
	if end < len(s.records) || !s.closed {
		out.NextShardIterator = aws.String(fmt.Sprintf("%d/%d", i, end))
	}
	return out, nil
}

// open returns a connector on the fake, whose now it shares.
func (f *fake) open(t *testing.T, change func(*kinesis.Config), checkpoints connector.Checkpoints) *kinesis.Connector {
	t.Helper()
	config := kinesis.DefaultConfig()
	config.StreamName = f.name
	if change != nil {
		change(&config)
	}
	env := plugin.Env{Now: func() time.Time { return f.now }, Checkpoints: checkpoints}
	c, err := kinesis.New(env, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.SetClient(f)
	return c
}

// memory keeps checkpoints in memory.
type memory struct {
	mu    sync.Mutex
	marks map[connector.CheckpointKey]string
	err   error // what Save returns, if not nil
}

func newMemory() *memory { return &memory{marks: map[connector.CheckpointKey]string{}} }

func (m *memory) Load(_ context.Context, key connector.CheckpointKey) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.marks[key], nil
}

func (m *memory) Save(_ context.Context, key connector.CheckpointKey, mark string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.marks[key] = mark
	return nil
}

// days returns the suite's request for other days of January 2026.
func days(first, last int) connector.Request {
	req := connectortest.Request()
	req.Range.Start = req.Range.Start.AddDays(first - 26)
	req.Range.End = req.Range.Start.AddDays(last - first)
	return req
}

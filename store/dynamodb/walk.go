package dynamodb

import (
	"context"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap/store"
)

// walk reads the partitions of an index side by side, and merges them into the
// order of their sort keys.
type walk struct {
	s       *Store
	db      *dynamodb.Client
	index   string
	after   string // only sort keys above it
	upTo    string // and none above it; "" means all
	where   []string
	names   map[string]string
	values  item
	streams []*stream
}

// entry is an item as an index has it.
type entry struct{ place, pk, sk string }

// stream is what a walk has at hand of one partition.
type stream struct {
	partition string
	buffer    []entry
	next      item  // where DynamoDB goes on
	page      int32 // how many entries it looks at for the next answer
	ended     bool  // whether there is nothing more to read
}

// longestPage bounds the entries of one answer: about half a megabyte.
const longestPage = 1000

// walk starts at the first entries after a place.
func (s *Store) walk(ctx context.Context, db *dynamodb.Client, index string, q store.Query, after string) (*walk, error) {
	partitions, err := s.partitions(ctx, db, q.ProgramID, q.Marketplace)
	if err != nil {
		return nil, err
	}
	w := &walk{s: s, db: db, index: index, after: after, values: item{}}
	for _, p := range partitions {
		// Each gives about its share; more is read where that was too little.
		page := min(2*q.Limit/len(partitions)+10, longestPage)
		w.streams = append(w.streams, &stream{partition: p, page: int32(page)}) //nolint:gosec // at most longestPage
	}
	return w, nil
}

// filter lets DynamoDB leave out what the query does not select, as far as the
// index of ranks knows.
func (w *walk) filter(q store.Query) {
	if q.Channel != "*" {
		w.where = append(w.where, "channels.#channel = :true")
		w.names = map[string]string{"#channel": q.Channel}
		w.values[":true"] = boolean(true)
	}
	for name, value := range map[string]string{"subjectType": q.SubjectType, "subjectId": q.SubjectID} {
		if value != "" {
			w.where = append(w.where, name+" = :"+name)
			w.values[":"+name] = text(value)
		}
	}
	if !q.Now.IsZero() {
		w.where = append(w.where, "expiresAt > :now")
		w.values[":now"] = instant(q.Now)
	}
}

// take returns the next entries, at most n; none after the last.
func (w *walk) take(ctx context.Context, n int) ([]entry, error) {
	var out []entry
	for len(out) < n {
		if err := w.fill(ctx); err != nil {
			return nil, err
		}
		var first *stream
		for _, s := range w.streams {
			if len(s.buffer) > 0 && (first == nil || s.buffer[0].place < first.buffer[0].place) {
				first = s
			}
		}
		if first == nil {
			return out, nil
		}
		out = append(out, first.buffer[0])
		first.buffer = first.buffer[1:]
	}
	return out, nil
}

// fill sees to it that each stream has its next entry at hand, or has ended.
func (w *walk) fill(ctx context.Context) error {
	var group *errgroup.Group
	for _, s := range w.streams {
		if len(s.buffer) > 0 || s.ended {
			continue
		}
		if group == nil {
			group, ctx = errgroup.WithContext(ctx)
			group.SetLimit(w.s.config.Writers)
		}
		group.Go(func() error {
			for len(s.buffer) == 0 && !s.ended {
				if err := w.refill(ctx, s); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if group == nil {
		return nil
	}
	return group.Wait()
}

// refill reads one answer of DynamoDB into the buffer of a stream. The filter comes
// after the limit, so that it may be empty although more follows.
func (w *walk) refill(ctx context.Context, s *stream) error {
	sortKey := w.index + "SK"
	in := &dynamodb.QueryInput{
		TableName: aws.String(w.s.table(candidateTable)), IndexName: aws.String(w.index), Limit: aws.Int32(s.page), ExclusiveStartKey: s.next,
		KeyConditionExpression:    aws.String(w.index + "PK = :partition"),
		ExpressionAttributeValues: item{":partition": text(s.partition)},
		ExpressionAttributeNames:  w.names,
	}
	maps.Copy(in.ExpressionAttributeValues, w.values)
	switch {
	case w.upTo != "":
		in.KeyConditionExpression = aws.String(*in.KeyConditionExpression + " AND " + sortKey + " BETWEEN :after AND :upTo")
		in.ExpressionAttributeValues[":after"], in.ExpressionAttributeValues[":upTo"] = text(w.after), text(w.upTo)
	case w.after != "":
		in.KeyConditionExpression = aws.String(*in.KeyConditionExpression + " AND " + sortKey + " > :after")
		in.ExpressionAttributeValues[":after"] = text(w.after)
	}
	if len(w.where) > 0 {
		in.FilterExpression = aws.String(strings.Join(w.where, " AND "))
	}
	out, err := w.db.Query(ctx, in)
	if err != nil {
		return err
	}
	s.add(out.Items, sortKey, w.after)
	s.next, s.ended = out.LastEvaluatedKey, len(out.LastEvaluatedKey) == 0
	s.page = min(2*s.page, longestPage)
	return nil
}

// add adds what lies after a place: BETWEEN takes it in.
func (s *stream) add(list []map[string]types.AttributeValue, sortKey, after string) {
	for _, it := range list {
		if place := textOf(it, sortKey); place > after {
			s.buffer = append(s.buffer, entry{place, textOf(it, "PK"), textOf(it, "SK")})
		}
	}
}

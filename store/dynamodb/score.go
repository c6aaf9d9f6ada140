package dynamodb

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/store"
)

// scores keeps an item per model and key, each in a partition of its own, so that
// no model is bound by what one partition takes.
type scores Store

var _ store.Scores = (*scores)(nil)

// batchWriteItems is how many items one BatchWriteItem takes, from the DynamoDB
// quotas.
const batchWriteItems = 25

// scoreRequests is how many requests one call makes at a time. A model is asked for
// a few hundred candidates at once, which are some twenty requests.
const scoreRequests = 8

const scoreSK = "SCORE"

func scorePK(modelID, asked string) string { return "MODEL#" + escape(modelID) + "#" + escape(asked) }

// LoadScores implements [store.Scores].
func (c *scores) LoadScores(ctx context.Context, modelID string, keys []string, now time.Time) (map[string]ceap.CachedScore, error) {
	s := (*Store)(c)
	table := s.table(scoreTable)
	doing := fmt.Sprintf("reading scores of %q from the table %s", modelID, table)
	db, err := s.db(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	out := map[string]ceap.CachedScore{}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(scoreRequests)
	for some := range slices.Chunk(keys, batchKeys) {
		var set keySet
		for _, asked := range some {
			set.add(table, scorePK(modelID, asked), scoreSK)
		}
		group.Go(func() error {
			found, err := set.get(groupCtx, db)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			return addScores(out, found, now)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, awsapi.Error(ctx, doing, err)
	}
	return out, nil
}

// addScores adds those of the items that have not expired: DynamoDB removes an item
// only some time after its ttl.
func addScores(out map[string]ceap.CachedScore, found items, now time.Time) error {
	for _, it := range found {
		f := fields{item: it}
		score := ceap.CachedScore{Key: f.text("key"), Value: f.float("value"), At: f.instant("at"), ExpiresAt: f.instant("expiresAt")}
		if it["confidence"] != nil {
			score.Confidence, score.HasConfidence = f.float("confidence"), true
		}
		if f.err != nil {
			return &ceap.Error{Code: ceap.CodeInternal, Err: f.err}
		}
		if score.ExpiresAt.After(now) {
			out[score.Key] = score
		}
	}
	return nil
}

// SaveScores implements [store.Scores]. An error may leave some of them kept.
func (c *scores) SaveScores(ctx context.Context, modelID string, saved []ceap.CachedScore) error {
	s := (*Store)(c)
	if len(saved) == 0 {
		return nil
	}
	db, err := s.db(ctx)
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(scoreRequests)
	for some := range slices.Chunk(lastOfEach(saved), batchWriteItems) {
		group.Go(func() error { return c.put(groupCtx, db, modelID, some) })
	}
	return awsapi.Error(ctx, fmt.Sprintf("keeping scores of %q in the table %s", modelID, s.table(scoreTable)), group.Wait())
}

// put writes scores of different keys, at most batchWriteItems. DynamoDB leaves
// items when it is throttled, and calls that a success, so that the SDK does not
// try again.
func (c *scores) put(ctx context.Context, db *dynamodb.Client, modelID string, saved []ceap.CachedScore) error {
	table := (*Store)(c).table(scoreTable)
	left := make([]types.WriteRequest, len(saved))
	for i, score := range saved {
		left[i] = types.WriteRequest{PutRequest: &types.PutRequest{Item: scoreItem(modelID, score)}}
	}
	for idle := 0; len(left) > 0; {
		if idle > maxAttempts {
			return ceap.Errorf(ceap.CodeRateLimited, "DynamoDB leaves %d items unwritten, again and again", len(left)).WithHint("try again later")
		}
		if idle > 0 {
			if err := pause(ctx, idle); err != nil {
				return err
			}
		}
		answer, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: left}})
		if err != nil {
			return err
		}
		if idle++; len(answer.UnprocessedItems[table]) < len(left) {
			idle = 1
		}
		left = answer.UnprocessedItems[table]
	}
	return nil
}

// lastOfEach returns the last score of each key: one call of BatchWriteItem takes
// no key twice.
func lastOfEach(saved []ceap.CachedScore) []ceap.CachedScore {
	place := map[string]int{}
	var out []ceap.CachedScore
	for _, score := range saved {
		if i, twice := place[score.Key]; twice {
			out[i] = score
			continue
		}
		place[score.Key] = len(out)
		out = append(out, score)
	}
	return out
}

func scoreItem(modelID string, score ceap.CachedScore) item {
	it := key(scorePK(modelID, score.Key), scoreSK)
	it["modelId"], it["key"], it["value"] = text(modelID), text(score.Key), float(score.Value)
	if score.HasConfidence {
		it["confidence"] = float(score.Confidence)
	}
	it["at"], it["expiresAt"] = instant(score.At), instant(score.ExpiresAt)
	// Rounded up: DynamoDB must not remove what is still good.
	it[TTLAttribute] = seconds(score.ExpiresAt.Add(time.Second - time.Nanosecond))
	return it
}

package dynamodb

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
)

// errLost says that another writer was faster: what was read is not so any more.
var errLost = errors.New("another writer was faster")

// lost turns a condition that did not hold into errLost.
func lost(err error) error {
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return errLost
	}
	return err
}

const (
	batchKeys    = 100 // the limit of one BatchGetItem, from the DynamoDB quotas
	firstPause   = 20 * time.Millisecond
	longestPause = 5 * time.Second
)

// pause waits before an attempt, counted from 1, for a random time up to one that
// doubles each time: whoever was in each other's way comes back apart.
func pause(ctx context.Context, attempt int) error {
	most := min(firstPause<<min(attempt, 16), longestPause)
	timer := time.NewTimer(rand.N(most)) //nolint:gosec // it only spreads attempts
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keySet collects the keys of one BatchGetItem, which must be different ones.
type keySet struct {
	tables map[string]types.KeysAndAttributes
	seen   map[[3]string]bool
}

func (k *keySet) add(table, pk, sk string) {
	id := [3]string{table, pk, sk}
	if k.seen[id] {
		return
	}
	if k.tables == nil {
		k.tables, k.seen = map[string]types.KeysAndAttributes{}, map[[3]string]bool{}
	}
	k.seen[id] = true
	of := k.tables[table]
	consistent := true
	of.ConsistentRead, of.Keys = &consistent, append(of.Keys, key(pk, sk))
	k.tables[table] = of
}

// items are what a BatchGetItem found, by table, PK and SK.
type items map[[3]string]item

// get reads the items of the keys, consistently. Keys that DynamoDB leaves
// unprocessed are asked for again, more and more slowly; rate_limited is returned
// when that does not help.
func (k *keySet) get(ctx context.Context, db *dynamodb.Client) (items, error) {
	found := items{}
	left, idle := k.tables, 0
	for len(left) > 0 {
		if idle > 0 {
			if err := pause(ctx, idle); err != nil {
				return nil, err
			}
		}
		out, err := db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: left})
		if err != nil {
			return nil, err
		}
		got := 0
		for table, list := range out.Responses {
			for _, it := range list {
				found[[3]string{table, textOf(it, "PK"), textOf(it, "SK")}] = it
			}
			got += len(list)
		}
		left = out.UnprocessedKeys
		if idle++; got > 0 {
			idle = 1
		}
		if idle > maxAttempts && len(left) > 0 {
			return nil, ceap.Errorf(ceap.CodeRateLimited, "DynamoDB leaves keys unread, again and again").WithHint("try again later")
		}
	}
	return found, nil
}

// maxAttempts is how often something is tried in all that others may prevent.
const maxAttempts = 12

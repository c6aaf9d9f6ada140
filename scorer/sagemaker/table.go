package sagemaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/expression"
	"github.com/ceap-platform/ceap/scorer"
)

// batchGetKeys is the limit of one BatchGetItem call, from the DynamoDB quotas.
const batchGetKeys = 100

// table reads features from a DynamoDB table. It is safe for concurrent use.
type table struct {
	source      FeatureSource
	attributes  []string // that features name, sorted
	region      string   // "" for that of the configuration
	timeout     time.Duration
	concurrency int
	load        func(context.Context) (aws.Config, error)
	key         *expression.Program

	mu     sync.Mutex
	client *dynamodb.Client // nil before the first request
}

// newTable returns the table of the configuration, without its key; nil if it
// has none.
func newTable(c *Config, load func(context.Context) (aws.Config, error)) *table {
	if c.FeatureSource == nil {
		return nil
	}
	t := &table{
		source: *c.FeatureSource, region: c.FeatureSource.Region, load: load,
		timeout: time.Duration(c.TimeoutSeconds) * time.Second, concurrency: c.Concurrency,
	}
	if t.region == "" {
		t.region = c.Region
	}
	for _, f := range c.Features {
		if f.Attribute != "" {
			t.attributes = append(t.attributes, f.Attribute)
		}
	}
	slices.Sort(t.attributes)
	t.attributes = slices.Compact(t.attributes)
	return t
}

// fetch returns the item of each candidate; nil for one that has none. errs says
// of single candidates why theirs cannot be looked up.
func (t *table) fetch(ctx context.Context, batch []*ceap.Candidate) (items []item, errs []error, err error) {
	items, errs = make([]item, len(batch)), make([]error, len(batch))
	if t == nil || len(t.attributes) == 0 {
		return items, errs, nil
	}
	at := make([]string, len(batch))
	var keys []string
	seen := map[string]bool{"": true} // an item cannot have an empty key
	for i, c := range batch {
		if at[i], _, errs[i] = t.key.EvalNullableLabel(c); errs[i] == nil && !seen[at[i]] {
			seen[at[i]] = true
			keys = append(keys, at[i])
		}
	}
	found, err := t.items(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	for i := range batch {
		items[i] = found[at[i]]
	}
	return items, errs, nil
}

// items returns the items of the keys, which differ, as far as there are any.
func (t *table) items(ctx context.Context, keys []string) (map[string]item, error) {
	found := map[string]item{}
	if len(keys) == 0 {
		return found, nil
	}
	client, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	var mu sync.Mutex
	g, limited := errgroup.WithContext(limited)
	g.SetLimit(t.concurrency)
	for some := range slices.Chunk(keys, batchGetKeys) {
		g.Go(func() error {
			return t.get(limited, client, some, func(key string, i item) {
				mu.Lock()
				defer mu.Unlock()
				found[key] = i
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, t.fault(ctx, err)
	}
	return found, nil
}

// get reads up to 100 items. What DynamoDB leaves unprocessed, it asks for again.
func (t *table) get(ctx context.Context, client *dynamodb.Client, keys []string, take func(string, item)) error {
	left := map[string]types.KeysAndAttributes{t.source.Table: t.request(keys)}
	for attempt := 0; ; attempt++ {
		out, err := client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: left})
		if err != nil {
			return err
		}
		for _, raw := range out.Responses[t.source.Table] {
			if key, ok := raw[t.source.KeyAttribute].(*types.AttributeValueMemberS); ok {
				take(key.Value, t.itemOf(raw))
			}
		}
		if left = out.UnprocessedKeys; len(left) == 0 {
			return nil
		}
		if !brief(ctx, attempt) {
			return fmt.Errorf("%w with keys left unprocessed", context.Cause(ctx))
		}
	}
}

// brief waits before what was left over is asked for again, up to 1.6 s, and
// reports whether there is time for it.
func brief(ctx context.Context, attempt int) bool {
	timer := time.NewTimer(50 * time.Millisecond << min(attempt, 5))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t *table) request(keys []string) types.KeysAndAttributes {
	names := map[string]string{"#k": t.source.KeyAttribute}
	projection := "#k"
	for i, name := range t.attributes {
		if name == t.source.KeyAttribute {
			continue // naming it twice is an error
		}
		placeholder := fmt.Sprintf("#a%d", i)
		names[placeholder] = name
		projection += ", " + placeholder
	}
	request := types.KeysAndAttributes{ProjectionExpression: &projection, ExpressionAttributeNames: names, ConsistentRead: &t.source.ConsistentRead}
	for _, key := range keys {
		request.Keys = append(request.Keys, map[string]types.AttributeValue{t.source.KeyAttribute: &types.AttributeValueMemberS{Value: key}})
	}
	return request
}

// itemOf reads the attributes that features name. Lists, maps, sets and binary
// data are no features: they are text that no number feature takes.
func (t *table) itemOf(raw map[string]types.AttributeValue) item {
	of := item{}
	for _, name := range t.attributes {
		switch v := raw[name].(type) {
		case *types.AttributeValueMemberN:
			var n ceap.Value
			if n.UnmarshalJSON([]byte(v.Value)) == nil { // which reads exponents, too
				of[name] = n
			}
		case *types.AttributeValueMemberS:
			of[name] = ceap.String(v.Value)
		case *types.AttributeValueMemberBOOL:
			of[name] = ceap.Bool(v.Value)
		}
	}
	return of
}

func (t *table) open(ctx context.Context) (*dynamodb.Client, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client == nil {
		c, err := t.load(ctx)
		if err != nil {
			return nil, err
		}
		t.client = dynamodb.NewFromConfig(c, func(o *dynamodb.Options) {
			if t.region != "" {
				o.Region = t.region
			}
		})
	}
	return t.client, nil
}

// fault says what an error of the SDK means for a person.
func (t *table) fault(ctx context.Context, err error) error {
	doing := fmt.Sprintf("reading features from the table %q", t.source.Table)
	switch code := awsapi.Code(err); {
	case errors.Is(err, context.DeadlineExceeded):
		return ceap.Errorf(ceap.CodeUnavailable, "%s: it took longer than timeoutSeconds, %v: %w", doing, t.timeout, err)
	case code == "ResourceNotFoundException":
		return &scorer.NotConfigured{Need: fmt.Sprintf("there is no table %q with features: create it, or correct featureSource.table and its region", t.source.Table)}
	case code == "AccessDeniedException":
		return &scorer.NotConfigured{Need: fmt.Sprintf("the permission dynamodb:BatchGetItem on the table %q is missing: allow it for the role or user that CEAP runs as (%s)", t.source.Table, message(err))}
	default:
		return awsapi.Error(ctx, doing, err)
	}
}

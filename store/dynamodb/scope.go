package dynamodb

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/ceap-platform/ceap"
)

// scope is a program in a marketplace. The indexes are partitioned by scopes and
// shards, so one must know which there are: an item for each of them has the
// largest number of shards with which candidates were ever written. It is written
// before them.
type scope struct{ program, marketplace string }

// register writes the items of the batch's scopes that are not known yet.
func (s *Store) register(ctx context.Context, db *dynamodb.Client, batch []*ceap.Candidate) error {
	fresh := map[scope]bool{}
	s.mu.Lock()
	for _, c := range batch {
		if sc := (scope{c.ProgramID, c.Marketplace}); !s.scopes[sc] {
			fresh[sc] = true
		}
	}
	s.mu.Unlock()
	for sc := range fresh {
		_, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: aws.String(s.table(candidateTable)), Key: key("SCOPES#"+escape(sc.program), "MKT#"+escape(sc.marketplace)),
			UpdateExpression:          aws.String("SET shards = :n, programId = :p, marketplace = :m"),
			ConditionExpression:       aws.String("attribute_not_exists(PK) OR shards < :n"),
			ExpressionAttributeValues: item{":n": integer(int64(s.config.IndexShards)), ":p": text(sc.program), ":m": text(sc.marketplace)},
		})
		if err := lost(err); err != nil && !errors.Is(err, errLost) {
			return err
		}
		s.mu.Lock()
		s.scopes[sc] = true
		s.mu.Unlock()
	}
	return nil
}

// partitions returns the index partitions of a program; marketplace "" means all.
func (s *Store) partitions(ctx context.Context, db *dynamodb.Client, program, marketplace string) ([]string, error) {
	pages := dynamodb.NewQueryPaginator(db, &dynamodb.QueryInput{
		TableName: aws.String(s.table(candidateTable)), ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String("PK = :pk"), ExpressionAttributeValues: item{":pk": text("SCOPES#" + escape(program))},
	})
	var names []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			f := fields{item: it}
			sc := scope{program, unescape(strings.TrimPrefix(f.text("SK"), "MKT#"))}
			for n := range int(f.integer("shards")) {
				if marketplace == "" || marketplace == sc.marketplace {
					names = append(names, shard(sc, n))
				}
			}
			if f.err != nil {
				return nil, f.err
			}
		}
	}
	return names, nil
}

// unescape undoes escape.
func unescape(s string) string {
	return strings.NewReplacer("%25", "%", "%23", "#").Replace(s)
}

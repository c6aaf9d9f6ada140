package dynamodb

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/store"
)

// optOuts implements [store.OptOuts] on one table. A customer's item has
//
//	PK = CUST#<customer>, SK = OPTOUTS
//	customerId                     S
//	OPTOUT#<program>#<channel>     M {programId, channel, reason, at: S}, for each wish
//	revision                       N, one higher with each change
//
// # Wishes and writers
//
// An opt-out and the candidates it covers are in different tables, and a customer
// has any number of them, so no one step changes all. Instead, Put writes the wish
// first, and then removes what it finds. Upsert writes candidates first, and then
// reads the wishes again and removes what has come under one. Both read
// consistently, so one of the two sees the other's work, whichever was first: a
// candidate that Put did not find was written after the wish, so its writer finds
// the wish.
type optOuts Store

var _ store.OptOuts = (*optOuts)(nil)

const wishPrefix = "OPTOUT#"

func wishName(program, channel string) string {
	return wishPrefix + escape(program) + "#" + escape(channel)
}

// Put implements [store.OptOuts].
func (o *optOuts) Put(ctx context.Context, out ceap.OptOut) (removed int64, err error) {
	s := (*Store)(o)
	doing := "recording an opt-out in the table " + s.table(optOutTable)
	db, err := s.db(ctx)
	if err != nil {
		return 0, err
	}
	wish := item{"programId": text(out.ProgramID), "channel": text(out.Channel), "reason": text(out.Reason), "at": instant(out.At)}
	_, err = db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(s.table(optOutTable)), Key: key(ceap.Key{CustomerID: out.CustomerID}.PK(), "OPTOUTS"),
		UpdateExpression:         aws.String("SET customerId = :customer, #wish = if_not_exists(#wish, :wish) ADD revision :one"),
		ExpressionAttributeNames: map[string]string{"#wish": wishName(out.ProgramID, out.Channel)},
		ExpressionAttributeValues: item{
			":customer": text(out.CustomerID), ":wish": &types.AttributeValueMemberM{Value: wish}, ":one": integer(1),
		},
	})
	if err != nil {
		return 0, awsapi.Error(ctx, doing, err)
	}
	if out.Channel != "" {
		return 0, nil
	}
	removed, err = s.removeCovered(ctx, db, out)
	return removed, awsapi.Error(ctx, "removing the candidates that an opt-out covers", err)
}

// removeCovered removes the candidates that an opt-out covers, and their marks:
// the opt-out itself keeps them away.
func (s *Store) removeCovered(ctx context.Context, db *dynamodb.Client, out ceap.OptOut) (removed int64, err error) {
	secret, err := s.markSecret(ctx, db)
	if err != nil {
		return 0, err
	}
	found, err := s.ofCustomer(ctx, db, out.CustomerID, out.ProgramID, "")
	if err != nil {
		return 0, err
	}
	gone := make([]bool, len(found))
	var group errgroup.Group
	group.SetLimit(groupWriters)
	for i := range found {
		group.Go(func() (err error) {
			gone[i], err = s.erase(ctx, db, secret, found[i].Key)
			return err
		})
	}
	err = group.Wait()
	for _, g := range gone {
		if g {
			removed++
		}
	}
	return removed, err
}

// erase removes a candidate that was found, and its mark. It reports whether nobody
// else has removed it first.
func (s *Store) erase(ctx context.Context, db *dynamodb.Client, secret []byte, k ceap.Key) (bool, error) {
	out, err := db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(s.table(candidateTable)), Key: key(k.PK(), k.SK()), ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil {
		return false, err
	}
	// After an attempt whose answer was lost, the next finds nothing to remove.
	attempts, _ := retry.GetAttemptResults(out.ResultMetadata)
	gone := len(out.Attributes) > 0 || len(attempts.Results) > 1
	_, err = db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String(s.table(candidateTable)), Key: key(markPK(secret, k), "MARK")})
	return gone, err
}

// Withdraw implements [store.OptOuts].
func (o *optOuts) Withdraw(ctx context.Context, customerID, programID, channel string) error {
	s := (*Store)(o)
	doing := "withdrawing an opt-out in the table " + s.table(optOutTable)
	db, err := s.db(ctx)
	if err != nil {
		return err
	}
	at := key(ceap.Key{CustomerID: customerID}.PK(), "OPTOUTS")
	out, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(s.table(optOutTable)), Key: at,
		UpdateExpression:          aws.String("REMOVE #wish ADD revision :one"),
		ConditionExpression:       aws.String("attribute_exists(#wish)"),
		ExpressionAttributeNames:  map[string]string{"#wish": wishName(programID, channel)},
		ExpressionAttributeValues: item{":one": integer(1)},
		ReturnValues:              types.ReturnValueAllNew,
	})
	if err := lost(err); errors.Is(err, errLost) {
		return ceap.Errorf(ceap.CodeNotFound, "there is no such opt-out of customer %q", customerID)
	} else if err != nil {
		return awsapi.Error(ctx, doing, err)
	}
	if hasWish(out.Attributes) {
		return nil
	}
	// Nothing is kept of a customer without wishes.
	_, err = db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(s.table(optOutTable)), Key: at,
		ConditionExpression: aws.String("revision = :read"), ExpressionAttributeValues: item{":read": out.Attributes["revision"]},
	})
	if err := lost(err); err != nil && !errors.Is(err, errLost) {
		return awsapi.Error(ctx, doing, err)
	}
	return nil
}

func hasWish(it item) bool {
	for name := range it {
		if strings.HasPrefix(name, wishPrefix) {
			return true
		}
	}
	return false
}

// wishes returns the opt-outs of a customer's item, sorted by program and channel.
func wishes(it item) ([]ceap.OptOut, error) {
	var out []ceap.OptOut
	of := fields{item: it}
	customer := of.text("customerId")
	for name := range it {
		if !strings.HasPrefix(name, wishPrefix) {
			continue
		}
		in := of.inner(name)
		out = append(out, ceap.OptOut{CustomerID: customer, ProgramID: in.text("programId"), Channel: in.text("channel"), Reason: in.text("reason"), At: in.instant("at")})
		of.take(in.err)
	}
	slices.SortFunc(out, func(a, b ceap.OptOut) int {
		return cmp.Or(strings.Compare(a.ProgramID, b.ProgramID), strings.Compare(a.Channel, b.Channel))
	})
	return out, of.err
}

// OptOutsOf implements [store.OptOuts].
func (o *optOuts) OptOutsOf(ctx context.Context, customerIDs []string) (map[string][]ceap.OptOut, error) {
	s := (*Store)(o)
	db, err := s.db(ctx)
	if err != nil {
		return nil, err
	}
	chunks := slices.Collect(slices.Chunk(customerIDs, batchKeys))
	found := make([]items, len(chunks))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(groupWriters)
	for i, ids := range chunks {
		group.Go(func() (err error) {
			var keys keySet
			for _, id := range ids {
				keys.add(s.table(optOutTable), ceap.Key{CustomerID: id}.PK(), "OPTOUTS")
			}
			found[i], err = keys.get(groupCtx, db)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, awsapi.Error(ctx, "reading the table "+s.table(optOutTable), err)
	}
	out := map[string][]ceap.OptOut{}
	for _, chunk := range found {
		for _, it := range chunk {
			list, err := wishes(it)
			if err != nil {
				return nil, ceap.Errorf(ceap.CodeInternal, "reading opt-outs: %w", err)
			}
			if len(list) > 0 {
				out[list[0].CustomerID] = list
			}
		}
	}
	return out, nil
}

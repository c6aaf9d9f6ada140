package dynamodb

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/store"
)

// Close implements [store.Candidates]. The mark is written first: a candidate that
// was contacted must not come back because we died in between.
func (c *candidates) Close(ctx context.Context, k ceap.Key, closing store.Closing) error {
	s := (*Store)(c)
	doing := "closing a candidate in the table " + s.table(candidateTable)
	if _, err := closing.Closes(ceap.StatusOpen); err != nil {
		return err
	}
	db, err := s.db(ctx)
	if err != nil {
		return err
	}
	secret, err := s.markSecret(ctx, db)
	if err != nil {
		return awsapi.Error(ctx, doing, err)
	}
	for attempt := 1; ; attempt++ {
		err := s.closeOne(ctx, db, k, markPK(secret, k), closing)
		if !errors.Is(err, errLost) {
			return awsapi.Error(ctx, doing, err)
		}
		if attempt == maxAttempts {
			return ceap.Errorf(ceap.CodeConflict, "others change the candidate %s again and again", k).WithHint("try again")
		}
		if err := pause(ctx, attempt); err != nil {
			return awsapi.Error(ctx, doing, err)
		}
	}
}

// closeOne closes a candidate as it reads it. Returns errLost if another writer
// was faster.
func (s *Store) closeOne(ctx context.Context, db *dynamodb.Client, k ceap.Key, markPK string, closing store.Closing) error {
	table := s.table(candidateTable)
	var keys keySet
	keys.add(table, k.PK(), k.SK())
	keys.add(table, markPK, "MARK")
	found, err := keys.get(ctx, db)
	if err != nil {
		return err
	}
	was, err := decodeMark(found[[3]string{table, markPK, "MARK"}])
	if err != nil {
		return err
	}
	it := found[[3]string{table, k.PK(), k.SK()}]
	if it == nil {
		if was != nil && was.status == ceap.StatusDeleted && closing.Status == ceap.StatusDeleted {
			return nil // deleting again is harmless
		}
		return ceap.Errorf(ceap.CodeNotFound, "there is no candidate %s", k)
	}
	c, err := decode(it, time.Time{})
	if err != nil {
		return err
	}
	if closes, err := closing.Closes(c.Meta.Status); err != nil || !closes {
		return err
	}
	if closing.Status == ceap.StatusDeleted {
		return s.bury(ctx, db, &c, markPK, was, closingMark(&c, closing.Status, closing.At, c.Meta.Version))
	}
	m := closingMark(&c, closing.Status, closing.At, c.Meta.Version+1)
	if err := s.writeMark(ctx, db, markPK, &m, was); err != nil {
		return err
	}
	return s.setClosed(ctx, db, &c, closing)
}

// setClosed marks a candidate sent or consumed, and takes it out of the index of
// open ones.
func (s *Store) setClosed(ctx context.Context, db *dynamodb.Client, c *ceap.Candidate, closing store.Closing) error {
	updated := micros(closing.At)
	if c.Meta.UpdatedAt.After(updated) {
		updated = c.Meta.UpdatedAt
	}
	_, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(s.table(candidateTable)), Key: key(c.PK(), c.SK()),
		UpdateExpression: aws.String("SET #status = :status, closedAt = :at, closedChannel = :channel, updatedAt = :updated, version = :next" +
			" REMOVE " + rankIndex + "PK, " + rankIndex + "SK"),
		ConditionExpression:      aws.String("version = :read"),
		ExpressionAttributeNames: map[string]string{"#status": "status"},
		ExpressionAttributeValues: item{
			":status": text(string(closing.Status)), ":at": instant(closing.At), ":channel": text(closing.Channel), ":updated": instant(updated),
			":read": integer(c.Meta.Version), ":next": integer(c.Meta.Version + 1),
		},
	})
	return lost(err)
}

// bury replaces a candidate by its mark.
func (s *Store) bury(ctx context.Context, db *dynamodb.Client, c *ceap.Candidate, markPK string, was *mark, m mark) error {
	if err := s.writeMark(ctx, db, markPK, &m, was); err != nil {
		return err
	}
	return s.remove(ctx, db, c)
}

// sweepSegments is into how many parts a sweep divides the table.
const sweepSegments = 8

// Sweep implements [store.Candidates]. It reads the whole table, which costs half a
// read unit for each 4 KB. DynamoDB removes the same items by itself, mostly within
// some days; Sweep does so at once, and counts.
func (c *candidates) Sweep(ctx context.Context, now time.Time) (int64, error) {
	s := (*Store)(c)
	doing := "removing expired candidates from the table " + s.table(candidateTable)
	db, err := s.db(ctx)
	if err != nil {
		return 0, err
	}
	w := &sweep{s: s, db: db, now: now}
	if w.secret, err = s.markSecret(ctx, db); err != nil {
		return 0, awsapi.Error(ctx, doing, err)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for n := range int32(sweepSegments) {
		group.Go(func() error { return w.segment(groupCtx, n) })
	}
	err = group.Wait()
	return w.removed.Load(), awsapi.Error(ctx, doing, err)
}

type sweep struct {
	s       *Store
	db      *dynamodb.Client
	secret  []byte
	now     time.Time
	removed atomic.Int64
}

func (w *sweep) segment(ctx context.Context, n int32) error {
	pages := dynamodb.NewScanPaginator(w.db, &dynamodb.ScanInput{
		TableName: aws.String(w.s.table(candidateTable)), Segment: aws.Int32(n), TotalSegments: aws.Int32(sweepSegments),
		FilterExpression:          aws.String("#ttl <= :now"),
		ExpressionAttributeNames:  map[string]string{"#ttl": TTLAttribute},
		ExpressionAttributeValues: item{":now": seconds(w.now)},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(max(1, w.s.config.Writers/sweepSegments))
		for _, it := range page.Items {
			group.Go(func() error { return w.item(groupCtx, it) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// item removes what has ended. What another writer has changed since it was read
// is left alone: it begins anew, or that writer has removed it.
func (w *sweep) item(ctx context.Context, it item) (err error) {
	switch pk := textOf(it, "PK"); {
	case strings.HasPrefix(pk, "CUST#"):
		var c ceap.Candidate
		if c, err = decode(it, time.Time{}); err == nil && !c.Meta.ExpiresAt.After(w.now) {
			if err = w.candidate(ctx, &c); err == nil {
				w.removed.Add(1)
			}
		}
	case strings.HasPrefix(pk, "MARK#"):
		_, err = w.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: aws.String(w.s.table(candidateTable)), Key: key(pk, textOf(it, "SK")),
			ConditionExpression: aws.String("revision = :read"), ExpressionAttributeValues: item{":read": it["revision"]},
		})
		err = lost(err)
	}
	if errors.Is(err, errLost) {
		return nil
	}
	return err
}

func (w *sweep) candidate(ctx context.Context, c *ceap.Candidate) error {
	pk := markPK(w.secret, c.Key)
	was, err := w.s.readMark(ctx, w.db, pk)
	if err != nil {
		return err
	}
	status, at := c.Meta.Status, c.Meta.ClosedAt
	if status == ceap.StatusOpen {
		status, at = ceap.StatusExpired, c.Meta.ExpiresAt
	}
	m := closingMark(c, status, at, c.Meta.Version)
	if !m.until.After(w.now) || was != nil && was.status == ceap.StatusDeleted {
		return w.s.remove(ctx, w.db, c)
	}
	return w.s.bury(ctx, w.db, c, pk, was, m)
}

package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/store"
)

const (
	// groupRows is how many rows are read at once: each has an item, and either a
	// customer's opt-outs or a mark beside it, so that one request reads all.
	groupRows = batchKeys / 2
	// groupWriters is how many rows of a group are written at a time.
	groupWriters = 8
)

// Upsert implements [store.Candidates]. Rows are written one by one, each on
// condition that what was read of it still holds (D6), and some at a time:
// Config.Writers. What DynamoDB does not take, after the SDK's own retries, is
// failed, with THROTTLED, VERSION_CONFLICT, VALUE_TOO_LONG or STORE_ERROR. An error
// is returned where no row would fare better: a missing table or permission, no
// connection, a cancelled context.
//
// A write whose answer was lost looks, when it is tried again, like one that another
// writer has beaten. What is read then bears this run's id, and so is recognised as
// written.
func (c *candidates) Upsert(ctx context.Context, batch []*ceap.Candidate, opts store.UpsertOptions) ([]store.UpsertResult, error) {
	s := (*Store)(c)
	results := make([]store.UpsertResult, len(batch))
	if len(batch) == 0 {
		return results, nil
	}
	doing := "storing candidates in the table " + s.table(candidateTable)
	if err := ctx.Err(); err != nil {
		return nil, awsapi.Error(ctx, doing, err)
	}
	db, err := s.db(ctx)
	if err != nil {
		return nil, err
	}
	u := &upsert{s: s, db: db, batch: batch, results: results, opts: opts}
	if u.secret, err = s.markSecret(ctx, db); err != nil {
		return nil, awsapi.Error(ctx, doing, err)
	}
	if !opts.DryRun {
		if err := s.register(ctx, db, batch); err != nil {
			return nil, awsapi.Error(ctx, doing, err)
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, s.config.Writers/groupWriters))
	for start := 0; start < len(batch); start += groupRows {
		group.Go(func() error { return u.group(groupCtx, start, min(start+groupRows, len(batch))) })
	}
	if err := group.Wait(); err != nil {
		return nil, awsapi.Error(ctx, doing, err)
	}
	return results, nil
}

// upsert is the work on one batch.
type upsert struct {
	s       *Store
	db      *dynamodb.Client
	secret  []byte
	batch   []*ceap.Candidate
	results []store.UpsertResult
	opts    store.UpsertOptions
}

// row is a row of the batch at work.
type row struct {
	index   int
	mark    string          // the partition key of its mark
	out     bool            // whether an opt-out covers it
	stored  *ceap.Candidate // as read; nil if there is none
	was     *mark           // as read; nil if there is none, or nobody has read it
	wasRead bool
	opened  bool            // whether this run has begun its life
	written *ceap.Candidate // by us; nil if nothing was
}

// group writes the rows from start to end of the batch.
func (u *upsert) group(ctx context.Context, start, end int) error {
	rows := make([]row, end-start)
	open := make([]*row, 0, len(rows))
	for i := range rows {
		r, c := &rows[i], u.batch[start+i]
		r.index, r.mark = start+i, markPK(u.secret, c.Key)
		if reason := keyTooLong(c.PK(), c.SK()); reason != "" { // reading it would fail the others too
			u.fail(r, ceap.ReasonTooLong, reason)
			continue
		}
		open = append(open, r)
	}
	for attempt := 0; len(open) > 0; attempt++ {
		if attempt == maxAttempts {
			for _, r := range open {
				u.fail(r, ceap.ReasonVersionConflict, fmt.Sprintf("other writers were faster, %d times", maxAttempts))
			}
			break
		}
		if attempt > 0 {
			if err := pause(ctx, attempt); err != nil {
				return err
			}
		}
		readable, err := u.read(ctx, open)
		if err != nil {
			return u.giveUp(ctx, open, err)
		}
		if open, err = u.writeAll(ctx, readable); err != nil {
			return err
		}
	}
	return u.verify(ctx, rows)
}

func (u *upsert) fail(r *row, code, reason string) {
	u.results[r.index] = store.UpsertResult{Kind: ceap.OutcomeFailed, Code: code, Reason: reason}
}

// giveUp fails the rows for err, or returns it if it concerns all.
func (u *upsert) giveUp(ctx context.Context, rows []*row, err error) error {
	err = awsapi.Error(ctx, "DynamoDB did not take it", err)
	code := ceap.ReasonStoreError
	switch {
	case ceap.ErrorCode(err) == ceap.CodeRateLimited:
		code = ceap.ReasonThrottled
	case ceap.ErrorCode(err) == ceap.CodeInvalid, awsapi.Code(err) == "InternalServerError":
	default:
		return err
	}
	for _, r := range rows {
		u.fail(r, code, err.Error())
	}
	return nil
}

// read reads what is stored of the rows, and the marks of those of which nothing
// is. It fails the rows whose items make no sense, and returns the others.
func (u *upsert) read(ctx context.Context, rows []*row) ([]*row, error) {
	candidates, optOuts := u.s.table(candidateTable), u.s.table(optOutTable)
	var keys keySet
	for _, r := range rows {
		c := u.batch[r.index]
		keys.add(candidates, c.PK(), c.SK())
		keys.add(optOuts, c.PK(), "OPTOUTS")
	}
	found, err := keys.get(ctx, u.db)
	if err != nil {
		return nil, err
	}
	var marks keySet
	for _, r := range rows {
		if c := u.batch[r.index]; found[[3]string{candidates, c.PK(), c.SK()}] == nil {
			marks.add(candidates, r.mark, "MARK")
		}
	}
	foundMarks, err := marks.get(ctx, u.db)
	if err != nil {
		return nil, err
	}
	readable := make([]*row, 0, len(rows))
	for _, r := range rows {
		c := u.batch[r.index]
		err := r.take(c, found[[3]string{candidates, c.PK(), c.SK()}], foundMarks[[3]string{candidates, r.mark, "MARK"}], found[[3]string{optOuts, c.PK(), "OPTOUTS"}])
		if err != nil {
			u.fail(r, ceap.ReasonStoreError, err.Error())
			continue
		}
		readable = append(readable, r)
	}
	return readable, nil
}

// take takes what was read of the row; nil for what is not there.
func (r *row) take(c *ceap.Candidate, stored, mark, optOuts item) (err error) {
	r.stored, r.was, r.wasRead = nil, nil, stored == nil
	if r.out, err = covered(optOuts, c.ProgramID); err != nil {
		return err
	}
	if stored == nil {
		r.was, err = decodeMark(mark)
		return err
	}
	was, err := decode(stored, time.Time{})
	r.stored = &was
	return err
}

// covered reports whether one of the opt-outs of the item covers the program.
func covered(it item, program string) (bool, error) {
	list, err := wishes(it)
	for _, o := range list {
		if o.Covers(program) {
			return true, nil
		}
	}
	return false, err
}

// writeAll decides and writes the rows, and returns those that another writer has
// beaten.
func (u *upsert) writeAll(ctx context.Context, rows []*row) (beaten []*row, err error) {
	var mu sync.Mutex
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(min(groupWriters, u.s.config.Writers))
	for _, r := range rows {
		step := u.decide(r)
		if remains := r.out && r.stored != nil; u.opts.DryRun || step == store.Leave && !remains {
			continue
		}
		group.Go(func() error {
			err := u.write(groupCtx, r, step)
			if errors.Is(err, errLost) {
				mu.Lock()
				defer mu.Unlock()
				beaten = append(beaten, r)
				return nil
			}
			if err != nil {
				return u.giveUp(ctx, []*row{r}, err)
			}
			return nil
		})
	}
	return beaten, group.Wait()
}

// decide sets the result of the row, as it will be if the step succeeds.
func (u *upsert) decide(r *row) store.Step {
	c := u.batch[r.index]
	if r.out {
		u.results[r.index] = store.OptedOut()
		return store.Leave
	}
	var known store.Known
	switch {
	case r.stored != nil:
		m := &r.stored.Meta
		known = store.Known{
			Status: m.Status, EventDate: r.stored.EventDate, ExpiresAt: m.ExpiresAt, ClosedAt: m.ClosedAt,
			RunID: m.RunID, CreatedRunID: m.CreatedRunID, SameContent: sameContent(r.stored, c),
		}
	case r.was != nil && !r.was.pending(u.opts.Now) && r.was.until.After(u.opts.Now):
		known = store.Known{Status: r.was.status, EventDate: r.was.eventDate, ClosedAt: r.was.closedAt}
	}
	result, step := store.Decide(known, c, u.opts)
	u.results[r.index] = result
	return step
}

// write takes the step that was decided. Returns errLost if what was read is not
// so any more.
func (u *upsert) write(ctx context.Context, r *row, step store.Step) error {
	c := u.batch[r.index]
	if r.out { // left behind by a writer that died before it could look again
		_, err := u.s.erase(ctx, u.db, u.secret, c.Key)
		return err
	}
	next := u.next(r, step)
	it := encode(&next, u.s.config.IndexShards)
	if n := size(it); n > maxItem {
		u.fail(r, ceap.ReasonTooLong, fmt.Sprintf("its item has %d bytes; DynamoDB takes %d", n, maxItem))
		return nil
	}
	if step == store.Open || r.stored.EventDate != next.EventDate || foreseen(r.stored.Meta.Version) != foreseen(next.Meta.Version) {
		if goOn, err := u.writeMark(ctx, r, &next); err != nil || !goOn {
			return err
		}
	}
	in := &dynamodb.PutItemInput{
		TableName: aws.String(u.s.table(candidateTable)), Item: it, ConditionExpression: aws.String("attribute_not_exists(PK)"),
	}
	if r.stored != nil {
		in.ConditionExpression, in.ExpressionAttributeValues = aws.String("version = :read"), item{":read": integer(r.stored.Meta.Version)}
	}
	if _, err := u.db.PutItem(ctx, in); err != nil {
		return lost(err)
	}
	r.written, r.opened = &next, step == store.Open
	return nil
}

// writeMark writes the mark that foretells the expiry of next. goOn is false if
// the candidate turns out to have been deleted.
func (u *upsert) writeMark(ctx context.Context, r *row, next *ceap.Candidate) (goOn bool, err error) {
	if !r.wasRead {
		if r.was, err = u.s.readMark(ctx, u.db, r.mark); err != nil {
			return false, err
		}
		r.wasRead = true
		if r.was != nil && r.was.status == ceap.StatusDeleted { // its item is about to go
			u.results[r.index], _ = store.Decide(store.Known{Status: ceap.StatusDeleted, ClosedAt: r.was.closedAt}, u.batch[r.index], u.opts)
			return false, nil
		}
	}
	m := birthMark(next)
	if err := u.s.writeMark(ctx, u.db, r.mark, &m, r.was); err != nil {
		return false, err
	}
	return true, nil
}

// next returns the candidate as it will be stored. The version grows and updatedAt
// never goes back (I32).
func (u *upsert) next(r *row, step store.Step) ceap.Candidate {
	next := *u.batch[r.index]
	next.EventDate = micros(next.EventDate)
	now := micros(u.opts.Now)
	from := next.Meta
	m := ceap.Meta{
		Status: ceap.StatusOpen, CreatedAt: now, UpdatedAt: now, ExpiresAt: micros(u.opts.Now.Add(u.opts.TTL)), Version: 1,
		RunID: u.opts.RunID, CreatedRunID: u.opts.RunID, ConnectorID: from.ConnectorID, CorrelationID: from.CorrelationID,
	}
	switch was := r.stored; {
	case was != nil:
		m.Version = was.Meta.Version + 1
		if was.Meta.UpdatedAt.After(now) {
			m.UpdatedAt = was.Meta.UpdatedAt
		}
		if step == store.Change {
			m.CreatedAt, m.ExpiresAt, m.CreatedRunID = was.Meta.CreatedAt, was.Meta.ExpiresAt, was.Meta.CreatedRunID
		}
	case r.was != nil && r.was.pending(u.opts.Now):
		m.Version = r.was.version
	case r.was != nil:
		m.Version = r.was.next
	}
	next.Meta = m
	return next
}

// keyTooLong says which key exceeds DynamoDB's limit; "" if none. The partitions of
// indexes are shorter than the sort key.
func keyTooLong(pk, sk string) string {
	const maxPartitionKey = 2048
	switch {
	case len(pk) > maxPartitionKey:
		return fmt.Sprintf("its customer makes a key of %d bytes; DynamoDB takes %d", len(pk), maxPartitionKey)
	case len(sk) > maxSortKey:
		return fmt.Sprintf("its program, marketplace and subject make a key of %d bytes; DynamoDB takes %d", len(sk), maxSortKey)
	default:
		return ""
	}
}

// verify reads the opt-outs again, and the marks of what was opened, and removes
// what was written in spite of one that came meanwhile; see optOuts. A mark can
// have come only from someone who created and deleted the candidate between our two
// writes.
func (u *upsert) verify(ctx context.Context, rows []row) error {
	candidates, optOuts := u.s.table(candidateTable), u.s.table(optOutTable)
	var keys keySet
	var written []*row
	for i := range rows {
		r := &rows[i]
		if r.written == nil {
			continue
		}
		written = append(written, r)
		keys.add(optOuts, r.written.PK(), "OPTOUTS")
		if r.opened {
			keys.add(candidates, r.mark, "MARK")
		}
	}
	found, err := keys.get(ctx, u.db)
	if err != nil {
		return u.giveUp(ctx, written, err)
	}
	for _, r := range written {
		out, err := covered(found[[3]string{optOuts, r.written.PK(), "OPTOUTS"}], r.written.ProgramID)
		if err != nil {
			return err
		}
		if out {
			u.results[r.index] = store.OptedOut()
			if _, err := u.s.erase(ctx, u.db, u.secret, r.written.Key); err != nil {
				return err
			}
			continue
		}
		m, err := decodeMark(found[[3]string{candidates, r.mark, "MARK"}])
		if err != nil {
			return err
		}
		if m != nil && m.status == ceap.StatusDeleted {
			u.results[r.index], _ = store.Decide(store.Known{Status: ceap.StatusDeleted, ClosedAt: m.closedAt}, u.batch[r.index], u.opts)
			if err := u.s.remove(ctx, u.db, r.written); err != nil && !errors.Is(err, errLost) {
				return err
			}
		}
	}
	return nil
}

// remove removes a candidate in just that version. Returns errLost if it has
// another, or is gone.
func (s *Store) remove(ctx context.Context, db *dynamodb.Client, c *ceap.Candidate) error {
	_, err := db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(s.table(candidateTable)), Key: key(c.PK(), c.SK()),
		ConditionExpression: aws.String("version = :read"), ExpressionAttributeValues: item{":read": integer(c.Meta.Version)},
	})
	return lost(err)
}

// readMark reads one mark; nil if there is none.
func (s *Store) readMark(ctx context.Context, db *dynamodb.Client, pk string) (*mark, error) {
	out, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(s.table(candidateTable)), Key: key(pk, "MARK"), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return decodeMark(out.Item)
}

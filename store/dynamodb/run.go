package dynamodb

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/store"
)

// runs keeps three kinds of items:
//
//	RUN#<run>                    RUN            the record of a run
//	PROG#<program>#MKT#<market>  BATCH#<batch>  which run a batch is (D44)
//	PROG#<program>#MKT#<market>  LEASE          who works on a run of theirs, and until when
//
// The records alone have index keys: GSI1 holds all of them, and GSI2 those of a
// program, by the time of their start.
type runs struct {
	*Store

	closed    chan struct{} // ends the renewing of claims
	closeOnce sync.Once
	// every returns a channel that delivers at that interval until stop is called.
	every func(time.Duration) (ticks <-chan time.Time, stop func())
}

var (
	_ store.Runs   = (*runs)(nil)
	_ store.Leaser = (*runs)(nil)
)

func newRuns(s *Store) *runs {
	return &runs{Store: s, closed: make(chan struct{}), every: func(d time.Duration) (<-chan time.Time, func()) {
		ticker := time.NewTicker(d)
		return ticker.C, ticker.Stop
	}}
}

// close implements [store.Roles].Close: claims that were not released are over by
// themselves after a while, as those of a process that died.
func (r *runs) close() error {
	r.closeOnce.Do(func() { close(r.closed) })
	return nil
}

// allRuns is the partition of startedIndex. One is enough: it takes 1,000 writes a
// second.
const allRuns = "RUN"

func runKey(runID string) item { return key("RUN#"+escape(runID), "RUN") }

func batchKey(res ceap.RunResult) item {
	return key(scopeKey(res.ProgramID, res.Marketplace), "BATCH#"+escape(res.BatchID))
}

// Save implements [store.Runs].
func (r *runs) Save(ctx context.Context, run ceap.Run) error {
	return r.saveUnless(ctx, run, "")
}

// saveUnless replaces the record unless the condition, about the record that
// stands, fails. Then the error is one of [refused].
func (r *runs) saveUnless(ctx context.Context, run ceap.Run, condition string) error {
	doing := fmt.Sprintf("recording run %s in the table %s", run.RunID, r.table(runTable))
	record, err := recordOf(run)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	db, err := r.db(ctx)
	if err != nil {
		return err
	}
	put := &dynamodb.PutItemInput{TableName: aws.String(r.table(runTable)), Item: record}
	if condition != "" {
		put.ConditionExpression = aws.String(condition)
		put.ExpressionAttributeNames = map[string]string{"#status": "status"}
		put.ExpressionAttributeValues = item{":succeeded": text(string(ceap.RunSucceeded)), ":empty": text(string(ceap.RunEmpty))}
	}
	_, err = db.PutItem(ctx, put)
	return awsapi.Error(ctx, doing, err)
}

// recordOf returns the item of a run.
func recordOf(run ceap.Run) (item, error) {
	res := run.Result
	started := formatTime(res.StartedAt) + "#" + escape(run.RunID)
	record := runKey(run.RunID)
	maps.Copy(record, item{
		"runId": text(run.RunID), "inputHash": text(run.InputHash), "programId": text(res.ProgramID), "marketplace": text(res.Marketplace),
		"batchId": text(res.BatchID), "status": text(string(res.Status)), "startedAt": instant(res.StartedAt),
		startedIndex + "PK": text(allRuns), startedIndex + "SK": text(started),
		programStartedIndex + "PK": text("PROG#" + escape(res.ProgramID)), programStartedIndex + "SK": text(started),
	})
	return record, putResult(record, res)
}

const (
	// longestText is up to how many bytes a result is kept as the text that it is;
	// a longer one is compressed, so that it is cheap to list.
	longestText = 32 << 10
	// longestResult leaves room for the other attributes. 400 KB: the limit of an
	// item, from the DynamoDB quotas.
	longestResult = 380 << 10
	// longestExpanded bounds what a compressed result may become.
	longestExpanded = 64 << 20
)

// putResult sets the attribute of a result: its JSON, or that compressed.
func putResult(record item, res ceap.RunResult) error {
	result, err := json.Marshal(res)
	if err != nil {
		return err
	}
	if len(result) <= longestText {
		record["result"] = text(string(result))
		return nil
	}
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err = w.Write(result); err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	if compressed.Len() > longestResult {
		return ceap.Errorf(ceap.CodeUnsupported, "the result of the run takes %d bytes, and an item holds %d", compressed.Len(), longestResult).
			WithHint("give the program fewer connectors, filters and models; what it says of each is part of the result")
	}
	record["resultGzip"] = &types.AttributeValueMemberB{Value: compressed.Bytes()}
	return nil
}

// runOf reads the item of a run.
func runOf(record item) (*ceap.Run, error) {
	run := &ceap.Run{RunID: textOf(record, "runId"), InputHash: textOf(record, "inputHash")}
	result := io.Reader(strings.NewReader(textOf(record, "result")))
	if compressed, ok := record["resultGzip"].(*types.AttributeValueMemberB); ok {
		expanded, err := gzip.NewReader(bytes.NewReader(compressed.Value))
		if err != nil {
			return nil, fmt.Errorf("reading the result of run %s: %w", run.RunID, err)
		}
		result = io.LimitReader(expanded, longestExpanded)
	}
	if err := json.NewDecoder(result).Decode(&run.Result); err != nil {
		return nil, fmt.Errorf("reading the result of run %s: %w", run.RunID, err)
	}
	return run, nil
}

// get returns an item as it is now, or nil.
func (r *runs) get(ctx context.Context, key item) (item, error) {
	db, err := r.db(ctx)
	if err != nil {
		return nil, err
	}
	out, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(r.table(runTable)), Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, awsapi.Error(ctx, "reading the table "+r.table(runTable), err)
	}
	return out.Item, nil
}

// ofID returns the run of that id, or nil.
func (r *runs) ofID(ctx context.Context, runID string) (*ceap.Run, error) {
	record, err := r.get(ctx, runKey(runID))
	if err != nil || record == nil {
		return nil, err
	}
	return runOf(record)
}

// Find implements [store.Runs]. Runs asked for by RunID, or by program,
// marketplace and batch, are as they are now; others may be some moments old.
func (r *runs) Find(ctx context.Context, q store.RunQuery) ([]ceap.Run, error) {
	if q.Limit == 0 {
		q.Limit = 100
	}
	runID := q.RunID
	switch {
	case runID != "":
	case q.ProgramID != "" && q.Marketplace != "" && q.BatchID != "":
		pointer, err := r.get(ctx, batchKey(ceap.RunResult{ProgramID: q.ProgramID, Marketplace: q.Marketplace, BatchID: q.BatchID}))
		if err != nil || pointer == nil {
			return nil, err
		}
		runID = textOf(pointer, "runId")
	default:
		return r.query(ctx, q)
	}
	run, err := r.ofID(ctx, runID)
	if err != nil || run == nil || !matches(run.Result, q) {
		return nil, err
	}
	return []ceap.Run{*run}, nil
}

func matches(res ceap.RunResult, q store.RunQuery) bool {
	for _, pair := range [...][2]string{
		{q.ProgramID, res.ProgramID}, {q.Marketplace, res.Marketplace}, {q.BatchID, res.BatchID}, {string(q.Status), string(res.Status)},
	} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return true
}

// query reads an index, latest first.
func (r *runs) query(ctx context.Context, q store.RunQuery) ([]ceap.Run, error) {
	doing := "reading the table " + r.table(runTable)
	db, err := r.db(ctx)
	if err != nil {
		return nil, err
	}
	pages := dynamodb.NewQueryPaginator(db, r.queryInput(q))
	var out []ceap.Run
	for len(out) < q.Limit && pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awsapi.Error(ctx, doing, err)
		}
		for _, record := range page.Items[:min(len(page.Items), q.Limit-len(out))] {
			run, err := runOf(record)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", doing, err)
			}
			out = append(out, *run)
		}
	}
	return out, nil
}

func (r *runs) queryInput(q store.RunQuery) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{
		TableName: aws.String(r.table(runTable)), IndexName: aws.String(startedIndex), ScanIndexForward: aws.Bool(false),
		KeyConditionExpression: aws.String(startedIndex + "PK = :partition"), ExpressionAttributeValues: item{":partition": text(allRuns)},
	}
	if q.ProgramID != "" {
		in.IndexName, in.KeyConditionExpression = aws.String(programStartedIndex), aws.String(programStartedIndex+"PK = :partition")
		in.ExpressionAttributeValues[":partition"] = text("PROG#" + escape(q.ProgramID))
	}
	var filters []string
	for _, f := range [...]struct{ attribute, value string }{
		{"marketplace", q.Marketplace}, {"batchId", q.BatchID}, {"status", string(q.Status)},
	} {
		if f.value == "" {
			continue
		}
		if in.ExpressionAttributeNames == nil {
			in.ExpressionAttributeNames = map[string]string{}
		}
		in.ExpressionAttributeNames["#"+f.attribute] = f.attribute
		in.ExpressionAttributeValues[":"+f.attribute] = text(f.value)
		filters = append(filters, fmt.Sprintf("#%[1]s = :%[1]s", f.attribute))
	}
	if len(filters) == 0 {
		// Of a page that is filtered, nobody knows how much is left of it.
		in.Limit = aws.Int32(int32(min(q.Limit, 1000))) //nolint:gosec // bounded
		return in
	}
	in.FilterExpression = aws.String(strings.Join(filters, " AND "))
	return in
}

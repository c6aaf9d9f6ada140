package awstest_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
)

// count returns how many items the table has.
func count(t *testing.T, db *dynamodb.Client, table string) int32 {
	t.Helper()
	out, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(table), Select: types.SelectCount})
	if err != nil {
		t.Fatal(err)
	}
	return out.Count
}

func TestInject_leave(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	db := dynamodb.NewFromConfig(cloud.Config)
	table := newTable(t, cloud)
	cloud.Inject(awstest.Fault{On: "dynamodb.BatchWriteItem", Times: 1, Do: awstest.Leave(3)})
	cloud.Inject(awstest.Fault{On: "dynamodb.BatchGetItem", Times: 1, Do: awstest.Leave(2)})

	written, err := db.BatchWriteItem(t.Context(), puts(table, 10))
	if err != nil {
		t.Fatal(err)
	}
	if got := count(t, db, table); got != 7 {
		t.Errorf("%d items were written, not 7", got)
	}
	left := written.UnprocessedItems
	if len(left[table]) != 3 {
		t.Fatalf("%d items are unprocessed, not 3", len(left[table]))
	}
	again, err := db.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: left})
	if err != nil || len(again.UnprocessedItems) != 0 {
		t.Fatalf("the leftovers: %v, %d unprocessed", err, len(again.UnprocessedItems))
	}
	if got := count(t, db, table); got != 10 {
		t.Errorf("with the leftovers %d items were written, not 10", got)
	}

	read, err := db.BatchGetItem(t.Context(), gets(table, 5))
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Responses[table]) != 3 || len(read.UnprocessedKeys[table].Keys) != 2 {
		t.Errorf("%d items were read and %d left; want 3 and 2", len(read.Responses[table]), len(read.UnprocessedKeys[table].Keys))
	}
}

func TestInject_leaveAll(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	db := dynamodb.NewFromConfig(cloud.Config)
	table := newTable(t, cloud)
	cloud.Inject(awstest.Fault{On: "dynamodb.BatchWriteItem", Do: awstest.Leave(25)})
	input := puts(table, 4)
	written, err := db.BatchWriteItem(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	if got := count(t, db, table); got != 0 {
		t.Errorf("%d items were written, not 0", got)
	}
	if diff := cmp.Diff(len(input.RequestItems[table]), len(written.UnprocessedItems[table])); diff != "" {
		t.Errorf("unprocessed (-want +got):\n%s", diff)
	}
}

func TestInject_loseAnswer(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	lost := cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Times: 1, Do: awstest.LoseAnswer()})
	table := newTable(t, cloud)
	put := &dynamodb.PutItemInput{TableName: aws.String(table), Item: key(1), ConditionExpression: aws.String("attribute_not_exists(PK)")}
	// The SDK tries again, and meets what its first try has written.
	_, err := dynamodb.NewFromConfig(cloud.Config).PutItem(t.Context(), put)
	if code := awsapi.Code(err); code != "ConditionalCheckFailedException" {
		t.Errorf("after a lost answer the second try ended with %v", err)
	}
	if lost.Hits() != 1 {
		t.Errorf("%d answers were lost, not 1", lost.Hits())
	}
	if got := cloud.Count("dynamodb.PutItem"); got != 2 {
		t.Errorf("there were %d calls, not 2", got)
	}
}

func TestInject_drop(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	db := dynamodb.NewFromConfig(once(cloud.Config))
	table := newTable(t, cloud)
	cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Do: awstest.Drop()})
	if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: key(1)}); err == nil || awsapi.Code(err) != "" {
		t.Errorf("a broken connection: %v", err)
	}
	if got := count(t, db, table); got != 0 {
		t.Errorf("%d items were written, not 0", got)
	}
}

func TestInject_refusals(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	config := once(cloud.Config)
	db, objects := dynamodb.NewFromConfig(config), awsapi.S3(config)
	bucket := cloud.Unique("refusals")
	if _, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	cloud.Inject(awstest.Fault{On: "dynamodb.ListTables", Times: 1, Do: awstest.Throttle()})
	cloud.Inject(awstest.Fault{On: "dynamodb.ListTables", Times: 1, Do: awstest.Answer(http.StatusInternalServerError, "InternalServerError")})
	cloud.Inject(awstest.Fault{On: "s3.PutObject", Skip: 1, Times: 1, Do: awstest.Throttle()})
	cloud.Inject(awstest.Fault{
		On: "s3.PutObject", If: func(c *awstest.Call) bool { return c.Name == "/"+bucket+"/denied" },
		Do: awstest.Answer(http.StatusForbidden, "AccessDenied"),
	})
	var got []string
	for range 3 {
		_, err := db.ListTables(t.Context(), &dynamodb.ListTablesInput{})
		got = append(got, awsapi.Code(err))
	}
	for _, name := range []string{"a", "b", "c", "denied"} {
		_, err := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(name), Body: bytes.NewReader([]byte("x"))})
		got = append(got, awsapi.Code(err))
	}
	want := []string{"ProvisionedThroughputExceededException", "InternalServerError", "", "", "SlowDown", "", "AccessDenied"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

func TestInject_slow(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	db := dynamodb.NewFromConfig(once(cloud.Config))
	slow := cloud.Inject(awstest.Fault{On: "dynamodb.ListTables", Skip: 0, Times: 1, Do: awstest.Slow(time.Hour)})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := db.ListTables(ctx, &dynamodb.ListTablesInput{}); err == nil {
		t.Error("an answer that takes an hour came at once")
	}
	if slow.Hits() != 1 {
		t.Errorf("%d answers were slow, not 1", slow.Hits())
	}
}

func TestInject_onlyOwnRequests(t *testing.T) {
	t.Parallel()
	mine, other := awstest.Start(t), awstest.Start(t)
	mine.Inject(awstest.Fault{On: "dynamodb.ListTables", Do: awstest.Throttle()})
	if _, err := dynamodb.NewFromConfig(once(other.Config)).ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
		t.Errorf("the fault of one Cloud hurt another: %v", err)
	}
	if _, err := dynamodb.NewFromConfig(once(mine.Config)).ListTables(t.Context(), &dynamodb.ListTablesInput{}); err == nil {
		t.Error("the fault did not happen")
	}
}

func TestClose_unusedFault(t *testing.T) {
	t.Parallel()
	awstest.Start(t) // skips without the emulator
	cloud, err := awstest.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Do: awstest.Throttle()})
	for range 2 {
		if err := cloud.Close(); err == nil || !strings.Contains(err.Error(), "dynamodb.PutItem never happened") {
			t.Errorf("closing with a fault that never happened: %v", err)
		}
	}
}

package awstest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
)

// TestLaxness pins where moto is laxer than AWS, or lacks something. A case that
// fails after an upgrade tells that a rule of ours can go.
//
// No case for what only time can show: moto never deletes by TTL and never fires a
// schedule.
func TestLaxness(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	direct := cloud.BehindProxy(t)
	db, queries := dynamodb.NewFromConfig(direct), athena.NewFromConfig(direct)

	t.Run("BatchWriteItem takes more than 25 and leaves none", func(t *testing.T) {
		t.Parallel()
		table := newTable(t, cloud)
		out, err := db.BatchWriteItem(t.Context(), puts(table, 40))
		if err != nil || len(out.UnprocessedItems) != 0 {
			t.Errorf("%v, %d left", err, len(out.UnprocessedItems))
		}
	})
	t.Run("an item below 400 KB is refused", func(t *testing.T) {
		t.Parallel()
		item := key(1)
		item["v"] = &types.AttributeValueMemberS{Value: strings.Repeat("x", 406_000)}
		table := newTable(t, cloud)
		if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err == nil {
			t.Error("moto takes it now")
		}
	})
	t.Run("TransactWriteItems ignores the token", func(t *testing.T) {
		t.Parallel()
		table := newTable(t, cloud)
		for range 2 {
			_, err := db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
				ClientRequestToken: aws.String("token"),
				TransactItems: []types.TransactWriteItem{{Update: &types.Update{
					TableName: &table, Key: key(1), UpdateExpression: aws.String("ADD n :one"),
					ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
				}}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: key(1)})
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := got.Item["n"].(*types.AttributeValueMemberN); !ok || n.Value != "2" {
			t.Errorf("n is %v", got.Item["n"])
		}
	})
	t.Run("Athena ignores the token, the size of a page and the SQL", func(t *testing.T) {
		t.Parallel()
		start := func(query string) *string {
			out, err := queries.StartQueryExecution(t.Context(), &athena.StartQueryExecutionInput{
				QueryString: &query, ClientRequestToken: aws.String(strings.Repeat("l", 32)),
			})
			if err != nil {
				t.Fatal(err)
			}
			return out.QueryExecutionId
		}
		one, two := start("no SQL at all"), start("no SQL at all")
		if *one == *two {
			t.Error("moto knows the token now")
		}
		if _, err := queries.GetQueryResults(t.Context(), &athena.GetQueryResultsInput{QueryExecutionId: one, MaxResults: aws.Int32(5000)}); err != nil {
			t.Errorf("moto bounds pages now: %v", err)
		}
		if _, err := queries.BatchGetQueryExecution(t.Context(), &athena.BatchGetQueryExecutionInput{QueryExecutionIds: []string{*one}}); err == nil {
			t.Error("moto has BatchGetQueryExecution now")
		}
	})
	t.Run("Athena ends every query with success at once", func(t *testing.T) {
		t.Parallel()
		out, err := queries.StartQueryExecution(t.Context(), &athena.StartQueryExecutionInput{QueryString: aws.String("SELECT FROM WHERE")})
		if err != nil {
			t.Fatal(err)
		}
		got, err := queries.GetQueryExecution(t.Context(), &athena.GetQueryExecutionInput{QueryExecutionId: out.QueryExecutionId})
		if err != nil {
			t.Fatal(err)
		}
		if state := string(got.QueryExecution.Status.State); state != "SUCCEEDED" && state != "QUEUED" {
			t.Errorf("the state is %s", state)
		}
	})
	t.Run("a Map ignores ToleratedFailureCount", func(t *testing.T) {
		t.Parallel()
		bucket := bucketWith(t, cloud, "parts.json", `[{"id": "p-1"}]`)
		definition := strings.Replace(mapMachine(bucket, "parts.json", cloud.Unique("none")), `"ToleratedFailureCount": 10000`, `"ToleratedFailureCount": 0`, 1)
		if got := execute(t, cloud, definition, `{}`); got.Status != sfntypes.ExecutionStatusSucceeded {
			t.Errorf("%s: moto counts failures now", got.Status)
		}
	})
	t.Run("a point-in-time export fails", func(t *testing.T) {
		t.Parallel()
		table := newTable(t, cloud)
		arn := "arn:aws:dynamodb:us-east-1:123456789012:table/" + table
		out, err := db.ExportTableToPointInTime(t.Context(), &dynamodb.ExportTableToPointInTimeInput{TableArn: &arn, S3Bucket: aws.String(bucketWith(t, cloud, "x", ""))})
		if err == nil && out.ExportDescription.ExportStatus == types.ExportStatusCompleted {
			t.Error("moto exports now")
		}
	})
	t.Run("the Scheduler takes a target that is not there", func(t *testing.T) {
		t.Parallel()
		_, err := scheduler.NewFromConfig(direct).CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
			Name: aws.String(cloud.Unique("schedule")), ScheduleExpression: aws.String("rate(1 minute)"),
			FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
			Target: &schedulertypes.Target{
				Arn: aws.String("arn:aws:lambda:us-east-1:123456789012:function:none"), RoleArn: aws.String("arn:aws:iam::123456789012:role/none"),
			},
		})
		if err != nil {
			t.Errorf("moto looks for the target now: %v", err)
		}
	})
	t.Run("signatures are not checked", func(t *testing.T) {
		t.Parallel()
		body, err := json.Marshal(map[string]any{})
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, *direct.BaseEndpoint, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
		request.Header.Set("Content-Type", "application/x-amz-json-1.0")
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=nobody/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none")
		response, err := direct.HTTPClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s, %v", response.Status, text, err)
		}
	})
}

// The limits that moto does know, so that the proxy need not.
func TestMotoLimits(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	db := dynamodb.NewFromConfig(cloud.BehindProxy(t))
	table := newTable(t, cloud)
	conditional := &dynamodb.PutItemInput{
		TableName: &table, Item: key(1), ConditionExpression: aws.String("attribute_not_exists(PK)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if _, err := db.PutItem(t.Context(), conditional); err != nil {
		t.Fatal(err)
	}
	if _, err := db.PutItem(t.Context(), conditional); awsapi.Code(err) != "ConditionalCheckFailedException" {
		t.Errorf("a condition that does not hold: %v", err)
	}
}

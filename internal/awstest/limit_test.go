package awstest_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sagemakerruntime"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
)

// newTable makes a table with the keys PK and SK and returns its name.
func newTable(t *testing.T, cloud *awstest.Cloud) string {
	t.Helper()
	name := cloud.Unique("table")
	_, err := dynamodb.NewFromConfig(cloud.Config).CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:   aws.String(name),
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("PK"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("SK"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("PK"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("SK"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func key(number int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"PK": &types.AttributeValueMemberS{Value: fmt.Sprintf("CUST#%03d", number)},
		"SK": &types.AttributeValueMemberS{Value: "S"},
	}
}

func puts(table string, count int) *dynamodb.BatchWriteItemInput {
	var writes []types.WriteRequest
	for i := range count {
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: key(i)}})
	}
	return &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: writes}}
}

func gets(table string, count int) *dynamodb.BatchGetItemInput {
	var keys []map[string]types.AttributeValue
	for i := range count {
		keys = append(keys, key(i))
	}
	return &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{table: {Keys: keys}}}
}

// once is for clients that must not try again.
func once(config aws.Config) aws.Config {
	config.RetryMaxAttempts = 1
	return config
}

func TestLimits(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	config := once(cloud.Config)
	db, functions := dynamodb.NewFromConfig(config), lambda.NewFromConfig(config)
	queries, executions, streams := athena.NewFromConfig(config), sfn.NewFromConfig(config), kinesis.NewFromConfig(config)
	table, echo, stream := newTable(t, cloud), cloud.Unique("echo"), cloud.Unique("stream")
	cloud.HandleFunction(echo, func(_ context.Context, payload []byte) ([]byte, error) { return payload, nil })
	invoke := func(size int, how lambdatypes.InvocationType) func(context.Context) error {
		return func(ctx context.Context) error {
			payload := append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, size-2)...), '"')
			_, err := functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(echo), Payload: payload, InvocationType: how})
			return err
		}
	}
	batchWrite := func(count int) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := db.BatchWriteItem(ctx, puts(table, count))
			return err
		}
	}
	batchGet := func(count int) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := db.BatchGetItem(ctx, gets(table, count))
			return err
		}
	}
	put := func(size int) func(context.Context) error {
		return func(ctx context.Context) error {
			item := key(0)
			item["v"] = &types.AttributeValueMemberS{Value: strings.Repeat("x", size-len("PKCUST#000SKSv"))}
			_, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(table), Item: item})
			return err
		}
	}
	transact := func(count int) func(context.Context) error {
		return func(ctx context.Context) error {
			input := &dynamodb.TransactWriteItemsInput{}
			for i := range count {
				input.TransactItems = append(input.TransactItems, types.TransactWriteItem{Put: &types.Put{TableName: aws.String(table), Item: key(i)}})
			}
			_, err := db.TransactWriteItems(ctx, input)
			return err
		}
	}
	query := func(size int, token string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := queries.StartQueryExecution(ctx, &athena.StartQueryExecutionInput{
				QueryString: aws.String(strings.Repeat("x", size)), ClientRequestToken: aws.String(token),
			})
			return err
		}
	}
	page := func(rows int32) func(context.Context) error {
		return func(ctx context.Context) error {
			started, err := queries.StartQueryExecution(ctx, &athena.StartQueryExecutionInput{QueryString: aws.String("SELECT 1")})
			if err != nil {
				return err
			}
			_, err = queries.GetQueryResults(ctx, &athena.GetQueryResultsInput{QueryExecutionId: started.QueryExecutionId, MaxResults: aws.Int32(rows)})
			return err
		}
	}
	records := func(count int) func(context.Context) error {
		return func(ctx context.Context) error {
			input := &kinesis.PutRecordsInput{StreamName: aws.String(stream)}
			for range count {
				input.Records = append(input.Records, kinesistypes.PutRecordsRequestEntry{Data: []byte("x"), PartitionKey: aws.String("k")})
			}
			_, err := streams.PutRecords(ctx, input)
			return err
		}
	}
	if _, err := streams.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String(stream), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	wait := lambdatypes.InvocationTypeRequestResponse
	unique := cloud.Unique("t")
	long := strings.Repeat("t", 128-len(unique)) + unique
	tests := []struct {
		name     string
		within   func(context.Context) error // nil if only the refusal matters
		beyond   func(context.Context) error
		wantCode string
	}{
		{"25 writes in a batch", batchWrite(25), batchWrite(26), "ValidationException"},
		{"100 keys in a batch", batchGet(100), batchGet(101), "ValidationException"},
		{"400 KB in an item", put(400_000), put(400<<10 + 1), "ValidationException"},
		{"100 actions in a transaction", transact(100), transact(101), "ValidationException"},
		{"6 MB in an invocation", invoke(6<<20, wait), invoke(6<<20+1, wait), "RequestTooLargeException"},
		{"1 MB in an asynchronous invocation", invoke(1<<20, lambdatypes.InvocationTypeEvent), invoke(1<<20+1, lambdatypes.InvocationTypeEvent), "RequestTooLargeException"},
		{"262144 bytes in a query", query(262144, long), query(262145, strings.Repeat("b", 32)), "InvalidRequestException"},
		{"32 characters in a token", query(10, long[:32]), query(10, strings.Repeat("d", 31)), "InvalidRequestException"},
		{"1000 rows in a page", page(1000), page(1001), "InvalidRequestException"},
		{"500 records in a put", records(500), records(501), "ValidationException"},
		{"256 KiB of input for an execution", nil, func(ctx context.Context) error {
			_, err := executions.StartExecution(ctx, &sfn.StartExecutionInput{
				StateMachineArn: aws.String("arn:aws:states:us-east-1:123456789012:stateMachine:none"), Input: aws.String(`"` + strings.Repeat("x", 256<<10) + `"`),
			})
			return err
		}, "ValidationException"},
		{"6 MB for an endpoint", nil, func(ctx context.Context) error {
			_, err := sagemakerruntime.NewFromConfig(config).InvokeEndpoint(ctx, &sagemakerruntime.InvokeEndpointInput{
				EndpointName: aws.String("limits"), Body: bytes.Repeat([]byte{'x'}, 6<<20+1),
			})
			return err
		}, "ValidationException"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.within != nil {
				if err := test.within(t.Context()); err != nil {
					t.Errorf("at the limit: %v", err)
				}
			}
			if err := test.beyond(t.Context()); awsapi.Code(err) != test.wantCode {
				t.Errorf("beyond the limit: %v; want %s", err, test.wantCode)
			}
		})
	}
}

func TestLimits_itemTwiceInBatch(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	table := newTable(t, cloud)
	twice := puts(table, 1)
	twice.RequestItems[table] = append(twice.RequestItems[table], twice.RequestItems[table][0])
	if _, err := dynamodb.NewFromConfig(cloud.Config).BatchWriteItem(t.Context(), twice); awsapi.Code(err) != "ValidationException" {
		t.Errorf("%v", err)
	}
}

func TestLimits_itemInBatch(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	db, table := dynamodb.NewFromConfig(once(cloud.Config)), newTable(t, cloud)
	input := puts(table, 1)
	input.RequestItems[table][0].PutRequest.Item["v"] = &types.AttributeValueMemberS{Value: strings.Repeat("x", 400<<10)}
	if _, err := db.BatchWriteItem(t.Context(), input); awsapi.Code(err) != "ValidationException" {
		t.Errorf("an item of more than 400 KB in a batch: %v; want ValidationException", err)
	}
}

func TestTransactWriteItems_token(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	db := dynamodb.NewFromConfig(once(cloud.Config))
	tokens, token := newTable(t, cloud), cloud.Unique("token")
	add := func(table, by string) error {
		_, err := db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
			ClientRequestToken: aws.String(token),
			TransactItems: []types.TransactWriteItem{{Update: &types.Update{
				TableName: aws.String(table), Key: key(1), UpdateExpression: aws.String("ADD n :by"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":by": &types.AttributeValueMemberN{Value: by}},
			}}},
		})
		return err
	}
	if err := add("none", "1"); err == nil {
		t.Fatal("a transaction on no table was accepted")
	}
	for range 3 { // a refused request leaves its token free
		if err := add(tokens, "1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(tokens, "2"); awsapi.Code(err) != "IdempotentParameterMismatchException" {
		t.Errorf("other parameters with the same token: %v", err)
	}
	got, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(tokens), Key: key(1)})
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := got.Item["n"].(*types.AttributeValueMemberN); !ok || n.Value != "1" {
		t.Errorf("three requests with one token added up to %v, not 1", got.Item["n"])
	}
}

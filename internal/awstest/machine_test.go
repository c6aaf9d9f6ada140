package awstest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
)

// execute runs a state machine over the input until it ends.
func execute(t *testing.T, cloud *awstest.Cloud, definition, input string) *sfn.DescribeExecutionOutput {
	t.Helper()
	client := sfn.NewFromConfig(cloud.Config)
	machine, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String(cloud.Unique("machine")), Definition: &definition, RoleArn: aws.String("arn:aws:iam::123456789012:role/states"),
	})
	if err != nil {
		t.Fatal(err)
	}
	started, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: machine.StateMachineArn, Input: &input})
	if err != nil {
		t.Fatal(err)
	}
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		got, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn})
		if err != nil {
			t.Fatal(err)
		}
		if got.Status != sfntypes.ExecutionStatusRunning {
			return got
		}
		select {
		case <-poll.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// task is a machine of one state, which invokes the function with its input.
func task(function string) string {
	return fmt.Sprintf(`{"StartAt": "Do", "States": {"Do": {
		"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
		"Parameters": {"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:%s", "Payload.$": "$"},
		"OutputPath": "$.Payload",
		"Retry": [{"ErrorEquals": ["CeapTransient"], "IntervalSeconds": 1, "MaxAttempts": 2}]
	}}}`, function)
}

func TestStateMachine_callsFunctions(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	name := cloud.Unique("task")
	tries := 0
	cloud.HandleFunction(name, func(_ context.Context, payload []byte) ([]byte, error) {
		if tries++; tries == 1 {
			return nil, messages.InvokeResponse_Error{Type: "CeapTransient", Message: "later"}
		}
		return payload, nil
	})
	got := execute(t, cloud, task(name), `{"a": 1}`)
	if got.Status != sfntypes.ExecutionStatusSucceeded || aws.ToString(got.Output) != `{"a": 1}` || tries != 2 {
		t.Errorf("%s after %d tries: output %s, cause %s", got.Status, tries, aws.ToString(got.Output), aws.ToString(got.Cause))
	}
}

func TestStateMachine_stateData(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	answer, take := cloud.Unique("answer"), cloud.Unique("take")
	cloud.HandleFunction(answer, func(_ context.Context, payload []byte) ([]byte, error) {
		var size int
		if err := json.Unmarshal(payload, &size); err != nil {
			return nil, err
		}
		return []byte(`"` + strings.Repeat("x", size-2) + `"`), nil
	})
	cloud.HandleFunction(take, func(_ context.Context, payload []byte) ([]byte, error) { return fmt.Append(nil, len(payload)), nil })
	given := func(size int) string { return `"` + strings.Repeat("x", size-2) + `"` }
	// What the interpreter writes with spaces counts without.
	list := "[" + strings.TrimSuffix(strings.Repeat("1,", 100_000), ",") + "]"
	tests := []struct {
		name, definition, input, want string
	}{
		{"a result below the limit", task(answer), fmt.Sprint(255 << 10), ""},
		{"a result beyond the limit", task(answer), fmt.Sprint(256<<10 + 1), "States.DataLimitExceeded"},
		{"a result of more than 6 MB", task(answer), fmt.Sprint(6<<20 + 1_000), "Function.ResponseSizeTooLarge"},
		{"an input at the limit", task(take), given(256 << 10), ""},
		{"an input at the limit, with spaces", task(take), list, ""},
		{"an input beyond the limit", strings.Replace(task(take), `"Payload.$": "$"`, `"Payload": {"twice.$": "$", "once.$": "$"}`, 1), given(200 << 10), "States.DataLimitExceeded"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, cloud, test.definition, test.input)
			if (got.Status == sfntypes.ExecutionStatusSucceeded) != (test.want == "") || aws.ToString(got.Error) != test.want {
				t.Errorf("%s: %q, %s", got.Status, aws.ToString(got.Error), aws.ToString(got.Cause))
			}
		})
	}
}

// mapMachine invokes the function for each item of a list in S3.
func mapMachine(bucket, key, function string) string {
	return fmt.Sprintf(`{"StartAt": "Parts", "States": {"Parts": {
		"Type": "Map", "MaxConcurrency": 4, "ToleratedFailureCount": 10000, "End": true, "ResultPath": null,
		"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"}, "Parameters": {"Bucket": %q, "Key": %q}},
		"ItemSelector": {"part.$": "$$.Map.Item.Value"},
		"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Part", "States": {"Part": {
			"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
			"Parameters": {"FunctionName": %q, "Payload.$": "$"}}}},
		"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": %q, "Prefix": "map-runs"}}
	}}}`, bucket, key, function, bucket)
}

// bucketWith makes a bucket with one object and returns its name.
func bucketWith(t *testing.T, cloud *awstest.Cloud, key, content string) string {
	t.Helper()
	objects, bucket := awsapi.S3(cloud.Config), cloud.Unique("bucket")
	if _, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader([]byte(content))}); err != nil {
		t.Fatal(err)
	}
	return bucket
}

func TestStateMachine_mapsOverObject(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	bucket, name := bucketWith(t, cloud, "parts.json", `[{"id": "p-1"}, {"id": "p-2"}, {"id": "p-3"}]`), cloud.Unique("part")
	var mu sync.Mutex
	seen := map[string]int{}
	cloud.HandleFunction(name, func(_ context.Context, payload []byte) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		seen[string(payload)]++
		return payload, nil
	})
	cloud.Inject(awstest.Fault{
		On: "lambda.Invoke", If: func(c *awstest.Call) bool { return strings.Contains(string(c.Body), "p-2") }, Do: awstest.Crash(),
	})
	// A child that dies is tolerated, as on AWS.
	if got := execute(t, cloud, mapMachine(bucket, "parts.json", name), `{}`); got.Status != sfntypes.ExecutionStatusSucceeded {
		t.Fatalf("%s: %s %s", got.Status, aws.ToString(got.Error), aws.ToString(got.Cause))
	}
	if diff := cmp.Diff(map[string]int{`{"part": {"id": "p-1"}}`: 1, `{"part": {"id": "p-3"}}`: 1}, seen); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
}

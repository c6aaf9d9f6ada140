package awstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
)

// TestMain is also the bootstrap of the functions of these tests: Lambda's runtime
// API says which it is.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		lambda.Start(process)
	}
	if os.Getenv("CEAP_TEST_ORPHAN") != "" {
		waitToBeKilled()
	}
	goleak.VerifyTestMain(m, awstest.Leaks()...)
}

// event is what process is told to do.
type event struct {
	Do    string `json:"do"`
	Table string `json:"table"`
}

func process(ctx context.Context, e event) (map[string]any, error) {
	switch e.Do {
	case "exit":
		fmt.Println("last words")
		os.Exit(3)
	case "fail":
		return nil, messages.InvokeResponse_Error{Type: "CeapTransient", Message: "try again"}
	case "hang":
		select {} // until it is killed
	case "put":
		c, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, err
		}
		db := dynamodb.NewFromConfig(c)
		for i := range 10 {
			if _, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(e.Table), Item: key(i)}); err != nil {
				return nil, err
			}
		}
	}
	deadline, ok := ctx.Deadline()
	lc, _ := lambdacontext.FromContext(ctx)
	return map[string]any{
		"pid": os.Getpid(), "handler": os.Getenv("_HANDLER"), "stage": os.Getenv("CEAP_STAGE"),
		"deadline": ok && time.Until(deadline) > 0, "arn": lc.InvokedFunctionArn, "id": lc.AwsRequestID != "",
	}, nil
}

// invoke returns the answer of a function, and its error.
func invoke(t *testing.T, cloud *awstest.Cloud, name, payload string) (string, map[string]any) {
	t.Helper()
	out, err := awslambda.NewFromConfig(once(cloud.Config)).Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String(name), Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(out.Payload, &body); err != nil {
		t.Fatalf("%v: %s", err, out.Payload)
	}
	if out.FunctionError != nil {
		return fmt.Sprint(body["errorType"]), body
	}
	return "", body
}

func TestHandleFunction(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	cloud.HandleFunction("handle-ok", lambda.NewHandler(process).Invoke)
	cloud.HandleFunction("handle-error", func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no") })
	cloud.HandleFunction("handle-typed", func(context.Context, []byte) ([]byte, error) {
		return nil, fmt.Errorf("wrapped: %w", messages.InvokeResponse_Error{Type: "CeapInvalid", Message: "bad"})
	})
	cloud.HandleFunction("handle-panic", func(context.Context, []byte) ([]byte, error) { panic("ouch") })

	failure, body := invoke(t, cloud, "handle-ok", `{}`)
	want := map[string]any{
		"pid": float64(os.Getpid()), "handler": "", "stage": "", "deadline": true, "id": true,
		"arn": "arn:aws:lambda:us-east-1:123456789012:function:handle-ok",
	}
	if diff := cmp.Diff(want, body); diff != "" || failure != "" {
		t.Errorf("%s (-want +got):\n%s", failure, diff)
	}
	if _, body := invoke(t, cloud, "arn:aws:lambda:us-east-1:123456789012:function:handle-ok", `{}`); body["id"] != true {
		t.Errorf("invoked by ARN: %v", body)
	}
	for name, want := range map[string]string{"handle-error": "errorString", "handle-typed": "CeapInvalid", "handle-panic": "string"} {
		if failure, body := invoke(t, cloud, name, `{}`); failure != want {
			t.Errorf("%s failed with %q (%v), not %q", name, failure, body, want)
		}
	}
	_, err := awslambda.NewFromConfig(once(cloud.Config)).Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("handle-none")})
	if awsapi.Code(err) != "ResourceNotFoundException" {
		t.Errorf("a function that is not there: %v", err)
	}
	list, err := awslambda.NewFromConfig(cloud.Config).ListFunctions(t.Context(), &awslambda.ListFunctionsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list.Functions {
		names = append(names, aws.ToString(f.FunctionName))
	}
	if diff := cmp.Diff([]string{"handle-error", "handle-ok", "handle-panic", "handle-typed"}, names); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
}

func TestHandleFunction_asynchronous(t *testing.T) {
	t.Parallel()
	awstest.Start(t)
	cloud, err := awstest.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	release := make(chan struct{})
	cloud.HandleFunction("async", func(context.Context, []byte) ([]byte, error) {
		<-release
		done.Store(true)
		return nil, nil
	})
	_, err = awslambda.NewFromConfig(cloud.Config).Invoke(t.Context(), &awslambda.InvokeInput{
		FunctionName: aws.String("async"), InvocationType: lambdatypes.InvocationTypeEvent, Payload: []byte(`{}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	close(release)
	if err := cloud.Close(); err != nil {
		t.Fatal(err)
	}
	if !done.Load() {
		t.Error("Close did not wait for an asynchronous invocation")
	}
}

func TestInject_crash(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	var runs atomic.Int32
	cloud.HandleFunction("crash", func(_ context.Context, payload []byte) ([]byte, error) {
		runs.Add(1)
		return payload, nil
	})
	cloud.Inject(awstest.Fault{
		On: "lambda.Invoke", If: func(c *awstest.Call) bool { return strings.Contains(string(c.Body), "p-0002") },
		Times: 2, Do: awstest.Crash(),
	})
	cloud.Inject(awstest.Fault{
		On: "lambda.Invoke", If: func(c *awstest.Call) bool { return c.Name == "crash" && strings.Contains(string(c.Body), "p-0003") },
		Times: 1, Do: awstest.CrashLate(),
	})
	var failures []string
	for _, part := range []string{"p-0001", "p-0002", "p-0002", "p-0002", "p-0003", "p-0003"} {
		failure, _ := invoke(t, cloud, "crash", `{"id":"`+part+`"}`)
		failures = append(failures, failure)
	}
	const exit = "Runtime.ExitError"
	if diff := cmp.Diff([]string{"", exit, exit, "", exit, ""}, failures); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	if runs.Load() != 4 { // the late crash did its work
		t.Errorf("the handler ran %d times, not 4", runs.Load())
	}
}

func bootstrap(t *testing.T, cloud *awstest.Cloud, name string, instances int) *awstest.Runtime {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return cloud.RunBootstrap(awstest.Bootstrap{
		Name: name, Path: path, Handler: "part", Env: []string{"CEAP_STAGE=test"}, Instances: instances, Timeout: 20 * time.Second,
	})
}

func TestRunBootstrap(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	rt := bootstrap(t, cloud, "boot", 1)
	_, first := invoke(t, cloud, "boot", `{}`)
	_, second := invoke(t, cloud, "boot", `{}`)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the second event met another process (-first +second):\n%s", diff)
	}
	if first["handler"] != "part" || first["stage"] != "test" || first["deadline"] != true || first["pid"] == float64(os.Getpid()) {
		t.Errorf("the process saw %v", first)
	}
	if failure, body := invoke(t, cloud, "boot", `{"do":"fail"}`); failure != "CeapTransient" || body["errorMessage"] != "try again" {
		t.Errorf("a failing event: %s %v", failure, body)
	}
	if failure, body := invoke(t, cloud, "boot", `{"do":"exit"}`); failure != "Runtime.ExitError" || !strings.Contains(fmt.Sprint(body["errorMessage"]), "exit status 3") {
		t.Errorf("a dying process: %s %v", failure, body)
	}
	if _, third := invoke(t, cloud, "boot", `{}`); third["pid"] == first["pid"] {
		t.Error("the process that died answered")
	}
	if !strings.Contains(rt.Log(), "last words") || rt.Started() != 2 {
		t.Errorf("%d processes wrote %q", rt.Started(), rt.Log())
	}
}

func TestRunBootstrap_timeout(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cloud.RunBootstrap(awstest.Bootstrap{Name: "hang", Path: path, Timeout: 500 * time.Millisecond})
	if failure, body := invoke(t, cloud, "hang", `{"do":"hang"}`); failure != "Sandbox.Timedout" {
		t.Errorf("an event without end: %s %v", failure, body)
	}
}

func TestRunBootstrap_killed(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	db := dynamodb.NewFromConfig(cloud.Config)
	table := newTable(t, cloud)
	rt := bootstrap(t, cloud, "killed", 2)
	killed := cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Skip: 4, Times: 1, Do: awstest.KillCaller()})
	failure, _ := invoke(t, cloud, "killed", `{"do":"put","table":"`+table+`"}`)
	if failure != "Runtime.ExitError" || killed.Hits() != 1 {
		t.Errorf("the process was killed %d times and ended with %q", killed.Hits(), failure)
	}
	if got := count(t, db, table); got != 5 {
		t.Errorf("the process wrote %d items before it was killed, not 5", got)
	}
	if failure, body := invoke(t, cloud, "killed", `{"do":"put","table":"`+table+`"}`); failure != "" {
		t.Errorf("the next event: %s %v", failure, body)
	}
	if got := count(t, db, table); got != 10 || rt.Started() != 2 {
		t.Errorf("%d processes wrote %d items; want 2 and 10", rt.Started(), got)
	}
	cloud.Inject(awstest.Fault{On: "lambda.Invoke", Times: 1, Do: awstest.CrashLate()})
	if failure, _ := invoke(t, cloud, "killed", `{}`); failure != "Runtime.ExitError" {
		t.Errorf("the late crash ended with %q", failure)
	}
}

func TestRunBootstrap_missing(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	cloud.RunBootstrap(awstest.Bootstrap{Name: "missing", Path: "/nonexistent/bootstrap"})
	if failure, body := invoke(t, cloud, "missing", `{}`); failure != "Runtime.InvalidEntrypoint" {
		t.Errorf("an executable that is not there: %s %v", failure, body)
	}
}

package aws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
)

// scripted is the shipped state machine on an emulator, with functions that follow a
// script: what the real ones do with rows is not its concern. Its fields are set
// before it runs.
type scripted struct {
	parts, shards []string       // ids of what the steps parts and shards list
	checks        int            // how often the queries are asked for before they are done
	status        string         // of the run, if no part fails
	planned       map[string]any // what plan answers
	loseLists     bool           // write no lists of parts and shards

	cloud    *awstest.Cloud
	name     string
	partName string
	bucket   string

	mu       sync.Mutex
	failures map[string]*failure
	order    []string       // of the control function's steps that did not fail
	payloads map[string]any // the last one, by call
	count    map[string]int // of calls
	reported []string       // calls of the part function that did not fail
}

// failure is how the next calls fail.
type failure struct {
	kind  string
	times int
}

func newScripted(t *testing.T, name string) *scripted {
	t.Helper()
	s := &scripted{
		cloud: awstest.Start(t), name: "asl-" + name, partName: "asl-" + name + "-part", bucket: "asl-" + name, status: "SUCCEEDED",
		planned: map[string]any{"action": "run", "runId": "r-1", "folder": "runs/r-1/"},

		failures: map[string]*failure{}, payloads: map[string]any{}, count: map[string]int{},
	}
	files := awsapi.S3(s.cloud.Config)
	if _, err := files.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &s.bucket}); err != nil {
		t.Fatal(err)
	}
	s.cloud.HandleFunction(s.name+"-control", s.control)
	s.cloud.HandleFunction(s.partName, s.part)
	return s
}

// fail makes the next calls of a step, or of a part such as "extract p-0001", fail
// with a type of error.
func (s *scripted) fail(call, kind string, times int) { s.failures[call] = &failure{kind, times} }

// run starts the state machine with runInput and waits for its end.
func (s *scripted) run(t *testing.T) *sfn.DescribeExecutionOutput {
	t.Helper()
	definition, err := os.ReadFile(machineFile)
	if err != nil {
		t.Fatal(err)
	}
	const functions = "arn:aws:lambda:" + awstest.Region + ":" + awstest.Account + ":function:"
	text := strings.NewReplacer(
		"${ControlFunctionArn}", functions+s.name+"-control:live",
		"${PartFunctionArn}", functions+s.partName+":live",
		"${ArtifactsBucket}", s.bucket,
	).Replace(string(definition))
	client := sfn.NewFromConfig(s.cloud.Config)
	machine, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: &s.name, Definition: &text, RoleArn: sdk.String("arn:aws:iam::" + awstest.Account + ":role/states"),
	})
	if err != nil {
		t.Fatal(err)
	}
	started, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: machine.StateMachineArn, Name: sdk.String("x-1"), Input: sdk.String(runInput)})
	if err != nil {
		t.Fatal(err)
	}
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		e, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn})
		if err != nil {
			t.Fatal(err)
		}
		if e.Status != types.ExecutionStatusRunning {
			return e
		}
		select {
		case <-poll.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// note remembers a call, and returns the error with which it is to fail.
func (s *scripted) note(call string, payload any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.payloads[call] = payload
	s.count[call]++
	if f := s.failures[call]; f != nil && f.times > 0 {
		f.times--
		return messages.InvokeResponse_Error{Type: f.kind, Message: call + " fails as planned by the test"}
	}
	return nil
}

// control is the control function.
func (s *scripted) control(ctx context.Context, data []byte) ([]byte, error) {
	var payload map[string]any
	if err := json.Unmarshal(data, &payload); err != nil {
		return nil, err
	}
	step, _ := payload["step"].(string)
	if err := s.note(step, payload); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.order = append(s.order, step)
	s.mu.Unlock()
	answer, err := s.answer(ctx, step, payload)
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

func (s *scripted) answer(ctx context.Context, step string, payload map[string]any) (any, error) {
	switch step {
	case "plan":
		return s.planned, nil
	case "start":
		return map[string]any{"done": s.checks == 0, "waitSeconds": 1}, nil
	case "check":
		return map[string]any{"done": s.calls("check") >= s.checks, "waitSeconds": 1}, nil
	case "parts":
		return s.list(ctx, "parts.json", s.parts)
	case "shards":
		return s.list(ctx, "shards.json", s.shards)
	case "reduce":
		return s.reduce(object(payload["state"])), nil
	default:
		return nil, messages.InvokeResponse_Error{Type: "CeapInvalid", Message: "no step " + step}
	}
}

// list writes the list of a Map's items, as the control function does.
func (s *scripted) list(ctx context.Context, name string, ids []string) (any, error) {
	items := []map[string]any{}
	for _, id := range ids {
		items = append(items, map[string]any{"id": id, "rows": 5})
	}
	data, err := json.Marshal(items)
	if err != nil {
		return nil, err
	}
	key := "runs/r-1/" + name
	answer := map[string]any{"bucket": s.bucket, "key": key, "count": len(ids), "concurrency": 2}
	if s.loseLists {
		return answer, nil
	}
	_, err = awsapi.S3(s.cloud.Config).PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(data)})
	return answer, err
}

// reduce decides as the control function does: from a caught error, else from the
// reports that are missing.
func (s *scripted) reduce(state map[string]any) map[string]any {
	if caught := object(state["error"]); caught != nil {
		return map[string]any{"status": "FAILED", "error": caught["Error"], "cause": caught["Cause"], "result": json.RawMessage(s.result("FAILED"))}
	}
	done := s.done()
	var missing []string
	for step, ids := range map[string][]string{"extract ": s.parts, "store ": s.shards} {
		for _, id := range ids {
			if !slices.Contains(done, step+id) {
				missing = append(missing, step+id)
			}
		}
	}
	if len(missing) > 0 {
		return map[string]any{"status": "PARTIAL", "error": "CeapPartial", "cause": "no report of " + strings.Join(missing, ", "), "result": json.RawMessage(s.result("PARTIAL"))}
	}
	return map[string]any{"status": s.status, "error": "CeapFailed", "cause": "as planned", "result": json.RawMessage(s.result(s.status))}
}

// result is a run's result.
func (s *scripted) result(status string) []byte {
	return fmt.Appendf(nil, `{"runId":"r-1","batchId":"b-1","status":%q,"counts":{"extracted":10,"stored":10,"created":10},"warnings":[],"endedAt":"2026-01-28T00:00:00Z"}`, status)
}

// part is the part function.
func (s *scripted) part(_ context.Context, data []byte) ([]byte, error) {
	var payload map[string]any
	if err := json.Unmarshal(data, &payload); err != nil {
		return nil, err
	}
	id := object(payload["part"])["id"]
	call := fmt.Sprintf("%s %s", payload["step"], id)
	if err := s.note(call, payload); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.reported, call) {
		s.reported = append(s.reported, call)
	}
	return json.Marshal(map[string]any{"id": id, "ok": true})
}

// steps returns the steps of the control function that did not fail, in order.
func (s *scripted) steps() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

// done returns the parts that have a report, sorted.
func (s *scripted) done() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.reported))
}

// calls returns how often a call was made.
func (s *scripted) calls(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[call]
}

// payload returns the last payload of a call.
func (s *scripted) payload(call string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return object(s.payloads[call])
}

// Package stage is a deployment of CEAP on AWS, seen from outside of its
// functions: it starts, follows and stops executions of the state machine, and
// publishes what runs have brought. What a stage keeps is read through its store.
//
// A Stage is safe for concurrent use.
package stage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	events "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	states "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
)

// Stage is one deployment. Its name, such as dev, ends the names of what belongs
// to it.
type Stage struct {
	Name string

	load    func(context.Context) (aws.Config, error)
	mu      sync.Mutex
	account string // once it is known
}

// New returns the stage. It has no effects; load returns the configuration of
// the SDK.
func New(name string, load func(context.Context) (aws.Config, error)) *Stage {
	return &Stage{Name: name, load: load}
}

// StateMachine returns the name of the state machine.
func (s *Stage) StateMachine() string { return "CeapBatchIngestion-" + s.Name }

// Account returns the account that the credentials belong to.
func (s *Stage) Account(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.account != "" {
		return s.account, nil
	}
	c, err := s.load(ctx)
	if err != nil {
		return "", err
	}
	me, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", awsapi.Error(ctx, "asking who the AWS credentials belong to", err)
	}
	s.account = aws.ToString(me.Account)
	return s.account, nil
}

// arn returns the ARN of a resource of the stage's account and region.
func (s *Stage) arn(ctx context.Context, service, resource string) (string, error) {
	c, err := s.load(ctx)
	if err != nil {
		return "", err
	}
	account, err := s.Account(ctx)
	if err != nil {
		return "", err
	}
	partition := "aws"
	switch {
	case strings.HasPrefix(c.Region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(c.Region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", partition, service, c.Region, account, resource), nil
}

// machineARN returns the ARN of the state machine.
func (s *Stage) machineARN(ctx context.Context) (string, *sfn.Client, error) {
	c, err := s.load(ctx)
	if err != nil {
		return "", nil, err
	}
	arn, err := s.arn(ctx, "states", "stateMachine:"+s.StateMachine())
	return arn, sfn.NewFromConfig(c), err
}

// Execution is one execution of the state machine.
type Execution struct {
	ARN    string
	Status string // RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED
	Output string // the run's result as JSON, when it has succeeded
	Error  string // such as CeapFailed, when it has failed
	Cause  string // the run's result as JSON, when the run has failed; else words
}

// Done reports whether the execution has ended.
func (e Execution) Done() bool { return e.Status != string(states.ExecutionStatusRunning) }

// Result returns the run's result, if the execution has one.
func (e Execution) Result() (ceap.RunResult, bool) {
	for _, text := range []string{e.Output, e.Cause} {
		var res ceap.RunResult
		if json.Unmarshal([]byte(text), &res) == nil && res.RunID != "" {
			return res, true
		}
	}
	return ceap.RunResult{}, false
}

// Start starts an execution of that name, or follows the one that is running
// under it with the same input. Names are used once: when it is taken, the next
// of name-r2, name-r3, ... is. What is to be done for a batch that has been run
// before decides the run itself. Returns unavailable if there is no such stage.
func (s *Stage) Start(ctx context.Context, name string, in ceap.RunInput) (Execution, error) {
	arn, client, err := s.machineARN(ctx)
	if err != nil {
		return Execution{}, err
	}
	input, err := json.Marshal(in)
	if err != nil {
		return Execution{}, fmt.Errorf("encoding the input of an execution: %w", err)
	}
	const tries = 100
	for try := range tries {
		attempt := ExecutionName(name)
		if try > 0 {
			attempt = ExecutionName(fmt.Sprintf("%s-r%d", name, try+1))
		}
		out, err := client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &arn, Name: &attempt, Input: aws.String(string(input))})
		if err == nil {
			return Execution{ARN: aws.ToString(out.ExecutionArn), Status: string(states.ExecutionStatusRunning)}, nil
		}
		if _, exists := errors.AsType[*states.ExecutionAlreadyExists](err); !exists {
			return Execution{}, awsapi.Error(ctx, "starting "+s.StateMachine(), err)
		}
	}
	return Execution{}, ceap.Errorf(ceap.CodeConflict, "there are %d executions of the name %q", tries, name).WithHint("use another batchId")
}

// Describe says how an execution stands.
func (s *Stage) Describe(ctx context.Context, arn string) (Execution, error) {
	c, err := s.load(ctx)
	if err != nil {
		return Execution{}, err
	}
	out, err := sfn.NewFromConfig(c).DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	if err != nil {
		return Execution{}, awsapi.Error(ctx, "looking at the execution "+arn, err)
	}
	return Execution{
		ARN: arn, Status: string(out.Status), Output: aws.ToString(out.Output), Error: aws.ToString(out.Error), Cause: aws.ToString(out.Cause),
	}, nil
}

// Stop ends an execution. Its children end with it; the same batch, started
// again, goes on.
func (s *Stage) Stop(ctx context.Context, arn, why string) error {
	c, err := s.load(ctx)
	if err != nil {
		return err
	}
	_, err = sfn.NewFromConfig(c).StopExecution(ctx, &sfn.StopExecutionInput{
		ExecutionArn: &arn, Error: aws.String("CeapCancelled"), Cause: &why,
	})
	return awsapi.Error(ctx, "stopping the execution "+arn, err)
}

// maxExecutionName is the limit of Step Functions.
const maxExecutionName = 80

// ExecutionName returns name as an execution may be called: at most 80 letters,
// digits, - and _. Different names stay different.
func ExecutionName(name string) string {
	plain := regexp.MustCompile(`[^A-Za-z0-9_-]`).ReplaceAllString(name, "-")
	if plain == name && len(name) <= maxExecutionName && name != "" {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	tail := "-" + hex.EncodeToString(sum[:6])
	return plain[:min(len(plain), maxExecutionName-len(tail))] + tail
}

// EventSource is the source of the events that Publish sends.
const EventSource = "ceap"

// EventType is the detail-type of the event of a run that has ended.
const EventType = "CEAP Run Ended"

// Publish tells the account's event bus that a run has ended (I66). The detail is
// the run's result without samples of rows, which hold values of customers.
func (s *Stage) Publish(ctx context.Context, res ceap.RunResult) error {
	c, err := s.load(ctx)
	if err != nil {
		return err
	}
	res.InvalidReasons = append([]ceap.InvalidReason{}, res.InvalidReasons...)
	for i := range res.InvalidReasons {
		res.InvalidReasons[i].Samples = nil
	}
	detail, err := json.Marshal(struct {
		Stage string `json:"stage"`
		ceap.RunResult
	}{s.Name, res})
	if err != nil {
		return fmt.Errorf("encoding the event of run %s: %w", res.RunID, err)
	}
	out, err := eventbridge.NewFromConfig(c).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []events.PutEventsRequestEntry{{
		Source: aws.String(EventSource), DetailType: aws.String(EventType), Detail: aws.String(string(detail)), Time: &res.EndedAt,
	}}})
	if err != nil {
		return awsapi.Error(ctx, "publishing the end of run "+res.RunID, err)
	}
	if out.FailedEntryCount > 0 {
		return ceap.Errorf(ceap.CodeUnavailable, "publishing the end of run %s: %s: %s", res.RunID, aws.ToString(out.Entries[0].ErrorCode), aws.ToString(out.Entries[0].ErrorMessage))
	}
	return nil
}

package awslambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/stage"
	"github.com/ceap-platform/ceap/internal/telemetry"
)

// The names of the handlers, as the template gives them to its functions.
const (
	HandlerETL     = "etl"
	HandlerControl = "control"
	HandlerPart    = "part"
)

// Function answers the invocations of the functions. It is safe for concurrent
// use.
type Function struct {
	App     *app.App
	Stage   *stage.Stage
	Log     *slog.Logger
	Metrics io.Writer // takes lines of the embedded metric format
}

// Handle answers one invocation of the handler of that name. Errors are those
// that Lambda and the state machine tell apart by their type; see [typed].
func (f *Function) Handle(ctx context.Context, handler string, payload []byte) (answer []byte, err error) {
	var v any
	switch handler {
	case HandlerETL:
		v, err = f.etl(ctx, payload)
	case HandlerControl:
		v, err = f.control(ctx, payload)
	case HandlerPart:
		v, err = f.part(ctx, payload)
	default:
		err = ceap.Errorf(ceap.CodeInvalid, "there is no handler %q", handler).WithHint("the function's Handler is one of etl, control and part")
	}
	if err == nil {
		answer, err = json.Marshal(v)
	}
	if err != nil {
		f.Log.ErrorContext(ctx, "invocation failed", "handler", handler, "code", string(ceap.ErrorCode(err)), "error", err.Error())
		return nil, typed(err)
	}
	return answer, nil
}

// typed gives an error the type by which it is retried or not.
func typed(err error) error {
	return messages.InvokeResponse_Error{Type: stage.ErrorType(ceap.ErrorCode(err)), Message: err.Error()}
}

// decode reads a payload strictly enough to say what is wrong with it. Keys that
// nobody knows are let be: schedulers and users add their own.
func decode(payload []byte, into any) error {
	if err := json.Unmarshal(payload, into); err != nil {
		wrong := &ceap.Error{Code: ceap.CodeInvalid, Message: "the input is not what is needed", Err: err, Hint: `write it like {"programId": "product-reviews", "marketplace": "US", "dateRange": {"start": "2026-01-26", "end": "2026-01-27"}}`}
		if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			wrong.Field, wrong.Err = t.Field, fmt.Errorf("this is not the place for: %s", t.Value)
		}
		return wrong
	}
	return nil
}

// etl reads, maps and validates the rows of a program, and stores nothing (D50).
func (f *Function) etl(ctx context.Context, payload []byte) (ceap.RunResult, error) {
	var in ceap.RunInput
	if err := decode(payload, &in); err != nil {
		return ceap.RunResult{}, err
	}
	res, err := f.App.Run(ctx, app.RunRequest{Input: pipeline.Input{RunInput: in, Stage: pipeline.StageExtract}}, nil)
	return res, err
}

// request is the payload of the control and part functions.
type request struct {
	Step      string          `json:"step"`
	Input     json.RawMessage `json:"input"`
	Execution struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"execution"`
	Run   pipeline.Work `json:"run"`
	Part  pipeline.Part `json:"part"`
	State struct {
		Run   pipeline.Work `json:"run"`
		Error *caught       `json:"error"`
	} `json:"state"`

	// Of a schedule.
	ProgramID     string    `json:"programId"`
	Marketplace   string    `json:"marketplace"`
	ScheduledTime time.Time `json:"scheduledTime"`
}

// caught is an error as the state machine hands it on.
type caught struct {
	Error string `json:"Error"` //nolint:tagliatelle // as Step Functions spells it
	Cause string `json:"Cause"` //nolint:tagliatelle // as Step Functions spells it
}

// failure returns what the error says in CEAP's words.
func (c *caught) failure() *pipeline.Failure {
	if c == nil {
		return nil
	}
	return &pipeline.Failure{Code: stage.ErrorCode(c.Error), Message: stage.CauseText(c.Cause)}
}

func (f *Function) control(ctx context.Context, payload []byte) (any, error) {
	var r request
	if err := decode(payload, &r); err != nil {
		return nil, err
	}
	switch r.Step {
	case "plan":
		return f.plan(ctx, r)
	case "start":
		if err := f.App.StartWork(ctx, r.Run); err != nil {
			return nil, err
		}
		return f.App.CheckWork(ctx, r.Run)
	case "check":
		return f.App.CheckWork(ctx, r.Run)
	case "parts":
		return f.App.ListParts(ctx, r.Run)
	case "shards":
		return f.App.ListShards(ctx, r.Run)
	case "reduce":
		return f.reduce(ctx, r)
	case "schedule":
		return f.schedule(ctx, r)
	default:
		return nil, ceap.Errorf(ceap.CodeInvalid, "there is no step %q", r.Step).WithHint("the steps are plan, start, check, parts, shards, reduce and schedule")
	}
}

// planned is the answer of the step plan: the work, or the result of a run for
// which there is none.
type planned struct {
	Action string `json:"action"` // "run" or "done"
	pipeline.Work
	Result *ceap.RunResult `json:"result,omitempty"`
}

func (f *Function) plan(ctx context.Context, r request) (any, error) {
	var in ceap.RunInput
	if err := decode(r.Input, &in); err != nil {
		return nil, err
	}
	w, done, err := f.App.PlanWork(ctx, in, r.Execution.ID)
	if err != nil {
		return nil, err
	}
	if done == nil {
		return planned{Action: "run", Work: w}, nil
	}
	if !done.Replayed {
		f.tell(ctx, *done)
	}
	return planned{Action: "done", Result: done}, nil
}

// ended is the answer of the step reduce.
type ended struct {
	Status string          `json:"status"`
	Error  string          `json:"error"` // for an execution that fails: CeapFailed, CeapPartial or CeapCancelled
	Cause  string          `json:"cause"` // the result once more, as text
	Result json.RawMessage `json:"result"`
}

// The sizes that Step Functions allows, with room for what stands around.
const (
	maxResult = 200_000
	maxCause  = 30_000
)

func (f *Function) reduce(ctx context.Context, r request) (any, error) {
	res, err := f.App.FinishWork(ctx, r.State.Run, r.State.Error.failure())
	if res.RunID == "" || res.Status == ceap.RunRunning {
		return nil, err
	}
	f.tell(ctx, res)
	e := ended{Status: string(res.Status), Error: stage.ErrorFailed}
	switch res.Status {
	case ceap.RunPartial:
		e.Error = stage.ErrorPartial
	case ceap.RunCancelled:
		e.Error = stage.ErrorCancelled
	default:
	}
	if e.Result, err = pipeline.MarshalCause(res, maxResult); err != nil {
		return nil, err
	}
	cause, err := pipeline.MarshalCause(res, maxCause)
	e.Cause = string(cause)
	return e, err
}

// tell writes the metrics of a run and publishes its end. The run has ended
// whether or not anybody can be told.
func (f *Function) tell(ctx context.Context, res ceap.RunResult) {
	if err := telemetry.WriteMetrics(f.Metrics, telemetry.MetricsOf(f.Stage.Name, &res)); err != nil {
		f.Log.ErrorContext(ctx, "writing metrics", "run_id", res.RunID, "error", err.Error())
	}
	if err := f.Stage.Publish(ctx, res); err != nil {
		f.Log.ErrorContext(ctx, "publishing the end of a run", "run_id", res.RunID, "error", err.Error())
	}
}

// started is the answer of the step schedule.
type started struct {
	ExecutionARN string `json:"executionArn"`
	BatchID      string `json:"batchId"`
}

// schedule starts the run of a program for the time at which its schedule fired.
// Schedules fire at least once; the batch of that time runs once.
func (f *Function) schedule(ctx context.Context, r request) (any, error) {
	if r.ScheduledTime.IsZero() {
		return nil, ceap.Errorf(ceap.CodeInvalid, "the schedule does not say when it fired").WithHint("set scheduledTime to <aws.scheduler.scheduled-time>")
	}
	in, err := f.App.ScheduledRun(ctx, r.ProgramID, r.Marketplace, r.ScheduledTime)
	if err != nil {
		return nil, err
	}
	e, err := f.Stage.Start(ctx, strings.Join([]string{in.ProgramID, in.Marketplace, in.BatchID}, "-"), in)
	if err != nil {
		return nil, err
	}
	return started{ExecutionARN: e.ARN, BatchID: in.BatchID}, nil
}

// done is the answer of the part function.
type done struct {
	ID string `json:"id"`
	OK bool   `json:"ok"`
}

func (f *Function) part(ctx context.Context, payload []byte) (any, error) {
	var r request
	if err := decode(payload, &r); err != nil {
		return nil, err
	}
	var err error
	switch r.Step {
	case "extract":
		_, err = f.App.ExtractPart(ctx, r.Run, r.Part)
	case "store":
		_, err = f.App.StorePart(ctx, r.Run, r.Part)
	default:
		err = ceap.Errorf(ceap.CodeInvalid, "there is no step %q", r.Step).WithHint("the steps are extract and store")
	}
	return done{ID: r.Part.ID, OK: err == nil}, err
}

package awstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/uuid"
)

// functionTimeout is how long a function may run: Lambda's maximum.
const functionTimeout = 15 * time.Minute

// Handler is a Lambda function in this process; the Invoke method of a
// lambda.Handler is one. An error becomes a function error as the Lambda library for
// Go reports it: with the type of a messages.InvokeResponse_Error, else the name of
// the error's Go type. The context has the deadline and the lambdacontext.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// function runs the invocations of one Lambda function. A function error is the
// whole of a failed invocation; err only tells that ctx has ended.
type function struct {
	owner *Cloud
	run   func(ctx context.Context, i invocation) (response []byte, failure *functionError)
}

// invocation is one event for a function.
type invocation struct {
	id       string
	arn      string
	payload  []byte
	deadline time.Time
	crash    crash
}

// functionError is the JSON with which a function reports that it failed.
type functionError struct {
	ErrorType    string `json:"errorType"`
	ErrorMessage string `json:"errorMessage"`
	whole        []byte // as the function itself wrote it, nil if it did not
}

// crash is the point at which an invocation dies by plan.
type crash int

const (
	noCrash crash = iota
	crashEarly
	crashLate
)

type crashKey struct{}

func withCrash(ctx context.Context, at crash) context.Context {
	return context.WithValue(ctx, crashKey{}, at)
}

func plannedCrash(ctx context.Context) crash {
	at, _ := ctx.Value(crashKey{}).(crash)
	return at
}

// exited is how Lambda reports that the process of a function died.
func exited(id, cause string) *functionError {
	return &functionError{ErrorType: "Runtime.ExitError", ErrorMessage: fmt.Sprintf("RequestId: %s Error: Runtime exited with error: %s", id, cause)}
}

// HandleFunction makes h the Lambda function of the name, until the Cloud is closed.
// It answers invocations by SDK, CLI and state machine, as many at once as come.
// Another function of the name panics.
func (c *Cloud) HandleFunction(name string, h Handler) {
	c.server.addFunction(name, &function{owner: c, run: func(ctx context.Context, i invocation) ([]byte, *functionError) {
		if i.crash == crashEarly {
			return nil, exited(i.id, "signal: killed")
		}
		response, failure := call(ctx, h, i)
		if i.crash == crashLate {
			return nil, exited(i.id, "signal: killed")
		}
		return response, failure
	}})
}

// call runs a handler in this process. A panic is the function's error, as it is in
// a process of its own.
func call(ctx context.Context, h Handler, i invocation) (response []byte, failure *functionError) {
	ctx, cancel := context.WithDeadline(ctx, i.deadline)
	defer cancel()
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: i.id, InvokedFunctionArn: i.arn})
	defer func() {
		if cause := recover(); cause != nil {
			failure = &functionError{ErrorType: reflect.TypeOf(cause).Name(), ErrorMessage: fmt.Sprint(cause)}
		}
	}()
	response, err := h(ctx, i.payload)
	if err != nil {
		return nil, asFunctionError(err)
	}
	return response, nil
}

// asFunctionError does what the Lambda library does with an error.
func asFunctionError(err error) *functionError {
	if reported, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		return &functionError{ErrorType: reported.Type, ErrorMessage: reported.Message}
	}
	kind := reflect.TypeOf(err)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return &functionError{ErrorType: kind.Name(), ErrorMessage: err.Error()}
}

// addFunction makes f the function of the name.
func (s *server) addFunction(name string, f *function) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[name] != nil {
		panic(fmt.Sprintf("awstest: there is a function %s already; functions of tests that run at once need names of their own", name))
	}
	s.functions[name] = f
}

// functionNamed returns the function of the name, nil if there is none.
func (s *server) functionNamed(name string) *function {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.functions[name]
}

func functionARN(name string) string {
	return "arn:aws:lambda:" + Region + ":" + Account + ":function:" + name
}

// invoke answers lambda.Invoke.
func (s *server) invoke(c *Call, w http.ResponseWriter, r *http.Request) {
	f := s.functionNamed(c.Name)
	if f == nil {
		c.refuse(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+functionARN(c.Name))
		return
	}
	if tooMuchState(c) {
		// Only moto can fail a state with States.DataLimitExceeded: for its result.
		writeJSON(w, strings.Repeat("x", maxStateData))
		return
	}
	i := invocation{
		id: uuid.NewString(), arn: functionARN(c.Name), payload: c.Body,
		deadline: time.Now().Add(functionTimeout), crash: plannedCrash(r.Context()),
	}
	if r.Header.Get("X-Amz-Invocation-Type") == "Event" {
		ctx := context.WithoutCancel(r.Context())
		f.owner.background.Go(func() { f.run(ctx, i) })
		w.WriteHeader(http.StatusAccepted)
		return
	}
	response, failure := f.run(r.Context(), i)
	response, failure = boundResult(response, failure)
	w.Header().Set("X-Amzn-Requestid", i.id)
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	w.Header().Set("Content-Type", "application/json")
	switch {
	case failure == nil:
		_, _ = w.Write(response)
	case failure.whole != nil:
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		_, _ = w.Write(failure.whole)
	default:
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		writeJSON(w, failure)
	}
}

// boundResult refuses results beyond 6 MB. The result of a task of a state machine
// is moto's to bound, at 256 KiB with all that Lambda adds to it.
func boundResult(response []byte, failure *functionError) ([]byte, *functionError) {
	if len(response) <= maxResponse {
		return response, failure
	}
	return nil, &functionError{
		ErrorType:    "Function.ResponseSizeTooLarge",
		ErrorMessage: fmt.Sprintf("Response payload size (%d bytes) exceeded maximum allowed payload size (%d bytes).", len(response), maxResponse),
	}
}

// tooMuchState reports whether a state machine invokes a function with more than a
// state may hold. moto, which does not look, writes JSON with spaces; AWS without.
func tooMuchState(c *Call) bool {
	if !c.byInterpreter() || len(c.Body) <= maxStateData {
		return false
	}
	var compact bytes.Buffer
	return json.Compact(&compact, c.Body) != nil || compact.Len() > maxStateData
}

// listFunctions answers lambda.ListFunctions with the functions of one Cloud.
func (s *server) listFunctions(owner *Cloud, w http.ResponseWriter) {
	type configuration struct {
		FunctionName, FunctionArn, Runtime, Handler string
	}
	list := []configuration{}
	for _, name := range s.functionsOf(owner) {
		list = append(list, configuration{name, functionARN(name), "provided.al2023", "bootstrap"})
	}
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, map[string]any{"Functions": list})
}

// mustJSON encodes a value of ours, which always can be encoded.
func mustJSON(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

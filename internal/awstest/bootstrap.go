package awstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Bootstrap is a Lambda function that runs as a process of its own, as on AWS.
type Bootstrap struct {
	// Name is the function's.
	Name string
	// Path is the executable that speaks Lambda's runtime API. Its folder is the
	// working directory of the processes.
	Path string
	// Handler is the value of _HANDLER.
	Handler string
	// Env are more variables, as KEY=value. The process has those of Cloud.Environ
	// too, and no others.
	Env []string
	// Instances is how many processes run at once; further invocations wait.
	// Default 2.
	Instances int
	// Timeout is how long an invocation may take; its process is killed then.
	// Default 15m.
	Timeout time.Duration
}

// Runtime runs the processes of a Bootstrap.
type Runtime struct {
	bootstrap Bootstrap
	cloud     *Cloud
	slots     chan struct{}

	mu      sync.Mutex
	idle    []*instance
	started int
	log     bytes.Buffer
	closed  bool
}

// RunBootstrap makes an executable the Lambda function of a name, until the Cloud is
// closed. Processes start when they are needed and serve many invocations, one at a
// time, until they die, and are killed in the end.
func (c *Cloud) RunBootstrap(b Bootstrap) *Runtime {
	if b.Instances == 0 {
		b.Instances = 2
	}
	if b.Timeout == 0 {
		b.Timeout = functionTimeout
	}
	rt := &Runtime{bootstrap: b, cloud: c, slots: make(chan struct{}, b.Instances)}
	c.server.addFunction(b.Name, &function{owner: c, run: rt.run})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runtimes = append(c.runtimes, rt)
	return rt
}

// Log returns what the processes wrote to stdout and stderr so far.
func (rt *Runtime) Log() string {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return rt.log.String()
}

// Started returns how many processes were started so far.
func (rt *Runtime) Started() int {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return rt.started
}

// Write keeps what a process writes.
func (rt *Runtime) Write(p []byte) (int, error) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return rt.log.Write(p)
}

// run gives the event to a process that is idle, or a new one.
func (rt *Runtime) run(ctx context.Context, i invocation) ([]byte, *functionError) {
	select {
	case rt.slots <- struct{}{}:
		defer func() { <-rt.slots }()
	case <-ctx.Done():
		return nil, exited(i.id, ctx.Err().Error())
	}
	i.deadline = time.Now().Add(rt.bootstrap.Timeout)
	in, err := rt.instance()
	if err != nil {
		return nil, &functionError{ErrorType: "Runtime.InvalidEntrypoint", ErrorMessage: fmt.Sprintf("RequestId: %s Error: %v", i.id, err)}
	}
	response, failure := in.serve(ctx, i)
	rt.put(in)
	return response, failure
}

// instance returns an idle process that lives, or a new one.
func (rt *Runtime) instance() (*instance, error) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	for len(rt.idle) > 0 {
		in := rt.idle[len(rt.idle)-1]
		rt.idle = rt.idle[:len(rt.idle)-1]
		if !in.ended() {
			return in, nil
		}
	}
	rt.started++
	return rt.start()
}

// put takes a process back.
func (rt *Runtime) put(in *instance) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if rt.closed {
		in.kill()
		return
	}
	rt.idle = append(rt.idle, in)
}

// close kills the idle processes; the others go when they are done.
func (rt *Runtime) close() {
	rt.mu.Lock()
	rt.closed = true
	idle := rt.idle
	rt.mu.Unlock() // the last words of a process go through Write
	for _, in := range idle {
		in.kill()
		<-in.dead
	}
}

// instance is one process with the runtime API that it alone talks to.
type instance struct {
	cloud   *Cloud
	cmd     *exec.Cmd
	api     *http.Server
	key     string // the access key of the process's own
	timeout time.Duration
	events  chan invocation
	results chan result
	dead    chan struct{} // closed when the process has ended
	cause   error         // why it ended; to be read after dead

	mu    sync.Mutex
	event invocation // the one it has taken
}

// result is what a process reports of an invocation.
type result struct {
	response []byte
	failure  *functionError
}

// start starts a process; rt.mu is held.
func (rt *Runtime) start() (*instance, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed with the process
	if err != nil {
		return nil, fmt.Errorf("starting the runtime API: %w", err)
	}
	in := &instance{
		cloud: rt.cloud, key: rt.cloud.server.newKey(), timeout: rt.bootstrap.Timeout,
		events: make(chan invocation), results: make(chan result), dead: make(chan struct{}),
	}
	in.api = &http.Server{Handler: in.routes()}  //nolint:gosec // its one client is our process
	in.cmd = exec.Command(rt.bootstrap.Path)     //nolint:gosec,noctx // the test's own binary, killed when the Cloud is closed
	in.cmd.Dir = filepath.Dir(rt.bootstrap.Path) // as on AWS, where it is the code's folder
	in.cmd.Env = append(rt.cloud.environ(in.key), "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String(),
		"_HANDLER="+rt.bootstrap.Handler, "AWS_LAMBDA_FUNCTION_NAME="+rt.bootstrap.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "LAMBDA_TASK_ROOT="+in.cmd.Dir, "TZ=:UTC")
	in.cmd.Env = append(in.cmd.Env, rt.bootstrap.Env...)
	in.cmd.Stdout, in.cmd.Stderr = rt, rt
	rt.cloud.server.addInstance(in) // it may call as soon as it runs
	if err := in.cmd.Start(); err != nil {
		rt.cloud.server.removeInstance(in)
		_ = listener.Close()
		return nil, fmt.Errorf("starting %s: %w", rt.bootstrap.Path, err)
	}
	go func() { _ = in.api.Serve(listener) }()
	go func() {
		in.cause = in.cmd.Wait()
		rt.cloud.server.removeInstance(in)
		close(in.dead)
		_ = in.api.Close()
	}()
	return in, nil
}

func (in *instance) kill() { _ = in.cmd.Process.Kill() }

func (in *instance) ended() bool {
	select {
	case <-in.dead:
		return true
	default:
		return false
	}
}

// serve hands the event over and waits for the result, the deadline or the death of
// the process. The caller's going does not stop an invocation, as on AWS.
func (in *instance) serve(_ context.Context, i invocation) ([]byte, *functionError) {
	timer := time.NewTimer(time.Until(i.deadline))
	defer timer.Stop()
	events, results := in.events, chan result(nil)
	for {
		select {
		case events <- i:
			events, results = nil, in.results
			if i.crash == crashEarly {
				in.kill()
			}
		case r := <-results:
			if i.crash == crashLate {
				in.kill()
				<-in.dead
				return nil, exited(i.id, "signal: killed")
			}
			return r.response, r.failure
		case <-timer.C:
			in.kill()
			<-in.dead
			return nil, &functionError{ErrorType: "Sandbox.Timedout", ErrorMessage: fmt.Sprintf("RequestId: %s Error: Task timed out after %s", i.id, in.timeout)}
		case <-in.dead:
			return nil, exited(i.id, in.reason())
		}
	}
}

// reason says how the process ended.
func (in *instance) reason() string {
	if in.cause == nil {
		return "exit status 0"
	}
	return in.cause.Error()
}

// routes is Lambda's runtime API, version 2018-06-01.
func (in *instance) routes() http.Handler {
	const root = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+root+"invocation/next", in.next)
	mux.HandleFunc("POST "+root+"invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		in.report(w, r, result{response: body}, err)
	})
	mux.HandleFunc("POST "+root+"invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		failure := fields[functionError](body)
		failure.whole = body
		in.report(w, r, result{failure: &failure}, err)
	})
	mux.HandleFunc("POST "+root+"init/error", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		in.kill()
	})
	return mux
}

// next gives the process its next event; it waits until there is one.
func (in *instance) next(w http.ResponseWriter, r *http.Request) {
	select {
	case i := <-in.events:
		in.mu.Lock()
		in.event = i
		in.mu.Unlock()
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", i.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", i.arn)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(i.payload)
	case <-r.Context().Done():
	}
}

// report passes on what the process says of its event.
func (in *instance) report(w http.ResponseWriter, r *http.Request, got result, err error) {
	in.mu.Lock()
	id := in.event.id
	in.mu.Unlock()
	if err != nil || r.PathValue("id") != id {
		err = errors.Join(err, fmt.Errorf("the invocation is %s", id))
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	select {
	case in.results <- got:
	case <-in.dead:
	}
}

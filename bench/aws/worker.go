//go:build cgo

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// worker is a process of the package's bootstrap, with a Lambda runtime API of its
// own, so that its start, its time and its memory are its alone. It takes one event
// at a time.
type worker struct {
	cmd     *exec.Cmd
	api     *http.Server
	log     bytes.Buffer // of the process; to be read after its end
	ready   chan struct{}
	events  chan []byte
	answers chan answer
	dead    chan struct{}
}

// answer is what the process says of an event.
type answer struct {
	body   []byte
	failed bool
}

// startWorker starts a process.
func startWorker(binary, handler string, environ []string) (*worker, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed with the process
	if err != nil {
		return nil, fmt.Errorf("starting a runtime API: %w", err)
	}
	w := &worker{ready: make(chan struct{}), events: make(chan []byte), answers: make(chan answer), dead: make(chan struct{})}
	w.api = &http.Server{Handler: w.routes()} //nolint:gosec // its one client is our process
	w.cmd = exec.Command(binary)              //nolint:noctx // killed by close
	w.cmd.Env = slices.Concat(environ, []string{
		"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "_HANDLER=" + handler, "AWS_LAMBDA_FUNCTION_NAME=bench",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1769", "HOME=/tmp", "TZ=:UTC",
	})
	w.cmd.Stdout, w.cmd.Stderr = &w.log, &w.log
	go func() { _ = w.api.Serve(listener) }()
	if err := w.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", binary, err), w.api.Close())
	}
	go func() {
		_ = w.cmd.Wait() // it is killed in the end; an early end shows as a call without answer
		close(w.dead)
	}()
	return w, nil
}

// routes is Lambda's runtime API, version 2018-06-01.
func (w *worker) routes() http.Handler {
	const root = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	first := true // the process asks for one event after the other
	mux.HandleFunc("GET "+root+"invocation/next", func(out http.ResponseWriter, r *http.Request) {
		if first {
			first = false
			close(w.ready)
		}
		select {
		case event := <-w.events:
			out.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
			out.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(callTimeout).UnixMilli(), 10))
			_, _ = out.Write(event)
		case <-r.Context().Done():
		}
	})
	take := func(failed bool) http.HandlerFunc {
		return func(out http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			out.WriteHeader(http.StatusAccepted)
			w.answers <- answer{body, failed || err != nil}
		}
	}
	mux.HandleFunc("POST "+root+"invocation/{id}/response", take(false))
	mux.HandleFunc("POST "+root+"invocation/{id}/error", take(true))
	return mux
}

// callTimeout is how long a call may take. Lambda's 15 minutes are those of a
// machine that does nothing else.
const callTimeout = time.Hour

// call gives the process an event and returns its answer.
func (w *worker) call(ctx context.Context, payload any) (json.RawMessage, error) {
	event, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	events := w.events
	for {
		select {
		case events <- event:
			events = nil
		case a := <-w.answers:
			if a.failed {
				return nil, fmt.Errorf("the function failed: %s", a.body)
			}
			return a.body, nil
		case <-w.dead:
			return nil, fmt.Errorf("the process ended: %s\n%s", w.cmd.ProcessState, w.log.String())
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// cpu returns how much processor time the process has used.
func (w *worker) cpu() (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), ") ") // the name of the program may have spaces
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime, from proc(5)
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Linux runs
	return time.Duration(ticks) * tick, nil
}

// peak returns how much memory the process has had at its highest, in bytes.
func (w *worker) peak() (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("the kernel tells no VmHWM")
}

// close ends the process.
func (w *worker) close() error {
	err := w.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-w.dead
	return errors.Join(err, w.api.Close())
}

// readiness starts the process ten times, and returns the median of the times from
// its start to its first question for an event.
func readiness(binary string, environ []string) (time.Duration, error) {
	var times []time.Duration
	for range 10 {
		start := time.Now()
		w, err := startWorker(binary, "part", environ)
		if err != nil {
			return 0, err
		}
		select {
		case <-w.ready:
			times = append(times, time.Since(start))
		case <-w.dead:
			return 0, fmt.Errorf("the process ended before it was ready: %s", w.log.String())
		}
		if err := w.close(); err != nil {
			return 0, err
		}
	}
	return median(times), nil
}

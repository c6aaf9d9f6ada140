//go:build cgo

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/awslambda"
)

// target is what takes the events of one function.
type target interface {
	call(ctx context.Context, payload any) (json.RawMessage, error)
	cpu() (time.Duration, error)
}

// inside is a function in this process.
type inside struct {
	function *awslambda.Function
	handler  string
}

func (i inside) call(ctx context.Context, payload any) (json.RawMessage, error) {
	event, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	return i.function.Handle(ctx, i.handler, event)
}

func (inside) cpu() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// machine goes through the steps of the state machine, one part after the other.
type machine struct {
	control, extract, store target
	read                    func(ctx context.Context, bucket, key string) ([]byte, error)
}

// timing is what the parts of one kind took in a run.
type timing struct {
	rows      int64
	took, cpu time.Duration
}

// run runs the program for one day, and returns what its parts took.
func (m machine) run(ctx context.Context, batch, day string) (extract, store timing, err error) {
	var run struct{ Action string }
	work, err := m.step(ctx, &run, object{
		"step": "plan", "execution": object{"id": batch, "name": batch},
		"input": object{"programId": "bench", "marketplace": "US", "batchId": batch, "dateRange": object{"start": day, "end": day}},
	})
	if err != nil || run.Action != "run" {
		return extract, store, fmt.Errorf("planning %s: %s %w", batch, work, err)
	}
	var waiting struct{ Done bool }
	if _, err := m.step(ctx, &waiting, object{"step": "start", "run": work}); err != nil {
		return extract, store, err
	}
	for !waiting.Done {
		time.Sleep(100 * time.Millisecond)
		if _, err := m.step(ctx, &waiting, object{"step": "check", "run": work}); err != nil {
			return extract, store, err
		}
	}
	if extract, err = m.parts(ctx, "parts", "extract", m.extract, work); err != nil {
		return extract, store, err
	}
	if store, err = m.parts(ctx, "shards", "store", m.store, work); err != nil {
		return extract, store, err
	}
	var ended struct{ Result ceap.RunResult }
	if _, err := m.step(ctx, &ended, object{"step": "reduce", "state": object{"run": work}}); err != nil {
		return extract, store, err
	}
	if res := ended.Result; res.Status != ceap.RunSucceeded || res.Counts.Created != extract.rows {
		return extract, store, fmt.Errorf("the run %s is %s: %+v %s", batch, res.Status, res.Counts, res.Message)
	}
	return extract, store, nil
}

// object is a JSON object.
type object map[string]any

// step calls the control function.
func (m machine) step(ctx context.Context, into any, payload object) (json.RawMessage, error) {
	out, err := m.control.call(ctx, payload)
	if err != nil {
		return nil, fmt.Errorf("the step %s: %w", payload["step"], err)
	}
	return out, json.Unmarshal(out, into)
}

// parts asks for the list of parts and does them.
func (m machine) parts(ctx context.Context, list, step string, by target, work json.RawMessage) (timing, error) {
	var t timing
	var todo struct{ Bucket, Key string }
	if _, err := m.step(ctx, &todo, object{"step": list, "run": work}); err != nil {
		return t, err
	}
	data, err := m.read(ctx, todo.Bucket, todo.Key)
	if err != nil {
		return t, err
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return t, err
	}
	for _, part := range parts {
		var about struct{ Rows int64 }
		if err := json.Unmarshal(part, &about); err != nil {
			return t, err
		}
		before, err := by.cpu()
		if err != nil {
			return t, err
		}
		start := time.Now()
		if _, err := by.call(ctx, object{"step": step, "run": work, "part": part}); err != nil {
			return t, fmt.Errorf("the step %s: %w", step, err)
		}
		t.took += time.Since(start)
		after, err := by.cpu()
		if err != nil {
			return t, err
		}
		t.cpu += after - before
		t.rows += about.Rows
	}
	return t, nil
}

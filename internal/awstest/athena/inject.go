package athena

import "net/http"

// injected is what shall go wrong.
type injected struct {
	faults    []Fault
	hanging   int
	lateStops int
	throttled map[string]int
}

// FailNext lets the next n queries fail with the fault, after the work that they
// do before.
func (f *Fake) FailNext(n int, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.injected.faults = append(f.injected.faults, fault)
	}
}

// HangNext lets the next n queries run until they are stopped.
func (f *Fake) HangNext(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.injected.hanging += n
}

// StopTooLate lets the next n calls of StopQueryExecution be accepted although
// the query succeeds.
func (f *Fake) StopTooLate(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.injected.lateStops += n
}

// Throttle refuses the next n calls of an operation with ThrottlingException.
func (f *Fake) Throttle(operation string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.injected.throttled[operation] += n
}

// count counts a call, and refuses it if it shall be throttled.
func (f *Fake) count(operation string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.callCount[operation]++
	if f.injected.throttled[operation] > 0 {
		f.injected.throttled[operation]--
		return &apiError{status: http.StatusBadRequest, Type: "ThrottlingException", Message: "Rate exceeded"}
	}
	return nil
}

// assign gives a new query what was injected for it. f.mu is held.
func (f *Fake) assign(q *query) {
	if f.injected.hanging > 0 {
		f.injected.hanging--
		q.hangs = true
		return
	}
	if len(f.injected.faults) > 0 {
		q.fault, f.injected.faults = &f.injected.faults[0], f.injected.faults[1:]
	}
}

package sagemaker

import (
	"errors"
	"testing"
	"time"
)

// openBreaker returns a breaker that has just opened, and its clock.
func openBreaker(t *testing.T) (b *breaker, now *time.Time) {
	t.Helper()
	start := time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC)
	now = &start
	b = &breaker{now: func() time.Time { return *now }}
	for range breakerWindow {
		allowed(t, b).report(errors.New("down"))
	}
	refused(t, b)
	return b, now
}

func allowed(t *testing.T, b *breaker) permit {
	t.Helper()
	p, err := b.allow()
	if err != nil {
		t.Fatalf("not allowed: %v", err)
	}
	return p
}

func refused(t *testing.T, b *breaker) {
	t.Helper()
	if _, err := b.allow(); err == nil {
		t.Fatal("allowed")
	}
}

// Requests that were under way when the breaker opened neither close it nor
// count once it is closed.
func TestBreaker_lateReports(t *testing.T) {
	t.Parallel()
	b := &breaker{now: func() time.Time { return time.Time{} }}
	late := allowed(t, b)
	for range breakerWindow {
		allowed(t, b).report(errors.New("down"))
	}
	late.report(nil)
	refused(t, b)
	if len(b.recent) > 0 {
		t.Errorf("it counted a late report")
	}
}

// One request tries, however many ask.
func TestBreaker_oneTries(t *testing.T) {
	t.Parallel()
	b, now := openBreaker(t)
	*now = now.Add(breakerPause)
	probe := allowed(t, b)
	refused(t, b)
	probe.drop() // it was stopped, and so says nothing
	probe = allowed(t, b)
	refused(t, b)
	probe.report(nil)
	allowed(t, b).drop()
	for range breakerFailures - 1 {
		allowed(t, b).report(errors.New("down"))
	}
	allowed(t, b).drop() // the failures from before are forgotten
}

// Half of the latest requests decide, whenever they were.
func TestBreaker_window(t *testing.T) {
	t.Parallel()
	b := &breaker{now: func() time.Time { return time.Time{} }}
	for i := range 100 {
		var err error
		if i%5 < 2 { // 4 of any 10
			err = errors.New("down")
		}
		allowed(t, b).report(err)
	}
	for range 3 { // the first two push failures out of the window
		allowed(t, b).report(errors.New("down"))
	}
	refused(t, b)
}

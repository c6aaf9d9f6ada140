package sagemaker

import (
	"sync"
	"time"

	"github.com/ceap-platform/ceap"
)

// When the breaker opens, and for how long.
const (
	breakerWindow   = 10 // requests that are looked at
	breakerFailures = 5  // failures among them that open it
	breakerPause    = 30 * time.Second
)

// breaker keeps requests from an endpoint that fails: after a pause one request
// tries, and decides. It is safe for concurrent use.
type breaker struct {
	now func() time.Time

	mu      sync.Mutex
	recent  []bool // of the latest requests, whether each failed; oldest first
	last    error  // the latest failure
	open    bool
	until   time.Time // when the next request may try, if open
	probing bool      // a request is trying
}

// permit is the leave to send one request, to be given back by report or drop.
type permit struct {
	breaker *breaker
	probe   bool
}

// allow returns the leave to send a request, or unavailable with the failure
// that closed the way.
func (b *breaker) allow() (permit, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return permit{breaker: b}, nil
	}
	if b.probing || b.now().Before(b.until) {
		return permit{}, ceap.Errorf(ceap.CodeUnavailable, "not asking for %v, because of %d failures in %d requests, the last of which: %w",
			breakerPause, breakerFailures, breakerWindow, b.last)
	}
	b.probing = true
	return permit{breaker: b, probe: true}, nil
}

// report says how the request went. One that was sent before the breaker opened
// says nothing about the endpoint now.
func (p permit) report(err error) {
	b := p.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.last = err
	}
	switch {
	case p.probe:
		b.probing = false
		if b.open = err != nil; b.open {
			b.until = b.now().Add(breakerPause)
		}
	case !b.open:
		b.count(err != nil)
	}
}

// drop gives the leave back without a word about the endpoint.
func (p permit) drop() {
	p.breaker.mu.Lock()
	defer p.breaker.mu.Unlock()
	if p.probe {
		p.breaker.probing = false
	}
}

func (b *breaker) count(failed bool) { //nolint:revive // what happened, not a switch
	b.recent = append(b.recent, failed)
	if len(b.recent) > breakerWindow {
		b.recent = b.recent[1:]
	}
	failures := 0
	for _, failed := range b.recent {
		if failed {
			failures++
		}
	}
	if len(b.recent) == breakerWindow && failures >= breakerFailures {
		b.open, b.until, b.recent = true, b.now().Add(breakerPause), nil
	}
}

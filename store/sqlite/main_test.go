//go:build cgo

package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/sqlite"
)

// otherProcess names the job that the test binary does instead of its tests: it
// is the second process that uses a store.
const otherProcess = "CEAP_TEST_STORE_JOB"

func TestMain(m *testing.M) {
	job := os.Getenv(otherProcess)
	if job == "" {
		os.Exit(m.Run())
	}
	if err := doJob(context.Background(), job, os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func doJob(ctx context.Context, job, path string) error {
	s, err := sqlite.Open(ctx, path, 8)
	if err != nil {
		return err
	}
	switch job {
	case "write":
		if err := writeShared(ctx, s.Roles(), "UK"); err != nil {
			return err
		}
		return s.Close()
	case "hang":
		run := newRun("run-hang")
		_, claim, err := s.Roles().Runs.Begin(ctx, run)
		if err != nil {
			return err
		}
		defer func() { _ = claim.Release() }() // a claim that nothing refers to is given up
		ctx := &steps{Context: ctx, at: 3, then: func() error {
			fmt.Println("in the midst")
			select {}
		}}
		_, err = s.Roles().Candidates.Upsert(ctx, many(1000, 0), options("run-hang")) //nolint:contextcheck // it counts steps
		return err
	default:
		return fmt.Errorf("no job %q", job)
	}
}

const sharedRounds = 40

// writeShared changes one candidate again and again, and adds some of its own, of
// a marketplace and a channel that nobody else has.
func writeShared(ctx context.Context, roles store.Roles, marketplace string) error {
	for i := range sharedRounds {
		shared := sample(0, 0)
		shared.Currency = fmt.Sprintf("%s-%d", marketplace, i)
		own := sample(i, 0)
		own.Marketplace = marketplace
		own.Channels = []ceap.ChannelFlag{{Channel: "only-" + marketplace, Eligible: true}}
		run := fmt.Sprintf("run-%s-%d", marketplace, i)
		for _, c := range []*ceap.Candidate{shared, own} {
			got, err := roles.Candidates.Upsert(ctx, []*ceap.Candidate{c}, options(run))
			if err != nil {
				return err
			}
			if !got[0].Kind.Stored() || got[0].Kind == ceap.OutcomeUnchanged {
				return fmt.Errorf("round %d: %+v", i, got[0])
			}
		}
	}
	return nil
}

// steps is a context whose Err does something when it is asked for the nth time.
type steps struct {
	context.Context //nolint:containedctx // it is one

	at    int64
	then  func() error
	asked atomic.Int64
}

func (c *steps) Err() error {
	if c.asked.Add(1) == c.at {
		return c.then()
	}
	return c.Context.Err()
}

func clock() time.Time { return time.Date(2026, 1, 27, 0, 0, 0, 0, time.UTC) }

func options(run string) store.UpsertOptions {
	return store.UpsertOptions{RunID: run, Now: clock(), TTL: 720 * time.Hour}
}

func newRun(id string) *ceap.Run {
	return &ceap.Run{RunID: id, InputHash: "in", Result: ceap.RunResult{
		RunID: id, BatchID: "b", ProgramID: "p", Marketplace: "US", Status: ceap.RunRunning, StartedAt: clock(), AsOf: clock(),
	}}
}

// many returns candidates in the order of their keys. Another change gives them
// other scores.
func many(n, change int) []*ceap.Candidate {
	batch := make([]*ceap.Candidate, n)
	for i := range batch {
		batch[i] = sample(i, change)
	}
	return batch
}

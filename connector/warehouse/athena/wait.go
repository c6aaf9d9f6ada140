package athena

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"time"

	awsathena "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// How long to wait between two looks at a query: short at first, as most queries
// take seconds, and never long, as polls are free.
const (
	firstPoll  = 300 * time.Millisecond
	longPoll   = 5 * time.Second
	pollGrowth = 1.5
)

// patience bounds what is done after the caller has gone.
const patience = 10 * time.Second

// run runs the job to its end. When ctx ends, the query is stopped and the error
// is a [*warehouse.Stopped].
func (j *job) run(ctx context.Context) (*execution, error) {
	started := j.now()
	pause := firstPoll
	for n := 0; ; n++ {
		x, wait, err := j.step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, j.abandon(ctx, started)
		case err != nil:
			return nil, err
		case x != nil && x.ended():
			return x, nil
		case wait == 0:
			wait = time.Duration(float64(pause) * j.jitter(n))
			pause = min(time.Duration(float64(pause)*pollGrowth), longPoll)
		}
		if err := j.sleep(ctx, wait); err != nil {
			return nil, j.abandon(ctx, started)
		}
		j.waited = x == nil
	}
}

// jitter returns a number from 0.75 to 1.25, the same for the same poll of the
// same attempt.
func (j *job) jitter(n int) float64 {
	return 0.75 + 0.5*j.fraction(n)
}

// fraction returns a number from 0 to 1 that depends on the attempt and n.
func (j *job) fraction(n int) float64 {
	sum := j.digest(j.s.SQL)
	seed := binary.BigEndian.Uint64([]byte(sum[:8])) ^ uint64(n)*0x9e3779b97f4a7c15 //nolint:gosec // mixes bits
	seed ^= seed >> 31
	seed *= 0xbf58476d1ce4e5b9
	return float64(seed>>11) / (1 << 53)
}

// abandon stops the job's query after ctx has ended.
func (j *job) abandon(ctx context.Context, started time.Time) error {
	if j.query == "" && !j.asked {
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if j.query == "" { // it may run, and only its id has not come back: the same token gives it
		var err error
		if j.query, err = j.start(ctx); err != nil {
			return err
		}
	}
	x, err := j.stop(ctx, j.query)
	if err != nil {
		return err
	}
	return j.stopped(x, j.now().Sub(started))
}

func (j *job) stopped(x *execution, elapsed time.Duration) error {
	return &warehouse.Stopped{QueryID: x.id, Elapsed: elapsed, BytesScanned: j.scanned + x.scanned}
}

// stop stops a query and waits until it has ended.
func (j *job) stop(ctx context.Context, id string) (*execution, error) {
	if _, err := j.athena.StopQueryExecution(ctx, &awsathena.StopQueryExecutionInput{QueryExecutionId: &id}); err != nil {
		return nil, awsapi.Error(ctx, "Query execution failed: stopping query "+id, err)
	}
	for n := 0; ; n++ {
		x, err := j.get(ctx, id)
		if err != nil || x.ended() {
			return x, err
		}
		if err := j.sleep(ctx, time.Duration(float64(firstPoll)*j.jitter(n))); err != nil {
			return nil, ceap.Errorf(ceap.CodeUnavailable, "Query execution failed: query %s was stopped, and still runs", id)
		}
	}
}

// Start starts the statement's first query.
func (a *Athena) Start(ctx context.Context, s warehouse.Statement) (json.RawMessage, error) {
	j, err := a.newJob(ctx, s, modeUnload)
	if err != nil {
		return nil, err
	}
	t := ticket{Place: j.place, First: j.attempt}
	if t.QueryID, err = j.start(ctx); err != nil {
		next, ok := j.refusedUnload(err)
		if !ok {
			return nil, err
		}
		j.move(next)
		t.First = next
		if t.QueryID, err = j.start(ctx); err != nil {
			return nil, err
		}
	}
	return json.Marshal(t)
}

// Poll looks how far the work is. Past the job's deadline it stops the query,
// unless that has just succeeded.
func (a *Athena) Poll(ctx context.Context, s warehouse.Statement, data json.RawMessage) (connector.Progress, error) {
	j, err := a.resume(ctx, s, data)
	if err != nil {
		return connector.Progress{}, err
	}
	x, _, err := j.step(ctx)
	switch {
	case x != nil && x.status.State == types.QueryExecutionStateSucceeded:
		return connector.Progress{Done: true, State: string(x.status.State)}, nil
	case j.over() && (x == nil || !x.ended() || x.status.State == types.QueryExecutionStateCancelled):
		return j.tooLate(ctx)
	case err != nil:
		return connector.Progress{}, err
	case x == nil:
		return connector.Progress{State: "RETRYING"}, nil
	default:
		return connector.Progress{State: string(x.status.State)}, nil
	}
}

// tooLate ends a job whose time is over.
func (j *job) tooLate(ctx context.Context) (connector.Progress, error) {
	x, err := j.stop(ctx, j.query)
	if err != nil {
		return connector.Progress{}, err
	}
	if x.status.State == types.QueryExecutionStateSucceeded {
		return connector.Progress{Done: true, State: string(x.status.State)}, nil
	}
	elapsed := time.Duration(0)
	if x.status.SubmissionDateTime != nil && x.status.CompletionDateTime != nil {
		elapsed = x.status.CompletionDateTime.Sub(*x.status.SubmissionDateTime)
	}
	return connector.Progress{}, j.stopped(x, elapsed)
}

// Stop stops the query that runs, if one does.
func (a *Athena) Stop(ctx context.Context, s warehouse.Statement, data json.RawMessage) error {
	j, err := a.resume(ctx, s, data)
	if err != nil {
		return err
	}
	x, _, err := j.step(ctx)
	if x == nil || x.ended() {
		if x != nil {
			return nil // it failed, or was stopped before
		}
		return err
	}
	_, err = j.stop(ctx, j.query)
	return err
}

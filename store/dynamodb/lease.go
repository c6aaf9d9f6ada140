package dynamodb

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/store"
)

const (
	// claimLife is for how long a claim stands after its process has died. Shorter
	// lets a slow network, or clocks that differ, look like a death; longer keeps
	// others waiting.
	claimLife = time.Minute
	// claimRenewal leaves three more attempts before a claim is over.
	claimRenewal = claimLife / 4
	// releaseTimeout bounds what is done for a claim after its run was cancelled.
	releaseTimeout = 10 * time.Second
)

func leaseKey(res ceap.RunResult) item { return key(scopeKey(res.ProgramID, res.Marketplace), "LEASE") }

// Begin implements [store.Runs]: it takes a lease under a name of its own, and
// renews it until the claim is released. The lease of a process that died is over
// after claimLife.
func (r *runs) Begin(ctx context.Context, run *ceap.Run) (*ceap.Run, store.Claim, error) {
	owner := rand.Text() // unique among processes, whatever their ids are
	prior, held, err := r.Lease(ctx, run, owner, claimLife)
	if err != nil || !held {
		return prior, nil, err
	}
	return prior, r.hold(ctx, *run, owner), nil
}

// claim is a lease that is renewed.
type claim struct{ release func() error }

// Release implements [store.Claim].
func (c claim) Release() error { return c.release() }

// hold renews the lease until the claim is released or the store is closed.
func (r *runs) hold(ctx context.Context, run ceap.Run, owner string) claim {
	ctx = context.WithoutCancel(ctx) // the record of a cancelled run is written under its claim, too
	stop, stopped := make(chan struct{}), make(chan struct{})
	ticks, stopTicks := r.every(claimRenewal)
	go func() {
		defer close(stopped)
		defer stopTicks()
		for {
			select {
			case <-stop:
				return
			case <-r.closed:
				return
			case <-ticks:
				if !r.beat(ctx, run, owner) {
					return
				}
			}
		}
	}()
	return claim{release: sync.OnceValue(func() error {
		close(stop)
		<-stopped
		ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
		defer cancel()
		return r.Unlease(ctx, run, owner)
	})}
}

// beat renews a claim once, and reports whether to go on.
func (r *runs) beat(ctx context.Context, run ceap.Run, owner string) bool {
	ctx, cancel := context.WithTimeout(ctx, claimRenewal)
	defer cancel()
	err := r.Renew(ctx, run, owner, claimLife)
	switch {
	case err == nil:
		return true
	case ceap.ErrorCode(err) == ceap.CodeConflict:
		r.log.ErrorContext(ctx, "the claim of a run is lost; another process may work on it", "run_id", run.RunID, "error", err)
		return false
	default:
		r.log.WarnContext(ctx, "the claim of a run is not renewed; trying again", "run_id", run.RunID, "error", err)
		return true
	}
}

// Lease implements [store.Leaser]. A program and marketplace have one lease, and
// whoever holds it is alone with the batches of the two. So it is taken first, and
// the batch looked at under it; looking before, too, lets a finished run be
// returned while another one is in progress.
func (r *runs) Lease(ctx context.Context, run *ceap.Run, owner string, life time.Duration) (*ceap.Run, bool, error) {
	b, err := r.batchOf(ctx, *run)
	if err != nil || b.finished() {
		return b.prior, false, err
	}
	wanted := b.as(*run)
	if err := r.take(ctx, wanted, owner, life); err != nil {
		return nil, false, err
	}
	if b, err = r.begin(ctx, &wanted, owner, life); err == nil && !b.finished() {
		*run = wanted
		return b.prior, true, nil
	}
	r.abandon(ctx, wanted, owner)
	return b.prior, false, err
}

// abandon gives up a lease that nobody needs, which else would stand in the way of
// others until it is over.
func (r *runs) abandon(ctx context.Context, run ceap.Run, owner string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := r.Unlease(ctx, run, owner); err != nil {
		r.log.WarnContext(ctx, "a lease that nobody needs stands until its end", "run_id", run.RunID, "error", err)
	}
}

// batch is what is known of a batch.
type batch struct {
	runID string    // "" for a new one
	prior *ceap.Run // nil also if its run was never recorded
}

// finished reports whether there is nothing more to do (D44).
func (b batch) finished() bool {
	return b.prior != nil && (b.prior.Result.Status == ceap.RunSucceeded || b.prior.Result.Status == ceap.RunEmpty)
}

// as returns the run under the id that the batch has already.
func (b batch) as(run ceap.Run) ceap.Run {
	if b.runID != "" {
		run.RunID, run.Result.RunID = b.runID, b.runID
	}
	return run
}

// batchOf returns the batch of the run. Returns conflict if it was run with another
// input.
func (r *runs) batchOf(ctx context.Context, run ceap.Run) (batch, error) {
	pointer, err := r.get(ctx, batchKey(run.Result))
	if err != nil || pointer == nil {
		return batch{}, err
	}
	b := batch{runID: textOf(pointer, "runId")}
	if b.prior, err = r.ofID(ctx, b.runID); err != nil {
		return batch{}, err
	}
	if b.prior != nil && b.prior.InputHash != run.InputHash {
		return batch{}, batchConflict(b.prior.Result, run.Result)
	}
	return b, nil
}

// batchConflict is D44's BATCH_CONFLICT.
func batchConflict(was, is ceap.RunResult) error {
	return ceap.Errorf(ceap.CodeConflict, "BATCH_CONFLICT: batch %q of %q for %s was run for %s, as of %s; now it is asked for %s, as of %s",
		is.BatchID, is.ProgramID, is.Marketplace, was.DateRange, was.AsOf.Format(time.RFC3339), is.DateRange, is.AsOf.Format(time.RFC3339)).
		WithHint("use another batchId to run afresh, or the same input to get the first result")
}

// begin stores the run as running, under its lease. Only another call of the same
// owner can be in the way; then the run is that call's.
func (r *runs) begin(ctx context.Context, run *ceap.Run, owner string, life time.Duration) (batch, error) {
	const attempts = 3 // each is lost only to a change of the batch
	var err error
	for range attempts {
		var b batch
		if b, err = r.batchOf(ctx, *run); err != nil || b.finished() {
			return b, err
		}
		if b.runID != "" && b.runID != run.RunID {
			// The lease names the run for those who have to wait for it.
			*run = b.as(*run)
			if err = r.take(ctx, *run, owner, life); err != nil {
				return b, err
			}
		}
		if err = r.record(ctx, *run); err == nil {
			return b, nil
		}
		if _, changed := refused(err); !changed {
			return b, err
		}
	}
	return batch{}, ceap.Errorf(ceap.CodeConflict, "others keep starting batch %q of %q for %s: %w",
		run.Result.BatchID, run.Result.ProgramID, run.Result.Marketplace, err)
}

// record makes the run that of its batch, and stores it as running. The error is
// one of [refused] if the batch is another run's, or the run is finished.
func (r *runs) record(ctx context.Context, run ceap.Run) error {
	db, err := r.db(ctx)
	if err != nil {
		return err
	}
	batch := batchKey(run.Result)
	batch["runId"] = text(run.RunID)
	_, err = db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: aws.String(r.table(runTable)), Item: batch,
		ConditionExpression:       aws.String("attribute_not_exists(PK) OR runId = :run"),
		ExpressionAttributeValues: item{":run": text(run.RunID)},
	})
	if err != nil {
		return awsapi.Error(ctx, fmt.Sprintf("recording batch %q in the table %s", run.Result.BatchID, r.table(runTable)), err)
	}
	return r.saveUnless(ctx, run, "NOT #status IN (:succeeded, :empty)")
}

// take writes the lease, for the owner that holds it or if nobody does.
func (r *runs) take(ctx context.Context, run ceap.Run, owner string, life time.Duration) error {
	res, now := run.Result, r.now()
	lease := leaseKey(res)
	maps.Copy(lease, item{
		"owner": text(owner), "expiresAt": instant(now.Add(life)),
		"runId": text(run.RunID), "batchId": text(res.BatchID), "startedAt": instant(res.StartedAt),
	})
	db, err := r.db(ctx)
	if err != nil {
		return err
	}
	_, err = db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: aws.String(r.table(runTable)), Item: lease,
		ConditionExpression:                 aws.String("attribute_not_exists(PK) OR #owner = :owner OR expiresAt <= :now"),
		ExpressionAttributeNames:            map[string]string{"#owner": "owner"},
		ExpressionAttributeValues:           item{":owner": text(owner), ":now": instant(now)},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if held, ok := refused(err); ok {
		return inProgress(res, held)
	}
	return awsapi.Error(ctx, fmt.Sprintf("leasing %q for %s in the table %s", res.ProgramID, res.Marketplace, r.table(runTable)), err)
}

func inProgress(res ceap.RunResult, lease item) error {
	f := fields{item: lease}
	return ceap.Errorf(ceap.CodeConflict, "run %s of %q for %s (batch %q) is in progress since %s; its lease stands until %s",
		f.text("runId"), res.ProgramID, res.Marketplace, f.text("batchId"),
		f.instant("startedAt").Format(time.RFC3339), f.instant("expiresAt").Format(time.RFC3339)).
		WithHint("wait until it has ended; see `ceap runs list`. The lease of a process that died ends by itself")
}

// Renew implements [store.Leaser]. A lease that is over may be renewed as long as
// nobody else has taken it.
func (r *runs) Renew(ctx context.Context, run ceap.Run, owner string, life time.Duration) error {
	db, err := r.db(ctx)
	if err != nil {
		return err
	}
	_, err = db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(r.table(runTable)), Key: leaseKey(run.Result),
		UpdateExpression:                    aws.String("SET expiresAt = :until"),
		ConditionExpression:                 aws.String("#owner = :owner"),
		ExpressionAttributeNames:            map[string]string{"#owner": "owner"},
		ExpressionAttributeValues:           item{":owner": text(owner), ":until": instant(r.now().Add(life))},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if held, ok := refused(err); ok {
		lost := fmt.Sprintf("the lease of run %s is lost", run.RunID)
		if held == nil {
			return ceap.Errorf(ceap.CodeConflict, "%s: it was given up or taken and given up", lost)
		}
		return ceap.Errorf(ceap.CodeConflict, "%s: %w", lost, inProgress(run.Result, held))
	}
	return awsapi.Error(ctx, fmt.Sprintf("renewing the lease of run %s in the table %s", run.RunID, r.table(runTable)), err)
}

// Unlease implements [store.Leaser].
func (r *runs) Unlease(ctx context.Context, run ceap.Run, owner string) error {
	db, err := r.db(ctx)
	if err != nil {
		return err
	}
	_, err = db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(r.table(runTable)), Key: leaseKey(run.Result),
		ConditionExpression:       aws.String("#owner = :owner"),
		ExpressionAttributeNames:  map[string]string{"#owner": "owner"},
		ExpressionAttributeValues: item{":owner": text(owner)},
	})
	if _, ok := refused(err); ok {
		return nil
	}
	return awsapi.Error(ctx, fmt.Sprintf("giving up the lease of run %s in the table %s", run.RunID, r.table(runTable)), err)
}

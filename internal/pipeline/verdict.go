package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// complete fills the result in, however the run ended.
func (x *execution) complete(ctx context.Context, res *ceap.RunResult, in Input, err error) {
	c := &x.account.counts
	if in.Stage == StageExtract && err == nil {
		res.Message = fmt.Sprintf("extracted and mapped only: %d rows could become candidates; nothing was stored", c.Extracted-c.Finished())
		res.Status = ceap.RunSucceeded
		if c.Extracted == 0 {
			res.Status = ceap.RunEmpty
		}
	} else {
		if lost := c.Extracted - c.Finished(); err != nil && lost > 0 {
			// The run stopped with rows on their way: they have failed, and a run with
			// the same batchId takes them up again.
			c.Failed += lost
			x.account.reasons[reasonKey{code: ceap.ReasonRunStopped}] = &reasonTally{
				kind: ceap.OutcomeFailed, count: lost, reason: "the run stopped before the row had an outcome",
			}
		}
		res.Status = x.status(ctx, err)
	}
	x.account.report(res)
	if x.decided {
		res.Scores = x.scoreCounts()
	}
	res.Funnel = x.account.funnel(x.reached())
	if x.notes != nil {
		res.Mappings = x.notes
	}
	res.Queries = x.queries
	res.Stages = append(res.Stages, x.took...)
	res.EndedAt = x.runner.Now().UTC()
	res.DurationMs = res.EndedAt.Sub(res.StartedAt).Milliseconds()
	if err != nil {
		res.ErrorCode = ceap.ErrorCode(err)
	}
	if res.Status == ceap.RunCancelled {
		res.ErrorCode = ceap.CodeCancelled
	}
	if res.Message == "" {
		res.Message = x.message(ctx, res, err)
	}
	if x.warnings != nil {
		res.Warnings = x.warnings
	}
}

// reached returns the steps that all rows went through; nothing is known of the
// steps of a run that stopped among them.
func (x *execution) reached() []Step {
	if x.decided {
		return x.stages.steps
	}
	return nil
}

// status decides how the run ended (D48).
func (x *execution) status(ctx context.Context, err error) ceap.RunStatus {
	c := x.account.counts
	switch {
	case err != nil && (ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) || ceap.ErrorCode(err) == ceap.CodeCancelled):
		return ceap.RunCancelled
	case err != nil, !c.Balanced(), errorRate(c) > x.def.MaxErrorRate:
		return ceap.RunFailed
	case c.Extracted == 0 && x.def.ExpectRows:
		return ceap.RunFailed
	case c.Extracted == 0:
		return ceap.RunEmpty
	case c.Failed > 0, x.account.broken > 0:
		return ceap.RunPartial
	default:
		return ceap.RunSucceeded
	}
}

// message says in words why the status is not SUCCEEDED.
func (x *execution) message(ctx context.Context, res *ceap.RunResult, err error) string {
	c := res.Counts
	switch {
	case res.Status == ceap.RunSucceeded:
		return ""
	case res.Status == ceap.RunCancelled:
		return fmt.Sprintf("cancelled; run it again with batchId %q to go on", res.BatchID)
	case err != nil:
		return err.Error()
	case !c.Balanced():
		return fmt.Sprintf("the counts do not balance: %d rows extracted, %d accounted for", c.Extracted, c.Finished())
	case c.Extracted == 0:
		return x.noRows(ctx)
	case c.Failed > 0:
		return fmt.Sprintf("%d of %d rows failed; run it again with batchId %q to try them again", c.Failed, c.Extracted, res.BatchID)
	default:
		return fmt.Sprintf("a filter broke for %d rows, which were rejected as %s; the first: %s", x.account.broken, ceap.ReasonFilterError, x.account.brokenBy)
	}
}

// noRows says what was looked at when a run found no rows, a finding a line with
// what to do beneath it (D49).
func (x *execution) noRows(ctx context.Context) string {
	var b strings.Builder
	fmt.Fprintf(&b, "No candidates extracted for %s, %s to %s", x.def.Marketplace, x.req.Range.Start, x.req.Range.End)
	if len(x.def.Sources) == 0 {
		b.WriteString(": no connector is enabled")
	}
	for _, source := range x.def.Sources {
		checker, ok := source.Connector.(connector.Checker)
		if !ok {
			continue
		}
		req := x.req
		req.ConnectorID = source.ID
		for _, check := range checker.Check(ctx, req) {
			if check.Status != connector.CheckFailed || check.Name == "rows" { // that there are none is known
				continue
			}
			fmt.Fprintf(&b, "\n%s: %s: %s", source.ID, check.Name, check.Detail)
			if check.Remedy != "" {
				b.WriteString("\n  do: " + check.Remedy)
			}
		}
	}
	return b.String()
}

// verdict is the error of a run that ended as it did: nil for one that succeeded,
// was empty, partial or failed by its counts, which the status tells.
func (x *execution) verdict(_ context.Context, res *ceap.RunResult, err error) error {
	if res.Status == ceap.RunCancelled {
		return &ceap.Error{Code: ceap.CodeCancelled, Message: res.Message, Err: nil}
	}
	return err
}

package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

var errTimedOut = errors.New("timed out")

// watch limits the time that an engine works. The time that the consumer of the
// rows needs between two calls does not count.
type watch struct {
	ctx    context.Context //nolint:containedctx // it spans the calls of one stream
	parent context.Context //nolint:containedctx // tells a caller's cancel from our timeout
	cancel context.CancelCauseFunc
	now    func() time.Time
	limit  time.Duration
	left   time.Duration
}

func (c *Connector) watch(ctx context.Context) *watch {
	limit := c.maxWait()
	w := &watch{parent: ctx, now: c.now, limit: limit, left: limit}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	return w
}

// do runs a piece of the engine's work; rows are those read before it.
func (w *watch) do(rows int64, work func() error) error {
	timer := time.AfterFunc(w.left, func() { w.cancel(errTimedOut) })
	start := w.now()
	err := work()
	timer.Stop()
	w.left = max(w.left-w.now().Sub(start), time.Nanosecond)
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case w.parent.Err() != nil:
		message := "Query execution failed: cancelled"
		if e, ok := errors.AsType[*Stopped](err); ok {
			message += " (" + e.Error() + ")"
		}
		return &ceap.Error{Code: ceap.CodeCancelled, Message: message, Err: context.Cause(w.parent)}
	case errors.Is(context.Cause(w.ctx), errTimedOut):
		detail := fmt.Sprintf("after %s, with %d rows read", w.limit, rows)
		if e, ok := errors.AsType[*Stopped](err); ok {
			detail += " (" + e.Error() + ")"
		}
		return timedOut(detail, w.limit)
	case ceap.ErrorCode(err) == ceap.CodeInternal:
		return &ceap.Error{Code: ceap.CodeInternal, Message: "Query execution failed", Err: err}
	default:
		return err
	}
}

// timedOut returns the error of a query that took too long.
func timedOut(detail string, limit time.Duration) *ceap.Error {
	return &ceap.Error{
		Code:    ceap.CodeUnavailable,
		Message: "Query execution failed: timed out " + detail,
		Hint:    fmt.Sprintf("let it read fewer days or partitions, or raise sourceConfig.maxWaitSeconds (now %d)", limit/time.Second),
	}
}

// Stopped is the error of an engine elsewhere whose statement was stopped: what
// it had done until then, and may charge for.
type Stopped struct {
	QueryID      string
	Elapsed      time.Duration
	BytesScanned int64
}

// Error returns the facts in words.
func (e *Stopped) Error() string {
	return fmt.Sprintf("query %s, stopped after %s, %d bytes scanned", e.QueryID, e.Elapsed.Round(time.Millisecond), e.BytesScanned)
}

// stream counts the rows of an engine.
type stream struct {
	*watch
	rows   Rows
	limit  int64
	count  int64
	unused []string
	err    error
}

// Columns returns the columns.
func (s *stream) Columns() []connector.Column { return s.rows.Columns() }

// Next returns the next rows.
func (s *stream) Next() (batch []connector.Record, err error) {
	if s.err != nil {
		return nil, s.err
	}
	s.err = s.do(s.count, func() error {
		batch, err = s.rows.Next()
		return err
	})
	s.count += int64(len(batch))
	return batch, s.err
}

// Close ends the query.
func (s *stream) Close() error {
	if s.err == nil {
		s.err = ceap.Errorf(ceap.CodeInvalid, "the stream is closed")
	}
	err := s.rows.Close()
	s.cancel(nil)
	return err
}

// Report warns when the query's LIMIT may have cut rows off (D37).
func (s *stream) Report() connector.Report {
	var r connector.Report
	if reporter, ok := s.rows.(Reporter); ok {
		r = reporter.Report()
	}
	return completed(r, s.unused, s.limit, s.count)
}

// completed adds to an engine's report what does not depend on the engine.
func completed(r connector.Report, unused []string, limit, count int64) connector.Report {
	r.Unused = append(r.Unused, unused...)
	if limit > 0 && count == limit {
		r.Warnings = append(r.Warnings, fmt.Sprintf(
			"TRUNCATED? the query returned %d rows, exactly its LIMIT; rows beyond it are missing if there are any: "+
				"raise or remove the LIMIT, or read fewer days at a time", count))
	}
	return r
}

var _ connector.Reporter = (*stream)(nil)

package kinesis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

const queryFailed = "Query execution failed: "

// failed returns the error that users see of one of the SDK's.
func (r *reader) failed(ctx context.Context, doing string, err error) error {
	if awsapi.Code(err) == "ResourceNotFoundException" {
		e := &ceap.Error{
			Code: ceap.CodeUnavailable, Message: fmt.Sprintf("%sthe stream %q does not exist", queryFailed, r.c.config.StreamName),
			Hint: "correct sourceConfig.streamName or the region, or create the stream",
		}
		if near := r.nearest(ctx); near != "" {
			e.Hint = fmt.Sprintf("did you mean %q? %s", near, e.Hint)
		}
		return e
	}
	return awsapi.Error(ctx, queryFailed+doing, err)
}

// nearest returns the name of a stream that may be meant, or "".
func (r *reader) nearest(ctx context.Context) string {
	out, err := r.client.ListStreams(ctx, &kinesis.ListStreamsInput{})
	if err != nil {
		return "" // the permission may be missing; it only makes a hint better
	}
	return plugin.Nearest(r.c.config.StreamName, out.StreamNames)
}

// retention warns of records that the stream retains no longer. Without the
// permission to ask it says nothing.
func (r *reader) retention(ctx context.Context) (string, error) {
	name, arn := r.c.name()
	out, err := r.client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name, StreamARN: arn})
	if err != nil {
		err = r.failed(ctx, "looking at the stream "+r.c.config.StreamName, err)
		if ceap.ErrorCode(err) == ceap.CodeForbidden {
			return "", nil
		}
		return "", err
	}
	hours := aws.ToInt32(out.StreamDescriptionSummary.RetentionPeriodHours)
	oldest := r.c.now().Add(-time.Duration(hours) * time.Hour)
	gone := oldest
	if r.window.end.Before(oldest) {
		gone = r.window.end
	}
	created := aws.ToTime(out.StreamDescriptionSummary.StreamCreationTimestamp)
	if r.window.start.IsZero() || !r.window.start.Before(oldest) || created.After(oldest) {
		return "", nil
	}
	return fmt.Sprintf("the stream %s retains records for %d hours: those that arrived from %s to %s are gone; raise its retention period, or read it more often",
		r.c.config.StreamName, hours, r.window.start.Format(time.RFC3339), gone.UTC().Format(time.RFC3339)), nil
}

// Check says which time is read, what the stream retains, and whether there is a
// record.
func (c *Connector) Check(ctx context.Context, req connector.Request) []connector.Check {
	w := c.window(req)
	checks := []connector.Check{{Name: "window", Status: connector.CheckOK, Detail: "records that arrived from " + w.String()}}
	if w.empty() {
		checks[0].Status, checks[0].Remedy = connector.CheckFailed, "run a range that has begun"
		checks[0].Detail = fmt.Sprintf("no record can have arrived from %s on before %s", w.start.Format(time.RFC3339), w.end.Format(time.RFC3339))
	}
	opened, err := c.Extract(ctx, req)
	if err != nil {
		return append(checks, checkOf("stream", err))
	}
	defer func() { _ = opened.Close() }() // it is only looked at
	s, _ := opened.(*stream)
	checks = append(checks, connector.Check{
		Name: "stream", Status: connector.CheckOK, Detail: fmt.Sprintf("%s has %d shards", c.config.StreamName, len(s.reader.shards)),
	})
	for _, note := range s.notes {
		checks = append(checks, connector.Check{Name: "stream", Status: connector.CheckWarning, Detail: note})
	}
	_, err = s.Next()
	switch {
	case errors.Is(err, io.EOF):
		return append(checks, c.noRecords(w))
	case err != nil:
		return append(checks, checkOf("records", err))
	}
	return append(checks, connector.Check{
		Name: "records", Status: connector.CheckOK, Detail: fmt.Sprintf("%d keys: %s", len(s.columns), strings.Join(s.objects.Names(), ", ")),
	})
}

// noRecords says that there is nothing to read. Behind checkpoints that is as it
// should be.
func (c *Connector) noRecords(w window) connector.Check {
	check := connector.Check{
		Name: "records", Status: connector.CheckFailed, Detail: "no record arrived from " + w.String(),
		Remedy: "run a range in which records arrived, and look at what writes to the stream",
	}
	if c.checkpoints != nil {
		check.Status, check.Detail = connector.CheckWarning, "no record has arrived before "+w.end.Format(time.RFC3339)+" and behind the checkpoints of the last run"
		check.Remedy = "wait for records; to read old ones again, give the connector another connectorId"
	}
	return check
}

// checkOf returns the failed check of an error; its hint is the remedy.
func checkOf(name string, err error) connector.Check {
	check := connector.Check{Name: name, Status: connector.CheckFailed, Detail: err.Error()}
	if e, ok := errors.AsType[*ceap.Error](err); ok && e.Hint != "" {
		check.Detail, check.Remedy = strings.TrimSuffix(check.Detail, "; "+e.Hint), e.Hint
	}
	return check
}

package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// parted is a connector whose engine runs elsewhere.
type parted struct {
	*Connector
	starter Starter
}

var _ connector.Parted = (*parted)(nil)

// ticket is what the connector must know of work that it started.
type ticket struct {
	JobID    string          `json:"jobId"`
	Deadline time.Time       `json:"deadline"`
	Engine   json.RawMessage `json:"engine"`
}

// Start starts the query. It is to be done maxWaitSeconds later, or by the job's
// own deadline if that is sooner (D39).
func (p *parted) Start(ctx context.Context, req connector.Request, job connector.Job) (connector.Ticket, error) {
	s, err := p.statement(req)
	if err != nil {
		return connector.Ticket{}, err
	}
	started := p.now()
	t := ticket{JobID: job.ID + "/" + req.ConnectorID, Deadline: started.Add(p.maxWait())}
	if !job.Deadline.IsZero() && job.Deadline.Before(t.Deadline) {
		t.Deadline = job.Deadline
	}
	s.Job.ID, s.Job.Deadline = t.JobID, t.Deadline
	if t.Engine, err = p.starter.Start(ctx, s); err != nil {
		return connector.Ticket{}, failed(err)
	}
	data, err := json.Marshal(t)
	return connector.Ticket{ConnectorID: req.ConnectorID, StartedAt: started, Data: data}, err
}

// Poll reports how far the query is, and stops it once its time is over.
func (p *parted) Poll(ctx context.Context, req connector.Request, t connector.Ticket) (connector.Progress, error) {
	s, data, err := p.started(req, t)
	if err != nil {
		return connector.Progress{}, err
	}
	progress, err := p.starter.Poll(ctx, s, data.Engine)
	return progress, p.polled(err, t)
}

// polled returns the error of a poll as users see it.
func (p *parted) polled(err error, t connector.Ticket) error {
	if e, ok := err.(*Stopped); ok { //nolint:errorlint // an engine's own word, not a part of another error
		return timedOut(fmt.Sprintf("after %s (%s)", p.now().Sub(t.StartedAt).Round(time.Second), e), p.maxWait())
	}
	return failed(err)
}

// Parts returns the parts of a query that is done.
func (p *parted) Parts(ctx context.Context, req connector.Request, t connector.Ticket) (connector.Parts, error) {
	s, data, err := p.started(req, t)
	if err != nil {
		return connector.Parts{}, err
	}
	parts, err := p.starter.Parts(ctx, s, data.Engine)
	if err != nil {
		return connector.Parts{}, failed(err)
	}
	var rows int64
	for _, part := range parts.List {
		rows += part.Rows
	}
	parts.Report = completed(parts.Report, p.unused(), s.Limit, rows)
	return parts, nil
}

// ExtractPart reads a part. What takes longer than maxWaitSeconds is given up.
func (p *parted) ExtractPart(ctx context.Context, _ connector.Request, part connector.Part) (connector.Stream, error) {
	w := p.watch(ctx)
	st := &stream{watch: w, limit: -1}
	err := w.do(0, func() (err error) {
		st.rows, err = p.starter.OpenPart(w.ctx, part)
		return err
	})
	if err != nil {
		w.cancel(nil)
		return nil, err
	}
	return st, nil
}

// Stop stops the query.
func (p *parted) Stop(ctx context.Context, req connector.Request, t connector.Ticket) error {
	s, data, err := p.started(req, t)
	if err != nil {
		return err
	}
	return failed(p.starter.Stop(ctx, s, data.Engine))
}

// started returns the statement of a ticket.
func (p *parted) started(req connector.Request, t connector.Ticket) (Statement, ticket, error) {
	data, err := readTicket(t)
	if err != nil {
		return Statement{}, data, err
	}
	s, err := p.statement(req)
	s.Job.ID, s.Job.Deadline = data.JobID, data.Deadline
	return s, data, err
}

func readTicket(t connector.Ticket) (ticket, error) {
	var data ticket
	if err := json.Unmarshal(t.Data, &data); err != nil {
		return data, ceap.Errorf(ceap.CodeInvalid, "reading the ticket of connector %q: %w", t.ConnectorID, err)
	}
	return data, nil
}

func (c *Connector) maxWait() time.Duration {
	return time.Duration(c.config.MaxWaitSeconds) * time.Second
}

// failed returns an engine's error as users see it.
func failed(err error) error {
	if err != nil && ceap.ErrorCode(err) == ceap.CodeInternal {
		return &ceap.Error{Code: ceap.CodeInternal, Message: "Query execution failed", Err: err}
	}
	return err
}

package warehouse_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/plugin"
)

// starter is an engine elsewhere, that remembers what it was asked for.
type starter struct {
	fake
	asked   []warehouse.Job
	done    bool
	stopped bool
	parts   connector.Parts
}

func (s *starter) Start(_ context.Context, st warehouse.Statement) (json.RawMessage, error) {
	s.asked = append(s.asked, st.Job)
	return json.RawMessage(`{"mine":1}`), nil
}

func (s *starter) Poll(_ context.Context, st warehouse.Statement, ticket json.RawMessage) (connector.Progress, error) {
	s.asked = append(s.asked, st.Job)
	if string(ticket) != `{"mine":1}` {
		return connector.Progress{}, ceap.Errorf(ceap.CodeInternal, "the ticket %s", ticket)
	}
	if !time.Now().Before(st.Job.Deadline) {
		return connector.Progress{}, &warehouse.Stopped{QueryID: "q-1", Elapsed: time.Minute, BytesScanned: 7}
	}
	return connector.Progress{Done: s.done}, nil
}

func (s *starter) Parts(context.Context, warehouse.Statement, json.RawMessage) (connector.Parts, error) {
	return s.parts, nil
}

func (s *starter) OpenPart(ctx context.Context, _ connector.Part) (warehouse.Rows, error) {
	return s.Query(ctx, warehouse.Statement{})
}

func (s *starter) Stop(context.Context, warehouse.Statement, json.RawMessage) error {
	s.stopped = true
	return nil
}

func openParted(t *testing.T, s *starter, config warehouse.Config) connector.Parted {
	t.Helper()
	config.Database = "db"
	d := warehouse.Description{Name: "fake", Open: func(plugin.Env, warehouse.Settings) (warehouse.Engine, error) { return s, nil }}
	opened, err := warehouse.Open(plugin.Env{Now: time.Now, Settings: warehouse.Settings{Engine: "fake"}}, config, []warehouse.Description{d})
	if err != nil {
		t.Fatal(err)
	}
	return opened.(connector.Parted)
}

func TestOpen_IsPartedOnlyWithAStarter(t *testing.T) {
	t.Parallel()
	opened, err := warehouse.Open(plugin.Env{Now: time.Now, Settings: warehouse.Settings{Engine: "fake"}},
		warehouse.Config{Database: "db", Query: "SELECT 1", MaxWaitSeconds: 1}, []warehouse.Description{(&fake{}).description()})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := opened.(connector.Parted); ok {
		t.Error("an engine on this machine gives parts")
	}
}

func TestParted_KeepsTheDeadline(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		job  time.Duration // the job's own deadline, from now
		want time.Duration
	}{{0, time.Minute}, {time.Hour, time.Minute}, {time.Second, time.Second}} {
		s := &starter{}
		p := openParted(t, s, warehouse.Config{Query: "SELECT 1", MaxWaitSeconds: 60, ResultsBucket: "b", ResultsPrefix: "/x", WorkGroup: "w"})
		job := connector.Job{ID: "run-1/1"}
		start := time.Now()
		if tc.job > 0 {
			job.Deadline = start.Add(tc.job)
		}
		req := request()
		req.ConnectorID, req.BatchID = "c", "b-1"
		ticket, err := p.Start(t.Context(), req, job)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Poll(t.Context(), req, ticket); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.asked[0], s.asked[1]); diff != "" { // to the same instant, in another process too
			t.Error(diff)
		}
		got := s.asked[0]
		if d := got.Deadline.Sub(start); d < tc.want-time.Millisecond || d > tc.want+10*time.Second {
			t.Errorf("the deadline is %s away, want %s", d, tc.want)
		}
		got.Deadline = time.Time{}
		want := warehouse.Job{ID: "run-1/1/c", Name: "product-reviews/b-1/c", ResultsBucket: "b", ResultsPrefix: "x/c/", WorkGroup: "w"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestParted_SaysWhatATimeoutCost(t *testing.T) {
	t.Parallel()
	s := &starter{}
	p := openParted(t, s, warehouse.Config{Query: "SELECT 1", MaxWaitSeconds: 60})
	ticket, err := p.Start(t.Context(), request(), connector.Job{ID: "j", Deadline: time.Now().Add(-time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Poll(t.Context(), request(), ticket)
	if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.HasPrefix(err.Error(), "Query execution failed: timed out after 0s (query q-1, stopped after 1m0s, 7 bytes scanned)") {
		t.Errorf("got %v", err)
	}
	if err := p.Stop(t.Context(), request(), ticket); err != nil || !s.stopped {
		t.Errorf("stopped: %v, %v", s.stopped, err)
	}
}

func TestParted_ReportsTruncation(t *testing.T) {
	t.Parallel()
	for rows, want := range map[int64]bool{5: true, 4: false} {
		s := &starter{parts: connector.Parts{List: []connector.Part{{FirstRow: 1, Rows: 3}, {FirstRow: 4, Rows: rows - 3}}, Report: connector.Report{QueryID: "q"}}}
		p := openParted(t, s, warehouse.Config{Query: "SELECT 1 LIMIT 5", MaxWaitSeconds: 60})
		ticket, err := p.Start(t.Context(), request(), connector.Job{ID: "j"})
		if err != nil {
			t.Fatal(err)
		}
		parts, err := p.Parts(t.Context(), request(), ticket)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(parts.Report.Warnings) == 1 && strings.HasPrefix(parts.Report.Warnings[0], "TRUNCATED?"); got != want || parts.Report.QueryID != "q" {
			t.Errorf("%d rows: %+v", rows, parts.Report)
		}
	}
}

func TestParted_RefusesATicketOfAnother(t *testing.T) {
	t.Parallel()
	p := openParted(t, &starter{}, warehouse.Config{Query: "SELECT 1", MaxWaitSeconds: 60})
	for _, data := range []string{"", "[]", "x"} {
		if _, err := p.Poll(t.Context(), request(), connector.Ticket{Data: json.RawMessage(data)}); ceap.ErrorCode(err) != ceap.CodeInvalid {
			t.Errorf("%q: %v", data, err)
		}
	}
}

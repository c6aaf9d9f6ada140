//go:build cgo

package athena_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/athena"
	fakeathena "github.com/ceap-platform/ceap/internal/awstest/athena"
)

func TestQuery_TreatsErrorsByTheirType(t *testing.T) {
	t.Parallel()
	const always = 9 // failures in a row, more than there are attempts
	for _, tc := range []struct {
		fault  fakeathena.Fault
		times  int
		starts int       // of queries
		code   ceap.Code // "" if rows arrive in the end
		text   string
	}{
		{fakeathena.Fault{Category: 1, Type: 3}, 1, 2, "", ""},
		{fakeathena.Fault{Category: 1, Type: 3}, always, 2, ceap.CodeUnavailable, "resources are exhausted"},
		{fakeathena.Fault{Category: 1, Type: 100}, 2, 3, "", ""},
		{fakeathena.Fault{Category: 1, Type: 100}, always, 3, ceap.CodeUnavailable, "attempt 3"},
		{fakeathena.Fault{Category: 1, Type: 300}, 1, 2, "", ""},
		{fakeathena.Fault{Category: 1, Type: 400}, 1, 2, "", ""},
		{fakeathena.Fault{Category: 1, Type: 9999}, 1, 2, "", ""},
		{fakeathena.Fault{Category: 1, Type: 204}, always, 3, ceap.CodeUnavailable, "Glue Data Catalog"},
		{fakeathena.Fault{Category: 1, Type: 200}, 1, 2, "", ""},
		{fakeathena.Fault{Category: 1, Type: 235}, 1, 2, "", ""},
		{fakeathena.Fault{Category: 1, Type: 206, Retryable: true}, 1, 1, ceap.CodeInvalid, "timed out in Athena"},
		{fakeathena.Fault{Category: 1, Type: 210, Retryable: true}, 1, 1, ceap.CodeInvalid, "fewer days"},
		{fakeathena.Fault{Category: 1, Type: 233}, 1, 1, ceap.CodeUnavailable, "Iceberg"},
		{fakeathena.Fault{Category: 1, Type: 234, Retryable: true}, 1, 2, "", ""},
		{fakeathena.Fault{Category: 1, Type: 240, Retryable: true}, always, 3, ceap.CodeUnavailable, "could not be submitted"},
		{fakeathena.Fault{Category: 2, Type: 401}, 1, 1, ceap.CodeUnavailable, "s3:PutObject"},
		{fakeathena.Fault{Category: 2, Type: 402}, 1, 1, ceap.CodeUnavailable, "cannot write the results"},
		{fakeathena.Fault{Category: 2, Type: 1306}, 1, 1, ceap.CodeUnavailable, "a bucket does not exist"},
		{fakeathena.Fault{Category: 2, Type: 1000}, 1, 1, ceap.CodeInvalid, ""},
		{fakeathena.Fault{Category: 2, Type: 1006, Message: "SYNTAX_ERROR: line 2:8: no such thing"}, 1, 1, ceap.CodeInvalid, "no such thing (at 1:8 of the query)"},
		{fakeathena.Fault{Category: 2, Type: 1008}, 1, 1, ceap.CodeInvalid, "rejected"},
		{fakeathena.Fault{Category: 2, Type: 1109}, 1, 1, ceap.CodeUnavailable, "LOCATION"},
		{fakeathena.Fault{Category: 2, Type: 1110}, 1, 1, ceap.CodeInvalid, ""},
		{fakeathena.Fault{Category: 2, Type: 1200}, 1, 1, ceap.CodeInvalid, "does not support"},
		{fakeathena.Fault{Category: 2, Type: 1011}, 1, 1, ceap.CodeUnavailable, "cancelled, not by CEAP"},
		{fakeathena.Fault{Category: 3, Type: 1401}, 2, 3, "", ""},
		{fakeathena.Fault{Category: 3, Type: 1403}, always, 3, ceap.CodeUnavailable, "slow down"},
		{fakeathena.Fault{Category: 2, Type: 1500, Message: "User: arn:aws:iam::1:role/ceap is not authorized to perform: glue:GetTable on resource: arn:aws:glue:us-east-1:1:table/x"}, 1, 1, ceap.CodeForbidden, "allow glue:GetTable on arn:aws:glue:us-east-1:1:table/x"},
		{fakeathena.Fault{Category: 2, Type: 1501, Message: "Access Denied (Service: Amazon S3; Status Code: 403)"}, 1, 1, ceap.CodeForbidden, "s3:GetObject"},
		{fakeathena.Fault{Category: 2, Type: 12345}, 1, 1, ceap.CodeInvalid, ""},
		{fakeathena.Fault{Category: 3, Type: 12345, Retryable: true}, 1, 2, "", ""},
		{fakeathena.Fault{Category: 1, Type: 100, Partial: true}, 1, 2, "", ""},
	} {
		t.Run(fmt.Sprintf("%d for %d times", tc.fault.Type, tc.times), func(t *testing.T) {
			t.Parallel()
			c := newCloud(t, fakeathena.Options{})
			if tc.fault.Message == "" {
				tc.fault.Message = "it broke"
			}
			c.fake.FailNext(tc.times, tc.fault)
			rows, err := c.engine().Query(t.Context(), statement(t, "SELECT 'x' AS v"))
			if got := c.fake.Calls("StartQueryExecution"); got != tc.starts {
				t.Errorf("%d queries were started, want %d", got, tc.starts)
			}
			if tc.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := shown(drain(t, rows, 1)); got != "x" {
					t.Errorf("rows %s", got)
				}
				return
			}
			if ceap.ErrorCode(err) != tc.code || !strings.Contains(err.Error(), tc.text) || !strings.Contains(err.Error(), "Query execution failed: ") || !strings.Contains(err.Error(), "[query ") {
				t.Errorf("got %s: %v", ceap.ErrorCode(err), err)
			}
		})
	}
}

func TestQuery_WaitsBetweenAttempts(t *testing.T) {
	t.Parallel()
	for kind, bounds := range map[int32][2]time.Duration{100: {0, 4 * time.Second}, 1401: {29 * time.Second, 60 * time.Second}} {
		now := time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC)
		c := newCloud(t, fakeathena.Options{Now: func() time.Time { return now }})
		c.now = func() time.Time { return now }
		c.fake.FailNext(1, fakeathena.Fault{Category: 1, Type: kind, Message: "it broke"})
		e := athena.New(c.env(), c.settings(), c.load)
		var longest time.Duration
		e.Hasten(func(d time.Duration) { longest = max(longest, d) })
		if _, err := e.Query(t.Context(), statement(t, "SELECT 1 AS v")); err != nil {
			t.Fatal(err)
		}
		if longest < bounds[0] || longest > bounds[1] {
			t.Errorf("type %d: waited for %s", kind, longest)
		}
	}
}

func TestQuery_PollsLessAndLess(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{QueuedPolls: 6, RunningPolls: 6})
	e := athena.New(c.env(), c.settings(), c.load)
	var waits []time.Duration
	e.Hasten(func(d time.Duration) { waits = append(waits, d) })
	if _, err := e.Query(t.Context(), statement(t, "SELECT 1 AS v")); err != nil {
		t.Fatal(err)
	}
	if len(waits) != 12 {
		t.Fatalf("waits %v", waits)
	}
	base := 300 * time.Millisecond
	for i, w := range waits {
		if w < base*3/4 || w > base*5/4 {
			t.Errorf("wait %d is %s, not about %s", i, w, base)
		}
		base = min(base*3/2, 5*time.Second)
	}
}

func TestQuery_NamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{WorkGroups: []fakeathena.WorkGroup{
		{Name: "off", OutputLocation: "s3://" + bucket + "/x/", Disabled: true}, {Name: "cutoff", BytesScannedLimit: 10},
	}})
	c.write("product_deliveries/f.csv", "customer_id,product_id\nC1,P1\n")
	for _, tc := range []struct {
		query string
		job   warehouse.Job
		code  ceap.Code
		parts []string
	}{
		{
			"SELECT custmer_id FROM product_deliveries",
			warehouse.Job{},
			ceap.CodeInvalid,
			[]string{"custmer_id", "(at 1:8 of the query)", `did you mean "customer_id"?`, "product_deliveries has customer_id, product_id"},
		},
		{
			"SELECT d.custmer_id\nFROM product_deliveries d\nWHERE  d.nope = '{startDate}'",
			warehouse.Job{},
			ceap.CodeInvalid,
			[]string{"of the query)", "product_deliveries has customer_id, product_id"},
		},
		{"SELECT *\nFROM product_delivery", warehouse.Job{}, ceap.CodeInvalid, []string{"product_delivery", "2:6", "the database ceap_data_dev has product_deliveries"}},
		{"SELECT * FROM ceap_data.t", warehouse.Job{}, ceap.CodeInvalid, []string{"1:15", "ceap_data", "the catalog has"}},
		{"SELECT 1 AS v", warehouse.Job{WorkGroup: "nobody"}, ceap.CodeInvalid, []string{"there is no workgroup nobody", "sourceConfig.workGroup"}},
		{"SELECT 1 AS v", warehouse.Job{WorkGroup: "off"}, ceap.CodeInvalid, []string{"the workgroup off is disabled"}},
		{"SELECT 1 AS v", warehouse.Job{ResultsBucket: "nobodys"}, ceap.CodeInvalid, []string{"bucket nobodys", "resultsBucket"}},
		{"SELECT * FROM product_deliveries", warehouse.Job{WorkGroup: "cutoff"}, ceap.CodeInvalid, []string{"Bytes scanned limit was exceeded"}},
		{"SELECT '" + strings.Repeat("x", 262144) + "' AS v", warehouse.Job{}, ceap.CodeInvalid, []string{"and Athena takes 262144"}},
		{"SELECT 'é' FROM FROM x", warehouse.Job{}, ceap.CodeInvalid, []string{"1:17"}},
	} {
		s := statement(t, tc.query)
		s.Job = tc.job
		_, err := c.engine().Query(t.Context(), s)
		if ceap.ErrorCode(err) != tc.code {
			t.Errorf("%.60s: %s: %v", tc.query, ceap.ErrorCode(err), err)
			continue
		}
		for _, part := range append(tc.parts, "Query execution failed") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%.60s: no %q in %v", tc.query, part, err)
			}
		}
	}
}

func TestQuery_NeedsAPlaceForResults(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{})
	settings := c.settings()
	settings.ResultsBucket = ""
	_, err := athena.New(c.env(), settings, c.load).Query(t.Context(), statement(t, "SELECT 1 AS v"))
	if ceap.ErrorCode(err) != ceap.CodeInvalid || !strings.Contains(err.Error(), "connectors.data-warehouse.resultsBucket") {
		t.Errorf("got %v", err)
	}
}

func TestQuery_UsesThePlaceThatIsEnforced(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{WorkGroups: []fakeathena.WorkGroup{{Name: "primary", OutputLocation: "s3://" + bucket + "/enforced/", Enforce: true}}})
	source := c.connector(warehouse.Config{Query: "SELECT 1 AS v", ResultsBucket: "another", ResultsPrefix: "mine"})
	stream, err := source.Extract(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	drain(t, stream, 1)
	report := stream.(connector.Reporter).Report()
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "s3://"+bucket+"/enforced/") || len(report.Unused) != 1 {
		t.Errorf("report %+v", report)
	}
	if keys := c.keys("enforced/mine/deliveries/"); len(keys) == 0 {
		t.Errorf("nothing at the place, but %v", c.keys(""))
	}
}

func TestConnector_PutsResultsBelowItsPrefix(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{})
	stream, err := c.connector(warehouse.Config{Query: "SELECT 1 AS v"}).Extract(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	drain(t, stream, 1)
	if keys := c.keys("ceap/product-reviews/batch-1/deliveries/"); len(keys) < 2 || len(keys) != len(c.keys("")) {
		t.Errorf("objects %v", c.keys(""))
	}
	if report := stream.(connector.Reporter).Report(); report.QueryID == "" {
		t.Errorf("report %+v", report)
	}
}

func TestQuery_StopsWhenItsCallerGoes(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{})
	c.fake.HangNext(1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.engine().Query(ctx, statement(t, "SELECT 1 AS v"))
	stopped, ok := errors.AsType[*warehouse.Stopped](err)
	if !ok || stopped.QueryID == "" || c.fake.Calls("StopQueryExecution") != 1 {
		t.Errorf("got %v after %d stops", err, c.fake.Calls("StopQueryExecution"))
	}
}

func TestConnector_TimesOut(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{})
	c.fake.HangNext(1)
	_, err := c.connector(warehouse.Config{Query: "SELECT 1 AS v", MaxWaitSeconds: 1}).Extract(t.Context(), request())
	if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.HasPrefix(err.Error(), "Query execution failed: timed out after 1s") || !strings.Contains(err.Error(), "bytes scanned") {
		t.Errorf("got %v", err)
	}
	if c.fake.Calls("StopQueryExecution") != 1 {
		t.Error("the query was not stopped")
	}
}

func TestPoll_StopsAtTheDeadline(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} { // whether the stop comes too late
		now := time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC)
		clock := func() time.Time { return now }
		c := newCloud(t, fakeathena.Options{Now: clock, RunningPolls: 2})
		c.now = clock
		if late {
			c.fake.StopTooLate(1)
		} else {
			c.fake.HangNext(1)
		}
		source := c.connector(warehouse.Config{Query: "SELECT 1 AS v", MaxWaitSeconds: 60}).(connector.Parted)
		ticket, err := source.Start(t.Context(), request(), connector.Job{ID: "run-1/1"})
		if err != nil {
			t.Fatal(err)
		}
		ticket = overJSON(t, ticket)
		if p, err := source.Poll(t.Context(), request(), ticket); err != nil || p.Done || p.State != "RUNNING" {
			t.Fatalf("%+v, %v", p, err)
		}
		now = now.Add(61 * time.Second)
		for range 2 { // it stays so
			p, err := source.Poll(t.Context(), request(), ticket)
			if late {
				if err != nil || !p.Done {
					t.Errorf("%+v, %v", p, err)
				}
				continue
			}
			if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.HasPrefix(err.Error(), "Query execution failed: timed out after 1m1s (query ") {
				t.Errorf("%+v, %v", p, err)
			}
		}
	}
}

func TestStart_IsTheSameQueryAgain(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{})
	s := statement(t, "SELECT 'x' AS v WHERE '2026-01-26' = '{startDate}'")
	s.Job.ID = "job"
	first, err := c.engine().Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.engine().Start(t.Context(), s) // by a process that knows nothing of the first
	if err != nil || string(first) != string(second) {
		t.Errorf("%s and %s, %v", first, second, err)
	}
	s.Job.ID = "another job"
	third, err := c.engine().Start(t.Context(), s)
	if err != nil || string(first) == string(third) {
		t.Errorf("%s and %s, %v", first, third, err)
	}
}

func TestPoll_RetriesWithoutKnowingOfItsOtherCalls(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{QueuedPolls: 1})
	c.fake.FailNext(2, fakeathena.Fault{Category: 1, Type: 100, Message: "it broke", Partial: true})
	c.now = func() time.Time { return time.Now().Add(time.Minute) } // all waiting is over
	s := statement(t, "SELECT n FROM UNNEST(sequence(1, 20)) AS t(n)")
	s.Job.ID = "job"
	ticket := started(t, c, s)
	parts, err := c.engine().Parts(t.Context(), s, ticket)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.engine().Parts(t.Context(), s, ticket)
	if err != nil || fmt.Sprint(parts) != fmt.Sprint(again) {
		t.Errorf("%+v and then %+v, %v", parts, again, err)
	}
	if len(parts.List) != 1 || parts.List[0].Rows != 20 {
		t.Errorf("parts %+v", parts)
	}
	ids := map[string]bool{}
	for _, key := range c.keys("") {
		if strings.HasSuffix(key, "-manifest.csv") {
			ids[key] = true
		}
	}
	if len(ids) != 1 {
		t.Errorf("manifests %v", ids)
	}
}

func TestStop_EndsTheQuery(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{})
	c.fake.HangNext(1)
	s := statement(t, "SELECT 1 AS v")
	s.Job.ID = "job"
	ticket, err := c.engine().Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.engine().Stop(t.Context(), s, ticket); err != nil {
			t.Fatal(err)
		}
	}
	_, err = c.engine().Poll(t.Context(), s, ticket)
	if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("got %v", err)
	}
}

func TestQuery_SaysHowItIsRead(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{})
	for query, want := range map[string]string{
		"SELECT 1":                 "a column has no name",
		"SELECT 1 AS v, 2 AS v":    "the same name",
		"SELECT TIME '10:00' AS v": "cast time",
		"SELECT n FROM UNNEST(sequence(1, 3)) AS t(n) ORDER BY n DESC": "ORDER BY has no effect",
	} {
		rows, err := c.engine().Query(t.Context(), statement(t, query))
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		report := rows.(warehouse.Reporter).Report()
		if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], want) {
			t.Errorf("%s: %+v", query, report)
		}
	}
}

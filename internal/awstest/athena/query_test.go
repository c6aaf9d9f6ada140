//go:build cgo

package athena_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap/internal/awstest/athena"
)

// slow is a query that runs for minutes.
const slow = `SELECT count(*) AS n FROM UNNEST(sequence(1, 10000)) a(x) CROSS JOIN UNNEST(sequence(1, 10000)) b(y)
	CROSS JOIN UNNEST(sequence(1, 10000)) c(z) WHERE x * y + z < 0`

func (c *cloud) stop(id string) {
	c.t.Helper()
	if _, err := c.client.StopQueryExecution(c.t.Context(), &api.StopQueryExecutionInput{QueryExecutionId: &id}); err != nil {
		c.t.Fatal(err)
	}
}

func TestFake_StatesAreCountedInPolls(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{QueuedPolls: 1, RunningPolls: 2})
	id := c.start(input("SELECT 1 AS n"))
	var states []types.QueryExecutionState
	for range 3 {
		states = append(states, c.get(id).Status.State)
	}
	states = append(states, c.wait(id).Status.State, c.get(id).Status.State)
	want := []types.QueryExecutionState{"QUEUED", "RUNNING", "RUNNING", "SUCCEEDED", "SUCCEEDED"}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Error(diff)
	}
	out, err := c.client.BatchGetQueryExecution(t.Context(), &api.BatchGetQueryExecutionInput{QueryExecutionIds: []string{id, "unknown"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.QueryExecutions) != 1 || len(out.UnprocessedQueryExecutionIds) != 1 {
		t.Errorf("%d found, %d not", len(out.QueryExecutions), len(out.UnprocessedQueryExecutionIds))
	}
}

func TestFake_Stop(t *testing.T) {
	t.Parallel()
	t.Run("a query that runs is cancelled", func(t *testing.T) {
		t.Parallel()
		c := newCloud(t, athena.Options{})
		id := c.start(input(slow))
		if got := c.get(id).Status.State; got != types.QueryExecutionStateRunning {
			t.Errorf("before: %s", got)
		}
		c.stop(id)
		c.stop(id)
		if got := c.wait(id).Status; got.State != types.QueryExecutionStateCancelled || *got.AthenaError.ErrorType != 1014 {
			t.Errorf("after: %s", got.State)
		}
	})
	t.Run("a query that hangs is cancelled", func(t *testing.T) {
		t.Parallel()
		c := newCloud(t, athena.Options{})
		c.fake.HangNext(1)
		id := c.start(input("SELECT 1 AS n"))
		for range 3 {
			if got := c.get(id).Status.State; got != types.QueryExecutionStateRunning {
				t.Errorf("it is %s", got)
			}
		}
		c.stop(id)
		if got := c.wait(id).Status.State; got != types.QueryExecutionStateCancelled {
			t.Errorf("after: %s", got)
		}
	})
	t.Run("a query that has succeeded stays so", func(t *testing.T) {
		t.Parallel()
		c := newCloud(t, athena.Options{})
		q := c.must("SELECT 1 AS n")
		c.stop(*q.QueryExecutionId)
		if got := c.get(*q.QueryExecutionId).Status.State; got != types.QueryExecutionStateSucceeded {
			t.Errorf("after: %s", got)
		}
	})
	t.Run("success wins the race", func(t *testing.T) {
		t.Parallel()
		c := newCloud(t, athena.Options{RunningPolls: 1})
		c.fake.StopTooLate(1)
		id := c.start(input("SELECT 1 AS n"))
		c.stop(id)
		if got := c.wait(id).Status.State; got != types.QueryExecutionStateSucceeded {
			t.Errorf("after: %s", got)
		}
	})
}

func TestFake_Token(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	in := input("SELECT 1 AS n")
	in.ClientRequestToken = aws.String(strings.Repeat("t", 32))
	first := c.start(in)
	if again := c.start(in); again != first {
		t.Errorf("the same token gave %s and %s", first, again)
	}
	changed := input("SELECT 2 AS n")
	changed.ClientRequestToken = in.ClientRequestToken
	c.rejected(changed, "Idempotent parameters do not match")
	for _, n := range []int{31, 129} {
		in.ClientRequestToken = aws.String(strings.Repeat("t", n))
		c.rejected(in, "clientRequestToken")
	}
}

// rejected starts a query that gets no id.
func (c *cloud) rejected(in *api.StartQueryExecutionInput, want string) {
	c.t.Helper()
	_, err := c.client.StartQueryExecution(c.t.Context(), in)
	e, ok := errors.AsType[*types.InvalidRequestException](err)
	if !ok || !strings.Contains(e.ErrorMessage(), want) {
		c.t.Errorf("%.80s: %v", aws.ToString(in.QueryString), err)
	}
}

func TestFake_RejectsBeforeItRuns(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{WorkGroups: []athena.WorkGroup{{Name: "closed", Disabled: true}}})
	for sql, want := range map[string]string{
		"SELECT 'é' FROM FROM x":    "line 1:17: mismatched input 'FROM'",
		"SELECT 1; SELECT 2":        "Only one sql statement is allowed",
		"SELEC 1":                   "line 1:1: mismatched input 'SELEC'",
		" -- nothing":               "mismatched input '<EOF>'",
		"SELECT 'x":                 "line 1:8: mismatched input",
		"SELECT 1::VARCHAR":         "line 1:9: mismatched input '::'",
		"SELECT\n  `a` FROM t":      "line 2:3: backquoted identifiers are not supported",
		"SELECT 1 AS n /* open":     "line 1:15",
		"SELECT a FROM t WHERE (a)": "",
		"UNLOAD (SELECT 1 AS n) TO 's3://b/' WITH (format = 'CSV')": "PARQUET only",
		"UNLOAD (SELECT 1 AS n":                 "Expecting: ')'",
		"SELECT " + strings.Repeat("1", 262144): "less than or equal to 262144",
	} {
		if want != "" {
			c.rejected(input(sql), want)
		}
	}
	in := input("SELECT 1 AS n")
	in.WorkGroup = aws.String("nobody")
	c.rejected(in, "WorkGroup nobody is not found.")
	in.WorkGroup = aws.String("closed")
	c.rejected(in, "is disabled")
	in = input("SELECT 1 AS n")
	in.ResultConfiguration.OutputLocation = aws.String("s3://no-such-bucket/")
	c.rejected(in, "Unable to verify/create output bucket no-such-bucket")
	in.ResultConfiguration = nil
	c.rejected(in, "No output location provided.")
}

func TestFake_Fails(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	c.write("ceap_data_dev/orders/a.csv", "customer_id,order_value,order_date\nC-1,29.99,2026-01-26\n")
	for _, tc := range []struct {
		sql    string
		number int32
		want   string
	}{
		{"SELECT *\nFROM no_such_table", 1110, "TABLE_NOT_FOUND: line 2:6: Table 'awsdatacatalog.ceap_data_dev.no_such_table' does not exist"},
		{"SELECT * FROM no_such_db.t", 1110, "SCHEMA_NOT_FOUND: line 1:15: Schema 'no_such_db' does not exist"},
		{"SELECT 'é' AS x,\n  no_such_column FROM (SELECT 1 AS y) AS t", 1006, "COLUMN_NOT_FOUND: line 2:3: Column 'no_such_column' cannot be resolved"},
		{"SELECT o.nothing FROM orders o", 1006, "COLUMN_NOT_FOUND: line 1:8: Column 'o.nothing' cannot be resolved"},
		{"SELECT x.customer_id FROM orders o", 1006, "COLUMN_NOT_FOUND: line 1:8: Column 'x.customer_id' cannot be resolved"},
		{"SELECT no_such_function(1)", 1006, "FUNCTION_NOT_FOUND: line 1:8: Function 'no_such_function' not registered"},
		{"SELECT strftime(DATE '2026-01-26', '%Y') AS y", 1006, "FUNCTION_NOT_FOUND: line 1:8: Function 'strftime' not registered"},
		{"SELECT n FROM generate_series(1, 3) AS t(n)", 1006, "FUNCTION_NOT_FOUND: line 1:15: Function 'generate_series' not registered"},
		{"SELECT * FROM read_csv('/etc/passwd')", 1006, "FUNCTION_NOT_FOUND: line 1:15: Table function 'read_csv' not registered"},
		{"SELECT * FROM orders WHERE customer_id = 1", 1006, "TYPE_MISMATCH: line 1:40: Cannot apply operator: varchar = integer"},
		{"SELECT * FROM orders WHERE order_value > '5'", 1006, "TYPE_MISMATCH"},
		{"SELECT * FROM orders WHERE CAST(order_date AS DATE) >= '2026-01-26'", 1006, "TYPE_MISMATCH"},
		{"SELECT customer_id, count(*) FROM orders", 1006, "EXPRESSION_NOT_AGGREGATE"},
		{"SELECT CAST('x' AS INTEGER) AS n", 1000, "INVALID_CAST_ARGUMENT: Cannot cast 'x' to INT"},
		{"INSERT INTO orders SELECT 1", 1200, "NOT_SUPPORTED"},
		{"DROP TABLE no_such_table", 1003, "Table not found ceap_data_dev.no_such_table"},
	} {
		e := c.refused(tc.sql)
		if *e.ErrorType != tc.number || e.ErrorCategory == nil || *e.ErrorCategory != 2 || !strings.Contains(*e.ErrorMessage, tc.want) {
			t.Errorf("%s: %d %s", tc.sql, *e.ErrorType, *e.ErrorMessage)
		}
	}
}

func TestFake_Parameters(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	c.write("ceap_data_dev/orders/day=2026-01-26/a.csv", "customer_id,order_value\nC-1,29.99\n\"O'Brien\",5\n")
	if got := c.csv("SELECT customer_id FROM orders WHERE day = ? AND order_value > ?", "'2026-01-26'", "10"); got != `"C-1"` {
		t.Errorf("got %s", got)
	}
	if got := c.csv("SELECT customer_id FROM orders WHERE customer_id = ? -- why?", "'O''Brien'"); got != `"O'Brien"` {
		t.Errorf("got %s", got)
	}
	for sql, parameters := range map[string][]string{
		"SELECT ? AS x": {"'a'"}, "SELECT customer_id FROM orders LIMIT ?": {"1"},
		"SELECT customer_id FROM orders WHERE day = ?": {}, "SELECT 1 AS n": {"'a'"},
	} {
		if e := c.refused(sql, parameters...); !strings.HasPrefix(*e.ErrorMessage, "INVALID_PARAMETER_USAGE: line 1:") {
			t.Errorf("%s: %s", sql, *e.ErrorMessage)
		}
	}
	// Without its quotes a date is a subtraction.
	if e := c.refused("SELECT customer_id FROM orders WHERE day = ?", "2026-01-26"); !strings.HasPrefix(*e.ErrorMessage, "TYPE_MISMATCH: line 1:4") {
		t.Errorf("got %s", *e.ErrorMessage)
	}
}

func TestFake_Results(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	q := c.must("SELECT n AS \"N\", CASE WHEN n = 2 THEN NULL WHEN n = 3 THEN '' ELSE 'row ' || CAST(n AS VARCHAR) END AS s, 1.5 FROM UNNEST(sequence(1, 2500)) AS t(n)")
	var pages []int
	var texts []string
	in := &api.GetQueryResultsInput{QueryExecutionId: q.QueryExecutionId}
	for p := api.NewGetQueryResultsPaginator(c.client, in); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, len(page.ResultSet.Rows))
		for _, row := range page.ResultSet.Rows {
			text := "NULL"
			if v := row.Data[1].VarCharValue; v != nil {
				text = *v
			}
			texts = append(texts, *row.Data[0].VarCharValue+":"+text)
		}
		var kinds []string
		for _, info := range page.ResultSet.ResultSetMetadata.ColumnInfo {
			kinds = append(kinds, *info.Name+" "+*info.Type)
		}
		if diff := cmp.Diff([]string{"N bigint", "s varchar", "_col2 decimal"}, kinds); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff([]int{1000, 1000, 501}, pages); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"N:s", "1:row 1", "2:NULL", "3:"}, texts[:4]); diff != "" {
		t.Error(diff)
	}
	if texts[2500] != "2500:row 2500" {
		t.Errorf("the last row is %s", texts[2500])
	}
	in.MaxResults = aws.Int32(1001)
	if _, err := c.client.GetQueryResults(t.Context(), in); err == nil {
		t.Error("1001 rows a page were accepted")
	}
	failed := c.run("SELECT x")
	if _, err := c.client.GetQueryResults(t.Context(), &api.GetQueryResultsInput{QueryExecutionId: failed.QueryExecutionId}); err == nil || !strings.Contains(err.Error(), "Final query state: FAILED") {
		t.Errorf("of a query that failed: %v", err)
	}
}

func TestFake_Injects(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{MaxActive: 1})
	c.fake.FailNext(2, athena.Fault{Category: 1, Type: 233, Retryable: true, Message: "Iceberg is down"})
	for range 2 {
		e := c.refused("SELECT 1 AS n")
		if *e.ErrorCategory != 1 || *e.ErrorType != 233 || !e.Retryable || *e.ErrorMessage != "Iceberg is down" {
			t.Errorf("got %+v", e)
		}
	}
	c.must("SELECT 1 AS n")

	c.fake.FailNext(1, athena.Fault{Category: 1, Type: 100, Message: "gone", Partial: true})
	unload := "UNLOAD (SELECT n FROM UNNEST(sequence(1, 9)) AS t(n)) TO '" + results + "p/' WITH (format = 'PARQUET')"
	c.refused(unload)
	if e := c.refused(unload); *e.ErrorType != 1109 {
		t.Errorf("after orphans: %s", *e.ErrorMessage)
	}

	c.fake.Throttle("StartQueryExecution", 1)
	_, err := c.client.StartQueryExecution(t.Context(), input("SELECT 1 AS n"))
	if err == nil || !strings.Contains(err.Error(), "ThrottlingException: Rate exceeded") {
		t.Errorf("throttled: %v", err)
	}

	c.fake.HangNext(1)
	id := c.start(input("SELECT 1 AS n"))
	_, err = c.client.StartQueryExecution(t.Context(), input("SELECT 1 AS n"))
	if e, ok := errors.AsType[*types.TooManyRequestsException](err); !ok || e.Reason != types.ThrottleReasonConcurrentQueryLimitExceeded {
		t.Errorf("one too many: %v", err)
	}
	c.stop(id)
	if c.wait(id); c.fake.Calls("StopQueryExecution") != 1 {
		t.Errorf("%d stops", c.fake.Calls("StopQueryExecution"))
	}
}

func TestFake_WorkGroups(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{WorkGroups: []athena.WorkGroup{
		{Name: "enforced", OutputLocation: "s3://your-data-bucket/athena", Enforce: true, BytesScannedLimit: 40},
		{Name: "managed", ManagedResults: true},
	}})
	c.write("ceap_data_dev/orders/a.csv", "customer_id\nC-1\n")
	c.write("ceap_data_dev/large/a.csv", "customer_id\n"+strings.Repeat("C-1\n", 100))
	in := input("SELECT * FROM orders")
	in.WorkGroup = aws.String("enforced")
	q := c.wait(c.start(in))
	if got := *q.ResultConfiguration.OutputLocation; got != "s3://your-data-bucket/athena/"+*q.QueryExecutionId+".csv" || *q.Statistics.DataScannedInBytes != 16 {
		t.Errorf("the result lies in %s, after %d bytes", got, *q.Statistics.DataScannedInBytes)
	}
	in = input("SELECT * FROM large")
	in.WorkGroup = aws.String("enforced")
	if q := c.wait(c.start(in)); q.Status.State != types.QueryExecutionStateFailed || !strings.Contains(*q.Status.StateChangeReason, "Bytes scanned limit was exceeded") || *q.Statistics.DataScannedInBytes == 0 {
		t.Errorf("%s: %v", q.Status.State, q.Status.AthenaError)
	}
	in = input("SELECT * FROM orders")
	in.WorkGroup = aws.String("managed")
	c.rejected(in, "cannot be set together")
	in.ResultConfiguration = nil
	q = c.wait(c.start(in))
	out, err := c.client.GetQueryResults(t.Context(), &api.GetQueryResultsInput{QueryExecutionId: q.QueryExecutionId})
	if err != nil || len(out.ResultSet.Rows) != 2 || !q.ManagedQueryResultsConfiguration.Enabled {
		t.Errorf("managed results: %v", err)
	}
	g, err := c.client.GetWorkGroup(t.Context(), &api.GetWorkGroupInput{WorkGroup: aws.String("enforced")})
	if err != nil || *g.WorkGroup.Configuration.BytesScannedCutoffPerQuery != 40 {
		t.Errorf("the workgroup: %v", err)
	}
}

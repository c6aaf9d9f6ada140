package athena

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsathena "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// mode is how a statement is run, and so how its rows are read.
type mode string

const (
	modeUnload mode = "unload" // Parquet files
	modeSelect mode = "select" // a CSV file, or pages if the workgroup manages results
	modeEmpty  mode = "empty"  // none of the rows, for their columns
	modeCount  mode = "count"  // the number of rows
)

// wrap returns the SQL of a mode, and how many bytes stand before the user's.
func (m mode) wrap(sql, target string) (wrapped string, shift int) {
	before, after := "", ""
	switch m {
	case modeUnload:
		before, after = "UNLOAD (\n", "\n) TO '"+strings.ReplaceAll(target, "'", "''")+"' WITH (format = 'PARQUET', compression = 'SNAPPY')"
	case modeEmpty:
		before, after = "SELECT * FROM (\n", "\n) LIMIT 0"
	case modeCount:
		before, after = "SELECT count(*) AS n FROM (\n", "\n)"
	case modeSelect:
	}
	return before + sql + after, len(before)
}

// attempt is one of the queries that a job takes.
type attempt struct {
	Number int  `json:"number"` // from 1
	Mode   mode `json:"mode"`
	reason string
}

// job is a statement on its way.
type job struct {
	*Athena
	*clients
	s     warehouse.Statement
	place place
	query string // the id of the attempt's query, once it is known
	asked bool   // Athena was asked to start it, whatever became of that
	attempt
	waited   bool     // for the next attempt, long enough
	scanned  int64    // by the attempts before
	warnings []string // of the attempts before
}

// ticket is what another process needs to go on with a job.
type ticket struct {
	Place   place   `json:"place"`
	First   attempt `json:"first"`
	QueryID string  `json:"queryId"`
}

// execution is what Athena says of a query.
type execution struct {
	id       string
	status   types.QueryExecutionStatus
	output   string // where the result lies, of a SELECT
	manifest string // where the list of files lies, of an UNLOAD
	scanned  int64
}

func (x *execution) ended() bool {
	switch x.status.State {
	case types.QueryExecutionStateSucceeded, types.QueryExecutionStateFailed, types.QueryExecutionStateCancelled:
		return true
	default:
		return false
	}
}

// newJob returns the job of a statement, with its place found out.
func (a *Athena) newJob(ctx context.Context, s warehouse.Statement, m mode) (*job, error) {
	if err := warehouse.CheckSelect(s.SQL); err != nil {
		return nil, s.Failed(ceap.CodeInvalid, -1, err.Error())
	}
	c, err := a.clients(ctx)
	if err != nil {
		return nil, err
	}
	p, err := a.place(ctx, c, s)
	if err != nil {
		return nil, err
	}
	if m == modeUnload && p.managed() {
		m = modeSelect
	}
	return &job{Athena: a, clients: c, s: s, place: p, attempt: attempt{Number: 1, Mode: m}}, nil
}

// resume returns the job of a ticket.
func (a *Athena) resume(ctx context.Context, s warehouse.Statement, data json.RawMessage) (*job, error) {
	var t ticket
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, ceap.Errorf(ceap.CodeInvalid, "reading a ticket of Athena's: %w", err)
	}
	c, err := a.clients(ctx)
	if err != nil {
		return nil, err
	}
	return &job{Athena: a, clients: c, s: s, place: t.Place, attempt: t.First, query: t.QueryID}, nil
}

// target returns where the attempt's files go. No other attempt and no other job
// has the same.
func (j *job) target() string {
	sum := j.digest(j.s.SQL)
	return fmt.Sprintf("%s%s-%d/", j.place.Root, sum[:16], j.Number)
}

// digest tells the attempt and what it runs from all others.
func (j *job) digest(sql string) string {
	h := sha256.New()
	for _, part := range append([]string{j.s.Job.ID, strconv.Itoa(j.Number), string(j.Mode), j.s.Database, sql}, j.parameters()...) {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}

// parameters returns the values of the statement's ?, as literals of text.
func (j *job) parameters() []string {
	var out []string
	for _, p := range j.s.Params {
		out = append(out, "'"+strings.ReplaceAll(p.Value, "'", "''")+"'")
	}
	return out
}

// maxQuery is what Athena takes of a query's text, in bytes, from its quotas.
const maxQuery = 262144

// start starts the attempt, or finds it started.
func (j *job) start(ctx context.Context) (string, error) {
	sql, _ := j.Mode.wrap(j.s.SQL, j.target())
	if len(sql) > maxQuery {
		return "", j.s.Failed(ceap.CodeInvalid, -1, fmt.Sprintf("the query has %d bytes, and Athena takes %d", len(sql), maxQuery)).
			WithHint("make a view of a part of it")
	}
	in := &awsathena.StartQueryExecutionInput{
		QueryString: &sql, ClientRequestToken: aws.String(j.digest(sql)), ExecutionParameters: j.parameters(), WorkGroup: &j.place.WorkGroup,
		QueryExecutionContext: &types.QueryExecutionContext{Database: &j.s.Database, Catalog: &j.settings.Catalog},
	}
	if !j.place.managed() {
		in.ResultConfiguration = &types.ResultConfiguration{OutputLocation: aws.String(strings.Replace(j.target(), j.place.Root, j.place.Root+"query-", 1))}
	}
	j.asked = true
	out, err := j.athena.StartQueryExecution(ctx, in)
	if err != nil {
		return "", j.startFailed(ctx, j.s, j.place, j.Mode, err)
	}
	return *out.QueryExecutionId, nil
}

// get asks for a query.
func (j *job) get(ctx context.Context, id string) (*execution, error) {
	out, err := j.athena.GetQueryExecution(ctx, &awsathena.GetQueryExecutionInput{QueryExecutionId: &id})
	if err != nil {
		return nil, awsapi.Error(ctx, "Query execution failed: asking for query "+id, err)
	}
	q := out.QueryExecution
	x := &execution{id: id, status: *q.Status}
	if q.ResultConfiguration != nil {
		x.output = aws.ToString(q.ResultConfiguration.OutputLocation)
	}
	if st := q.Statistics; st != nil {
		x.manifest, x.scanned = aws.ToString(st.DataManifestLocation), aws.ToInt64(st.DataScannedInBytes)
	}
	return x, nil
}

// step looks how far the job is, and starts its next attempt once there has to be
// one. wait says how long the job does nothing; x is nil as long as it waits for
// the next attempt.
//
// A step depends on nothing but what Athena says, so that any process can take
// it.
func (j *job) step(ctx context.Context) (x *execution, wait time.Duration, err error) {
	for {
		if j.query == "" {
			if j.query, err = j.start(ctx); err != nil {
				if next, ok := j.refusedUnload(err); ok {
					j.move(next)
					continue
				}
				return nil, 0, err
			}
		}
		if x, err = j.get(ctx, j.query); err != nil {
			return nil, 0, err
		}
		if !x.ended() || x.status.State == types.QueryExecutionStateSucceeded {
			return x, 0, nil
		}
		next, pause, err := j.judge(ctx, x)
		if err != nil {
			return x, 0, err
		}
		if j.over() {
			return nil, 0, nil
		}
		if x.status.CompletionDateTime != nil {
			if wait = x.status.CompletionDateTime.Add(pause).Sub(j.now()); wait > 0 && !j.waited {
				return nil, min(wait, pause), nil
			}
		}
		j.scanned += x.scanned
		j.move(next)
	}
}

// move goes on with the next attempt.
func (j *job) move(next attempt) {
	if next.reason != "" {
		j.warnings = append(j.warnings, next.reason)
	}
	j.attempt, j.query, j.asked, j.waited = next, "", false, false
}

// over reports whether the job's time is over.
func (j *job) over() bool { return !j.s.Job.Deadline.IsZero() && !j.now().Before(j.s.Job.Deadline) }

// report says what users should know of the query that succeeded.
func (j *job) report(x *execution) connector.Report {
	r := connector.Report{QueryID: x.id, BytesScanned: j.scanned + x.scanned, Warnings: j.warnings}
	if j.place.Enforced != "" {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the workgroup %s enforces its own place for results, %s: they lie there", j.place.WorkGroup, j.place.Enforced))
		r.Unused = append(r.Unused, "resultsBucket")
	}
	if j.Mode == modeUnload && j.s.Ordered && j.s.Limit < 0 {
		r.Warnings = append(r.Warnings, "the query's ORDER BY has no effect: its rows come in parts, in no order")
	}
	return r
}

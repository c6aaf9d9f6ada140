//go:build cgo

package awslambda_test

import (
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/internal/awstest/athena"
	"github.com/ceap-platform/ceap/internal/journal"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/store"
)

var millionRows = flag.Int("million.rows", 3000, "rows of TestMillionRowsInParts") //nolint:gochecknoglobals // a flag of the test binary

// TestMillionRowsInParts takes a run through the shipped state machine in many
// parts. A part to extract dies, then cannot write its report, and is done the
// third time; a part to store dies as often as it is tried, so the execution fails
// and says which batch to start again. That batch then does what is missing and nothing else, and
// ends as a run in one process that nothing disturbed.
func TestMillionRowsInParts(t *testing.T) { //nolint:paralleltest // the environment of the SDK belongs to the process
	rows := *millionRows
	const parts = 12
	here := embedded(t, quickStart)
	// More than a few parts at a time only get into each other's way in the emulator.
	there := onAWS(t, quickStart, fmt.Sprintf("CEAP_PART_ROWS=%d", (rows+parts-1)/parts), "CEAP_CONCURRENCY=3", "CEAP_RESULTS_BUCKET="+resultsBucket)
	millionLake(t, there, rows)
	for _, w := range []*world{here, there} {
		millionOrders(t, w.dir, rows, parts)
		w.apply(t, millionProgram(rows, parts))
	}
	in := batch("million", "b1", "2026-01-26", "2026-01-27")
	try := func(w *world) ceap.RunResult {
		t.Helper()
		start := time.Now()
		res, err := w.run(t, app.RunRequest{Input: pipeline.Input{RunInput: in}})
		if res.RunID == "" {
			t.Fatal(err)
		}
		t.Logf("%s: %s in %.1f s: %+v %s", w.name, res.Status, time.Since(start).Seconds(), res.Counts, res.Message)
		return res
	}
	want := try(here)
	c := want.Counts
	if want.Status != ceap.RunSucceeded || c.Invalid == 0 || c.Duplicate == 0 || c.Rejected == 0 || c.Created == 0 {
		t.Fatalf("the undisturbed run has not every outcome: %s %+v", want.Status, c)
	}

	calls := disturb(there)
	first := try(there)
	failedAsPlanned(t, there, first, in.BatchID)
	tried := calls.take()
	if n := tried["extract e-00003"]; n != 3 {
		t.Errorf("e-00003 was tried %d times, want 3: it died, could not write its report, and was done", n)
	}
	if n := tried["store s-00004"]; n != 2 {
		t.Errorf("s-00004 was tried %d times, want 2: a process that died is tried again once", n)
	}
	if n := kinds(tried); n["extract"] < 10 || n["store"] < 10 {
		t.Errorf("the run has %d parts to extract and %d to store, want 10 of each at least", n["extract"], n["store"])
	}

	calls.mend()
	second := try(there)
	if diff := cmp.Diff(map[string]int{"store s-00004": 1}, calls.take()); diff != "" {
		t.Errorf("the batch again must do what is missing and nothing else (-want +got):\n%s", diff)
	}
	if second.Status != ceap.RunSucceeded || !second.Resumed || second.RunID != first.RunID {
		t.Errorf("again: %s, resumed %t, run %s after %s", second.Status, second.Resumed, second.RunID, first.RunID)
	}
	if diff := cmp.Diff(want.Counts, second.Counts); diff != "" {
		t.Errorf("counts (-embedded +aws):\n%s", diff)
	}
	if second.ResultHash != want.ResultHash {
		t.Errorf("result hash %s, embedded %s", second.ResultHash, want.ResultHash)
	}
	if got := journalled(t, there, second.RunID, true); got != want.Counts {
		t.Errorf("the journal has %+v, want %+v", got, want.Counts)
	}
	sameCandidates(t, here, there)
	if diff := cmp.Diff([]string{"FAILED", "SUCCEEDED"}, executions(t, there)); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
}

// millionLake gives the world an Athena whose results are cut finely enough.
func millionLake(t *testing.T, w *world, rows int) {
	t.Helper()
	lake, err := athena.New(athena.Options{
		S3: awsapi.S3(w.cloud.Config), Folder: filepath.Join(w.dir, "warehouse"), UnloadFiles: 3, UnloadRows: max(1, rows/12), GroupRows: 10_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lake.Close() })
	w.cloud.HandleAthena(lake)
}

// millionOrders writes the table: a tenth of the rows repeat an earlier candidate,
// far away; some have no customer, some are of another marketplace, and at most
// some 20,000 may be reached by e-mail, as the emulator takes its time to store.
func millionOrders(t *testing.T, dir string, rows, slices int) {
	t.Helper()
	table := filepath.Join(dir, "warehouse", "shop", "orders")
	if err := os.MkdirAll(table, 0o750); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(t.Context(), fmt.Sprintf(`COPY (
		SELECT CASE WHEN i %% 1000 = 7 THEN NULL ELSE printf('C-%%07d', k) END AS customer_id, printf('P-%%03d', k %% 100) AS product_id,
			printf('2026-01-%%d', 26 + i %% 2) AS day, (k * 37 %% 20000)::DOUBLE / 100 AS value,
			CASE WHEN i %% 500 = 9 THEN 'UK' ELSE 'US' END AS marketplace, k %% %d = 0 AS email_eligible, i * %d // %d AS slice
		FROM (SELECT i, i %% %d AS k FROM range(%d) t(i)) ORDER BY i
	) TO '%s' (FORMAT parquet)`, max(4, rows/20_000), slices, rows, rows*9/10, rows, filepath.Join(table, "orders.parquet")))
	if err != nil {
		t.Fatal(err)
	}
}

// millionProgram reads the table through one connector, whose result is cut at
// 100,000 rows; fewer rows make many parts only if each slice of them has a
// connector of its own.
func millionProgram(rows, slices int) string {
	text := "programId: million\nprogramName: Million\nmarketplace: US\ncandidateTTLDays: 30\ndataConnectors:\n"
	connector := func(id, where string) {
		text += `  - connectorId: ` + id + `
    connectorType: data-warehouse
    sourceConfig:
      database: shop
      query: SELECT customer_id, product_id, day, value, marketplace, email_eligible FROM orders WHERE day BETWEEN '{startDate}' AND '{endDate}'` + where + `
      maxWaitSeconds: 1800
      fieldMappings: {customerId: customer_id, subjectId: product_id, subjectType: {constant: product}, eventDate: day, orderValue: value}
`
	}
	if rows >= 1_000_000 {
		connector("orders", "")
	} else {
		for n := range slices {
			connector(fmt.Sprintf("orders-%02d", n+1), fmt.Sprintf(" AND slice = %d", n))
		}
	}
	return text + byEmail + byValue
}

// calls are the calls of the part function, by step and part.
type calls struct {
	mu     sync.Mutex
	count  map[string]int
	mended bool
}

// disturb plans what happens to the parts of the world's run.
func disturb(w *world) *calls {
	c := &calls{count: map[string]int{}}
	name := func(call *awstest.Call) string {
		var payload struct {
			Step string        `json:"step"`
			Part pipeline.Part `json:"part"`
		}
		if err := json.Unmarshal(call.Body, &payload); err != nil || payload.Part.ID == "" {
			return ""
		}
		return payload.Step + " " + payload.Part.ID
	}
	w.cloud.Inject(awstest.Fault{On: "lambda.Invoke", Do: awstest.Crash(), If: func(call *awstest.Call) bool { // the first: it sees every call
		part := name(call)
		if part == "" {
			return false
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.count[part]++
		return part == "store s-00004" && !c.mended
	}})
	w.cloud.Inject(awstest.Fault{On: "lambda.Invoke", Times: 1, Do: awstest.Crash(), If: func(call *awstest.Call) bool {
		return name(call) == "extract e-00003"
	}})
	// The process that tries again has done all its work when it cannot say so, for a
	// reason that the SDK takes to be final.
	w.cloud.Inject(awstest.Fault{On: "s3.PutObject", Times: 1, Do: awstest.Answer(404, "NoSuchBucket"), If: func(call *awstest.Call) bool {
		return strings.HasSuffix(call.Name, "/reports/e-00003.json")
	}})
	return c
}

// take returns the calls since it was last called.
func (c *calls) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.count
	c.count = map[string]int{}
	return taken
}

// mend ends what happens to the part to store.
func (c *calls) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mended = true
}

// kinds counts parts by step.
func kinds(tried map[string]int) map[string]int {
	n := map[string]int{}
	for part := range tried {
		step, _, _ := strings.Cut(part, " ")
		n[step]++
	}
	return n
}

// failedAsPlanned checks the result of the run that lacks a part.
func failedAsPlanned(t *testing.T, w *world, res ceap.RunResult, batchID string) {
	t.Helper()
	if res.Status != ceap.RunPartial && res.Status != ceap.RunFailed {
		t.Errorf("the run that lacks a part is %s", res.Status)
	}
	if !res.Counts.Balanced() || res.Counts.Failed == 0 {
		t.Errorf("counts %+v: want a balance, with the part's rows as failed", res.Counts)
	}
	i := slices.IndexFunc(res.Failures, func(f ceap.ReasonCount) bool { return f.ReasonCode == ceap.ReasonPartFailed })
	if i < 0 || res.Failures[i].Count != res.Counts.Failed {
		t.Errorf("failures %+v, want %d rows with %s", res.Failures, res.Counts.Failed, ceap.ReasonPartFailed)
	}
	for _, words := range []string{"s-00004", fmt.Sprintf("batchId %q", batchID)} {
		if !strings.Contains(res.Message, words) {
			t.Errorf("the message does not name %s: %s", words, res.Message)
		}
	}
	if got := journalled(t, w, res.RunID, false); got.Failed != 0 || got.Finished() != res.Counts.Finished()-res.Counts.Failed {
		t.Errorf("the journal has %+v, want the rows of all other parts: %+v", got, res.Counts)
	}
}

// journalled counts what the run's journal has, which must be complete or not.
func journalled(t *testing.T, w *world, runID string, complete bool) ceap.Counts { //nolint:revive // complete is an expectation
	t.Helper()
	j, err := journal.Open(t.Context(), w.roles.Artifacts, runID)
	if err != nil {
		t.Fatal(err)
	}
	if got := j.Manifest().Complete; got != complete {
		t.Errorf("the journal is complete: %t, want %t", got, complete)
	}
	var c ceap.Counts
	for o, err := range j.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		c.Extracted++
		c.Add(o.Kind)
	}
	return c
}

// sameCandidates compares the best candidates of the one world with what the other
// keeps under their keys.
func sameCandidates(t *testing.T, here, there *world) {
	t.Helper()
	page, err := here.roles.Candidates.Find(t.Context(), store.Query{ProgramID: "million", Marketplace: "US", Channel: "email", Now: here.clock.now(), Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Candidates) == 0 {
		t.Fatal("there are no candidates")
	}
	values := cmp.Comparer(func(a, b ceap.Value) bool { return a == b })
	for _, want := range page.Candidates {
		got, err := there.roles.Candidates.Get(t.Context(), want.Key)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*ceap.Candidate{&want, &got} {
			c.Meta.RunID, c.Meta.CreatedRunID, c.Meta.CorrelationID = "", "", ""
		}
		if diff := cmp.Diff(want, got, values); diff != "" {
			t.Fatalf("candidate (-embedded +aws):\n%s", diff)
		}
	}
}

// executions returns how the executions of the world's state machine ended, in the
// order of their start.
func executions(t *testing.T, w *world) []string {
	t.Helper()
	arn := "arn:aws:states:" + awstest.Region + ":" + awstest.Account + ":stateMachine:CeapBatchIngestion-" + w.stage
	out, err := sfn.NewFromConfig(w.cloud.Config).ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: aws.String(arn)})
	if err != nil {
		t.Fatal(err)
	}
	var ended []string
	for _, e := range slices.Backward(out.Executions) { // latest first
		ended = append(ended, string(e.Status))
	}
	return ended
}

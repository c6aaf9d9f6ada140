//go:build cgo

package awslambda_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/internal/awstest/athena"
	"github.com/ceap-platform/ceap/internal/pipeline"
)

// seen is what the user of a run has to go by.
type seen struct {
	status ceap.RunStatus // "" if nothing began
	code   ceap.Code
	text   string // the error, or else the result's message and warnings
	res    ceap.RunResult
}

func (w *world) see(t *testing.T, in ceap.RunInput) seen {
	t.Helper()
	res, err := w.run(t, app.RunRequest{Input: pipeline.Input{RunInput: in}})
	s := seen{status: res.Status, code: ceap.ErrorCode(err), res: res, text: res.Message + " " + strings.Join(res.Warnings, " ")}
	if err != nil {
		s.text = err.Error()
	}
	for _, f := range res.Failures {
		s.text += " " + f.ReasonCode + ": " + f.Reason
	}
	t.Logf("the user sees: status %q, code %q: %s", s.status, s.code, s.text)
	return s
}

func (s seen) want(t *testing.T, status ceap.RunStatus, code ceap.Code, words ...string) {
	t.Helper()
	if s.status != status || s.code != code {
		t.Errorf("status %q and code %q instead of %q and %q", s.status, s.code, status, code)
	}
	for _, word := range words {
		if !strings.Contains(s.text, word) {
			t.Errorf("%q is missing", word)
		}
	}
	if s.status != "" && !s.res.Counts.Balanced() {
		t.Errorf("the counts do not balance: %+v", s.res.Counts)
	}
}

// TestWrongInput goes through what users and AWS get wrong, on one stage, and says
// what the user sees.
func TestWrongInput(t *testing.T) { //nolint:paralleltest // the environment of the SDK belongs to the process
	if testing.Short() {
		t.Skip("takes a minute; runs without -short")
	}
	w := onAWS(t, quickStart, "CEAP_PART_ROWS=10", "CEAP_RESULTS_BUCKET="+resultsBucket)
	orders(t, w, mixed()...)
	query := strings.Replace(allOrders, "value,", "CAST(value AS varchar) AS value,", 1)
	named := func(id, text string) string { return strings.Replace(text, "programId: shop", "programId: "+id, 1) }
	in := func(program string) ceap.RunInput { return batch(program, "b1", "2026-01-26", "2026-01-27") }
	more := func(text, settings string) string {
		return strings.Replace(text, "      fieldMappings", settings+"      fieldMappings", 1)
	}
	part := func(step string) func(*awstest.Call) bool {
		return func(c *awstest.Call) bool { return strings.Contains(string(c.Body), `"`+step+`"`) }
	}

	t.Run("broken JSON in dataConnectors", func(t *testing.T) {
		w.put(t, "broken", `[{"connectorId": "a", "connectorType": }]`)
		w.see(t, in("broken")).want(t, "", ceap.CodeInvalid, "PROGRAM#broken", "MARKETPLACE#US", "dataConnectors", "1:")
	})
	t.Run("a program that is not there", func(t *testing.T) {
		w.apply(t, named("product-views", shop(query, "")))
		w.see(t, in("product-vews")).want(t, "", ceap.CodeNotFound, "product-vews", `did you mean "product-views"`, "ceap program push")
	})
	t.Run("a table that is not there", func(t *testing.T) {
		w.apply(t, named("no-table", shop(strings.Replace(query, "orders", "ordres", 1), "")))
		w.see(t, in("no-table")).want(t, ceap.RunFailed, ceap.CodeInvalid, "Query execution failed", "ordres", "orders")
	})
	t.Run("a bucket that is not there", func(t *testing.T) {
		w.apply(t, named("no-bucket", more(shop(query, ""), "      resultsBucket: nobody-made-this-bucket\n")))
		w.see(t, in("no-bucket")).want(t, ceap.RunFailed, ceap.CodeInvalid, "Query execution failed", "nobody-made-this-bucket")
	})
	t.Run("a workgroup that is not there", func(t *testing.T) {
		w.apply(t, named("no-group", more(shop(query, ""), "      workGroup: nobodies\n")))
		w.see(t, in("no-group")).want(t, ceap.RunFailed, ceap.CodeInvalid, "nobodies")
	})
	t.Run("a permission that is missing", func(t *testing.T) {
		w.apply(t, named("no-permission", shop(query, "")))
		w.cloud.Inject(awstest.Fault{On: "athena.StartQueryExecution", Times: 1, Do: awstest.Answer(http.StatusBadRequest, "AccessDeniedException")})
		w.see(t, in("no-permission")).want(t, ceap.RunFailed, ceap.CodeForbidden, "athena:StartQueryExecution")
	})
	t.Run("a query that fails", func(t *testing.T) {
		w.apply(t, named("fails", shop(query, "")))
		w.lake.FailNext(1, athena.Fault{Category: 2, Type: 1000, Message: "GENERIC_USER_ERROR: the file orders.csv is no Parquet file"})
		w.see(t, in("fails")).want(t, ceap.RunFailed, ceap.CodeInvalid, "Query execution failed", "no Parquet file")
	})
	t.Run("a query that Athena cannot run at the moment is run again", func(t *testing.T) {
		w.apply(t, named("again", shop(query, "")))
		w.lake.FailNext(1, athena.Fault{Category: 1, Type: 100, Retryable: true, Message: "GENERIC_INTERNAL_ERROR"})
		stop := w.ticking(3 * time.Second)
		s := w.see(t, in("again"))
		stop()
		s.want(t, ceap.RunSucceeded, "")
	})
	t.Run("a query that takes too long", func(t *testing.T) {
		w.apply(t, named("slow", more(shop(query, ""), "      maxWaitSeconds: 60\n")))
		w.lake.HangNext(1)
		stop := w.ticking(3 * time.Second)
		s := w.see(t, in("slow"))
		stop()
		s.want(t, ceap.RunFailed, ceap.CodeUnavailable, "Query execution failed: timed out", "maxWaitSeconds")
		if w.lake.Calls("StopQueryExecution") == 0 {
			t.Error("the query was not stopped")
		}
	})
	t.Run("one batch, two executions at the same time", func(t *testing.T) {
		w.apply(t, named("twice", shop(query, "")))
		var group sync.WaitGroup
		results := make([]ceap.RunResult, 2)
		errs := make([]error, 2)
		for i := range results {
			group.Go(func() { results[i], errs[i] = w.run(t, app.RunRequest{Input: pipeline.Input{RunInput: in("twice")}}) })
		}
		group.Wait()
		succeeded := 0
		for i, res := range results {
			switch {
			case errs[i] == nil && res.Status == ceap.RunSucceeded:
				succeeded++
			case ceap.ErrorCode(errs[i]) != ceap.CodeConflict:
				t.Errorf("execution %d: %s, %v", i, res.Status, errs[i])
			default:
				t.Logf("the user sees: %v", errs[i])
			}
		}
		if succeeded == 0 || len(results) == 2 && results[0].RunID != "" && results[1].RunID != "" && results[0].RunID != results[1].RunID {
			t.Errorf("%d succeeded: %s and %s", succeeded, results[0].RunID, results[1].RunID)
		}
	})
	t.Run("a part that dies in the midst of its writes", func(t *testing.T) {
		w.apply(t, named("dies", shop(query, "")))
		w.cloud.Inject(awstest.Fault{On: "lambda.Invoke", Times: 2, Do: awstest.CrashLate(), If: part("s-00001")})
		w.see(t, in("dies")).want(t, ceap.RunSucceeded, "")
	})
	t.Run("a part that fails for good", func(t *testing.T) {
		w.apply(t, named("for-good", shop(query, "")))
		fault := w.cloud.Inject(awstest.Fault{On: "lambda.Invoke", Do: awstest.Crash(), If: part("s-00002"), Times: 2})
		s := w.see(t, in("for-good"))
		s.want(t, ceap.RunFailed, "", "PART_FAILED", "s-00002", `batchId "b1"`)
		if fault.Hits() == 0 || s.res.Counts.Failed == 0 || s.res.Counts.Stored == 0 {
			t.Errorf("%d hits, %+v", fault.Hits(), s.res.Counts)
		}
		s = w.see(t, in("for-good"))
		s.want(t, ceap.RunSucceeded, "")
		if !s.res.Resumed || s.res.Counts.Failed != 0 {
			t.Errorf("%+v", s.res.Counts)
		}
	})
	t.Run("a model that answers with too few rows", func(t *testing.T) {
		w.cloud.HandleEndpoint("short", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(rw, "0.5\n")
		}))
		w.apply(t, named("model", shop(query, `scoringModels: [{modelId: m, modelType: sagemaker, config: {endpointName: short, contentType: text/csv, features: [{name: value, expression: orderValue, missing: 0}]}}]`+"\n")))
		s := w.see(t, in("model"))
		s.want(t, ceap.RunSucceeded, "", "MODEL_ERROR")
		if len(s.res.Scores) != 1 || s.res.Scores[0].Unscored == 0 {
			t.Errorf("scores %+v", s.res.Scores)
		}
	})
	t.Run("an expired candidate that DynamoDB has not removed", func(t *testing.T) {
		w.apply(t, named("expired", shop(query, "")))
		first := w.see(t, in("expired"))
		w.clock.advance(31 * 24 * time.Hour)
		again := in("expired")
		again.BatchID = "b2"
		s := w.see(t, again)
		s.want(t, ceap.RunSucceeded, "")
		if s.res.Counts.Stored != 0 || s.res.Counts.Rejected < first.res.Counts.Stored {
			t.Errorf("first %+v, then %+v", first.res.Counts, s.res.Counts)
		}
		if open := w.candidates(t, "expired", "US"); len(open) > 0 {
			t.Errorf("%d expired candidates are shown", len(open))
		}
	})
}

// put stores a program's item as the guide does, with this text in dataConnectors.
func (w *world) put(t *testing.T, programID, connectors string) {
	t.Helper()
	_, err := dynamodb.NewFromConfig(w.cloud.Config).PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String("ProgramConfig-" + w.stage),
		Item: map[string]types.AttributeValue{
			"PK": text("PROGRAM#" + programID), "SK": text("MARKETPLACE#US"), "programId": text(programID), "programName": text("Product Review Collection"),
			"marketplace": text("US"), "enabled": &types.AttributeValueMemberBOOL{Value: true}, "candidateTTLDays": &types.AttributeValueMemberN{Value: "30"},
			"dataConnectors": text(connectors), "createdAt": text("2026-01-27T00:00:00Z"), "updatedAt": text("2026-01-27T00:00:00Z"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// ticking lets the world's clock go on by a step every few milliseconds, until the
// returned function is called.
func (w *world) ticking(step time.Duration) (stop func()) {
	done := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				w.clock.advance(step)
			}
		}
	})
	return func() { close(done); group.Wait() }
}

// TestETLLambda_extractsOnly sends the guide's payload of Test 2 (D50).
func TestETLLambda_extractsOnly(t *testing.T) { //nolint:paralleltest // the environment of the SDK belongs to the process
	w := onAWS(t, quickStart, "CEAP_RESULTS_BUCKET="+resultsBucket)
	w.apply(t, "programs/quick-start.json")
	const payload = `{"programId": "quick-start", "marketplace": "US", "batchId": "test-001", "dateRange": {"start": "2026-01-26", "end": "2026-01-27"}}`
	answer, failure := w.invoke(t, "ETLLambda", payload)
	var res ceap.RunResult
	if err := json.Unmarshal(answer, &res); err != nil || failure != "" {
		t.Fatalf("%s, %s, %v", answer, failure, err)
	}
	if res.Status != ceap.RunSucceeded || res.Counts.Extracted != 3 || res.Stage != pipeline.StageExtract || len(res.Mappings) == 0 || res.Counts.Stored != 0 {
		t.Errorf("%s", answer)
	}
	if left := w.candidates(t, "quick-start", "US"); len(left) > 0 {
		t.Errorf("%d candidates were stored", len(left))
	}
	for payload, want := range map[string]string{
		`{"programId": "quick-strt", "marketplace": "US"}`: "CeapNotFound",
		`{"programId": 7}`: "CeapInvalid",
		`[]`:               "CeapInvalid",
		`{"programId": "quick-start", "marketplace": "UK"}`:                                                            "CeapNotFound",
		`{"programId": "quick-start", "marketplace": "US", "dateRange": {"start": "2026-01-28", "end": "2026-01-27"}}`: "CeapInvalid",
		`{"programId": "quick-start", "marketplace": "US", "dateRange": {"start": "yesterday", "end": "2026-01-27"}}`:  "CeapInvalid",
	} {
		if answer, failure := w.invoke(t, "ETLLambda", payload); failure != want {
			t.Errorf("%s: %s %s", payload, failure, answer)
		}
	}
}

// invoke calls a function of the stage, and returns its answer, or the type of its
// error.
func (w *world) invoke(t *testing.T, name, payload string) (answer []byte, failure string) {
	t.Helper()
	out, err := lambda.NewFromConfig(w.cloud.Config).Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String("ceap-" + w.stage + "-" + name), Payload: []byte(payload),
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.FunctionError == nil {
		return out.Payload, ""
	}
	var e struct{ ErrorType string }
	if err := json.Unmarshal(out.Payload, &e); err != nil {
		t.Fatal(err)
	}
	return out.Payload, e.ErrorType
}

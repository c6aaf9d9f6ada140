//go:build cgo

// Package guide_test runs the commands of the data source guide as a reader would:
// with the AWS CLI, against the shipped state machine, the built functions and the
// tables of the stage dev.
package guide_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/internal/awstest/athena"
	store "github.com/ceap-platform/ceap/store/dynamodb"
)

const (
	root            = "../../.."
	stage           = "dev" // the guide's
	artifactsBucket = "ceap-artifacts-" + stage + "-" + awstest.Account + "-" + awstest.Region
	patience        = 5 * time.Minute // for one command or execution, on a busy machine
)

// reader is somebody who follows the guide.
type reader struct {
	cloud      *awstest.Cloud
	env        []string
	dir        string
	transcript *bytes.Buffer
	execution  string // the ARN that the last start-execution printed
}

// newReader returns a reader with an account in which CEAP is deployed.
func newReader(t *testing.T) *reader {
	t.Helper()
	cloud := awstest.Start(t)
	shim, err := filepath.Abs(filepath.Join(root, ".tools", "awscli", "bin"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(shim, "aws")); err != nil {
		if os.Getenv("CEAP_REQUIRE_TOOLS") == "1" {
			t.Fatal("the AWS CLI is missing: run `make setup`")
		}
		t.Skip("the AWS CLI is missing: run `make setup`")
	}
	r := &reader{cloud: cloud, dir: t.TempDir(), transcript: &bytes.Buffer{}}
	r.env = append(cloud.Environ(), "PATH="+shim+":"+os.Getenv("PATH"), "HOME="+r.dir, "AWS_PAGER=", "LC_ALL=C.UTF-8")
	r.deploy(t)
	return r
}

// deploy makes what the template would: buckets, tables, functions and the state
// machine, over tables of the guide's example project.
func (r *reader) deploy(t *testing.T) {
	t.Helper()
	objects, tables := awsapi.S3(r.cloud.Config), dynamodb.NewFromConfig(r.cloud.Config)
	// The reader's own buckets are called in the guide what these are called.
	for _, bucket := range []string{artifactsBucket, "your-data-bucket", "your-results-bucket"} {
		if _, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range store.Tables(stage) {
		if _, err := tables.CreateTable(t.Context(), table); err != nil {
			t.Fatal(err)
		}
	}
	lake, err := athena.New(athena.Options{S3: objects, Folder: filepath.Join(root, "examples", "guide", "warehouse")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lake.Close(); err != nil {
			t.Error(err)
		}
	})
	r.cloud.HandleAthena(lake)
	binary := buildFunction(t)
	for name, handler := range map[string]string{"ETLLambda": "etl", "control": "control", "part": "part"} {
		rt := r.cloud.RunBootstrap(awstest.Bootstrap{
			Name: functionName(name), Path: binary, Handler: handler, Timeout: patience,
			Env: []string{"CEAP_STAGE=" + stage, "CEAP_ARTIFACTS_BUCKET=" + artifactsBucket},
		})
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("%s wrote:\n%s", name, rt.Log())
			}
		})
	}
	definition, err := os.ReadFile(filepath.Join(root, "deploy", "aws", "statemachine.asl.json"))
	if err != nil {
		t.Fatal(err)
	}
	const functions = "arn:aws:lambda:" + awstest.Region + ":" + awstest.Account + ":function:"
	_, err = sfn.NewFromConfig(r.cloud.Config).CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("CeapBatchIngestion-" + stage), RoleArn: aws.String("arn:aws:iam::" + awstest.Account + ":role/states"),
		Definition: aws.String(strings.NewReplacer(
			"${ControlFunctionArn}", functions+functionName("control"), "${PartFunctionArn}", functions+functionName("part"),
			"${ArtifactsBucket}", artifactsBucket,
		).Replace(string(definition))),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func functionName(name string) string { return "ceap-" + stage + "-" + name }

// buildFunction builds the bootstrap of the functions, as scripts/package-lambda
// does, for this machine.
func buildFunction(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-o", binary, "./cmd/ceap-lambda")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the functions: %v\n%s", err, output)
	}
	return binary
}

// block is a fenced block of the guide.
type block struct {
	where string
	text  string
}

// blocks returns the fenced blocks of a language.
func blocks(t *testing.T, language string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "guide.md"))
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```")
	for _, at := range fence.FindAllSubmatchIndex(text, -1) {
		found = append(found, block{fmt.Sprintf("guide.md, line %d", 1+bytes.Count(text[:at[2]], []byte("\n"))), string(text[at[2]:at[3]])})
	}
	return found
}

// run executes a block in bash and returns what it prints. YOUR_EXECUTION_ARN stands
// for what the reader has seen before.
func (r *reader) run(t *testing.T, b block) string {
	t.Helper()
	script := strings.ReplaceAll(b.text, "YOUR_EXECUTION_ARN", r.execution)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = r.dir, r.env
	output, err := cmd.CombinedOutput()
	fmt.Fprintf(r.transcript, "# %s\n%s\n%s\n", b.where, strings.TrimSpace(script), output)
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", b.where, err, script, output)
	}
	return string(output)
}

// runSQL runs a statement as a reader would in the console of Athena.
func (r *reader) runSQL(t *testing.T, b block) {
	t.Helper()
	r.run(t, block{b.where, fmt.Sprintf(`
id=$(aws athena start-query-execution --query-string %s --result-configuration OutputLocation=s3://ceap-athena-results-dev/ --query QueryExecutionId --output text)
aws athena get-query-execution --query-execution-id $id --query QueryExecution.Status
aws athena get-query-execution --query-execution-id $id --query QueryExecution.Status.State --output text | grep -qx SUCCEEDED
`, "'"+strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(b.text), ";"), "'", `'"'"'`)+"'")})
}

// started remembers the execution that start-execution printed, and waits for its end.
func (r *reader) started(t *testing.T, output string) *sfn.DescribeExecutionOutput {
	t.Helper()
	var answer struct {
		ExecutionArn string `json:"executionArn"`
	}
	if err := json.Unmarshal([]byte(output), &answer); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	r.execution = answer.ExecutionArn
	client := sfn.NewFromConfig(r.cloud.Config)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		got, err := client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &r.execution})
		if err != nil {
			t.Fatal(err)
		}
		if got.Status != sfntypes.ExecutionStatusRunning {
			return got
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", r.execution, ctx.Err())
		}
	}
}

// succeeded starts the execution of a block, waits for its end and returns the
// counts of its run.
func (r *reader) succeeded(t *testing.T, b block) ceap.Counts {
	t.Helper()
	ended := r.started(t, r.run(t, b))
	if ended.Status != sfntypes.ExecutionStatusSucceeded {
		t.Fatalf("%s: %s: %s %s", b.where, ended.Status, aws.ToString(ended.Error), aws.ToString(ended.Cause))
	}
	return decode[ceap.RunResult](t, aws.ToString(ended.Output)).Counts
}

// decode reads JSON that a command has printed.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// scan is what dynamodb scan prints.
type scan struct {
	Items []map[string]map[string]any
}

// The guide runs from its first command to its last, with the rows of
// examples/guide in its table.
func TestGuide(t *testing.T) {
	t.Parallel()
	r := newReader(t)
	commands, statements := blocks(t, "bash"), blocks(t, "sql")
	if len(commands) != 10 || len(statements) != 6 {
		t.Fatalf("the guide has %d blocks of bash and %d of SQL; the test knows 10 and 6", len(commands), len(statements))
	}
	defer r.write(t)

	r.run(t, commands[0])      // 1.1: the bucket for results
	r.runSQL(t, statements[0]) // 1.2: the database
	r.runSQL(t, statements[1]) // 1.3: the table
	r.run(t, commands[1])      // 2.2: the program

	// 3.1 to 3.3: the state machine, and what it did.
	created := r.succeeded(t, commands[2])
	if diff := cmp.Diff(ceap.Counts{Extracted: 10, Stored: 10, Created: 10}, created); diff != "" {
		t.Errorf("the first run (-want +got):\n%s", diff)
	}
	type description struct{ Status, Output string }
	described := decode[description](t, r.run(t, commands[3]))
	if got := decode[ceap.RunResult](t, described.Output); described.Status != "SUCCEEDED" || got.BatchID != "test-batch-001" || got.CorrelationID != "test-001" {
		t.Errorf("describe-execution printed %s for batch %q and correlation %q", described.Status, got.BatchID, got.CorrelationID)
	}
	found := decode[scan](t, r.run(t, commands[4])).Items
	if len(found) != 10 {
		t.Errorf("the scan printed %d candidates, not 10", len(found))
	}
	for _, item := range found {
		if id, _ := item["PK"]["S"].(string); !strings.HasPrefix(id, "CUST#CUST-1") || item["programId"]["S"] != "product-reviews" {
			t.Errorf("the scan printed %v", item)
		}
	}

	// Test 1 to 3: the query, the function, the workflow once more.
	if got := r.run(t, commands[5]); !strings.Contains(got, `"State": "SUCCEEDED"`) || strings.Count(got, `"VarCharValue": "CUST-`) != 10 {
		t.Errorf("the query printed %s", got)
	}
	_, answer, _ := strings.Cut(r.run(t, commands[6]), "}\n") // what the CLI prints comes before response.json
	tried := decode[ceap.RunResult](t, answer)
	if diff := cmp.Diff(ceap.Counts{Extracted: 10}, tried.Counts); diff != "" || tried.BatchID != "test-001" {
		t.Errorf("batch %q of the function (-want +got):\n%s", tried.BatchID, diff)
	}
	again := r.succeeded(t, commands[7])
	if diff := cmp.Diff(ceap.Counts{Extracted: 10, Stored: 10, Unchanged: 10}, again); diff != "" {
		t.Errorf("the same dates in another batch (-want +got):\n%s", diff)
	}

	r.quickStart(t, commands[8], commands[7])

	// Troubleshooting: Athena takes the query; whether the table exists shows later.
	if got := decode[map[string]string](t, r.run(t, commands[9])); got["QueryExecutionId"] == "" {
		t.Errorf("the query by hand printed %v", got)
	}
}

// quickStart follows the quick start: it uploads the guide's CSV, makes its table,
// configures a program and runs the workflow. Table and program are those of
// examples/quick-start, since the guide's own collide with its main table.
func (r *reader) quickStart(t *testing.T, upload, workflow block) {
	t.Helper()
	sample := blocks(t, "csv")[0]
	if err := os.WriteFile(filepath.Join(r.dir, "sample-deliveries.csv"), []byte(sample.text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.run(t, upload)

	example := filepath.Join(root, "examples", "quick-start")
	schema, err := os.ReadFile(filepath.Join(example, "warehouse", "quick_start", "product_deliveries", "_schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	r.runSQL(t, block{"examples/quick-start", "CREATE DATABASE quick_start"})
	r.runSQL(t, block{"examples/quick-start", string(schema)})

	text, err := os.ReadFile(filepath.Join(example, "programs", "quick-start.json"))
	if err != nil {
		t.Fatal(err)
	}
	program := decode[map[string]any](t, string(text))
	connector, _ := program["dataConnectors"].([]any)[0].(map[string]any)
	settings, _ := connector["sourceConfig"].(map[string]any)
	settings["resultsBucket"] = "ceap-athena-results-dev" // as in the guide's step 2
	program["PK"], program["SK"] = "PROGRAM#quick-start", "MARKETPLACE#US"
	item, err := attributevalue.MarshalMap(program)
	if err != nil {
		t.Fatal(err)
	}
	_, err = dynamodb.NewFromConfig(r.cloud.Config).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("ProgramConfig-" + stage), Item: item})
	if err != nil {
		t.Fatal(err)
	}
	workflow.where = "examples/quick-start"
	workflow.text = strings.NewReplacer("product-reviews", "quick-start", "test-real-data", "quick-start", "batch-001", "batch-002").Replace(workflow.text)
	got := r.succeeded(t, workflow)
	if diff := cmp.Diff(ceap.Counts{Extracted: 3, Stored: 3, Created: 3}, got); diff != "" {
		t.Errorf("should process 3 candidates (-want +got):\n%s", diff)
	}
}

// write leaves what was typed and printed where CEAP_TRANSCRIPT asks for it.
func (r *reader) write(t *testing.T) {
	t.Helper()
	if name := os.Getenv("CEAP_TRANSCRIPT"); name != "" {
		if err := os.WriteFile(name, r.transcript.Bytes(), 0o600); err != nil {
			t.Error(err)
		}
	}
}

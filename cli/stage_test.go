//go:build cgo

package cli_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/internal/awstest/athena"
	"github.com/ceap-platform/ceap/internal/stage"
	dynamo "github.com/ceap-platform/ceap/store/dynamodb"
)

const (
	roleARN       = "arn:aws:iam::" + awstest.Account + ":role/ceap-test"
	resultsBucket = "ceap-athena-results-dev" // the sample project's
)

// deployment is a stage of its own on the emulator: what the template makes, with
// the functions as processes of the test binary.
type deployment struct {
	name  string
	cloud *awstest.Cloud
	lake  *athena.Fake
	logs  []func() string
}

// deploy makes a stage whose tables lie in the project's folder. The functions have
// the project's ceap.yaml.
func deploy(ctx context.Context, project string) (d *deployment, err error) {
	cloud, err := awstest.Open(ctx)
	if err != nil {
		return nil, err
	}
	d = &deployment{name: strings.ReplaceAll(cloud.Unique("cli"), "-", ""), cloud: cloud}
	bucket := "ceap-artifacts-" + d.name + "-" + awstest.Account + "-" + awstest.Region
	files := awsapi.S3(cloud.Config)
	for _, name := range []string{bucket, resultsBucket} {
		if _, err := files.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil && awsapi.Code(err) != "BucketAlreadyOwnedByYou" {
			return d, err
		}
	}
	d.lake, err = athena.New(athena.Options{S3: files, Folder: filepath.Join(project, "warehouse"), WorkGroups: []athena.WorkGroup{{Name: "limited", BytesScannedLimit: 1e12}}})
	if err != nil {
		return d, err
	}
	cloud.HandleAthena(d.lake)
	return d, errors.Join(d.tables(ctx), d.functions(ctx, project, bucket), d.machine(ctx, bucket), d.group(ctx))
}

func (d *deployment) close() error {
	err := d.cloud.Close()
	if d.lake != nil {
		err = errors.Join(err, d.lake.Close())
	}
	return err
}

// environ is what a command needs to find the stage.
func (d *deployment) environ() []string { return append(d.cloud.Environ(), "CEAP_STAGE="+d.name) }

func (d *deployment) tables(ctx context.Context) error {
	client := dynamodb.NewFromConfig(d.cloud.Config)
	for _, table := range dynamo.Tables(d.name) {
		if _, err := client.CreateTable(ctx, table); err != nil {
			return err
		}
		_, err := client.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
			TableName:                        table.TableName,
			PointInTimeRecoverySpecification: &dynamotypes.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
		})
		if err != nil {
			return err
		}
	}
	for _, name := range dynamo.ExpiringTables(d.name) {
		_, err := client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
			TableName: &name, TimeToLiveSpecification: &dynamotypes.TimeToLiveSpecification{AttributeName: aws.String(dynamo.TTLAttribute), Enabled: aws.Bool(true)},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// functions makes the functions: moto knows their settings, and processes of this
// binary answer for them.
func (d *deployment) functions(ctx context.Context, project, bucket string) error {
	binary, err := exec.LookPath("ceap-lambda")
	if err != nil {
		return err
	}
	if err := d.role(ctx); err != nil {
		return err
	}
	env := map[string]string{"CEAP_STAGE": d.name, "CEAP_ARTIFACTS_BUCKET": bucket, "CEAP_PART_ROWS": "2", "CEAP_RESULTS_BUCKET": resultsBucket, "CEAP_CONCURRENCY": "2", "CEAP_DIR": project}
	var code bytes.Buffer
	archive := zip.NewWriter(&code)
	if _, err := archive.Create("bootstrap"); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return err
	}
	client := lambda.NewFromConfig(d.cloud.Config)
	for name, handler := range map[string]string{"ETLLambda": "etl", "control": "control", "part": "part"} {
		full := "ceap-" + d.name + "-" + name
		_, err := client.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: &full, Handler: &handler, Role: aws.String(roleARN), Runtime: lambdatypes.RuntimeProvidedal2023, Publish: true,
			Code: &lambdatypes.FunctionCode{ZipFile: code.Bytes()}, Environment: &lambdatypes.Environment{Variables: env},
			MemorySize: aws.Int32(1769), Timeout: aws.Int32(900),
		})
		if err != nil {
			return err
		}
		if _, err := client.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: &full, Name: aws.String("live"), FunctionVersion: aws.String("1")}); err != nil {
			return err
		}
		b := awstest.Bootstrap{Name: full, Path: binary, Handler: handler, Timeout: 5 * time.Minute}
		for key, value := range env {
			b.Env = append(b.Env, key+"="+value)
		}
		d.logs = append(d.logs, d.cloud.RunBootstrap(b).Log)
	}
	return nil
}

// role makes the role that moto asks a function for.
func (d *deployment) role(ctx context.Context) error {
	form := url.Values{"Action": {"CreateRole"}, "Version": {"2010-05-08"}, "RoleName": {"ceap-test"}, "AssumeRolePolicyDocument": {"{}"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.cloud.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260128/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusConflict { // another stage made it
		return fmt.Errorf("making a role: %s", resp.Status)
	}
	return nil
}

// machine makes the shipped state machine.
func (d *deployment) machine(ctx context.Context, bucket string) error {
	definition, err := os.ReadFile(filepath.Join("..", "deploy", "aws", "statemachine.asl.json"))
	if err != nil {
		return err
	}
	function := func(name string) string {
		return "arn:aws:lambda:" + awstest.Region + ":" + awstest.Account + ":function:ceap-" + d.name + "-" + name
	}
	text := strings.NewReplacer("${ControlFunctionArn}", function("control"), "${PartFunctionArn}", function("part"), "${ArtifactsBucket}", bucket).
		Replace(string(definition))
	_, err = sfn.NewFromConfig(d.cloud.Config).CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
		Name: aws.String("CeapBatchIngestion-" + d.name), Definition: &text, RoleArn: aws.String(roleARN),
	})
	return err
}

func (d *deployment) group(ctx context.Context) error {
	_, err := scheduler.NewFromConfig(d.cloud.Config).CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{
		Name: aws.String("ceap-" + d.name), Tags: []schedulertypes.Tag{{Key: aws.String(stage.RoleTag), Value: aws.String(roleARN)}},
	})
	return err
}

// emulated is the condition [aws] of scripts. Where tools are required, a missing
// one fails.
func emulated(condition string) (bool, error) {
	if condition != "aws" {
		return false, fmt.Errorf("unknown condition %q", condition)
	}
	cloud, err := awstest.Open(context.Background())
	switch {
	case errors.Is(err, awstest.ErrMissing) && os.Getenv("CEAP_REQUIRE_TOOLS") != "1":
		return false, nil
	case err != nil:
		return false, err
	}
	return true, cloud.Close()
}

// deployStage makes a stage for the rest of the script, over a project: stage shop.
func deployStage(ts *testscript.TestScript, neg bool, args []string) { //nolint:revive // the signature of testscript
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stage project")
	}
	d, err := deploy(context.Background(), ts.MkAbs(args[0]))
	if d != nil {
		ts.Defer(func() {
			if err := d.close(); err != nil {
				ts.Logf("closing the stage: %v", err)
			}
		})
	}
	ts.Check(err)
	for _, entry := range d.environ() {
		name, value, _ := strings.Cut(entry, "=")
		ts.Setenv(name, value)
	}
	ts.Setenv("STAGE", d.name)
}

// sameResult checks that two files hold the result of the same run in two places:
// sameresult here.json there.json. Ids and times, the names of queries, and where the
// program's document lies may differ.
func sameResult(ts *testscript.TestScript, neg bool, args []string) { //nolint:revive // the signature of testscript
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sameresult file file")
	}
	var results [2]ceap.RunResult
	for i, name := range args {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &results[i]))
		r := &results[i]
		r.RunID, r.CorrelationID, r.Stages, r.Queries = "", "", nil, nil
		r.StartedAt, r.EndedAt, r.AsOf, r.DurationMs = time.Time{}, time.Time{}, time.Time{}, 0
		for n, warning := range r.Warnings {
			r.Warnings[n] = regexp.MustCompile(`^[^ ]+( / [^ ]+)?:[0-9]+:[0-9]+: `).ReplaceAllString(warning, "")
		}
	}
	if diff := cmp.Diff(results[0], results[1], cmpopts.EquateEmpty()); diff != "" {
		ts.Fatalf("(-%s +%s):\n%s", args[0], args[1], diff)
	}
}

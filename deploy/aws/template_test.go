package aws_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap/internal/awslambda"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/stage"
)

func TestTemplate_PassesCFNLint(t *testing.T) {
	t.Parallel()
	lint := tool(t, "cfn-lint", filepath.Join("aws", "bin", "cfn-lint"))
	out, err := exec.CommandContext(t.Context(), lint, templateFile).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTemplate_Names holds the template to the names that the data source guide
// uses: its commands are in the hands of users.
func TestTemplate_Names(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	t.Run("tables and state machine", func(t *testing.T) {
		t.Parallel()
		for id, want := range map[string]string{"ProgramConfigTable": "ProgramConfig-dev", "CandidatesTable": "Candidates-dev"} {
			if got := template.text(template.resource(t, id)["TableName"]); got != want {
				t.Errorf("%s is named %q; want %q", id, got, want)
			}
		}
		if got := template.text(template.resource(t, "StateMachine")["Name"]); got != "CeapBatchIngestion-dev" {
			t.Errorf("the state machine is named %q", got)
		}
		if got := object(template.parameters["Stage"])["Default"]; got != "dev" {
			t.Errorf("the stage is %v unless said otherwise", got)
		}
	})
	t.Run("schedules find their group and role", func(t *testing.T) {
		t.Parallel()
		dev := stage.New("dev", nil)
		if got := template.text(template.resource(t, "StateMachine")["Name"]); got != dev.StateMachine() {
			t.Errorf("the state machine is named %q; the code says %q", got, dev.StateMachine())
		}
		group := template.resource(t, "ScheduleGroup")
		if got := template.text(group["Name"]); got != dev.ScheduleGroup() {
			t.Errorf("the group is named %q; the code says %q", got, dev.ScheduleGroup())
		}
		if got := pairs(group["Tags"], "Key", "Key"); !slices.Equal(got, [][2]string{{stage.RoleTag, stage.RoleTag}}) {
			t.Errorf("the group's tags are %v; its role is looked for under %s", got, stage.RoleTag)
		}
	})
	t.Run("one function's name contains ETLLambda", func(t *testing.T) {
		t.Parallel()
		var found []string
		for id, f := range template.ofType("AWS::Serverless::Function") {
			name := template.text(f["FunctionName"])
			if strings.Contains(name, "ETLLambda") {
				found = append(found, id)
			}
			if !strings.Contains(name, "-dev-") {
				t.Errorf("the name %q does not contain the stage", name)
			}
		}
		if !slices.Equal(found, []string{"ETLFunction"}) {
			t.Errorf("names of %v contain ETLLambda", found)
		}
	})
	t.Run("fit their bounds with the longest stage", func(t *testing.T) {
		t.Parallel()
		pattern, _ := object(template.parameters["Stage"])["AllowedPattern"].(string)
		template := readTemplate(t)
		template.values["Stage"] = strings.Repeat("s", 12)
		if !regexp.MustCompile("^" + pattern + "$").MatchString(template.values["Stage"]) {
			t.Fatalf("the pattern %s does not let the stage through", pattern)
		}
		if regexp.MustCompile("^" + pattern + "$").MatchString(template.values["Stage"] + "s") {
			t.Fatalf("the pattern %s lets a longer stage through", pattern)
		}
		for _, f := range template.ofType("AWS::Serverless::Function") {
			// 64: the longest name of a function, from the Lambda API.
			if name := template.text(f["FunctionName"]); len(name) > 64 {
				t.Errorf("%s has %d characters", name, len(name))
			}
		}
		// ap-southeast-1 is among the longest names of a region.
		template.values["AWS::Region"] = "ap-southeast-1"
		// 63: the longest name of a bucket, from the S3 user guide.
		if name := template.text(template.resource(t, "ArtifactsBucket")["BucketName"]); len(name) > 63 {
			t.Errorf("%s has %d characters", name, len(name))
		}
	})
}

// TestTemplate_KeepsWhatIsStored asserts that neither a deleted stack nor a slip
// takes data along.
func TestTemplate_KeepsWhatIsStored(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	for id, r := range template.resources {
		kind := object(r)["Type"]
		properties := object(object(r)["Properties"])
		if kind != "AWS::DynamoDB::Table" && kind != "AWS::S3::Bucket" {
			continue
		}
		if object(r)["DeletionPolicy"] != "Retain" || object(r)["UpdateReplacePolicy"] != "Retain" {
			t.Errorf("%s goes with the stack", id)
		}
		if kind == "AWS::S3::Bucket" {
			continue
		}
		if object(properties["PointInTimeRecoverySpecification"])["PointInTimeRecoveryEnabled"] != true {
			t.Errorf("%s has no point-in-time recovery", id)
		}
		if sse := object(properties["SSESpecification"]); sse["SSEEnabled"] != true || sse["SSEType"] != "KMS" {
			t.Errorf("%s is not encrypted with KMS", id)
		}
	}
}

// TestTemplate_BucketIsClosed looks at the bucket of the runs' files, in which
// rows of customers lie.
func TestTemplate_BucketIsClosed(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	bucket := template.resource(t, "ArtifactsBucket")
	if got, want := template.text(bucket["BucketName"]), "ceap-artifacts-dev-123456789012-us-east-1"; got != want {
		t.Errorf("BucketName = %s; want %s, as store/dynamodb derives it", got, want)
	}
	for name, blocked := range object(bucket["PublicAccessBlockConfiguration"]) {
		if blocked != true {
			t.Errorf("%s = %v", name, blocked)
		}
	}
	if len(object(bucket["PublicAccessBlockConfiguration"])) != 4 || bucket["BucketEncryption"] == nil {
		t.Error("the bucket can be made public, or is not encrypted")
	}
	prefixes := map[string]bool{}
	for _, rule := range list(object(bucket["LifecycleConfiguration"])["Rules"]) {
		if object(rule)["ExpirationInDays"] != nil && object(rule)["Status"] == "Enabled" {
			prefixes[template.text(object(rule)["Prefix"])] = true
		}
	}
	if !prefixes["runs/"] || !prefixes["map-runs/"] {
		t.Errorf("files expire below %v", prefixes)
	}
	policy := list(object(template.resource(t, "ArtifactsBucketPolicy")["PolicyDocument"])["Statement"])
	if len(policy) != 1 || object(policy[0])["Effect"] != "Deny" ||
		object(object(object(policy[0])["Condition"])["Bool"])["aws:SecureTransport"] != "false" {
		t.Errorf("policy = %v", policy)
	}
}

// TestTemplate_FitsTheStateMachine holds both files together, which no linter does.
func TestTemplate_FitsTheStateMachine(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	definition, err := os.ReadFile(machineFile)
	if err != nil {
		t.Fatal(err)
	}
	machineOfStage := template.resource(t, "StateMachine")
	if machineOfStage["DefinitionUri"] != machineFile {
		t.Errorf("DefinitionUri = %v", machineOfStage["DefinitionUri"])
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`\$\{([^}]+)\}`).FindAllStringSubmatch(string(definition), -1) {
		used[m[1]] = true
	}
	given := map[string]bool{}
	for name := range object(machineOfStage["DefinitionSubstitutions"]) {
		given[name] = true
	}
	if diff := cmp.Diff(used, given); diff != "" {
		t.Errorf("substitutions (-used +given):\n%s", diff)
	}
	functions := map[string]string{"${ControlFunctionArn}": "ControlFunction", "${PartFunctionArn}": "PartFunction"}
	for name, state := range allStates(readMachine(t)) {
		if state["Type"] != "Task" {
			continue
		}
		id := functions[template.text(object(state["Parameters"])["FunctionName"])]
		// A task that ends first would be tried again beside a function at work.
		if limit, own := number(state["TimeoutSeconds"]), number(template.resource(t, id)["Timeout"]); own <= 0 || limit <= own {
			t.Errorf("%s ends after %v seconds, its function %s after %v", name, limit, id, own)
		}
	}
}

// TestTemplate_FunctionsAreThoseOfTheBinary holds handlers, package and variables
// to the program that reads them.
func TestTemplate_FunctionsAreThoseOfTheBinary(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	handlers := map[string]string{"ETLFunction": awslambda.HandlerETL, "ControlFunction": awslambda.HandlerControl, "PartFunction": awslambda.HandlerPart}
	functions := template.ofType("AWS::Serverless::Function")
	if len(functions) != len(handlers) {
		t.Errorf("%d functions; the binary has %d handlers", len(functions), len(handlers))
	}
	for id, f := range functions {
		if f["Handler"] != handlers[id] {
			t.Errorf("Handler of %s = %v; want %s", id, f["Handler"], handlers[id])
		}
		// What scripts/package-lambda builds for the default Architecture.
		if want := "../../dist/ceap-lambda-" + template.values["Architecture"] + ".zip"; f["CodeUri"] != want {
			t.Errorf("CodeUri of %s = %v; want %s", id, f["CodeUri"], want)
		}
	}
	maps.Copy(template.values, map[string]string{"Stage": "qa", "PartRows": "1000", "PartConcurrency": "7", "ArtifactDays": "9"})
	defaults := loadConfig(t)
	variables := object(object(object(template.globals["Function"])["Environment"])["Variables"])
	var all []string
	for name, value := range variables {
		entry := name + "=" + template.text(value)
		if strings.HasPrefix(name, "CEAP_") && cmp.Equal(defaults, loadConfig(t, entry)) {
			t.Errorf("the configuration does not know %s", entry)
		}
		all = append(all, entry)
	}
	c := loadConfig(t, all...).OnAWS()
	if c.AWS.Stage != "qa" || c.AWS.PartRows != 1000 || c.AWS.Concurrency != 7 || c.Journal.KeepDays != 9 || c.Store.Type != "dynamodb" ||
		c.AWS.ArtifactsBucket != "ceap-artifacts-qa-123456789012-us-east-1" {
		t.Errorf("configuration = %+v", c)
	}
}

// loadConfig returns the configuration that an environment gives, in a folder
// that is always the same.
func loadConfig(t *testing.T, environ ...string) *config.Config {
	t.Helper()
	c, warnings, err := config.Load(config.Sources{Dir: ".", Environ: environ})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v; warnings: %v", err, warnings)
	}
	return c
}

// TestTemplate_LogsEnd asserts that no log is kept for ever: a function without
// a group of its own makes one that is.
func TestTemplate_LogsEnd(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	for id, group := range template.ofType("AWS::Logs::LogGroup") {
		if group["RetentionInDays"] == nil {
			t.Errorf("%s has no end", id)
		}
	}
	for id, f := range template.ofType("AWS::Serverless::Function") {
		name := object(object(f["LoggingConfig"])["LogGroup"])["Ref"]
		group, _ := name.(string)
		if want := "/aws/lambda/" + template.text(f["FunctionName"]); template.text(template.resource(t, group)["LogGroupName"]) != want {
			t.Errorf("%s logs elsewhere than in %s", id, want)
		}
	}
}

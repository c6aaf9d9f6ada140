package aws_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// callers are the folders whose code runs in the functions and calls AWS. What of
// internal/stage does so, TestPolicies_AreEnough shows; most of it serves people.
func callers() []string {
	return []string{"store/dynamodb", "connector/warehouse/athena", "connector/s3", "connector/kinesis", "scorer/sagemaker"}
}

// beside lists the calls of those folders for which the template's roles have no
// permission, each with the reason.
func beside() map[string]string {
	const (
		byPerson = "a person at the command line, with rights of their own"
		byPolicy = "programs name any stream and table; SourcePolicyArn allows them"
	)
	return map[string]string{
		"store/dynamodb dynamodb:CreateTable":               "the template makes tables; only tests do, too",
		"store/dynamodb dynamodb:DescribeTable":             byPerson,
		"store/dynamodb dynamodb:DescribeTimeToLive":        byPerson,
		"store/dynamodb dynamodb:DescribeContinuousBackups": byPerson,
		"store/dynamodb sts:GetCallerIdentity":              "needs no permission",
		"connector/kinesis kinesis:ListShards":              byPolicy,
		"connector/kinesis kinesis:GetShardIterator":        byPolicy,
		"connector/kinesis kinesis:GetRecords":              byPolicy,
		"connector/kinesis kinesis:ListStreams":             byPerson,
		"connector/kinesis kinesis:DescribeStreamSummary":   byPerson,
		"scorer/sagemaker dynamodb:BatchGetItem":            byPolicy,
	}
}

// TestPolicies_AllowWhatTheCodeCalls fails for a call of AWS that no role of a
// function may make: emulators do not ask for permissions.
func TestPolicies_AllowWhatTheCodeCalls(t *testing.T) {
	t.Parallel()
	allowed := map[string]bool{}
	for _, s := range statements(readTemplate(t)) {
		for _, action := range s.actions {
			allowed[action] = true
		}
	}
	unused := beside()
	found := 0
	for _, folder := range callers() {
		for action, where := range actions(t, folder) {
			found++
			delete(unused, folder+" "+action)
			if !allowed[action] && beside()[folder+" "+action] == "" {
				t.Errorf("%s needs %s, which no role allows", where, action)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d calls were found; the test looks in the wrong place", found)
	}
	for action := range unused {
		t.Errorf("nothing calls %s any more", action)
	}
}

// actions returns the permissions that the code of a folder needs, each with a
// place that needs it: every operation of the SDK whose input it makes.
func actions(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	root := filepath.Join("..", "..")
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(folder), "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("there is no code in %s: %v", folder, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, data, 0)
		if err != nil {
			t.Fatal(err)
		}
		services := servicesOf(file)
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			selector, ok := literal.Type.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, _ := selector.X.(*ast.Ident)
			operation, isInput := strings.CutSuffix(selector.Sel.Name, "Input")
			if pkg != nil && isInput && services[pkg.Name] != "" {
				out[actionOf(services[pkg.Name], operation)] = path.Join(folder, filepath.Base(name))
			}
			return true
		})
	}
	return out
}

// servicesOf returns the services of the SDK that a file imports, by their names
// in it.
func servicesOf(file *ast.File) map[string]string {
	out := map[string]string{}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		service, ok := strings.CutPrefix(imported, "github.com/aws/aws-sdk-go-v2/service/")
		if !ok || strings.Contains(service, "/") {
			continue
		}
		name := service
		if spec.Name != nil {
			name = spec.Name.Name
		}
		out[name] = service
	}
	return out
}

// actionOf returns the permission that an operation needs, from the Service
// Authorization Reference.
func actionOf(service, operation string) string {
	prefixes := map[string]string{"sfn": "states", "eventbridge": "events", "sagemakerruntime": "sagemaker"}
	if prefix := prefixes[service]; prefix != "" {
		service = prefix
	}
	if service == "s3" {
		switch {
		case slices.Contains([]string{"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}, operation):
			operation = "PutObject"
		case operation == "HeadObject":
			operation = "GetObject"
		case operation == "DeleteObjects":
			operation = "DeleteObject"
		case operation == "ListObjectsV2", operation == "HeadBucket":
			operation = "ListBucket"
		}
	}
	return service + ":" + operation
}

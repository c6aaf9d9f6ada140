package awsapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
)

func refused(service, operation, code, message string) error {
	return &smithy.OperationError{ServiceID: service, OperationName: operation, Err: &smithy.GenericAPIError{Code: code, Message: message}}
}

func TestError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		code ceap.Code
		text string
	}{
		{
			refused("Athena", "StartQueryExecution", "AccessDeniedException", "not authorized"), ceap.CodeForbidden,
			"reading x: AccessDeniedException: not authorized; allow athena:StartQueryExecution for the role or user that CEAP runs as",
		},
		{refused("SFN", "StartExecution", "AccessDeniedException", ""), ceap.CodeForbidden, "states:StartExecution"},
		{refused("S3", "UploadPart", "AccessDenied", ""), ceap.CodeForbidden, "s3:PutObject"},
		{refused("S3", "ListObjectsV2", "AccessDenied", ""), ceap.CodeForbidden, "s3:ListBucket"},
		{&smithy.GenericAPIError{Code: "AccessDenied"}, ceap.CodeForbidden, "the message names the action"},
		{refused("DynamoDB", "PutItem", "ExpiredTokenException", ""), ceap.CodeUnauthenticated, "renew"},
		{refused("DynamoDB", "PutItem", "ThrottlingException", ""), ceap.CodeRateLimited, "slow down"},
		{refused("DynamoDB", "PutItem", "ResourceNotFoundException", "no such table"), ceap.CodeUnavailable, "no such table"},
		{refused("DynamoDB", "PutItem", "ValidationException", "too long"), ceap.CodeInvalid, "too long"},
		{refused("DynamoDB", "PutItem", "SomethingNew", ""), ceap.CodeUnavailable, "SomethingNew"},
		{errors.New("no route to host"), ceap.CodeUnavailable, "no route to host"},
		{ceap.Errorf(ceap.CodeConflict, "ours"), ceap.CodeConflict, "reading x: ours"},
	} {
		err := awsapi.Error(t.Context(), "reading x", c.err)
		if ceap.ErrorCode(err) != c.code || !strings.Contains(err.Error(), c.text) || !errors.Is(err, c.err) {
			t.Errorf("%v: %s: %v", c.err, ceap.ErrorCode(err), err)
		}
	}
	if err := awsapi.Error(t.Context(), "reading x", nil); err != nil {
		t.Errorf("no error: %v", err)
	}
}

func TestError_cancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := awsapi.Error(ctx, "reading x", context.Canceled); ceap.ErrorCode(err) != ceap.CodeCancelled {
		t.Errorf("%v", err)
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	if got := awsapi.Code(refused("S3", "GetObject", "NoSuchKey", "")); got != "NoSuchKey" {
		t.Error(got)
	}
	if got := awsapi.Code(errors.New("x")); got != "" {
		t.Error(got)
	}
}

// With an endpoint of the user's own the bucket stands in the path; without one, in
// the host's name.
func TestS3_pathStyle(t *testing.T) {
	t.Parallel()
	var path string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { path = r.URL.Path }))
	defer server.Close()
	c := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), BaseEndpoint: &server.URL}
	if _, err := awsapi.S3(c).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("shop")}); err != nil || path != "/shop" {
		t.Errorf("path %q, %v", path, err)
	}
}

func TestLazy(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	load := awsapi.Lazy("")
	if _, err := load(t.Context()); ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("without a region: %v", err)
	}
	t.Setenv("AWS_REGION", "eu-central-1") // a failure is not remembered, what was loaded is
	for _, region := range []string{"eu-central-1", "us-east-1"} {
		c, err := load(t.Context())
		if err != nil || c.Region != "eu-central-1" {
			t.Errorf("%q, %v", c.Region, err)
		}
		t.Setenv("AWS_REGION", region)
	}
	if c, err := awsapi.Lazy("us-west-2")(t.Context()); err != nil || c.Region != "us-west-2" {
		t.Errorf("a region given: %q, %v", c.Region, err)
	}
}

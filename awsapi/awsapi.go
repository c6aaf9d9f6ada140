// Package awsapi is what everything that talks to AWS has in common: how the
// configuration is found, and which errors are a user's, which a permission's and
// which will pass. The SDK reads region, credentials, profile and endpoints from
// the environment and the shared files, as every AWS tool does (AWS_REGION,
// AWS_PROFILE, AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3, ...).
package awsapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/ceap-platform/ceap"
)

// Load returns the configuration of the region; "" means the environment's.
// Returns unavailable if there is no region.
func Load(ctx context.Context, region string) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRetryMode(aws.RetryModeAdaptive),
		config.WithRetryMaxAttempts(8),
	}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, &ceap.Error{Code: ceap.CodeUnavailable, Err: fmt.Errorf("reading the AWS configuration: %w", err)}
	}
	if c.Region == "" {
		return aws.Config{}, ceap.Errorf(ceap.CodeUnavailable, "no AWS region is set").WithHint("set AWS_REGION, or region in your AWS profile")
	}
	return c, nil
}

// Lazy returns a function that loads the configuration of the region once, when
// it is first called, so that opening a plug-in has no effects. A failure is not
// remembered. It is safe for concurrent use.
func Lazy(region string) func(context.Context) (aws.Config, error) {
	var mu sync.Mutex
	var loaded *aws.Config
	return func(ctx context.Context) (aws.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		if loaded != nil {
			return *loaded, nil
		}
		c, err := Load(ctx, region)
		if err != nil {
			return c, err
		}
		loaded = &c
		return c, nil
	}
}

// S3 returns a client. With an endpoint of the user's own it names buckets in
// the path, as emulators and most S3-compatible stores need.
func S3(c aws.Config) *s3.Client {
	return s3.NewFromConfig(c, func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil || c.BaseEndpoint != nil
		o.DisableLogOutputChecksumValidationSkipped = true // most stores of its kind have none for a part of an object
	})
}

// Code returns the error code of an AWS answer, such as ThrottlingException; ""
// if err is none.
func Code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// Error turns an error of the SDK into one of CEAP's: cancelled when ctx has
// ended, forbidden when a permission is missing, rate_limited when AWS asks to
// slow down, unavailable when a resource is missing or AWS cannot be reached,
// invalid when the request itself is wrong. doing says what was attempted, as a
// gerund, such as "reading the table Candidates-dev".
func Error(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*ceap.Error](err); ours {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return &ceap.Error{Code: ceap.CodeCancelled, Err: fmt.Errorf("%s: %w", doing, context.Cause(ctx))}
	}
	code, hint := classify(Code(err))
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return &ceap.Error{Code: ceap.CodeUnavailable, Err: fmt.Errorf("%s: %w", doing, err), Hint: "look at region, credentials and network: `aws sts get-caller-identity` tells who you are"}
	}
	if action := Action(err); code == ceap.CodeForbidden && action != "" {
		hint = "allow " + action + " for the role or user that CEAP runs as"
	}
	return &ceap.Error{Code: code, Message: doing, Err: &Fault{ErrorCode: api.ErrorCode(), Message: api.ErrorMessage(), err: err}, Hint: hint}
}

// Action returns the permission that the request of an error needs, such as
// athena:StartQueryExecution; "" if that is not known.
func Action(err error) string {
	op, ok := errors.AsType[*smithy.OperationError](err)
	if !ok {
		return ""
	}
	prefix := map[string]string{ // where the permission's is not the service's name in lower case
		"SFN": "states", "EventBridge": "events", "SageMaker Runtime": "sagemaker",
	}[op.Service()]
	if prefix == "" {
		prefix = strings.ToLower(op.Service())
	}
	operation := op.Operation()
	if prefix == "s3" {
		switch operation {
		case "ListObjectsV2", "HeadBucket":
			operation = "ListBucket"
		case "HeadObject":
			operation = "GetObject"
		case "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload":
			operation = "PutObject"
		case "DeleteObjects":
			operation = "DeleteObject"
		default:
		}
	}
	return prefix + ":" + operation
}

// Fault is an answer of AWS that refuses a request.
type Fault struct {
	ErrorCode string // such as AccessDeniedException
	Message   string
	err       error
}

// Error returns "code: message".
func (f *Fault) Error() string {
	if f.Message == "" {
		return f.ErrorCode
	}
	return f.ErrorCode + ": " + f.Message
}

// Unwrap returns the SDK's error.
func (f *Fault) Unwrap() error { return f.err }

// classify returns the code of an AWS error code, and what to do.
func classify(code string) (ceap.Code, string) {
	switch code {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "KMSAccessDeniedException":
		return ceap.CodeForbidden, "the message names the action; allow it for the role or user that CEAP runs as"
	case "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "InvalidSignatureException", "SignatureDoesNotMatch", "MissingAuthenticationToken":
		return ceap.CodeUnauthenticated, "renew your AWS credentials: `aws sts get-caller-identity` tells whether they work"
	case "ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "ProvisionedThroughputExceededException",
		"RequestLimitExceeded", "SlowDown", "LimitExceededException", "KMSThrottlingException":
		return ceap.CodeRateLimited, "AWS asks to slow down; try again later, or raise the quota"
	case "ResourceNotFoundException", "NoSuchBucket", "NotFoundException", "StateMachineDoesNotExist", "EntityNotFoundException":
		return ceap.CodeUnavailable, "deploy the template for this stage, or correct the name in ceap.yaml"
	case "ValidationException", "InvalidRequestException", "InvalidArgument", "InvalidParameterException", "InvalidParameterValueException", "InvalidExecutionInput":
		return ceap.CodeInvalid, ""
	default:
		return ceap.CodeUnavailable, ""
	}
}

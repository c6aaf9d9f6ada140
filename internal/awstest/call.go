package awstest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Call is one request to the account.
type Call struct {
	// Operation is the service, as requests are signed for it, and the operation:
	// dynamodb.PutItem, states.StartExecution, s3.PutObject, lambda.Invoke.
	Operation string
	// Name is what the path names: /bucket/key for s3, the function for lambda, the
	// endpoint for sagemaker; else "".
	Name string
	// Body is the request's body; nil for s3, whose bodies are not kept.
	Body []byte

	service string
	key     string // the access key of the signature
}

// interpreterKey is the access key with which moto's state machines sign.
const interpreterKey = "ak"

// byInterpreter reports whether a state machine made the call.
func (c *Call) byInterpreter() bool { return c.key == interpreterKey }

// readCall says what r asks for, and leaves r as it was.
func readCall(r *http.Request) (*Call, error) {
	c := &Call{}
	c.key, c.service = signer(r.Header.Get("Authorization"))
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, operation, _ := strings.Cut(target, ".")
		c.Operation = c.service + "." + operation
	} else {
		c.Name, c.Operation = restOperation(c.service, r)
	}
	if c.service == "s3" {
		return c, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the body of %s: %w", c.Operation, err)
	}
	c.Body = body
	setBody(r, body)
	return c, nil
}

// setBody gives r another body.
func setBody(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.TransferEncoding = nil
}

// signer returns the access key and the service of an Authorization header
// (AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, ...).
func signer(authorization string) (key, service string) {
	_, scope, _ := strings.Cut(authorization, "Credential=")
	scope, _, _ = strings.Cut(scope, ",")
	parts := strings.Split(scope, "/")
	if len(parts) < 5 {
		return "", ""
	}
	return parts[0], parts[3]
}

// restOperation returns what the path of a REST request names, and its operation;
// an operation that no rule needs goes by method and path.
func restOperation(service string, r *http.Request) (name, operation string) {
	path := r.URL.EscapedPath()
	switch {
	case service == "lambda" && r.Method == http.MethodPost && invocationPath().MatchString(path):
		return functionName(invocationPath().FindStringSubmatch(path)[1]), "lambda.Invoke"
	case service == "lambda" && r.Method == http.MethodGet && strings.Trim(path, "/") == "2015-03-31/functions":
		return "", "lambda.ListFunctions"
	case service == "sagemaker" && endpointPath().MatchString(path):
		return endpointPath().FindStringSubmatch(path)[1], "sagemaker.InvokeEndpoint"
	case service == "s3":
		return r.URL.Path, "s3." + s3Operation(r)
	default:
		return "", service + "." + r.Method + " " + path
	}
}

func invocationPath() *regexp.Regexp {
	return regexp.MustCompile(`^/2015-03-31/functions/([^/]+)/invocations/?$`)
}

func endpointPath() *regexp.Regexp { return regexp.MustCompile(`^/endpoints/([^/]+)/invocations$`) }

// functionName returns the name in a function's escaped name, partial or whole ARN,
// with or without a version.
func functionName(escaped string) string {
	name, err := url.PathUnescape(escaped)
	if err != nil {
		return escaped
	}
	if _, after, found := strings.Cut(name, "function:"); found {
		name = after
	}
	name, _, _ = strings.Cut(name, ":")
	return name
}

// s3Operation names the operations whose faults matter: those on objects, and the
// listing.
func s3Operation(r *http.Request) string {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	switch {
	case bucket == "":
		return "ListBuckets"
	case key == "" && r.Method == http.MethodPost && query.Has("delete"):
		return "DeleteObjects"
	case key == "" && r.Method == http.MethodGet && query.Get("list-type") == "2":
		return "ListObjectsV2"
	case key == "":
		return r.Method + "Bucket"
	case r.Method == http.MethodPut && query.Has("partNumber"):
		return "UploadPart"
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		return "CopyObject"
	case r.Method == http.MethodPost && query.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == http.MethodPost && query.Has("uploadId"):
		return "CompleteMultipartUpload"
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		return "AbortMultipartUpload"
	default:
		method := strings.ToLower(r.Method)
		return strings.ToUpper(method[:1]) + method[1:] + "Object"
	}
}

//go:build cgo

package athena_test

import (
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ceap-platform/ceap/internal/awstest/athena"
)

const results = "s3://ceap-athena-results-dev/"

// cloud is a fake with S3 in memory.
type cloud struct {
	t      testing.TB
	fake   *athena.Fake
	client *api.Client
	s3     *s3.Client
	folder string
}

func newCloud(tb testing.TB, o athena.Options) *cloud {
	tb.Helper()
	c := &cloud{t: tb, folder: tb.TempDir()}
	c.mkdir("ceap_data_dev")
	bucketServer := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	tb.Cleanup(bucketServer.Close)
	config := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
	c.s3 = s3.NewFromConfig(config, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &bucketServer.URL, true })
	for _, bucket := range []string{"ceap-athena-results-dev", "your-data-bucket"} {
		if _, err := c.s3.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			tb.Fatal(err)
		}
	}
	o.S3, o.Folder = c.s3, c.folder
	var err error
	if c.fake, err = athena.New(o); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.fake.Close(); err != nil {
			tb.Error(err)
		}
	})
	server := httptest.NewServer(c.fake)
	tb.Cleanup(server.Close)
	c.client = api.NewFromConfig(config, func(o *api.Options) { o.BaseEndpoint, o.RetryMaxAttempts = &server.URL, 1 })
	return c
}

func (c *cloud) mkdir(name string) {
	c.t.Helper()
	if err := os.MkdirAll(filepath.Join(c.folder, name), 0o750); err != nil {
		c.t.Fatal(err)
	}
}

// write writes a file below the folder.
func (c *cloud) write(name, content string) {
	c.t.Helper()
	c.mkdir(filepath.Dir(name))
	if err := os.WriteFile(filepath.Join(c.folder, name), []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) upload(bucket, key, content string) {
	c.t.Helper()
	if _, err := c.s3.PutObject(c.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(content)}); err != nil {
		c.t.Fatal(err)
	}
}

// object returns what lies at a location.
func (c *cloud) object(location string) string {
	c.t.Helper()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(location, "s3://"), "/")
	out, err := c.s3.GetObject(c.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		c.t.Fatalf("%s: %v", location, err)
	}
	defer out.Body.Close() //nolint:errcheck // it is only read
	var b strings.Builder
	if _, err := io.Copy(&b, out.Body); err != nil {
		c.t.Fatal(err)
	}
	return b.String()
}

// input asks for a query in the guide's database.
func input(sql string, parameters ...string) *api.StartQueryExecutionInput {
	return &api.StartQueryExecutionInput{
		QueryString: &sql, ExecutionParameters: parameters,
		QueryExecutionContext: &types.QueryExecutionContext{Database: aws.String("ceap_data_dev")},
		ResultConfiguration:   &types.ResultConfiguration{OutputLocation: aws.String(results)},
	}
}

// start starts a query and returns its id.
func (c *cloud) start(in *api.StartQueryExecutionInput) string {
	c.t.Helper()
	out, err := c.client.StartQueryExecution(c.t.Context(), in)
	if err != nil {
		c.t.Fatal(err)
	}
	return *out.QueryExecutionId
}

func (c *cloud) get(id string) *types.QueryExecution {
	c.t.Helper()
	out, err := c.client.GetQueryExecution(c.t.Context(), &api.GetQueryExecutionInput{QueryExecutionId: &id})
	if err != nil {
		c.t.Fatal(err)
	}
	return out.QueryExecution
}

// wait returns a query that has ended.
func (c *cloud) wait(id string) *types.QueryExecution {
	c.t.Helper()
	for c.t.Context().Err() == nil {
		switch q := c.get(id); q.Status.State { //nolint:exhaustive // the others go on
		case types.QueryExecutionStateSucceeded, types.QueryExecutionStateFailed, types.QueryExecutionStateCancelled:
			return q
		}
	}
	return nil
}

// run runs a query to its end.
func (c *cloud) run(sql string, parameters ...string) *types.QueryExecution {
	c.t.Helper()
	return c.wait(c.start(input(sql, parameters...)))
}

// must runs a query that has to succeed.
func (c *cloud) must(sql string, parameters ...string) *types.QueryExecution {
	c.t.Helper()
	q := c.run(sql, parameters...)
	if q.Status.State != types.QueryExecutionStateSucceeded {
		c.t.Fatalf("%s: %s: %s", sql, q.Status.State, aws.ToString(q.Status.StateChangeReason))
	}
	return q
}

// csv returns the stored result of a SELECT, without its header.
func (c *cloud) csv(sql string, parameters ...string) string {
	c.t.Helper()
	q := c.must(sql, parameters...)
	_, rows, _ := strings.Cut(c.object(*q.ResultConfiguration.OutputLocation), "\n")
	return strings.TrimSuffix(rows, "\n")
}

// refused runs a query that has to fail, and returns why.
func (c *cloud) refused(sql string, parameters ...string) *types.AthenaError {
	c.t.Helper()
	q := c.run(sql, parameters...)
	if q.Status.State != types.QueryExecutionStateFailed || q.Status.AthenaError == nil {
		c.t.Fatalf("%s: %s", sql, q.Status.State)
	}
	return q.Status.AthenaError
}

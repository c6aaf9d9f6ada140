// Package awstest is an AWS account for tests: a moto server behind a proxy of
// ours, which runs Lambda functions, enforces the limits on which moto is lax, and
// injects faults by plan. One server serves all tests of a process; what they make
// in it is shared, so they use names of their own. What belongs to one Cloud
// (functions, faults, recorded events, the Athena handler) is kept apart by the
// credentials in its configuration, and removed when it is closed.
//
// Everything is safe for concurrent use.
package awstest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/goleak"
)

const (
	// Region is where everything in the emulator stands.
	Region = "us-east-1"
	// Account is the number of the only account, moto's default.
	Account = "123456789012"
)

// ErrMissing is returned when the emulator is not installed.
var ErrMissing = errors.New("moto is missing: run `make setup`")

// Cloud is the account as one test sees it.
type Cloud struct {
	// URL is the endpoint of every service, http://127.0.0.1:PORT.
	URL string
	// Config is for the clients of the SDK; awsapi.S3 makes one for S3.
	Config aws.Config

	key        string // the access key that tells the requests of this Cloud from others
	server     *server
	client     *http.Client
	close      func() error
	background sync.WaitGroup // asynchronous invocations

	mu        sync.Mutex
	faults    []*Injected
	counts    map[string]int // calls by operation
	runtimes  []*Runtime
	events    []Event
	athena    http.Handler
	endpoints map[string]http.Handler
}

// Start returns an account that is closed when the test ends. Without the emulator
// the test is skipped, or fails where CEAP_REQUIRE_TOOLS is 1.
func Start(tb testing.TB) *Cloud {
	tb.Helper()
	cloud, err := Open(tb.Context())
	switch {
	case errors.Is(err, ErrMissing) && os.Getenv("CEAP_REQUIRE_TOOLS") != "1": //nolint:forbidigo // asks whether a skip is allowed here
		tb.Skip(err)
	case err != nil:
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			tb.Error(err)
		}
	})
	return cloud
}

// Open is Start for programs that are not tests; call Close in the end. Returns
// ErrMissing if the emulator is not installed.
func Open(ctx context.Context) (*Cloud, error) {
	s, err := shared()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("opening the emulated account: %w", err)
	}
	key := s.newKey()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	c := &Cloud{
		URL: s.url,
		Config: aws.Config{
			Region:       Region,
			BaseEndpoint: aws.String(s.url),
			Credentials:  credentials.NewStaticCredentialsProvider(key, "secret", ""),
			HTTPClient:   client,
		},
		key:       key,
		server:    s,
		client:    client,
		counts:    map[string]int{},
		endpoints: map[string]http.Handler{},
	}
	c.close = sync.OnceValue(c.leave)
	s.join(c)
	return c, nil
}

// Load returns Config, in the shape that AWS plug-ins take.
func (c *Cloud) Load(context.Context) (aws.Config, error) { return c.Config.Copy(), nil }

// Unique returns a name that no other call returns: prefix and a number, such as
// orders-17.
func (c *Cloud) Unique(prefix string) string { return prefix + "-" + c.server.number() }

// Environ returns the environment variables, as KEY=value, with which the SDKs, the
// AWS CLI and programs of their own find the emulator.
func (c *Cloud) Environ() []string { return c.environ(c.key) }

func (c *Cloud) environ(key string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + c.URL,
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + key,
		"AWS_SECRET_ACCESS_KEY=secret",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
}

// Count returns how many calls of an operation (see Call) came with this Cloud's
// credentials, those that were refused too.
func (c *Cloud) Count(operation string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[operation]
}

// Close removes what belongs to this Cloud alone, after its asynchronous invocations
// have ended; what was made in the account stays until the process ends. Returns an
// error for each fault that was planned and never happened. Later calls return the
// same.
func (c *Cloud) Close() error { return c.close() }

func (c *Cloud) leave() error {
	c.background.Wait()
	c.server.leave(c)
	c.mu.Lock()
	runtimes := c.runtimes
	c.mu.Unlock()
	for _, rt := range runtimes {
		rt.close()
	}
	c.client.CloseIdleConnections()
	return errors.Join(c.unused()...)
}

// Leaks returns what goleak has to overlook: the server outlives every test.
func Leaks() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/ceap-platform/ceap/internal/awstest.(*server).serve"),
		goleak.IgnoreAnyFunction("github.com/ceap-platform/ceap/internal/awstest.(*process).wait"),
	}
}

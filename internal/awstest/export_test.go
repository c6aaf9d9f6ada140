package awstest

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// BehindProxy returns a configuration for clients that talk to moto itself, which
// do not try again.
func (c *Cloud) BehindProxy(t *testing.T) aws.Config {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	config := c.Config.Copy()
	config.BaseEndpoint = aws.String("http://" + c.Process())
	config.RetryMaxAttempts = 1
	config.HTTPClient = &http.Client{Transport: transport}
	return config
}

// Process returns host and port of moto itself.
func (c *Cloud) Process() string { return c.server.moto.address }

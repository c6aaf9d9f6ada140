package kinesis

import (
	"context"
	"time"
)

// Client is what the connector uses of Kinesis.
type Client = client

// SetClient makes the connector use another client, and not wait between calls.
func (c *Connector) SetClient(client Client) {
	c.connect = func(context.Context) (Client, error) { return client, nil }
	c.wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
}

// SetWait sets how the connector waits between calls.
func (c *Connector) SetWait(wait func(context.Context, time.Duration) error) { c.wait = wait }

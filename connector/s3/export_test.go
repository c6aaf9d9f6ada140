package s3

import (
	"context"
	"time"
)

// SetWait sets how the connector waits before it tries again.
func (c *Connector) SetWait(wait func(context.Context, time.Duration) error) { c.wait = wait }

// SetStall sets how long S3 may send nothing.
func (c *Connector) SetStall(d time.Duration) { c.stall = d }

// Chunk is how much of an object one request asks for.
const Chunk = chunk

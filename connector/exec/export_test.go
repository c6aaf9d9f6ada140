package exec

import "time"

// SetGrace sets how long a command that is told to end may take.
func (c *Connector) SetGrace(d time.Duration) { c.grace = d }

package cli

import (
	"context"
	"io"

	"github.com/ceap-platform/ceap/plugin"
)

// Streams are what a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run runs a command in the test's own process.
func Run(ctx context.Context, plugins plugin.Set, streams Streams, args ...string) int {
	s := &shell{plugins: plugins, in: streams.In, out: streams.Out, errOut: streams.Err}
	return s.main(ctx, args)
}

// Package awslambda is the front door of CEAP's functions on AWS. One binary
// holds them all; the function's Handler says which one it is:
//
//	etl      the guide's payload in, the result of reading and mapping out
//	control  a step of the state machine in, what the next step needs out
//	part     a part of a run in, that it is done out
//
// Functions turn payloads into calls of internal/app, and errors into types by
// which the state machine knows whether to try again; they decide nothing.
package awslambda

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/stage"
	"github.com/ceap-platform/ceap/internal/telemetry"
	"github.com/ceap-platform/ceap/plugin"
)

// Main runs the function whose handler the environment names, until Lambda ends
// the process. It returns the exit status of a function that cannot start, with
// the reason on standard error.
func Main(plugins plugin.Set) int {
	environ := config.Environ()
	f, err := Open(context.Background(), plugins, environ, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ceap-lambda: "+err.Error())
		return 1
	}
	handler := handlerName(environ)
	if !slices.Contains([]string{HandlerETL, HandlerControl, HandlerPart}, handler) {
		fmt.Fprintf(os.Stderr, "ceap-lambda: there is no handler %q; the function's Handler is one of %s, %s and %s\n", handler, HandlerETL, HandlerControl, HandlerPart)
		return 1
	}
	lambda.Start(bound{f, handler})
	return 0
}

// handlerName returns the function's Handler, which Lambda puts into the
// environment.
func handlerName(environ []string) string {
	for _, entry := range environ {
		if name, ok := strings.CutPrefix(entry, "_HANDLER="); ok {
			return name
		}
	}
	return ""
}

// bound is a function with one of its handlers.
type bound struct {
	function *Function
	handler  string
}

// Invoke implements [lambda.Handler].
func (b bound) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return b.function.Handle(ctx, b.handler, payload)
}

// sortMemory is how many bytes each of the two sort buffers of a part may take:
// a function has little memory and few rows.
const sortMemory = 16 << 20

// Open returns the functions of the deployment that the environment describes:
// the plug-ins' settings by a ceap.yaml beside the binary or in CEAP_DIR, the
// stage by CEAP_STAGE; see docs/reference/configuration.md.
func Open(ctx context.Context, plugins plugin.Set, environ []string, metrics, logs io.Writer) (*Function, error) {
	given, _, err := config.Load(config.Sources{Environ: environ})
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	c := given.OnAWS()
	log, err := telemetry.NewLogger(logs, slog.LevelInfo, telemetry.FormatJSON)
	if err != nil {
		return nil, err
	}
	a, err := app.New(ctx, c, plugins, app.Deps{Logger: log, SortMemory: sortMemory})
	if err != nil {
		return nil, fmt.Errorf("wiring: %w", err)
	}
	return &Function{App: a, Stage: stage.New(c.AWS.Stage, awsapi.Lazy(c.AWS.Region)), Log: log, Metrics: metrics}, nil
}

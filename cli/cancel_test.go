//go:build cgo

package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/cli"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

// slow is a source that hands out one row, and then waits for as long as it is
// told to.
type slow struct {
	reached func() // called when the row is handed out
	wait    func(ctx context.Context) error
}

func (s slow) Extract(ctx context.Context, _ connector.Request) (connector.Stream, error) {
	return &slowStream{slow: s, ctx: ctx}, nil
}

func (slow) Transform(columns []connector.Column, req connector.Request) (connector.Transform, error) {
	return connector.NewMapper(columns, connector.FieldMappings{}, req)
}

type slowStream struct {
	slow
	ctx  context.Context //nolint:containedctx // that of the one extraction
	done bool
}

func (*slowStream) Columns() []connector.Column {
	return []connector.Column{{Name: "customer_id"}, {Name: "subject_type"}, {Name: "subject_id"}, {Name: "event_date"}}
}

func (s *slowStream) Next() ([]connector.Record, error) {
	if s.done {
		s.reached()
		if err := s.wait(s.ctx); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	s.done = true
	row := []ceap.Value{ceap.String("C-1"), ceap.String("product"), ceap.String("P-1"), ceap.String("2026-01-26")}
	return []connector.Record{{Row: 1, Values: row}}, nil
}

func (*slowStream) Close() error { return nil }

const slowProgram = `
programId: slow
marketplace: US
dataConnectors: [{connectorId: source, connectorType: slow}]
`

func TestRun_Cancelled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "slow.yaml"), []byte(slowProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, source slow, args ...string) (exit int, stdout, stderr string) {
		type none struct{}
		plugins := builtin.All().With(plugin.Define("slow", "a source that waits", none{}, func(plugin.Env, none) (connector.Connector, error) { return source, nil }))
		var out, errOut bytes.Buffer
		args = append([]string{"-C", dir, "run", "slow.yaml", "--batch-id", "b-1", "--start", "2026-01-26", "--end", "2026-01-27"}, args...)
		exit = cli.Run(ctx, plugins, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errOut}, args...)
		return exit, out.String(), errOut.String()
	}

	ctx, cancel := context.WithCancel(t.Context())
	waiting := slow{reached: cancel, wait: func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }}
	exit, out, errOut := run(ctx, waiting)
	if exit != 1 || !strings.HasPrefix(out, "CANCELLED") {
		t.Errorf("exit %d, out:\n%s\nerr:\n%s", exit, out, errOut)
	}
	if want := "do: go on with: ceap run slow.yaml --marketplace US --start 2026-01-26 --end 2026-01-27 --batch-id b-1"; !strings.Contains(errOut, want) {
		t.Errorf("%q is missing in:\n%s", want, errOut)
	}

	ready := slow{reached: func() {}, wait: func(context.Context) error { return nil }}
	exit, out, errOut = run(t.Context(), ready, "--json")
	var result ceap.RunResult
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatalf("%v in %s\n%s", err, out, errOut)
	}
	if exit != 0 || !result.Resumed || result.Attempt != 2 || result.Counts.Created != 1 {
		t.Errorf("exit %d, result %+v", exit, result)
	}
}

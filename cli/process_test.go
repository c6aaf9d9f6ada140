//go:build cgo && unix

package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
)

// project is a folder in which a built binary runs.
type project struct {
	t           *testing.T
	binary, dir string
	env         []string // nil means the test's own
}

func newProject(t *testing.T, binary string, files map[string]string) project {
	t.Helper()
	p := project{t: t, binary: binary, dir: t.TempDir()}
	for name, content := range files {
		p.write(name, content)
	}
	return p
}

func (p project) write(name, content string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// process is a command that was started.
type process struct {
	p        project
	cmd      *exec.Cmd
	out, err bytes.Buffer
}

func (p project) start(args ...string) *process {
	p.t.Helper()
	c := &process{p: p}
	c.cmd = exec.CommandContext(p.t.Context(), p.binary, append([]string{"-C", p.dir}, args...)...)
	c.cmd.Stdout, c.cmd.Stderr, c.cmd.Env = &c.out, &c.err, p.env
	if err := c.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	return c
}

// wait returns the exit status.
func (c *process) wait() int {
	c.p.t.Helper()
	err := c.cmd.Wait()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		c.p.t.Fatal(err)
	}
	return c.cmd.ProcessState.ExitCode()
}

// expect waits for an exit status, and for words in both outputs together.
func (c *process) expect(exit int, words ...string) {
	c.p.t.Helper()
	got := c.wait()
	text := c.out.String() + c.err.String()
	if got != exit {
		c.p.t.Errorf("%v: exit %d, want %d\n%s", c.cmd.Args, got, exit, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			c.p.t.Errorf("%v: no %q in\n%s", c.cmd.Args, w, text)
		}
	}
	for _, inner := range []string{"context canceled", "context deadline", "Interrupted!", "signal received", "internal error"} {
		if strings.Contains(text, inner) {
			c.p.t.Errorf("%v: %q reaches the user in\n%s", c.cmd.Args, inner, text)
		}
	}
}

// result returns the result of a run with --json.
func (c *process) result() ceap.RunResult {
	c.p.t.Helper()
	var res ceap.RunResult
	if err := json.Unmarshal(c.out.Bytes(), &res); err != nil {
		c.p.t.Fatalf("%v: %v in %s%s", c.cmd.Args, err, c.out.String(), c.err.String())
	}
	return res
}

// untilRunning waits until the store shows a run of the program in progress.
func (p project) untilRunning(program string, flags ...string) {
	p.t.Helper()
	ctx, stop := context.WithTimeout(p.t.Context(), time.Minute)
	defer stop()
	for ctx.Err() == nil {
		c := p.start(append([]string{"runs", "list", "--program", program}, flags...)...)
		if c.wait() == 0 && strings.Contains(c.out.String(), "RUNNING") {
			return
		}
	}
	p.t.Fatalf("no run of %s is in progress", program)
}

// The query of heavyProgram takes hours with 100000 in place of SIZE, and no time
// with 10.
const heavyProgram = `
programId: heavy
marketplace: US
dataConnectors:
  - connectorId: rows
    connectorType: data-warehouse
    sourceConfig:
      database: db
      maxWaitSeconds: 600
      query: |
        SELECT 'c' || a.i AS customer_id, 'product' AS subject_type, 'p' AS subject_id, '{startDate}' AS event_date
        FROM range(SIZE) a(i), range(SIZE) b(i), range(SIZE) c(i)
        WHERE hash(a.i, b.i, c.i) % SIZE < 10
`

const quickProgram = `
programId: quick
marketplace: US
dataConnectors:
  - connectorId: rows
    connectorType: data-warehouse
    sourceConfig:
      database: db
      query: |
        SELECT 'c' || i AS customer_id, 'product' AS subject_type, 'p' || i AS subject_id, '{startDate}' AS event_date
        FROM range(2000) t(i)
`

func days(args ...string) []string {
	return append(args, "--start", "2026-01-26", "--end", "2026-01-27")
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	binary := buildBinary(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run("a run that is told to stop by "+sig.String(), func(t *testing.T) {
			t.Parallel()
			testStopped(t, binary, sig)
		})
	}
	t.Run("a query that takes too long", func(t *testing.T) {
		t.Parallel()
		heavy := strings.NewReplacer("SIZE", "100000", "600", "1").Replace(heavyProgram)
		p := newProject(t, binary, map[string]string{"programs/heavy.yaml": heavy, "warehouse/db/t/a.csv": "a\n1\n"})
		p.start(days("run", "heavy")...).expect(3, "FAILED", "Query execution failed: timed out after 1s", "raise sourceConfig.maxWaitSeconds (now 1)")
		p.start(days("doctor", "heavy")...).expect(2, "Query execution failed: timed out after 1s")
	})
	t.Run("two runs at once", func(t *testing.T) {
		t.Parallel()
		testAtOnce(t, binary)
	})
}

func testStopped(t *testing.T, binary string, sig syscall.Signal) {
	t.Helper()

	p := newProject(t, binary, map[string]string{
		"programs/heavy.yaml": strings.ReplaceAll(heavyProgram, "SIZE", "100000"), "warehouse/db/t/a.csv": "a\n1\n",
	})
	run := p.start(days("run", "heavy", "--batch-id", "b")...)
	p.untilRunning("heavy")
	p.start("why", "c1", "--program", "heavy").expect(0, "not known: the run is in progress since", "do: ask again when it has ended")
	if err := run.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	run.expect(1, "CANCELLED", "the run was cancelled; nothing of it is lost", "do: go on with: ceap run heavy --marketplace US", "--batch-id b")
	p.start("runs", "show").expect(0, "CANCELLED")
	p.start("why", "c1", "--program", "heavy").expect(0, "not known: the run was cancelled", `do: run it again with batchId "b", then ask again`)

	p.write("programs/heavy.yaml", strings.ReplaceAll(heavyProgram, "SIZE", "10"))
	again := p.start(days("run", "heavy", "--batch-id", "b", "--json")...)
	again.expect(0)
	if res := again.result(); !res.Resumed || res.Attempt != 2 || res.Counts.Created == 0 || !res.Counts.Balanced() {
		t.Errorf("resumed: %+v", res)
	}
}

// testAtOnce starts runs while another is in progress: of the same program, which
// is refused, and of another, which goes on beside it.
func testAtOnce(t *testing.T, binary string) {
	t.Helper()

	p := newProject(t, binary, map[string]string{
		"programs/heavy.yaml": strings.ReplaceAll(heavyProgram, "SIZE", "100000"), "programs/quick.yaml": quickProgram, "warehouse/db/t/a.csv": "a\n1\n",
		"programs/other.yaml": strings.Replace(quickProgram, "programId: quick", "programId: other", 1),
	})
	heavy := p.start(days("run", "heavy", "--batch-id", "first")...)
	p.untilRunning("heavy")
	p.start(days("run", "heavy", "--batch-id", "second")...).expect(2, `of "heavy" for US (batch "first") is in progress since`, "do: wait until it has ended")
	quick, other := p.start(days("run", "quick", "--json")...), p.start(days("run", "other", "--json")...)
	for _, run := range []*process{quick, other} {
		run.expect(0)
		if res := run.result(); res.Counts.Created != 2000 || !res.Counts.Balanced() {
			t.Errorf("beside another: %s %+v", res.ProgramID, res.Counts)
		}
	}
	if err := heavy.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	heavy.expect(1, "CANCELLED")
}

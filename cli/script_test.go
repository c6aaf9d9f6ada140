//go:build cgo

package cli_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/cli"
	"github.com/ceap-platform/ceap/internal/awslambda"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata/script") //nolint:gochecknoglobals // a flag of the test binary

// The test binary runs itself as the command ceap.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ceap":        func() { os.Exit(cli.Main(builtin.All())) },
		"ceap-lambda": func() { os.Exit(awslambda.Main(builtin.All())) },
	})
}

// TestScripts runs the command line end to end. Each file of testdata/script is
// a story: commands, their exit statuses, and what they print.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits,
			"json":  jsonValue,
			"plain": plain,
			"put":   put,
			"stage": deployStage,

			"sameresult": sameResult,
		},
		Condition: emulated,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			return nil
		},
	})
}

// exits runs a command and checks its exit status: exits 2 ceap run nothing.
func exits(ts *testscript.TestScript, neg bool, args []string) { //nolint:revive // the signature of testscript
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits status command...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s ended with %s instead of %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// jsonValue checks a value in a file of JSON: json stdout counts.stored 3. The
// path takes keys and positions; with ! the value must differ.
func jsonValue(ts *testscript.TestScript, neg bool, args []string) { //nolint:revive // the signature of testscript
	if len(args) != 3 {
		ts.Fatalf("usage: json file path value")
	}
	var document any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &document); err != nil {
		ts.Fatalf("%s is no JSON: %v\n%s", args[0], err, ts.ReadFile(args[0]))
	}
	value := document
	for key := range strings.SplitSeq(args[1], ".") {
		value = child(ts, value, key)
	}
	got, err := json.Marshal(value)
	ts.Check(err)
	if same := strings.Trim(string(got), `"`) == args[2]; same == neg {
		ts.Fatalf("%s is %s, compared with %s", args[1], got, args[2])
	}
}

func child(ts *testscript.TestScript, value any, key string) any {
	switch value := value.(type) {
	case map[string]any:
		return value[key]
	case []any:
		if key == "length" {
			return len(value)
		}
		i := strings.Index("0123456789", key)
		if i < 0 || i >= len(value) {
			ts.Fatalf("there is no item %s in a list of %d", key, len(value))
		}
		return value[i]
	default:
		ts.Fatalf("there is no %s in %v", key, value)
		return nil
	}
}

// plain replaces what differs from run to run in a file, so that the rest can be
// compared: plain stdout out.txt.
func plain(ts *testscript.TestScript, neg bool, args []string) { //nolint:revive // the signature of testscript
	if neg || len(args) != 2 {
		ts.Fatalf("usage: plain file copy")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(masked(ts.ReadFile(args[0]))), 0o600))
}

// put writes a file of any bytes, from parts as in a Go string; *3:ab stands for
// ababab: put a.csv 'id,note\n' '*5000000:x' '\n\xe9'.
func put(ts *testscript.TestScript, neg bool, args []string) { //nolint:revive // the signature of testscript
	if neg || len(args) < 2 {
		ts.Fatalf("usage: put file part...")
	}
	var content strings.Builder
	for _, part := range args[1:] {
		times := 1
		if count, rest, ok := strings.Cut(strings.TrimPrefix(part, "*"), ":"); ok && strings.HasPrefix(part, "*") {
			n, err := strconv.Atoi(count)
			ts.Check(err)
			times, part = n, rest
		}
		text, err := strconv.Unquote(`"` + strings.ReplaceAll(part, `"`, `\"`) + `"`)
		ts.Check(err)
		content.WriteString(strings.Repeat(text, times))
	}
	name := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o750))
	ts.Check(os.WriteFile(name, []byte(content.String()), 0o600))
}

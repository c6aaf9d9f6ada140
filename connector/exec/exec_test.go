//go:build unix

package exec_test

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/connector/exec"
	"github.com/ceap-platform/ceap/plugin"
)

// settings allow this test binary.
func settings() exec.Settings {
	s := exec.DefaultSettings()
	s.Allow = append(s.Allow, self())
	return s
}

// steps returns the configuration of a command that does these steps.
func steps(list ...string) exec.Config {
	c := exec.DefaultConfig()
	c.Command = append([]string{self(), "child"}, list...)
	return c
}

func open(t *testing.T, config exec.Config) *exec.Connector {
	t.Helper()
	return openIn(t, t.TempDir(), settings(), config)
}

func openIn(t *testing.T, dir string, s exec.Settings, config exec.Config) *exec.Connector {
	t.Helper()
	c, err := exec.New(plugin.Env{Now: time.Now, Dir: dir, Settings: s}, config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConnector_Conformance(t *testing.T) {
	t.Parallel()
	capabilities := connectortest.Capabilities{Same: sameJSON}
	connectortest.Run(t, capabilities, func(t *testing.T, f connectortest.Fixture) connector.Connector {
		t.Helper()
		config := steps("cat " + writeLines(t, f))
		if f.Missing {
			config.Command = []string{"connectors/missing"}
		}
		config.FieldMappings = f.Mappings
		return open(t, config)
	})
}

// sameJSON reports whether got is what JSON can make of want: what it has no
// form for is text.
func sameJSON(want, got ceap.Value) bool {
	if slices.Contains([]ceap.Kind{ceap.KindTime, ceap.KindLocal, ceap.KindDate}, want.Kind()) {
		return connectortest.SameText(want, got)
	}
	return want == got
}

// writeLines writes the fixture as lines of JSON and returns the file.
func writeLines(t *testing.T, f connectortest.Fixture) string {
	t.Helper()
	var names []string
	for _, c := range f.Columns {
		names = append(names, string(ceap.AppendJSONString(nil, c.Name)))
	}
	b := []byte(`{"$columns":[` + strings.Join(names, ",") + "]}\n")
	for _, row := range f.Rows {
		for i, v := range row {
			b = append(b, "{,"[min(i, 1)])
			b = append(b, names[i]+":"...)
			b = v.AppendJSON(b)
		}
		b = append(b, "}\n"...)
	}
	file := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// read returns all rows as texts by column, and the error that ended them.
func read(t *testing.T, c *exec.Connector) ([]map[string]string, error) {
	t.Helper()
	stream, err := c.Extract(t.Context(), connectortest.Request())
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }()
	var rows []map[string]string
	for {
		batch, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		for _, rec := range batch {
			row := map[string]string{}
			for i, v := range rec.Values {
				row[stream.Columns()[i].Name] = v.Kind().String() + " " + v.String()
			}
			rows = append(rows, row)
		}
	}
}

func mustRead(t *testing.T, c *exec.Connector) []map[string]string {
	t.Helper()
	rows, err := read(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestExtract_tellsTheRequest(t *testing.T) {
	t.Parallel()
	t.Run("on standard input", func(t *testing.T) {
		t.Parallel()
		want := []map[string]string{{
			"programId": "text product-reviews", "marketplace": "text US", "connectorId": "text conformance",
			"startDate": "text 2026-01-26", "endDate": "text 2026-01-27", "timezone": "text UTC",
			"runId": "text run-1", "batchId": "text batch-1", "asOf": "text 2026-01-28T06:00:00Z",
		}}
		if diff := cmp.Diff(want, mustRead(t, open(t, steps("stdin")))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("as environment, and nothing is inherited", func(t *testing.T) {
		t.Parallel()
		config := steps("env")
		config.Env = map[string]string{"SOURCE_URL": "https://example.com/?a=b c"}
		dir := t.TempDir()
		s := settings()
		s.Env["REGION"] = "eu"
		got := map[string]string{}
		for _, row := range mustRead(t, openIn(t, dir, s, config)) {
			got[row["name"]] = strings.TrimPrefix(row["value"], "text ")
		}
		want := map[string]string{
			"text PATH": "/usr/local/bin:/usr/bin:/bin", "text LANG": "C.UTF-8", "text TZ": "UTC", "text HOME": dir, "text REGION": "eu",
			"text SOURCE_URL": "https://example.com/?a=b c", "text CEAP_PROGRAM_ID": "product-reviews", "text CEAP_MARKETPLACE": "US",
			"text CEAP_CONNECTOR_ID": "conformance", "text CEAP_START_DATE": "2026-01-26", "text CEAP_END_DATE": "2026-01-27",
			"text CEAP_TIMEZONE": "UTC", "text CEAP_RUN_ID": "run-1", "text CEAP_BATCH_ID": "batch-1", "text CEAP_AS_OF": "2026-01-28T06:00:00Z",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("in arguments, each of which stays one", func(t *testing.T) {
		t.Parallel()
		c := open(t, steps(`line {"a": "{startDate} {endDate}/{date} $(id) *", "b": "{{date}} {3} {programId}-{marketplace}"}`))
		want := []map[string]string{{
			"a": "text 2026-01-26 2026-01-27/2026-01-27 $(id) *", "b": "text {date} {3} product-reviews-US",
		}}
		if diff := cmp.Diff(want, mustRead(t, c)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("in the deployment's folder", func(t *testing.T) {
		t.Parallel()
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if got := mustRead(t, openIn(t, dir, settings(), steps("dir"))); got[0]["dir"] != "text "+dir {
			t.Errorf("got %v, want %s", got, dir)
		}
	})
}

func TestTransform_withoutRows(t *testing.T) {
	t.Parallel()
	config := steps("exit 0")
	config.FieldMappings = connector.FieldMappings{"customerId": connector.FromText("customer")}
	c := open(t, config)
	stream, err := c.Extract(t.Context(), connectortest.Request())
	if err != nil {
		t.Fatalf("a command that prints nothing: %v", err)
	}
	transform, err := c.Transform(stream.Columns(), connectortest.Request())
	if err != nil {
		t.Fatalf("the mapping of no rows: %v", err)
	}
	if _, err := stream.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	var invalid *connector.Invalid
	if err := transform.Map(connector.Record{Row: 1}, &ceap.Candidate{}); !errors.As(err, &invalid) {
		t.Errorf("a row without columns: got %v", err)
	}
}

func TestExtract_logsStandardError(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	env := plugin.Env{
		Now: time.Now, Dir: t.TempDir(), Settings: settings(),
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	c, err := exec.New(env, steps("complain page 3 of 9", `line {"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := read(t, c); err != nil || len(rows) != 1 {
		t.Fatalf("got %v and %v", rows, err)
	}
	if !strings.Contains(log.String(), `stderr="page 3 of 9"`) {
		t.Errorf("the log lacks it: %s", log.String())
	}
}

func TestPlugin_Open(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		document string
		want     []string // what the problems say, in order; none means that it opens
	}{
		"good":              {`{"command": ["connectors/orders", "{startDate}", "{\"a\": {\"b\": 1}}"], "env": {"SOURCE_A": "x"}}`, nil},
		"a path with a dot": {`{"command": ["./connectors/orders"]}`, nil},
		"no command":        {`{}`, []string{`command: is missing`}},
		"empty command":     {`{"command": []}`, []string{`command: is empty`}},
		"blank command":     {`{"command": [" "]}`, []string{`command[0]: is empty`}},
		"elsewhere":         {`{"command": ["bin/orders"]}`, []string{`command[0]: "bin/orders" is not among the commands that this deployment allows; put the program into the folder connectors, or list it under connectors.exec.allow in ceap.yaml`}},
		"deeper":            {`{"command": ["connectors/a/b"]}`, []string{`command[0]: "connectors/a/b" is not among`}},
		"upwards":           {`{"command": ["connectors/../bin/sh"]}`, []string{`command[0]: "connectors/../bin/sh" leads upwards`}},
		"an interpreter":    {`{"command": ["sh", "-c", "id"]}`, []string{`command[0]: "sh" is not among`}},
		"an absolute path":  {`{"command": ["/bin/sh", "-c", "id"]}`, []string{`command[0]: "/bin/sh" is not among`}},
		"a placeholder":     {`{"command": ["connectors/a", "{startdate}"]}`, []string{`command[1]: unknown placeholder {startdate}; did you mean {startDate}?`}},
		"NUL":               {`{"command": ["connectors/a", "b\u0000"], "env": {"SOURCE_B": "\u0000"}}`, []string{`command[1]: contains a NUL`, `env.SOURCE_B: contains a NUL`}},
		"a variable of CEAP": {
			`{"command": ["connectors/a"], "env": {"CEAP_RUN_ID": "1"}}`,
			[]string{`env.CEAP_RUN_ID: CEAP_* describe the run`},
		},
		"a variable that interpreters obey": {
			`{"command": ["connectors/a"], "env": {"BASH_ENV": "$(id)"}}`,
			[]string{`env.BASH_ENV: is not among the variables that programs may set in this deployment; name it SOURCE_BASH_ENV`},
		},
		"no variable":  {`{"command": ["connectors/a"], "env": {"SOURCE_A=B": "1"}}`, []string{`is no name of a variable`}},
		"no patience":  {`{"command": ["connectors/a"], "maxWaitSeconds": 0}`, []string{`maxWaitSeconds: is 0`}},
		"a huge line":  {`{"command": ["connectors/a"], "maxLineBytes": 1e9}`, []string{`maxLineBytes: is 1e9`}},
		"bad mappings": {`{"command": ["connectors/a"], "fieldMappings": {"custmerId": "a"}}`, []string{`fieldMappings.custmerId: unknown target`}},
		"shell text":   {`{"command": "connectors/a -x"}`, []string{`command: is the text`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node, err := plugin.FromJSON("program.json", []byte(test.document))
			if err != nil {
				t.Fatal(err)
			}
			_, err = exec.Plugin().Open(plugin.Env{Now: time.Now, Dir: t.TempDir()}, node)
			if len(test.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var problems ceap.Problems
			if !errors.As(err, &problems) || len(problems) != len(test.want) {
				t.Fatalf("got %v, want %d problems", err, len(test.want))
			}
			for i, want := range test.want {
				if !strings.Contains(problems[i].String(), want) {
					t.Errorf("got %q, want %q", problems[i], want)
				}
			}
		})
	}
	t.Run("a pattern that is none", func(t *testing.T) {
		t.Parallel()
		s := settings()
		s.AllowEnv = []string{"SOURCE_["}
		_, err := exec.New(plugin.Env{Settings: s}, steps())
		if ceap.ErrorCode(err) != ceap.CodeInvalid || !strings.Contains(err.Error(), "connectors.exec.allowEnv[0]") {
			t.Errorf("got %v", err)
		}
	})
}

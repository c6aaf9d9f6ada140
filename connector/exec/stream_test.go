//go:build unix

package exec_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
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

func TestStream_reads(t *testing.T) {
	t.Parallel()
	type row = map[string]string
	for name, test := range map[string]struct {
		print string
		want  []row
	}{
		"kinds": {
			`{"n": null, "t": "", "f": false, "i": 9007199254740993, "d": 1.10, "e": 12e-1, "l": [1, {"a": null}], "o": {"b": [ ]}}\n`,
			[]row{{
				"n": "null ", "t": "text ", "f": "boolean false", "i": "integer 9007199254740993", "d": "decimal 1.10", "e": "number 1.2",
				"l": `text [1,{"a":null}]`, "o": `text {"b":[]}`,
			}},
		},
		"keys that differ": {
			`{"a": 1}\n{"b": 2}\n{"c": 3, "a": 4}\n`,
			[]row{{"a": "integer 1", "b": "null ", "c": "null "}, {"a": "null ", "b": "integer 2", "c": "null "}, {"a": "integer 4", "b": "null ", "c": "integer 3"}},
		},
		"columns declared, in their order": {
			`\n{"$columns": ["b", "a"]}\n{"a": 1}\n{}\n`,
			[]row{{"a": "integer 1", "b": "null "}, {"a": "null ", "b": "null "}},
		},
		"columns declared, and no row":    {`{"$columns": ["a"]}\n`, nil},
		"nothing":                         {``, nil},
		"blank lines":                     {`\n  \n\r\n`, nil},
		"blank lines between":             {`\n{"a": 1}\n\t\n\r\n{"a": 2}\n\n`, []row{{"a": "integer 1"}, {"a": "integer 2"}}},
		"no line end at the end":          {`{"a": 1}\n{"a": 2}`, []row{{"a": "integer 1"}, {"a": "integer 2"}}},
		"line ends of Windows":            {`\ufeff{"a": 1}\r\n{"a": 2}\r\n`, []row{{"a": "integer 1"}, {"a": "integer 2"}}},
		"keys and texts with escapes":     {`{"\\u0061\\n": "\\ud83c\\udf89 \\ufffd \\"\\\\"}\n`, []row{{"a\n": "text 🎉 \ufffd \"\\"}}},
		"brackets and commas within text": {`{"a": "}],{[:", "b": {"c": "}"}}\n`, []row{{"a": "text }],{[:", "b": `text {"c":"}"}`}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, mustRead(t, open(t, steps("print "+strings.ReplaceAll(test.print, `"`, `\"`))))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStream_refusesLines(t *testing.T) {
	t.Parallel()
	many := strings.Builder{}
	for i := range 1001 {
		fmt.Fprintf(&many, `,"k%d":1`, i)
	}
	wide := "{" + many.String()[1:] + "}"
	for name, test := range map[string]struct {
		steps []string
		line  int
		want  string
	}{
		"no JSON":                   {[]string{`line {"a":1}`, `line loading...`}, 2, "it is no JSON at byte 1: invalid character 'l'"},
		"a list":                    {[]string{`line [1]`}, 1, "it is a list, not an object"},
		"a text":                    {[]string{`line "a"`}, 1, "it is text, not an object"},
		"a number":                  {[]string{`line 17`}, 1, "it is a number, not an object"},
		"a boolean":                 {[]string{`line true`}, 1, "it is true or false, not an object"},
		"null":                      {[]string{`line null`}, 1, "it is null, not an object"},
		"two objects":               {[]string{`line {"a":1}{"a":2}`}, 1, "it is no JSON at byte 8"},
		"cut off":                   {[]string{`print {\"a\":1}\n{\"a\":`}, 2, "it is no JSON"},
		"not UTF-8":                 {[]string{`print {\"a\":\"\xff\"}\n`}, 1, "it is not UTF-8"},
		"half of a surrogate pair":  {[]string{`line {"a":"\ud800"}`}, 1, `the value of "a": it has half of a surrogate pair`},
		"a number out of range":     {[]string{`line {"a":1e999}`}, 1, `the value of "a": 1e999 is not a number`},
		"a key twice":               {[]string{`line {"a":1,"b":2,"a":3}`}, 1, "a key is given twice"},
		"a key twice, later":        {[]string{`line {"$columns":["a"]}`, `line {"a":1,"a":3}`}, 2, `the key "a" is given twice`},
		"a key twice, once escaped": {[]string{`line {"a":1,"\u0061":3}`}, 1, "a key is given twice"},
		"an empty key":              {[]string{`line {"":1}`}, 1, "a key is empty"},
		"an empty object first":     {[]string{`line {}`}, 1, "the object is empty"},
		"a new key, late":           {[]string{`lines 1000 {"a":#}`, `line {"b":1}`}, 1001, `the key "b" is new: print {"$columns": [...]}`},
		"a key that is undeclared":  {[]string{`line {"$columns":["a"]}`, `line {"b":1}`}, 2, `the key "b" is new`},
		"columns twice":             {[]string{`line {"$columns":["a"]}`, `line {"$columns":["a"]}`}, 2, `the key "$columns" is new`},
		"columns late":              {[]string{`line {"a":1}`, `line {"$columns":["a"]}`}, 2, "$columns is possible in the first line only"},
		"columns beside others":     {[]string{`line {"$columns":["a"],"b":1}`}, 1, "$columns stands beside other keys"},
		"columns that are none":     {[]string{`line {"$columns":"a"}`}, 1, "$columns is not a list of names"},
		"columns of nothing":        {[]string{`line {"$columns":[]}`}, 1, "$columns is not a list of names"},
		"columns of NULL":           {[]string{`line {"$columns":null}`}, 1, "$columns is not a list of names"},
		"a column twice":            {[]string{`line {"$columns":["a","a"]}`}, 1, "a key is given twice"},
		"too many keys":             {[]string{"line " + wide}, 1, `"k1000" is key number 1001, and 1000 are possible`},
		"too many keys, in steps":   {[]string{`lines 1001 {"k#":1}`}, 1001, `"k1000" is new`},
		"too long":                  {[]string{`line {"a":1}`, `line {"a":"` + strings.Repeat("x", 2000) + `"}`}, 2, "it is too long for sourceConfig.maxLineBytes, 1024 bytes"},
		"endless":                   {[]string{`line {"a":1}`, `print {\"a\":\"` + strings.Repeat("x", 100_000), `hang x`}, 2, "it is too long"},
		"nested too deeply":         {[]string{`line {"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`}, 1, "it is no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := steps(test.steps...)
			if strings.Contains(test.want, "too long") {
				config.MaxLineBytes = 1024
			}
			_, err := read(t, open(t, config))
			if ceap.ErrorCode(err) != ceap.CodeInvalid {
				t.Fatalf("got %v, want code invalid", err)
			}
			where := fmt.Sprintf("Query execution failed: line %d that the command %q printed cannot be read: ", test.line, self())
			if text := err.Error(); !strings.HasPrefix(text, where) || !strings.Contains(text, test.want) {
				t.Errorf("got %q, want %q and %q", text, where, test.want)
			}
		})
	}
}

func TestStream_lineOfTheLongestLength(t *testing.T) {
	t.Parallel()
	config := steps(`line {"a":"` + strings.Repeat("x", 1024-len(`{"a":""}`)) + `"}`)
	config.MaxLineBytes = 1024
	if rows := mustRead(t, open(t, config)); len(rows) != 1 {
		t.Errorf("got %d rows", len(rows))
	}
	config.MaxLineBytes--
	if _, err := read(t, open(t, config)); ceap.ErrorCode(err) != ceap.CodeInvalid {
		t.Errorf("got %v for a byte more", err)
	}
}

func TestStream_commandFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		steps []string
		want  string
	}{
		"at once":                    {[]string{"complain no route to host", "exit 3"}, "ended with exit status 3: no route to host"},
		"after all rows":             {[]string{`line {"a":1}`, "complain half done", "exit 1"}, "ended with exit status 1: half done"},
		"after many rows":            {[]string{`lines 5000 {"a":#}`, "complain half done", "exit 1"}, "ended with exit status 1: half done"},
		"in the middle of a line":    {[]string{`lines 5000 {"a":#}`, `print {\"a\":`, "complain broke", "exit 1"}, "ended with exit status 1: broke"},
		"with several lines":         {[]string{`complain Traceback:\n  line 1\nKeyError: 'a'`, "exit 1"}, "exit status 1:\n  Traceback:\n    line 1\n  KeyError: 'a'"},
		"with text for terminals":    {[]string{"complain \x1b[31mred\x07\tink\u202e", "exit 1"}, "exit status 1: [31mred ink"},
		"with more than is kept":     {[]string{"complain first" + strings.Repeat("x", 5000) + "last", "exit 1"}, "xxxlast"},
		"without a word":             {[]string{"exit 1"}, "ended with exit status 1 and wrote nothing to standard error; let it say there why it fails"},
		"by a signal":                {[]string{`line {"a":1}`, "kill"}, "ended with signal: killed"},
		"by a signal, within a line": {[]string{`print {\"a\":1}\n{`, "kill"}, "ended with signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, open(t, steps(test.steps...)))
			if ceap.ErrorCode(err) != ceap.CodeUnavailable {
				t.Fatalf("got %v, want code unavailable", err)
			}
			if text := err.Error(); !strings.HasPrefix(text, "Query execution failed: the command ") || !strings.Contains(text, test.want) {
				t.Errorf("got %q, want %q", text, test.want)
			}
			if len(err.Error()) > 5000 || strings.Contains(err.Error(), "first") {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestStream_commandTakesTooLong(t *testing.T) {
	t.Parallel()
	t.Run("before the first row", func(t *testing.T) {
		t.Parallel()
		config := steps("stubborn")
		config.MaxWaitSeconds = 0
		c := open(t, config)
		c.SetGrace(10 * time.Millisecond)
		_, err := read(t, c)
		checkTimedOut(t, err, "timed out after 0 s, with 0 rows read")
	})
	t.Run("between rows, and the consumer has all the time it needs", func(t *testing.T) {
		t.Parallel()
		// Each look at the clock is so much later than the one before it that one call
		// of the two that fit into five minutes is left after the first rows, and a
		// third one, if the rows come late, has a tenth of a second.
		now := time.Unix(0, 0)
		clock := func() time.Time {
			now = now.Add(149950 * time.Millisecond)
			return now
		}
		c, err := exec.New(plugin.Env{Now: clock, Dir: t.TempDir(), Settings: settings()}, steps(`line {"$columns":["a"]}`, `line {"a":1}`, `hang {"a":2}`))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := read(t, c)
		if len(rows) == 0 {
			t.Error("no row was read in time")
		}
		checkTimedOut(t, err, fmt.Sprintf("timed out after 300 s, with %d rows read", len(rows)))
	})
	t.Run("to end, after its output", func(t *testing.T) {
		t.Parallel()
		config := steps("close", "hang")
		config.MaxWaitSeconds = 0
		_, err := read(t, open(t, config))
		checkTimedOut(t, err, "timed out")
	})
}

func checkTimedOut(t *testing.T, err error, want string) {
	t.Helper()
	if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "sourceConfig.maxWaitSeconds") {
		t.Errorf("got %v, want %q", err, want)
	}
}

// A command that ends with success because it was told to end has not printed
// all rows.
func TestStream_cancelIsNoSuccess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := open(t, steps(`line {"$columns":["a"]}`, `hang {"a":1}`)).Extract(ctx, connectortest.Request())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	if rows, err := stream.Next(); err != nil || len(rows) != 1 {
		t.Fatalf("got %v and %v", rows, err)
	}
	cancel()
	for range 2 {
		if _, err := stream.Next(); ceap.ErrorCode(err) != ceap.CodeCancelled || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}

// Rows come as they are printed once the columns are declared.
func TestStream_doesNotWaitForMore(t *testing.T) {
	t.Parallel()
	stream, err := open(t, steps(`line {"$columns":["a"]}`, `hang {"a":1}`, `line {"a":2}`)).Extract(t.Context(), connectortest.Request())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := stream.Next()
	if err != nil || len(rows) != 1 || rows[0].Row != 1 {
		t.Errorf("got %v and %v", rows, err)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	if _, err := stream.Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after Close: got %v", err)
	}
}

// What a command leaves behind ends with it, whether it was closed, cancelled,
// failed, or done.
func TestStream_leavesNoProcess(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		steps []string
		end   func(t *testing.T, c *exec.Connector)
	}{
		"closed": {[]string{"leave LOCK", `stubborn {"a":1}`}, func(t *testing.T, c *exec.Connector) {
			t.Helper()
			stream := firstRow(t, t.Context(), c)
			if err := stream.Close(); err != nil {
				t.Error(err)
			}
		}},
		"cancelled": {[]string{"leave LOCK", `stubborn {"a":1}`}, func(t *testing.T, c *exec.Connector) {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			stream := firstRow(t, ctx, c)
			cancel()
			if _, err := stream.Next(); ceap.ErrorCode(err) != ceap.CodeCancelled {
				t.Errorf("got %v", err)
			}
		}},
		"failed": {[]string{"leave-quiet LOCK", `exit 1`}, func(t *testing.T, c *exec.Connector) {
			t.Helper()
			if _, err := read(t, c); ceap.ErrorCode(err) != ceap.CodeUnavailable {
				t.Errorf("got %v", err)
			}
		}},
		"at an unreadable line": {[]string{"leave LOCK", "stubborn oops"}, func(t *testing.T, c *exec.Connector) {
			t.Helper()
			if _, err := read(t, c); ceap.ErrorCode(err) != ceap.CodeInvalid {
				t.Errorf("got %v", err)
			}
		}},
		"done, with somebody left": {[]string{"leave-quiet LOCK", `line {"a":1}`}, func(t *testing.T, c *exec.Connector) {
			t.Helper()
			if rows := mustRead(t, c); len(rows) != 1 {
				t.Errorf("got %v", rows)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lock := filepath.Join(t.TempDir(), "lock")
			list := []string{`line {"$columns":["a"]}`}
			for _, s := range test.steps {
				list = append(list, strings.ReplaceAll(s, "LOCK", lock))
			}
			c := open(t, steps(list...))
			c.SetGrace(10 * time.Millisecond)
			test.end(t, c)
			checkGone(t, lock)
		})
	}
}

func firstRow(t *testing.T, ctx context.Context, c *exec.Connector) connector.Stream { //nolint:revive // t comes first in helpers
	t.Helper()
	stream, err := c.Extract(ctx, connectortest.Request())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	return stream
}

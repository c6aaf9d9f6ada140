package tabular_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/tabular"
)

func openJSON(tb testing.TB, text string, o tabular.JSONOptions) *tabular.JSONLines {
	tb.Helper()
	j, err := tabular.OpenJSONLines(strings.NewReader(text), o)
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

func TestJSONLines_Next(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text    string
		options tabular.JSONOptions
		columns []string
		want    []string
	}{
		"values keep their types": {
			text:    `{"a":"1","b":1,"c":true,"d":null,"e":[1, 2],"f":{"g": 1}}` + "\n",
			columns: []string{"a", "b", "c", "d", "e", "f"},
			want:    []string{`["1" 1 true null "[1,2]" "{\"g\":1}"]`},
		},
		"numbers are exact": {
			text:    `{"a":9007199254740993,"b":0.10,"c":12345678901234567890.1234567890}`,
			columns: []string{"a", "b", "c"},
			want:    []string{`[9007199254740993 0.10 12345678901234567890.1234567890]`},
		},
		"keys in any order, and missing": {
			text: "{\"a\":1}\n{\"b\":2,\"a\":3}\r\n\n  \n{\"b\":4}", columns: []string{"a", "b"},
			want: []string{`[1 null]`, `[3 2]`, `[null 4]`},
		},
		"a byte order mark": {text: "\ufeff{\"a\":1}", columns: []string{"a"}, want: []string{`[1]`}},
		"nothing":           {text: "\n \n"},
		"empty objects":     {text: "{}\n{\"a\":\"\"}\n", columns: []string{"a"}, want: []string{`[null]`, `[""]`}},
		"selected columns": {
			text: `{"a":1,"b":2,"c":3}`, options: tabular.JSONOptions{Columns: []string{"c", "x"}, Select: true},
			columns: []string{"c", "x"}, want: []string{`[3 null]`},
		},
		"nothing, of known columns": {options: tabular.JSONOptions{Columns: []string{"c"}}, columns: []string{"c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := openJSON(t, test.text, test.options)
			rows, err := read(t, j)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.columns, names(j.Columns())); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, show(rows)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJSONLines_damage(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("{\"a\":1}\n", 1000)
	for name, test := range map[string]struct {
		text   string
		line   int64
		reason string
	}{
		"no JSON":              {"{\"a\":1}\n\n{\"a\":tru}\n", 3, "it is no JSON at byte 9"},
		"a list":               {"[\n{\"a\":1}]", 1, "it is no JSON"},
		"a list on a line":     {`[{"a":1}]`, 1, "it is a list, not an object"},
		"cut short":            {"{\"a\":1}\n{\"a\":", 2, "it is no JSON at byte 5"},
		"a key given twice":    {`{"a":1,"a":2}`, 1, `the key "a" is given twice`},
		"an empty key":         {`{"":1}`, 1, "a key is empty"},
		"half a character":     {`{"a":"\ud800"}`, 1, "half of a surrogate pair"},
		"no UTF-8":             {"{\"a\":\"\xff\"}", 1, "it is not UTF-8"},
		"a number too large":   {`{"a":1e999}`, 1, "1e999"},
		"a new key, later":     {many + "{\"a\":1,\"b\":2}\n", 1001, `the key "b" is new`},
		"broken, after others": {many + "{\n", 1001, "it is no JSON"},
		"values taken for keys": {
			func() string {
				var b strings.Builder
				for i := range 1001 {
					fmt.Fprintf(&b, "{\"CUST-%d\":1}\n", i)
				}
				return b.String()[:strings.LastIndex(b.String(), "{")] + "{\"x\":1,\"y\":1}\n"
			}(), 1001, "the key \"x\" is new",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, err := tabular.OpenJSONLines(strings.NewReader(test.text), tabular.JSONOptions{})
			if err == nil {
				_, err = read(t, j)
			}
			if d := damage(t, err); d.Line != test.line || !strings.Contains(d.Reason, test.reason) || d.Remedy == "" {
				t.Errorf("got %+v, want line %d, %q", d, test.line, test.reason)
			}
		})
	}
	t.Run("a new key can be told", func(t *testing.T) {
		t.Parallel()
		_, err := read(t, openJSON(t, `{"b":1}`, tabular.JSONOptions{Columns: []string{"a"}}))
		if e, ok := errors.AsType[*tabular.NewKeyError](err); !ok || e.Key != "b" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("comes after the rows before it", func(t *testing.T) {
		t.Parallel()
		rows, err := read(t, openJSON(t, many+"{\"a\":2}\nx", tabular.JSONOptions{}))
		if d := damage(t, err); d.Line != 1002 || len(rows) != 1001 {
			t.Errorf("got %d rows and %v", len(rows), err)
		}
	})
}

func TestJSONLines_readerFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the network is down")
	for _, text := range []string{"{\"a\":1}\n{\"a", strings.Repeat("{\"a\":1}\n", 1500)} {
		j, err := tabular.OpenJSONLines(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), tabular.JSONOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := read(t, j); len(rows) != strings.Count(text, "\n") || !errors.Is(err, broken) {
			t.Errorf("got %d rows and %v", len(rows), err)
		}
	}
	if _, err := tabular.OpenJSONLines(iotest.ErrReader(broken), tabular.JSONOptions{}); !errors.Is(err, broken) {
		t.Errorf("opening: got %v", err)
	}
}

// TestI10_JSONValuesSurvive holds that what is written as JSON comes back equal.
func TestI10_JSONValuesSurvive(t *testing.T) {
	t.Parallel()
	value := rapid.OneOf(
		rapid.Just(ceap.Null()), rapid.Map(rapid.Bool(), ceap.Bool), rapid.Map(rapid.Int64(), ceap.Int), rapid.Map(rapid.String(), ceap.String),
		rapid.Map(rapid.StringMatching(`-?[1-9][0-9]{0,30}\.[0-9]{1,30}`), ceap.Decimal),
	)
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.SliceOfN(value, 3, 3), 1, 20).Draw(t, "rows")
		var text []byte
		for _, row := range rows {
			for i, v := range row {
				text = v.AppendJSON(fmt.Appendf(text, `%c"k%d":`, "{,,"[i], i))
			}
			text = append(text, "}\n"...)
		}
		j, err := tabular.OpenJSONLines(bytes.NewReader(text), tabular.JSONOptions{})
		if err != nil {
			t.Fatal(err)
		}
		batch, err := j.Next()
		if err != nil || len(batch) != len(rows) {
			t.Fatalf("got %d rows and %v", len(batch), err)
		}
		for i, rec := range batch {
			for n, v := range rec.Values {
				if v != rows[i][n] {
					t.Errorf("%s: got %v, want %v", text, v, rows[i][n])
				}
			}
		}
	})
}

// FuzzJSONLines holds the rows against what encoding/json makes of the lines.
func FuzzJSONLines(f *testing.F) {
	for _, text := range []string{
		"{}\n", ` { "a" : 1 , "b":[1, {"c":"}"}], "\u0061b" : "\ud83c\udf89\\" } `, "{\"a\":-0.10e+7}\n{\"b\":1}", "[1]", "null\n", "{\"a\":\"\xff\"}",
		`{"a":1}{}`, `{"a":"�\ufffd\uFFFD"}`, "{\"a\":1e999}", "\ufeff{\"a\":1}", "{\"a\":1,\"a\":2}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var rows [][]ceap.Value
		j, err := tabular.OpenJSONLines(bytes.NewReader(data), tabular.JSONOptions{})
		if err == nil {
			rows, err = read(t, j)
		}
		if err != nil {
			_ = damage(t, err)
			return
		}
		var want []map[string]json.RawMessage
		for line := range bytes.SplitSeq(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("\n")) {
			if len(bytes.Trim(line, " \t\r")) == 0 {
				continue
			}
			var object map[string]json.RawMessage
			if err := json.Unmarshal(line, &object); err != nil || object == nil || !utf8.Valid(line) {
				t.Fatalf("%q is accepted, and encoding/json says %v", line, err)
			}
			want = append(want, object)
		}
		if len(rows) != len(want) {
			t.Fatalf("got %d rows of %d lines", len(rows), len(want))
		}
		for i, row := range rows {
			for n, c := range j.Columns() {
				var v ceap.Value
				if raw, ok := want[i][c.Name]; ok {
					if err := json.Unmarshal(raw, &v); err != nil {
						t.Fatal(err)
					}
				}
				if row[n] != v {
					t.Errorf("line %d, %q: got %v, want %v", i+1, c.Name, row[n], v)
				}
			}
		}
	})
}

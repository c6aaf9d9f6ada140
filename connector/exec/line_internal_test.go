package exec

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/tabular"
)

// FuzzLine holds what is read from a line against encoding/json.
func FuzzLine(f *testing.F) {
	for _, line := range []string{
		`{}`, ` { "a" : 1 , "b":[1, {"c":"}"}], "\u0061" : "\ud83c\udf89\\" } `, `{"a":-0.10e+7}`, `[1]`, `"a"`, `null`, `{"a":tru`,
		`{"a":"\ud800"}`, `{"":{"":{}}}`, "{\"a\":\"\xff\"}", `{"a":1}{}`, `{"a":"�\ufffd\uFFFD"}`, `{"a":1e999}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		want := map[string]json.RawMessage{}
		unmarshal := json.Unmarshal(line, &want)
		isObject := unmarshal == nil && want != nil && utf8.Valid(line)
		got := map[string]ceap.Value{}
		var badValue error
		err := tabular.ScanObject(line, func(key, raw []byte) error {
			if !json.Valid(raw) {
				t.Fatalf("%q is no value", raw)
			}
			v, err := tabular.JSONValue(raw)
			if err != nil {
				badValue = err
				return err
			}
			got[string(key)] = v // of a key that is given twice, the last value, as in want
			return nil
		})
		switch {
		case err != nil && badValue == nil && isObject && !strings.Contains(err.Error(), "surrogate"):
			t.Fatalf("%q is refused: %v", line, err)
		case err == nil && !isObject:
			t.Fatalf("%q is accepted, and encoding/json says %v", line, unmarshal)
		case err != nil:
			return
		case len(got) != len(want):
			t.Fatalf("%q has %d keys, got %d", line, len(want), len(got))
		}
		for key, raw := range want {
			var v ceap.Value
			if err := json.Unmarshal(raw, &v); err != nil || got[key] != v {
				t.Errorf("%q: got %v, want %v (%v)", key, got[key], v, err)
			}
		}
	})
}

// FuzzLineReader holds the reader of lines against cutting the whole text.
func FuzzLineReader(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), 2)
	f.Add([]byte(strings.Repeat("x", 100)+"\n"), 50)
	f.Fuzz(func(t *testing.T, text []byte, limit int) {
		limit = max(1, min(limit, 200))
		l := lineReader{r: bufio.NewReaderSize(bytes.NewReader(text), 16), max: limit}
		lines := bytes.Split(text, []byte("\n"))
		for i, want := range lines {
			last := i == len(lines)-1
			if last && len(want) == 0 {
				break
			}
			got, ended, err := l.next()
			if len(want) > limit {
				if !errors.Is(err, errTooLong) {
					t.Fatalf("line %d has %d bytes: got %v", i+1, len(want), err)
				}
				return
			}
			if err != nil || !bytes.Equal(got, want) || ended == last || l.number != int64(i+1) {
				t.Fatalf("line %d: got %q, %t and %v, want %q", l.number, got, ended, err, want)
			}
		}
		if _, _, err := l.next(); !errors.Is(err, io.EOF) {
			t.Errorf("after the last line: got %v", err)
		}
	})
}

// TestI10_ValuesSurvive holds that what JSON says arrives as it was meant. Whole
// numbers from 2^53 on are floats in some values and integers in others.
func TestI10_ValuesSurvive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.OneOf(
			rapid.Just(ceap.Null()), rapid.Map(rapid.Bool(), ceap.Bool), rapid.Map(rapid.Int64(), ceap.Int),
			rapid.Map(rapid.Float64(), ceap.Float), rapid.Map(rapid.String(), ceap.String),
			rapid.Map(rapid.StringMatching(`-?[1-9][0-9]{0,30}\.[0-9]{1,30}`), ceap.Decimal),
		).Draw(t, "value")
		key := rapid.String().Draw(t, "key")
		line := append(ceap.AppendJSONString([]byte("{"), key), ':')
		line = append(want.AppendJSON(line), '}')
		err := tabular.ScanObject(line, func(name, raw []byte) error {
			got, err := tabular.JSONValue(raw)
			if err != nil {
				return err
			}
			whole := want.Kind() == ceap.KindFloat && got.Kind() != ceap.KindString
			if string(name) != key || got != want && !(whole && numberOf(got) == numberOf(want)) {
				t.Errorf("%s: got %q with %v, want %v", line, name, got, want)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
	})
}

func numberOf(v ceap.Value) float64 {
	f, _ := v.Number()
	return f
}

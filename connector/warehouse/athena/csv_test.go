package athena_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector/warehouse/athena"
)

func equalValue() cmp.Option { return cmp.Comparer(func(a, b ceap.Value) bool { return a == b }) }

func TestCSV_TellsNullFromEmpty(t *testing.T) {
	t.Parallel()
	null, text := ceap.Null(), ceap.String
	for in, want := range map[string][][]ceap.Value{
		"":                           nil,
		"\"a\"\n":                    {{text("a")}},
		"\"a\"":                      {{text("a")}},
		"\"\"\n\n":                   {{text("")}, {null}},
		",\"\",\n":                   {{null, text(""), null}},
		"\"a\",":                     {{text("a"), null}},
		"\"a\"\"b\",\"\"\"\"\n":      {{text(`a"b`), text(`"`)}},
		"\"a\nb\r\nc\",\"x,y\"\r\n,": {{text("a\nb\r\nc"), text("x,y")}, {null, null}},
		"a,b c\n":                    {{text("a"), text("b c")}},
		"\"NULL\",\n":                {{text("NULL"), null}},
	} {
		got, read, err := athena.ReadCSV(strings.NewReader(in))
		if err != nil || read != int64(len(in)) {
			t.Errorf("%q: read %d of %d bytes, %v", in, read, len(in), err)
		}
		if diff := cmp.Diff(want, got, equalValue()); diff != "" {
			t.Errorf("%q:\n%s", in, diff)
		}
	}
}

func TestCSV_RefusesWhatAthenaDoesNotWrite(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"\"a", "\"a\"b\n", "\"a\"\"", "\"a\"\rb", "\"a\nb"} {
		if rows, _, err := athena.ReadCSV(strings.NewReader(in)); err == nil {
			t.Errorf("%q: %v", in, rows)
		}
	}
}

// written is the CSV that Athena writes.
func written(rows [][]ceap.Value) []byte {
	var b bytes.Buffer
	for _, row := range rows {
		for i, v := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			if !v.IsNull() {
				b.WriteString(`"` + strings.ReplaceAll(v.Text(), `"`, `""`) + `"`)
			}
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func TestCSV_ReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		width := rapid.IntRange(1, 4).Draw(r, "width")
		value := rapid.Custom(func(r *rapid.T) ceap.Value {
			if rapid.IntRange(0, 3).Draw(r, "null") == 0 {
				return ceap.Null()
			}
			return ceap.String(rapid.StringOf(rapid.RuneFrom([]rune("\"\n\r, aé"))).Draw(r, "text"))
		})
		rows := rapid.SliceOf(rapid.SliceOfN(value, width, width)).Draw(r, "rows")
		got, _, err := athena.ReadCSV(bytes.NewReader(written(rows)))
		if err != nil {
			r.Fatal(err)
		}
		if len(rows) == 0 {
			rows = nil
		}
		if diff := cmp.Diff(rows, got, equalValue()); diff != "" {
			r.Fatal(diff)
		}
	})
}

// FuzzCSV holds that what is read can be written and read again.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"", "\"a\",\n", "\"a\"\"b\"\r\n", "a,b", "\"", ",", "\"\"\n\"x\"y", "\"a\n\"\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, read, err := athena.ReadCSV(bytes.NewReader(data))
		if read > int64(len(data)) {
			t.Fatalf("read %d of %d bytes", read, len(data))
		}
		if err != nil {
			return
		}
		again, _, err := athena.ReadCSV(bytes.NewReader(written(rows)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rows, again, equalValue()); diff != "" {
			t.Fatal(diff)
		}
	})
}

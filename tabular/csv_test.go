package tabular_test

import (
	"bytes"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/tabular"
)

func readCSV(tb testing.TB, text string, o tabular.CSVOptions) ([][]ceap.Value, error) {
	tb.Helper()
	c, err := tabular.OpenCSV(strings.NewReader(text), o)
	if err != nil {
		return nil, err
	}
	return read(tb, c)
}

func TestCSV_Next(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"plain":                        {"a,b\n1,2\n3,4\n", []string{`["1" "2"]`, `["3" "4"]`}},
		"no last line end":             {"a,b\n1,2", []string{`["1" "2"]`}},
		"lines that end in CR LF":      {"a,b\r\n1,2\r\n\"3\",4\r\n", []string{`["1" "2"]`, `["3" "4"]`}},
		"a byte order mark":            {"\ufeffa,b\n1,2\n", []string{`["1" "2"]`}},
		"nothing is NULL, \"\" is not": {"a,b\n,\"\"\n\"\",\n", []string{`[null ""]`, `["" null]`}},
		"numbers stay text":            {"a,b\n00123,1e3\n", []string{`["00123" "1e3"]`}},
		"delimiters in quotes":         {"a,b\n\"x,y\",\"1\n2\r\n3\"\n4,5\n", []string{`["x,y" "1\n2\r\n3"]`, `["4" "5"]`}},
		"quotes in quotes":             {"a,b\n\"say \"\"hi\"\"\",\"\"\"\"\n", []string{`["say \"hi\"" "\""]`}},
		"a quote within a value":       {"a,b\n5\" disk,x\"\"y\n", []string{`["5\" disk" "x\"\"y"]`}},
		"blanks around quotes":         {"a,b\n \"x\" , y \n", []string{`["x" " y "]`}},
		"delimiters at the end":        {"a,b\n1,2,\n\"1\",\"2\",,,\n", []string{`["1" "2"]`, `["1" "2"]`}},
		"empty lines":                  {"a,b\n\n1,2\n\r\n\n", []string{`["1" "2"]`}},
		"empty lines of one column":    {"a\nx\n\ny\n", []string{`["x"]`, `[null]`, `["y"]`}},
		"no rows":                      {"a,b\n", nil},
		"other writings":               {"a,b\ngrößer 漢字,🎉\x00\n", []string{`["größer 漢字" "🎉\u0000"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := readCSV(t, test.text, tabular.CSVOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, show(rows)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCSV_damage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text   string
		line   int64
		reason string
		remedy string
	}{
		"nothing":               {"", 1, "there is no line of column names", "starts with a line"},
		"an empty first line":   {"\na,b\n", 1, "there is no line of column names", "starts with a line"},
		"a column without name": {"a,\n1,2\n", 1, "column 2 has no name", "name every column"},
		"two of one name":       {"a,B,b\n", 1, `the column name "b" occurs twice`, "rename one"},
		"too few values":        {"a,b\n1,2\n3\n", 3, "it has 1 values for 2 columns", "one value for each column"},
		"too many values":       {"a,b\n1,2,3\n", 2, "it has 3 values for 2 columns", "double quotes"},
		"an open quote":         {"a,b\n1,2\n3,\"x\n5,6\n", 3, "a quote is opened and never closed", "close the quote"},
		"text after a quote":    {"a,b\n1,2\n\"x\"y,2\n", 3, `"y" follows a closing quote`, "written twice"},
		"on a later line":       {"a,b\n\"x\ny\"z,2\n", 3, `"z" follows a closing quote`, "written twice"},
		"no UTF-8":              {"a,b\n1,2\nM\xfcller,2\n", 3, "it is not UTF-8", "iconv"},
		"no UTF-8 in quotes":    {"a,b\n\"\xff\",2\n", 2, "it is not UTF-8", "iconv"},
		"line ends of old":      {"a,b\r1,2\r", 1, "a carriage return stands alone", "tr"},
		"a CR in a value":       {"a,b\n1,x\ry\n", 2, "a carriage return stands alone", "double quotes"},
		"a huge line":           {"a,b\n" + strings.Repeat("x", 17<<20) + ",2\n", 2, "it has more than 16 MB", "shorten it"},
		"a huge quoted value":   {"a,b\n\"" + strings.Repeat("x\n", 9<<20), 2, "the quoted value has more than 16 MB", "close the quote"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readCSV(t, test.text, tabular.CSVOptions{})
			d := damage(t, err)
			if d.Line != test.line || d.Reason != test.reason || !strings.Contains(d.Remedy, test.remedy) {
				t.Errorf("got line %d, %q, remedy %q; want line %d, %q, %q", d.Line, d.Reason, d.Remedy, test.line, test.reason, test.remedy)
			}
		})
	}
	t.Run("comes after the rows before it", func(t *testing.T) {
		t.Parallel()
		rows, err := readCSV(t, "a,b\n1,2\n3,4\n5\n", tabular.CSVOptions{})
		if d := damage(t, err); d.Line != 4 || len(rows) != 2 {
			t.Errorf("got %d rows and %v", len(rows), err)
		}
	})
}

func TestOpenCSV_options(t *testing.T) {
	t.Parallel()
	c, err := tabular.OpenCSV(strings.NewReader("1;2,5\n\"3;\";\n"), tabular.CSVOptions{Delimiter: ';', Names: []string{"x", "y"}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := read(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"x", "y"}, names(c.Columns())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`["1" "2,5"]`, `["3;" null]`}, show(rows)); diff != "" {
		t.Error(diff)
	}
}

func TestCSV_readerFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the network is down")
	c, err := tabular.OpenCSV(io.MultiReader(strings.NewReader("a,b\n1,2\n3,"), iotest.ErrReader(broken)), tabular.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := read(t, c); len(rows) != 1 || !errors.Is(err, broken) {
		t.Errorf("got %d rows and %v", len(rows), err)
	}
}

// table draws the columns and rows of a CSV file.
func table(t *rapid.T) (header []string, rows [][]string) {
	width := rapid.IntRange(2, 5).Draw(t, "width")
	for i := range width {
		header = append(header, fmt.Sprintf("c%d", i))
	}
	value := rapid.OneOf(
		rapid.StringMatching(`[a-z0-9 ,;"'\n]{0,8}`),
		rapid.Map(rapid.String(), func(s string) string { return strings.ToValidUTF8(strings.ReplaceAll(s, "\r", ""), "") }),
		rapid.Just(""),
	)
	rows = rapid.SliceOfN(rapid.SliceOfN(value, width, width), 0, 20).Draw(t, "rows")
	return header, rows
}

// TestI10_CSVValuesSurvive holds that what encoding/csv writes comes back, in
// pieces of any size.
func TestI10_CSVValuesSurvive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		header, rows := table(t)
		var text bytes.Buffer
		w := stdcsv.NewWriter(&text)
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		if err := w.WriteAll(append([][]string{header}, rows...)); err != nil {
			t.Fatal(err)
		}
		var in io.Reader = bytes.NewReader(text.Bytes())
		if rapid.Bool().Draw(t, "byte by byte") {
			in = iotest.OneByteReader(in)
		}
		c, err := tabular.OpenCSV(in, tabular.CSVOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got [][]string
		for {
			batch, err := c.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range batch {
				got = append(got, texts(rec.Values))
			}
		}
		if w.UseCRLF { // then encoding/csv writes a line end within a value so, too
			for _, row := range rows {
				for i := range row {
					row[i] = strings.ReplaceAll(row[i], "\n", "\r\n")
				}
			}
		}
		if !slices.EqualFunc(got, rows, slices.Equal) {
			t.Errorf("%q: got %q, want %q", text.String(), got, rows)
		}
	})
}

// FuzzCSV holds that any bytes give rows of the right width or Damage, and that
// rows written again are the same rows.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{
		"a,b\n1,2\n", "a,b\r\n\"x\"\"y\",\n", "\ufeffa\n\n\"\"\n", "a,b\n \"x\" ,2,\n", "a,b\n\"x\ny\"z", "a,\xff\n", "a\r\n\r\r\n", "a,b\n\",\"\n\",1", "a,b\n5\"6,\"7",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := tabular.OpenCSV(bytes.NewReader(data), tabular.CSVOptions{})
		if err != nil {
			_ = damage(t, err)
			return
		}
		rows, err := read(t, c)
		if err != nil {
			_ = damage(t, err)
			return
		}
		var text strings.Builder
		width := len(c.Columns())
		for _, row := range append([][]ceap.Value{make([]ceap.Value, width)}, rows...) {
			for i, v := range row {
				if i > 0 {
					text.WriteByte(',')
				}
				if !v.IsNull() {
					text.WriteString(`"` + strings.ReplaceAll(v.Text(), `"`, `""`) + `"`)
				} else if width == 1 && text.Len() == 0 {
					continue
				}
			}
			text.WriteByte('\n')
		}
		_, body, _ := strings.Cut(text.String(), "\n") // the first row stood for the header
		again, err := readCSV(t, body, tabular.CSVOptions{Names: names(c.Columns())})
		if err != nil {
			t.Fatalf("%q written again as %q: %v", data, body, err)
		}
		if diff := cmp.Diff(show(rows), show(again)); diff != "" {
			t.Errorf("%q written again as %q (-first +second):\n%s", data, body, diff)
		}
	})
}

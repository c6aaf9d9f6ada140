package program_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
)

func TestParse_YAMLScalars(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"US": `"US"`, "NO": `"NO"`, "on": `"on"`, "yes": `"yes"`, "y": `"y"`, "True": `"True"`, "true": `true`, "false": `false`,
		"1e3": `1e3`, "-0.5E-3": `-0.5E-3`, "0": `0`, "007": `"007"`, "0x10": `"0x10"`, "0o7": `"0o7"`, "1_000": `"1_000"`, "+5": `"+5"`,
		".5": `".5"`, "1.": `"1."`, ".inf": `".inf"`, ".nan": `".nan"`, "2026-01-26": `"2026-01-26"`, "12:30:45": `"12:30:45"`,
		"2026-01-26T00:00:00Z": `"2026-01-26T00:00:00Z"`, "null": `null`, "~": `null`, "": `null`, "Null": `"Null"`,
		"'5'": `"5"`, `"true"`: `"true"`, "!!str 5": `"5"`, "!!str null": `"null"`, `""`: `""`, "a: b": "", "|\n  x\n  y": `"x\ny\n"`, ">-\n  x\n  y": `"x y"`,
		"{a: 1}": `{"a":1}`, "[a, 1]": `["a",1]`, "now+7d": `"now+7d"`, "it's": `"it's"`, "1 # one": `1`,
	}
	for text, want := range tests {
		node, problems := program.Parse("s.yaml", []byte("k: "+text+"\n"))
		if want == "" {
			if len(problems) == 0 {
				t.Errorf("%q was accepted", text)
			}
			continue
		}
		if len(problems) > 0 {
			t.Errorf("%q: %v", text, problems)
			continue
		}
		if got, _ := node.Get("k").MarshalJSON(); string(got) != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// TestParse_Positions looks at every value of a document for its own text.
func TestParse_Positions(t *testing.T) {
	t.Parallel()
	documents := map[string]string{
		"json":  "\ufeff{\"é\": [\"ö\", 12,\r\n  {\"k\": true}], // ü\n \"z\": null}",
		"yaml":  "é:\n  - ö\n  - 12\n  - {ü: true, k: [x,  yy]}\nz: \"q\"\n",
		"yaml2": "- a: 1\n  b:\n    - 2\n    -   c: 3\n",
	}
	for name, text := range documents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node, problems := program.Parse("p."+strings.TrimRight(name, "2"), []byte(text))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
			checkPlaces(t, node, lines)
		})
	}
}

func checkPlaces(t *testing.T, n *plugin.Node, lines []string) {
	t.Helper()
	at := func(line, column int) string { return string([]rune(lines[line-1])[column-1:]) }
	if rest := at(n.Pos.Line, n.Pos.Column); n.Text != "" && !strings.HasPrefix(strings.TrimPrefix(rest, `"`), n.Text) {
		t.Errorf("%s is said to be at %s, where it reads %q", n.Path, n.Pos, rest)
	}
	for _, item := range n.Items {
		checkPlaces(t, item, lines)
	}
	for _, f := range n.Fields {
		if rest := at(f.Pos.Line, f.Pos.Column); !strings.HasPrefix(strings.TrimPrefix(rest, `"`), f.Name) {
			t.Errorf("key %s is said to be at %s, where it reads %q", f.Name, f.Pos, rest)
		}
		checkPlaces(t, f.Value, lines)
	}
}

func TestParse_Bounds(t *testing.T) {
	t.Parallel()
	var keys strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&keys, "k%d: v\n", i)
	}
	var bomb strings.Builder
	bomb.WriteString("a: &a [x, x, x, x, x, x, x, x, x, x]\n")
	for c := 'b'; c < 'k'; c++ {
		fmt.Fprintf(&bomb, "%c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10))
	}
	tests := []struct{ name, file, text, want string }{
		{"too large", "p.json", `"` + strings.Repeat("x", 1<<20) + `"`, "1:1: the document is larger than 1 MiB; move long texts out of the program"},
		{"deep list in JSON", "p.json", strings.Repeat("[", 1<<20), "1:101: lists and objects are nested more than 100 deep; make the document flatter"},
		{
			"deep list in YAML", "p.yaml", strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
			"1:101: " + strings.Repeat("[0]", 100) + ": lists and objects are nested more than 100 deep; make the document flatter",
		},
		{
			"deep list of dashes", "p.yaml", strings.Repeat("- ", 1000) + "x",
			"1:201: " + strings.Repeat("[0]", 100) + ": lists and objects are nested more than 100 deep; make the document flatter",
		},
		{"aliases that multiply", "p.yaml", bomb.String(), "1:1: e[8][1]: aliases expand to more than 10000 values; write the values out"},
		{"alias inside its anchor", "p.yaml", "a: &a [*a]", "1:8: a[0]: no anchor &a stands before this alias; write the anchor first"},
		{"many keys", "p.yaml", keys.String(), "1:1: the document has more than 50000 words and signs; make it smaller, or write it as JSON"},
		{"not UTF-8", "p.json", "{\"a\": \"x\xff\"}", "1:9: the document is not UTF-8 text; save it as UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, problems := program.Parse(tt.file, []byte(tt.text))
			if tt.name == "aliases that multiply" { // which alias is one too many is not worth fixing
				if len(problems) != 1 || !strings.HasSuffix(messages(problems), "aliases expand to more than 10000 values; write the values out") {
					t.Errorf("problems: %v", problems)
				}
			} else if diff := cmp.Diff(tt.want, messages(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		asJSON, asJSONC, asYAML, twoMarkets, string(mustRead("guide/put-item.json")), "{", "a: [", "a: &a [*a]", "<<: {a: b}", "? {a: b}\n: c\n",
		"- - - x", "a: !!str {}", "---\n---\n", "{\"\\ud800\": \"\\u0000\"}", "\ufeff", "a: |2\n   x", "\"\\x41\": 'b'", "%YAML 1.2\n---\na: b",
	} {
		f.Add(false, []byte(seed))
		f.Add(true, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, yaml bool, data []byte) {
		file := "f.json"
		if yaml {
			file = "f.yaml"
		}
		if len(data) > 4096 {
			return // the bounds have their own test
		}
		node, problems := program.Parse(file, data)
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("problem %+v has no place or says nothing", p)
			}
		}
		if node == nil {
			if len(problems.Errors()) == 0 {
				t.Fatal("neither a document nor an error")
			}
			return
		}
		text, err := node.MarshalJSON()
		if err != nil || !json.Valid(text) {
			t.Fatalf("the document is not JSON: %s (%v)", text, err)
		}
		if len(problems) == 0 {
			again, problems := program.Parse("again.json", node.Canonical())
			if len(problems) > 0 || !bytes.Equal(again.Canonical(), node.Canonical()) {
				t.Fatalf("%s is read back differently: %v", node.Canonical(), problems)
			}
		}
		program.Load(file, data, options())
	})
}

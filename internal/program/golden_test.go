package program_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ceap-platform/ceap/internal/program"
)

//nolint:gochecknoglobals // flags of tests are global
var update = flag.Bool("update", false, "rewrite golden files and the JSON Schema")

// TestLoad_Problems runs the archives in testdata/problems: a document, and the
// problems that it has. The comment above says, where it is not obvious, what
// the JSON Schema makes of the document:
//
//	schema: accepts   though it has errors, for a schema cannot say them
//	schema: none      it is an item, or not a document at all
func TestLoad_Problems(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t, program.JSONSchema(fakes()))
	files, err := filepath.Glob("testdata/problems/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files (%v)", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			archive := txtar.Parse(data)
			if len(archive.Files) == 0 {
				t.Fatal("no document in the archive")
			}
			input := archive.Files[0]
			l := program.Load(input.Name, input.Data, options())
			got := l.Problems.Error() + "\n"
			if *update {
				archive.Files = []txtar.File{input, {Name: "problems", Data: []byte(got)}}
				if err := os.WriteFile(name, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(archive.Files) != 2 {
				t.Fatal("no problems in the archive; run the test with -update")
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			checkSchema(t, schema, string(archive.Comment), input, l)
		})
	}
}

// checkSchema compares the schema's verdict with what was loaded.
func checkSchema(t *testing.T, schema *jsonschema.Schema, comment string, input txtar.File, l program.Loaded) {
	t.Helper()
	if strings.Contains(comment, "schema: none") {
		return
	}
	node, problems := program.Parse(input.Name, input.Data)
	if node == nil {
		t.Fatalf("the document cannot be parsed; say schema: none: %v", problems)
	}
	data, err := node.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("reading %s: %v", data, err)
	}
	verdict := schema.Validate(instance)
	accepts := l.Err() == nil || strings.Contains(comment, "schema: accepts")
	if accepts != (verdict == nil) {
		t.Errorf("the schema says %v, want it to accept the document: %v", verdict, accepts)
	}
}

func compileSchema(tb testing.TB, data []byte) *jsonschema.Schema {
	tb.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		tb.Fatalf("reading the schema: %v", err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("program.schema.json", document); err != nil {
		tb.Fatalf("adding the schema: %v", err)
	}
	compiled, err := c.Compile("program.schema.json")
	if err != nil {
		tb.Fatalf("compiling the schema: %v", err)
	}
	return compiled
}

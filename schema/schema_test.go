// Package schema_test keeps program.schema.json in step with the plug-ins that
// ship. Run it with -update to write the file anew.
package schema_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/internal/program"
)

//go:generate go test . -run IsUpToDate -update

//nolint:gochecknoglobals // flags of tests are global
var update = flag.Bool("update", false, "rewrite program.schema.json")

const file = "program.schema.json"

// The tests run one after the other, for one may write what the other reads.

func TestProgramSchema_IsUpToDate(t *testing.T) {
	want := program.JSONSchema(builtin.All())
	if *update {
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is out of date; run: go test ./schema -update (-want +got):\n%s", file, diff)
	}
}

func TestProgramSchema_AcceptsTheGuide(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "internal", "program", "testdata", "guide", "program-config.json"))
	if err != nil {
		t.Fatal(err)
	}
	l := program.Load("program-config.json", data, program.Options{Plugins: builtin.All()})
	if err := l.Err(); err != nil {
		t.Errorf("loading the guide's program with the plug-ins that ship: %v", err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		t.Fatalf("compiling %s: %v", file, err)
	}
	if err := compiled.Validate(instance); err != nil {
		t.Errorf("the guide's program does not match %s: %v", file, err)
	}
}

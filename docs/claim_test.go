package docs_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestInvariants_HaveTheirTests looks for every test that the page of invariants
// names, in the file that it names.
func TestInvariants_HaveTheirTests(t *testing.T) {
	t.Parallel()
	p := readPage(t, filepath.Join(root, "docs", "invariants.md"))
	proof := regexp.MustCompile("`([A-Za-z0-9_]+)` in \\[[^\\]]*\\]\\(\\.\\./([^)]+)\\)")
	found := 0
	for line := range strings.Lines(p.text) {
		if !regexp.MustCompile(`^\| I\d+ `).MatchString(line) {
			continue
		}
		proofs := proof.FindAllStringSubmatch(line, -1)
		if len(proofs) == 0 {
			t.Errorf("no test is named in: %s", line)
		}
		for _, m := range proofs {
			found++
			data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m[2])))
			if err != nil {
				t.Error(err)
				continue
			}
			if !strings.Contains(string(data), "func "+m[1]+"(") {
				t.Errorf("%s has no %s", m[2], m[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d tests are named", found)
	}
}

// TestInvariants_AreListed finds tests that carry the number of an invariant
// that the page leaves out.
func TestInvariants_AreListed(t *testing.T) {
	t.Parallel()
	p := readPage(t, filepath.Join(root, "docs", "invariants.md"))
	test := regexp.MustCompile(`(?m)^func Test((?:I\d+_)+)`)
	found := 0
	for name, text := range goFiles(t, "_test.go") {
		for _, m := range test.FindAllStringSubmatch(text, -1) {
			for number := range strings.SplitSeq(strings.TrimSuffix(m[1], "_"), "_") {
				found++
				if !strings.Contains(p.text, "\n| "+number+" ") {
					t.Errorf("%s tests %s, which docs/invariants.md does not list", name, number)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d tests with numbers were found", found)
	}
}

// TestContract_ListsWhatCodeCites finds numbers in the code that no page explains.
func TestContract_ListsWhatCodeCites(t *testing.T) {
	t.Parallel()
	explained := map[string]string{
		"D": readPage(t, filepath.Join(root, "docs", "contract.md")).text,
		"I": readPage(t, filepath.Join(root, "docs", "invariants.md")).text,
	}
	comment := regexp.MustCompile(`//.*`)
	number := regexp.MustCompile(`\b([DI])[0-9]{1,2}\b`)
	found := 0
	for name, text := range goFiles(t, ".go") {
		for _, c := range comment.FindAllString(text, -1) {
			for _, m := range number.FindAllStringSubmatch(c, -1) {
				found++
				if !strings.Contains(explained[m[1]], "\n| "+m[0]+" ") {
					t.Errorf("%s cites %s, which no page explains", name, m[0])
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d numbers were found", found)
	}
}

// goFiles returns the Go files of the module whose names end so.
func goFiles(t *testing.T, ending string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != root && strings.ContainsAny(entry.Name()[:1], "._") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ending) {
			return nil
		}
		data, err := os.ReadFile(name) //nolint:gosec // a file of the module
		files[filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator)))] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestErrors_AreListed holds docs/errors.md to the codes in the root package and
// in the plug-ins.
func TestErrors_AreListed(t *testing.T) {
	t.Parallel()
	p := readPage(t, filepath.Join(root, "docs", "errors.md"))
	listed := func(code, where string) {
		if !strings.Contains(p.text, "| `"+code+"` |") {
			t.Errorf("%s has the code %s, which docs/errors.md does not list", where, code)
		}
	}
	codes := 0
	for name, prefixes := range map[string][]string{
		"error.go": {"Code"}, "outcome.go": {"Reason", "Outcome"}, "run.go": {"Run"}, "internal/stage/fault.go": {"Error"},
	} {
		for _, code := range constants(t, name, prefixes) {
			codes++
			listed(code, name)
		}
	}
	// The reasons of filters are texts of this form.
	reason := regexp.MustCompile(`"([A-Z]+(?:_[A-Z]+)+)"`)
	for name, text := range goFiles(t, ".go") {
		if !strings.HasPrefix(name, "filter/") || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "/filtertest/") {
			continue
		}
		for _, m := range reason.FindAllStringSubmatch(text, -1) {
			codes++
			listed(m[1], name)
		}
	}
	if codes < 40 {
		t.Errorf("only %d codes were found", codes)
	}
}

// TestOperations_AlarmsAreListed holds docs/operations.md to the alarms of the
// template.
func TestOperations_AlarmsAreListed(t *testing.T) {
	t.Parallel()
	p := readPage(t, filepath.Join(root, "docs", "operations.md"))
	data, err := os.ReadFile(filepath.Join(root, "deploy", "aws", "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	alarms := regexp.MustCompile(`AlarmName: !Sub ceap-\$\{Stage\}-(\w+)`).FindAllStringSubmatch(string(data), -1)
	for _, m := range alarms {
		if !strings.Contains(p.text, "\n| `"+m[1]+"` |") {
			t.Errorf("the template has the alarm %s, which docs/operations.md does not list", m[1])
		}
	}
	if len(alarms) < 5 {
		t.Errorf("only %d alarms were found", len(alarms))
	}
}

// constants returns the texts of a file's constants whose names start so.
func constants(t *testing.T, name string, prefixes []string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		value, ok := spec.Values[0].(*ast.BasicLit)
		if !ok || value.Kind != token.STRING {
			return true
		}
		for _, prefix := range prefixes {
			if strings.HasPrefix(spec.Names[0].Name, prefix) {
				text, err := strconv.Unquote(value.Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, text)
			}
		}
		return true
	})
	return out
}

// TestPages_MakeTargets looks for every target of `make` that a page names.
func TestPages_MakeTargets(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z-]*)")
	found := 0
	for _, p := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(p.text, -1) {
			found++
			if !strings.Contains(string(data), "\n"+m[1]+":") {
				t.Errorf("%s names `make %s`, which is no target", p.name, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d targets are named", found)
	}
}

// TestPages_Folders holds the folder map to the tree.
func TestPages_Folders(t *testing.T) {
	t.Parallel()
	p := readPage(t, filepath.Join(root, "README.md"))
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		built := slices.Contains([]string{"bin", "demo-shop", "dist"}, entry.Name())
		if entry.IsDir() && !built && !strings.HasPrefix(entry.Name(), ".") && !strings.Contains(p.text, "| `"+entry.Name()+"` |") {
			t.Errorf("README.md does not say what the folder %s is", entry.Name())
		}
	}
	data, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), "\n"); n > 200 {
		t.Errorf("ARCHITECTURE.md has %d lines, more than 200", n)
	}
}

// TestArchitecture_NamesWhatExists looks for the functions and types that
// ARCHITECTURE.md names, in the files that it names.
func TestArchitecture_NamesWhatExists(t *testing.T) {
	t.Parallel()
	p := readPage(t, filepath.Join(root, "ARCHITECTURE.md"))
	place := regexp.MustCompile("((?:`[A-Za-z.]+`(?: and )?)+) in \\[[^\\]]*\\]\\(([^)]+)\\)")
	name := regexp.MustCompile("`(?:[A-Za-z]+\\.)?([A-Za-z]+)`")
	found := 0
	for _, m := range place.FindAllStringSubmatch(p.text, -1) {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m[2])))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, n := range name.FindAllStringSubmatch(m[1], -1) {
			found++
			if !regexp.MustCompile(`(?m)^(func (\([^)]*\) )?` + n[1] + `\(|type ` + n[1] + ` )`).Match(data) {
				t.Errorf("%s has no %s, which ARCHITECTURE.md names", m[2], n[1])
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d names were found", found)
	}
}

// TestArchitecture_NamesEveryStep looks for the steps of the state machine that do
// work, each with its line in the walk of a row on AWS.
func TestArchitecture_NamesEveryStep(t *testing.T) {
	t.Parallel()
	p := readPage(t, filepath.Join(root, "ARCHITECTURE.md"))
	data, err := os.ReadFile(filepath.Join(root, "deploy", "aws", "statemachine.asl.json"))
	if err != nil {
		t.Fatal(err)
	}
	var machine struct {
		States map[string]struct{ Type string }
	}
	if err := json.Unmarshal(data, &machine); err != nil {
		t.Fatal(err)
	}
	found := 0
	for name, state := range machine.States {
		if state.Type != "Task" && state.Type != "Map" {
			continue
		}
		found++
		if !strings.Contains(p.text, "\n| "+name+" | ") {
			t.Errorf("ARCHITECTURE.md does not say what happens in %s", name)
		}
	}
	if found < 8 {
		t.Errorf("only %d steps were found", found)
	}
}

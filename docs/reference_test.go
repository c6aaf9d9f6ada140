//go:build cgo

package docs_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
)

//nolint:gochecknoglobals // flags of tests are global
var update = flag.Bool("update", false, "rewrite the pages of docs/reference")

// TestReference_IsUpToDate holds the generated pages to the code.
func TestReference_IsUpToDate(t *testing.T) {
	t.Parallel()
	set := builtin.All()
	for name, want := range map[string]string{
		"programs.md":      programPage(t, set),
		"connectors.md":    pluginPage("Connectors", "`connectorType` of a program's `dataConnectors`; the keys are those of `sourceConfig`.", "connectors", set.Connectors),
		"filters.md":       pluginPage("Filters", "`filterType` of a program's `filterChain.filters`; the keys are those of `parameters`.", "filters", set.Filters),
		"models.md":        pluginPage("Models", "`modelType` of a program's `scoringModels`; the keys are those of `config`.", "scorers", set.Scorers),
		"stores.md":        pluginPage("Stores", "`store.type` of `ceap.yaml`; the keys stand beside it.", "", set.Stores),
		"configuration.md": configurationPage(),
		"commands.md":      commandPage(t),
	} {
		file := filepath.Join("reference", name)
		if *update {
			if err := os.MkdirAll("reference", 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("docs/%s is out of date; run: go test ./docs -run Reference -update (-want +got):\n%s", filepath.ToSlash(file), diff)
		}
	}
}

// heading opens a generated page.
func heading(title, text string) string {
	return "# " + title + "\n\n<!-- Generated from the code: go test ./docs -run Reference -update -->\n\n" + text + "\n"
}

// pluginPage describes the plug-ins of one kind.
func pluginPage[T any](title, text, kind string, plugins []plugin.Of[T]) string {
	var b strings.Builder
	b.WriteString(heading(title, text))
	for _, p := range plugins {
		fmt.Fprintf(&b, "\n## %s\n\n", p.Name())
		b.WriteString(sentence(p.Summary()))
		if aliases := p.Names()[1:]; len(aliases) > 0 {
			fmt.Fprintf(&b, " `%s` is the same.", strings.Join(aliases, "`, `"))
		}
		b.WriteString("\n\n" + table(plugin.Schema(p.Config()), "It has no settings.\n"))
		if p.Settings() != nil {
			fmt.Fprintf(&b, "\nSettings of the deployment, `%s.%s` in `ceap.yaml`:\n\n%s", kind, p.Name(), table(plugin.Schema(p.Settings()), ""))
		}
	}
	return b.String()
}

func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// programPage describes the program document, but for what plug-ins add.
func programPage(t *testing.T, set plugin.Set) string {
	t.Helper()
	var schema struct {
		Defs map[string]map[string]any `json:"$defs"`
	}
	if err := json.Unmarshal(program.JSONSchema(set), &schema); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(heading("The program document", `Every key of a program document, with those of its lists as `+"`list[].key`"+`. What the
types of connectors, filters and models add stands on the pages
[connectors](connectors.md), [filters](filters.md) and [models](models.md).
`+"`marketplace` or `marketplaces`"+` must be there. [Programs](../programs.md) says how it
all works, and `+"`ceap schema`"+` prints the same as JSON Schema.`))
	b.WriteString("\n" + table(schema.Defs["whole"], ""))
	channels := map[string][]string{} // by the table of their keys
	for _, name := range slices.Sorted(maps.Keys(schema.Defs)) {
		if channel, ok := strings.CutPrefix(name, "channel."); ok {
			keys := table(schema.Defs[name], "")
			channels[keys] = append(channels[keys], channel)
		}
	}
	for _, keys := range slices.Sorted(maps.Keys(channels)) {
		fmt.Fprintf(&b, "\n## The config of channels: %s\n\n%s", strings.Join(channels[keys], ", "), keys)
	}
	return b.String()
}

func configurationPage() string {
	var b strings.Builder
	b.WriteString(heading("The configuration", "Every key of `ceap.yaml`. A flag beats the environment, which beats the file, which\n"+
		"beats the default; `ceap config` shows what is in force. Relative paths count from\nthe folder of the file. The settings of plug-ins are on the pages\n"+
		"[connectors](connectors.md) and [stores](stores.md)."))
	b.WriteString("\n" + table(plugin.Schema(config.Default()), ""))
	return b.String()
}

// table writes the properties of a schema, or otherwise if there are none.
func table(schema map[string]any, otherwise string) string {
	rows := rowsOf(schema, "")
	if len(rows) == 0 {
		return otherwise
	}
	return "| key | type | default | meaning |\n| --- | --- | --- | --- |\n" + strings.Join(rows, "")
}

// rowsOf writes a line per property: required ones first, then by name.
func rowsOf(schema map[string]any, prefix string) []string {
	properties, _ := schema["properties"].(map[string]any)
	required := texts(schema["required"])
	keys := slices.SortedFunc(maps.Keys(properties), func(a, b string) int {
		if ra, rb := slices.Contains(required, a), slices.Contains(required, b); ra != rb {
			if ra {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	var rows []string
	for _, key := range keys {
		p, ok := properties[key].(map[string]any)
		if !ok || p["description"] == nil {
			continue // another name of a key
		}
		value := "none"
		if slices.Contains(required, key) {
			value = "required"
		} else if def, ok := p["default"]; ok {
			value = literal(def)
		}
		rows = append(rows, fmt.Sprintf("| `%s%s` | %s | %s | %s |\n", prefix, key, typeOf(p), value, cell(fmt.Sprint(p["description"]))))
		rows = append(rows, rowsOf(some(p), prefix+key+".")...)
		if items, ok := some(p)["items"].(map[string]any); ok {
			rows = append(rows, rowsOf(items, prefix+key+"[].")...)
		}
	}
	return rows
}

// texts returns a list of texts, which JSON and Go have in two forms.
func texts(list any) []string {
	out, _ := list.([]string)
	items, _ := list.([]any)
	for _, item := range items {
		out = append(out, fmt.Sprint(item))
	}
	return out
}

// some returns the schema of values that are not null.
func some(p map[string]any) map[string]any {
	if choices, ok := p["anyOf"].([]any); ok && len(choices) > 0 {
		if first, ok := choices[0].(map[string]any); ok {
			return first
		}
	}
	return p
}

func typeOf(p map[string]any) string {
	s := some(p)
	if values := texts(s["enum"]); values != nil {
		for i, v := range values {
			values[i] = literal(v)
		}
		return strings.Join(values, ", ")
	}
	text := "any"
	if s["type"] != nil {
		text = map[string]string{"string": "text", "array": "list", "object": "object", "number": "number", "integer": "whole number", "boolean": "true or false"}[fmt.Sprint(s["type"])]
	}
	if items, ok := s["items"].(map[string]any); ok && text == "list" {
		text += " of " + typeOf(items)
	}
	low, high := s["minimum"], s["maximum"]
	switch {
	case low != nil && high != nil:
		text += fmt.Sprintf(", %s to %s", number(low), number(high))
	case low != nil:
		text += fmt.Sprintf(", at least %s", number(low))
	}
	return text
}

func number(v any) string {
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		return fmt.Sprint(int64(f))
	}
	return fmt.Sprint(v)
}

func literal(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return "`" + strings.ReplaceAll(string(data), "|", "\\|") + "`"
}

// cell escapes what would end a cell of a table, or be taken for HTML.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "\n", " ").Replace(text)
}

// commandPage shows the help of every command.
func commandPage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(heading("Commands", "The help of every command, as `ceap COMMAND --help` prints it. [The command line](../cli.md)\nsays what they have in common."))
	var walk func(words []string)
	walk = func(words []string) {
		help := helpOf(t, words)
		text, global, _ := strings.Cut(help, "\nGlobal Flags:") // which stand with `ceap` itself
		if _, more, ok := strings.Cut(global, "\n\n"); ok {
			text += "\n" + more
		}
		fmt.Fprintf(&b, "\n## %s\n\n```\n%s\n```\n", strings.Join(append([]string{"ceap"}, words...), " "), strings.TrimSpace(text))
		for _, sub := range subcommands(help) {
			if sub != "help" && sub != "completion" {
				walk(append(slices.Clone(words), sub))
			}
		}
	}
	walk(nil)
	return b.String()
}

func helpOf(t *testing.T, words []string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "ceap", append(slices.Clone(words), "--help")...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	out, err := c.Output()
	if err != nil {
		t.Fatalf("ceap %s --help: %v", strings.Join(words, " "), err)
	}
	return string(out)
}

// subcommands reads the names of commands from a help.
func subcommands(help string) []string {
	before, _, _ := strings.Cut(help, "\nFlags:")
	_, lists, ok := strings.Cut(before, "\nUsage:")
	if !ok {
		return nil
	}
	if !strings.Contains(lists, " [command]") {
		return nil
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z-]+) {2,}\S`).FindAllStringSubmatch(lists, -1) {
		names = append(names, m[1])
	}
	return names
}

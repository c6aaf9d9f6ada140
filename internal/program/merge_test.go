package program_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
)

func parse(t rapid.TB, text string) *plugin.Node {
	t.Helper()
	node, problems := program.Parse("m.json", []byte(text))
	if len(problems) > 0 {
		t.Fatalf("parsing %s: %v", text, problems)
	}
	return node
}

func TestMerge(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, base, over, want string }{
		{"objects by key", `{"a": 1, "b": {"c": 2, "d": 3}}`, `{"b": {"c": 4, "e": 5}}`, `{"a":1,"b":{"c":4,"d":3,"e":5}}`},
		{"plain lists are replaced", `{"a": [1, 2]}`, `{"a": [3]}`, `{"a":[3]}`},
		{
			"named lists by id", `{"f": [{"filterId": "a", "order": 1}, {"filterId": "b"}]}`,
			`{"f": [{"filterId": "c"}, {"filterId": "a", "enabled": false}]}`,
			`{"f":[{"enabled":false,"filterId":"a","order":1},{"filterId":"b"},{"filterId":"c"}]}`,
		},
		{
			"a channel's id is its type by default", `{"c": [{"channelType": "sms", "x": 1}, {"channelId": "sms2", "channelType": "sms"}]}`,
			`{"c": [{"channelId": "sms2", "y": 2}, {"channelType": "sms", "x": 3}]}`,
			`{"c":[{"channelType":"sms","x":3},{"channelId":"sms2","channelType":"sms","y":2}]}`,
		},
		{"an empty list replaces", `{"f": [{"filterId": "a"}]}`, `{"f": []}`, `{"f":[]}`},
		{
			"an id given twice stays", `{"f": [{"filterId": "a", "x": 1}]}`, `{"f": [{"filterId": "a", "x": 2}, {"filterId": "a", "x": 3}]}`,
			`{"f":[{"filterId":"a","x":2},{"filterId":"a","x":3}]}`,
		},
		{"another kind replaces", `{"a": {"b": 1}, "c": 1}`, `{"a": 5, "c": null}`, `{"a":5,"c":null}`},
		{
			"a field mapping is one value", `{"fieldMappings": {"a": {"column": "x"}, "b": "y"}}`, `{"fieldMappings": {"a": {"constant": "z"}}}`,
			`{"fieldMappings":{"a":{"constant":"z"},"b":"y"}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base, over := parse(t, tt.base), parse(t, tt.over)
			before, beforeOver := string(base.Canonical()), string(over.Canonical())
			if diff := cmp.Diff(tt.want, string(program.Merge(base, over).Canonical())); diff != "" {
				t.Errorf("merged (-want +got):\n%s", diff)
			}
			if string(base.Canonical()) != before || string(over.Canonical()) != beforeOver {
				t.Error("merging changed an argument")
			}
		})
	}
}

// programs draws documents of one shape: what a key holds is of one kind in all
// of them, as in real programs.
func programs() *rapid.Generator[string] {
	entry := func(id string) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf(`{%q: %q, "order": %d, "parameters": {"p%d": %d}}`, id,
				rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id"), rapid.IntRange(0, 3).Draw(t, "order"),
				rapid.IntRange(0, 2).Draw(t, "key"), rapid.IntRange(0, 3).Draw(t, "value"))
		})
	}
	list := func(id string) *rapid.Generator[string] {
		return rapid.Map(rapid.SliceOfNDistinct(entry(id), 1, 3, func(e string) string { return e[:strings.Index(e, ",")] }),
			func(entries []string) string { return "[" + strings.Join(entries, ", ") + "]" })
	}
	return rapid.Custom(func(t *rapid.T) string {
		fields := map[string]*rapid.Generator[string]{
			"programName": rapid.SampledFrom([]string{`"x"`, `"y"`}), "candidateTTLDays": rapid.SampledFrom([]string{"1", "2.0", "3e0"}),
			"marketplaces": rapid.SampledFrom([]string{`["US"]`, `["UK", "US"]`, `[]`}), "dataConnectors": list("connectorId"),
			"filterChain": rapid.Map(list("filterId"), func(s string) string { return `{"filters": ` + s + "}" }),
		}
		var parts []string
		names := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"programName", "candidateTTLDays", "marketplaces", "dataConnectors", "filterChain"}), rapid.ID[string])
		for _, name := range names.Draw(t, "keys") {
			parts = append(parts, fmt.Sprintf("%q: %s", name, fields[name].Draw(t, name)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	})
}

func TestMerge_Laws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := parse(t, programs().Draw(t, "a")), parse(t, programs().Draw(t, "b")), parse(t, programs().Draw(t, "c"))
		equal := func(law string, x, y *plugin.Node) {
			if diff := cmp.Diff(string(x.Canonical()), string(y.Canonical())); diff != "" {
				t.Fatalf("%s:\n%s", law, diff)
			}
		}
		empty := parse(t, "{}")
		equal("nothing over a is a", program.Merge(a, empty), a)
		equal("a over nothing is a", program.Merge(empty, a), a)
		equal("nil over a is a", program.Merge(a, nil), a)
		equal("a over nil is a", program.Merge(nil, a), a)
		equal("a over itself is a", program.Merge(a, a), a)
		equal("over is absorbed", program.Merge(program.Merge(a, b), b), program.Merge(a, b))
		equal("the order of merging does not matter", program.Merge(program.Merge(a, b), c), program.Merge(a, program.Merge(b, c)))
	})
}

// I19: what over mentions is over's; what it does not mention is base's.
func TestI19_MergeKeepsWhatIsNotMentioned(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base, over := parse(t, programs().Draw(t, "base")), parse(t, programs().Draw(t, "over"))
		merged := program.Merge(base, over)
		for _, f := range base.Fields {
			if over.Get(f.Name) == nil && string(merged.Get(f.Name).Canonical()) != string(f.Value.Canonical()) {
				t.Fatalf("%s changed though it is not mentioned", f.Name)
			}
		}
		for _, f := range over.Fields {
			if f.Value.Kind == plugin.NodeString && merged.Get(f.Name).Text != f.Value.Text {
				t.Fatalf("%s is not what over says", f.Name)
			}
		}
	})
}

func TestLoad_HashIgnoresKeyOrder(t *testing.T) {
	t.Parallel()
	whole := parse(t, asJSON)
	want := load(t, "p.json", asJSON).Hash
	rapid.Check(t, func(t *rapid.T) {
		text, err := shuffled(t, whole).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		p, err := program.Load("p.json", text, options()).Program("")
		if err != nil || p.Hash != want {
			t.Fatalf("hash of %s differs (%v)", text, err)
		}
	})
}

// shuffled returns the node with the keys of its objects in another order.
func shuffled(t *rapid.T, n *plugin.Node) *plugin.Node {
	c := *n
	c.Items, c.Fields = nil, nil
	for _, item := range n.Items {
		c.Items = append(c.Items, shuffled(t, item))
	}
	for _, f := range rapid.Permutation(n.Fields).Draw(t, "fields") {
		c.Fields = append(c.Fields, plugin.Field{Name: f.Name, Value: shuffled(t, f.Value)})
	}
	return &c
}

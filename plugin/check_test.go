package plugin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin"
)

func describe[C any](name, summary string, def C) plugin.Of[filter.Filter] {
	return plugin.Define(name, summary, def, func(plugin.Env, C) (filter.Filter, error) { return nil, nil })
}

func TestSet_Check(t *testing.T) {
	t.Parallel()
	type good struct {
		Model  map[string]*plugin.Node `json:"model,omitempty" doc:"anything, by name"`
		Raw    []*plugin.Node          `json:"raw,omitempty" doc:"anything"`
		Window time.Duration           `json:"window" ceap:"min=1s" doc:"how far back"`
		Rules  []string                `json:"rules" ceap:"nonempty" doc:"what holds"`
		Limits map[string]int          `json:"limits" doc:"bounds"`
		Ratio  *float64                `json:"ratio" doc:"a share"`
	}
	ratio := 0.5
	fine := good{Window: time.Hour, Limits: map[string]int{"a": 1}, Ratio: &ratio}
	tests := []struct {
		name string
		set  plugin.Set
		want string // "" if the set is fine
	}{
		{"fine", plugin.Set{Filters: []plugin.Of[filter.Filter]{describe("business_rule", "rules", fine).WithAliases("business-rule")}}, ""},
		{"settings are checked too", plugin.Set{Filters: []plugin.Of[filter.Filter]{describe("a", "b", fine).WithSettings(struct {
			X int `json:"x"`
		}{})}}, `key "x" of struct`},
		{"name in capitals", plugin.Set{Filters: []plugin.Of[filter.Filter]{describe("Trust", "trust", good{})}}, `the name "Trust" is not lower case`},
		{"alias that is taken", plugin.Set{Filters: []plugin.Of[filter.Filter]{
			describe("a", "a", good{}), describe("b", "b", good{}).WithAliases("a"),
		}}, `filter "b" has the name "a" of "a"`},
		{"no summary", plugin.Set{Filters: []plugin.Of[filter.Filter]{describe("a", "", good{})}}, "the summary is missing"},
		{"no struct", plugin.Set{Filters: []plugin.Of[filter.Filter]{describe("a", "a", 5)}}, "not a struct"},
		{"snake case", plugin.Set{Filters: []plugin.Of[filter.Filter]{describe("a", "a", struct {
			X int `json:"max_age" doc:"x"` //nolint:tagliatelle // what the check is to find
		}{})}}, `key "max_age" of struct`},
		{"no tag", plugin.Set{Filters: []plugin.Of[filter.Filter]{describe("a", "a", struct{ Max int }{})}}, "field Max of struct { Max int } has no json tag"},
		{"no doc", plugin.Set{Filters: []plugin.Of[filter.Filter]{describe("a", "a", struct {
			Max int `json:"max"`
		}{})}}, `key "max"`},
		{"tag of another language", plugin.Set{Filters: []plugin.Of[filter.Filter]{describe("a", "a", struct {
			Max int `json:"max" ceap:"gte=3" doc:"x"`
		}{})}}, `has no part "gte"`},
		{"bound that is none", plugin.Set{Filters: []plugin.Of[filter.Filter]{describe("a", "a", struct {
			Wait time.Duration `json:"wait" ceap:"min=1" doc:"x"`
		}{})}}, `"1" is not a duration`},
		{"default out of its own bounds", plugin.Set{Filters: []plugin.Of[filter.Filter]{describe("a", "a", struct {
			Max int `json:"max" ceap:"max=3" doc:"x"`
		}{4})}}, `decoding its own defaults {"max":4}: max: is 4; use at most 3`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.set.Check()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("a set that is fine: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error is %v, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	ratio := 0.25
	config := everything{
		common: common{Enabled: true}, Count: 3, Ratio: &ratio, Wait: 25*time.Hour + 1500*time.Millisecond,
		Channels: []string{"email"}, Rules: []ruleConfig{{"a < b", 1}}, Headers: map[string]string{"b": "2", "a": "1"},
	}
	document, err := plugin.Encode(config)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := document.MarshalJSON()
	const want = `{"enabled":true,"count":3,"small":0,"natural":0,"ratio":0.25,"wait":"25h1s500ms","default":null,` +
		`"channels":["email"],"rules":[{"expression":"a < b","weight":1}],"headers":{"a":"1","b":"2"},"inner":{}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
	if path := document.Get("rules").Items[0].Get("weight").Path; path != "rules[0].weight" {
		t.Errorf("path is %q", path)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"count": 1e999, "rules": [{"expression": ""}], "wait": "1h", "headers": {"a": 1}, "raw": [[]]}`))
	f.Add([]byte(`{"inner": {"weight": -0.0, "expression": null}, "day": "0000-00-00", "at": 5, "anything": {"": [{}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		node, err := plugin.FromJSON("f", data)
		if err != nil {
			return
		}
		var into everything
		problems := plugin.Decode(node, &into)
		for _, p := range problems {
			if p.Line == 0 || p.Message == "" {
				t.Errorf("problem %+v has no place or says nothing", p)
			}
		}
		var again everything
		if second := plugin.Decode(node, &again); len(second) != len(problems) {
			t.Errorf("decoding twice gave %d and %d problems", len(problems), len(second))
		}
	})
}

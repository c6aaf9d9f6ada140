package plugin_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

type common struct {
	Enabled bool `json:"enabled"`
}

type ruleConfig struct {
	Expression string  `json:"expression" ceap:"required,nonempty" doc:"what must hold"`
	Weight     float64 `json:"weight" ceap:"min=0,max=1"`
}

func (r *ruleConfig) SetDefaults() { r.Weight = 0.5 }

type everything struct {
	common
	Text     string            `json:"text"`
	Mode     string            `json:"mode" ceap:"enum=all|any"`
	Count    int               `json:"count" ceap:"min=1,max=10"`
	Small    int8              `json:"small"`
	Natural  uint16            `json:"natural"`
	Ratio    *float64          `json:"ratio" ceap:"min=0,max=1"`
	Wait     time.Duration     `json:"wait" ceap:"min=1s,max=1d"`
	Day      ceap.Date         `json:"day"`
	At       time.Time         `json:"at"`
	Default  ceap.Value        `json:"default"`
	Channels []string          `json:"channels" ceap:"nonempty,enum=email|sms"`
	Rules    []ruleConfig      `json:"rules"`
	Headers  map[string]string `json:"headers"`
	Limits   map[string]int    `json:"limits" ceap:"max=5"`
	Inner    ruleConfig        `json:"inner"`
	Raw      *plugin.Node      `json:"raw"`
	Anything any               `json:"anything"`
	Ignored  string
	hidden   string //nolint:unused // the decoder passes over it
}

func (everything) LaterKeys() []string { return []string{"schedule"} }

// parse makes a node of JSON text, one line per line of it, by way of positions
// that a test can check: line 1, column = offset of the value + 1.
func parse(tb testing.TB, text string) *plugin.Node {
	tb.Helper()
	node, err := plugin.FromJSON("c.json", []byte(text))
	if err != nil {
		tb.Fatalf("parsing %s: %v", text, err)
	}
	return node
}

func TestDecode(t *testing.T) {
	t.Parallel()
	ratio := 0.25
	got := everything{Text: "kept", Headers: map[string]string{"a": "1"}, Channels: []string{"sms", "sms"}}
	problems := plugin.Decode(parse(t, `{
		"enabled": true, "mode": "any", "count": 1e1, "small": -128, "natural": 65535.0, "ratio": 0.25,
		"wait": "1h30m", "day": "2026-01-26", "at": "2026-01-26T01:02:03Z", "default": 1.50,
		"channels": ["email"], "rules": [{"expression": "a"}, {"expression": "b", "weight": 1}],
		"headers": {"b": "2"}, "limits": {"x": 5}, "inner": {"expression": "c"},
		"raw": {"k": [1]}, "anything": {"list": [1, "x", null]}
	}`), &got)
	if len(problems) > 0 {
		t.Fatalf("problems:\n%v", problems)
	}
	if raw, _ := json.Marshal(got.Raw); string(raw) != `{"k":[1]}` || got.Raw.Path != "raw" {
		t.Errorf("raw is %s at %q", raw, got.Raw.Path)
	}
	got.Raw = nil
	want := everything{
		common: common{Enabled: true}, Text: "kept", Mode: "any", Count: 10, Small: -128, Natural: 65535, Ratio: &ratio,
		Wait: 90 * time.Minute, Day: ceap.DateOf(time.Date(2026, 1, 26, 0, 0, 0, 0, time.UTC)),
		At: time.Date(2026, 1, 26, 1, 2, 3, 0, time.UTC), Default: ceap.Decimal("1.50"),
		Channels: []string{"email"}, Rules: []ruleConfig{{"a", 0.5}, {"b", 1}},
		Headers: map[string]string{"a": "1", "b": "2"}, Limits: map[string]int{"x": 5}, Inner: ruleConfig{"c", 0},
		Anything: map[string]any{"list": []any{1.0, "x", nil}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(everything{}, ceap.Value{})); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestDecode_Problems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, document, want string
	}{
		{"unknown key", `{"chanels": ["email"]}`, `c.json:1:2: chanels: is not a known key; did you mean "channels"?`},
		{"unknown key in another case", `{"Text": "x"}`, `c.json:1:2: Text: is not a known key; did you mean "text"?`},
		{
			"unknown key with known ones listed", `{"inner": {"expression": "a", "zzz": 1}}`,
			`c.json:1:31: inner.zzz: is not a known key; known: expression, weight`,
		},
		{"key of a later version", `{"schedule": "0 2 * * *"}`, `c.json:1:2: schedule: is not supported by this version; leave it out`},
		{"key given twice", `{"count": 1, "count": 2}`, `c.json:1:14: count: is given twice; keep one; the first is at line 1`},
		{"entry given twice", `{"headers": {"a": "1", "a": "2"}}`, `c.json:1:24: headers.a: is given twice; keep one; the first is at line 1`},
		{"text for a number", `{"count": "many"}`, `c.json:1:11: count: is the text "many"; use a number`},
		{"quoted number", `{"count": "5"}`, `c.json:1:11: count: is the text "5"; use a number, without quotes: 5`},
		{"quoted boolean", `{"enabled": "true"}`, `c.json:1:13: enabled: is the text "true"; use true or false, without quotes: true`},
		{"number for text", `{"text": 5}`, `c.json:1:10: text: is the number 5; use text, in quotes`},
		{"number for one of several texts", `{"mode": 5}`, `c.json:1:10: mode: is the number 5; use one of: all, any`},
		{"one value for a list", `{"channels": "email"}`, `c.json:1:14: channels: is the text "email"; use a list, in [ ]: ["email"]`},
		{"list for an object", `{"inner": []}`, `c.json:1:11: inner: is a list; use an object, in { }`},
		{"null", `{"text": null}`, `c.json:1:10: text: is null; use text, in quotes, or leave the key out`},
		{"fraction", `{"count": 1.5}`, `c.json:1:11: count: is 1.5; use a whole number`},
		{"beyond a bound", `{"count": 11}`, `c.json:1:11: count: is 11; use 1 to 10`},
		{"beyond a bound in an entry", `{"limits": {"a b": 6}}`, `c.json:1:20: limits["a b"]: is 6; use at most 5`},
		{"beyond the type", `{"small": 200}`, `c.json:1:11: small: is 200, out of range; use -128 to 127`},
		{"far beyond the type", `{"small": 1e999999999999}`, `c.json:1:11: small: is 1e999999999999, out of range; use -128 to 127`},
		{"negative natural", `{"natural": -1}`, `c.json:1:13: natural: is -1, out of range; use 0 to 65535`},
		{"number too large", `{"ratio": 1e999}`, `c.json:1:11: ratio: is 1e999, too large for a number here; use a smaller number`},
		{"not a duration", `{"wait": 30}`, `c.json:1:10: wait: is the number 30; use a duration such as "500ms", "30s", "1h30m" or "7d"`},
		{"misspelled duration", `{"wait": "30 s"}`, `c.json:1:10: wait: "30 s" is not a duration; use a duration such as "500ms", "30s", "1h30m" or "7d"`},
		{"duration beyond a bound", `{"wait": "0s"}`, `c.json:1:10: wait: is 0s; use 1s to 1d`},
		{"not a date", `{"day": "2026-02-30"}`, `c.json:1:9: day: "2026-02-30" is not a calendar date of the form YYYY-MM-DD`},
		{"number for a date", `{"day": 20260230}`, `c.json:1:9: day: is the number 20260230; use text, in quotes`},
		{"not one of several texts", `{"mode": "al"}`, `c.json:1:10: mode: is "al"; did you mean "all"? use one of: all, any`},
		{"not one of several texts in a list", `{"channels": ["fax"]}`, `c.json:1:15: channels[0]: is "fax"; use one of: email, sms`},
		{"empty list", `{"channels": []}`, `c.json:1:14: channels: is empty; give at least one entry`},
		{"missing key", `{"rules": [{}]}`, `c.json:1:12: rules[0].expression: is missing; add "expression": what must hold`},
		{"empty text", `{"inner": {"expression": " "}}`, `c.json:1:26: inner.expression: is empty; give a text`},
		{"not an object at all", `[]`, `c.json:1:1: is a list; use an object, in { }`},
		{
			"several, in the order of the file", `{"count": 0, "rules": [{"weight": 2, "expression": 5}], "zz": 1}`,
			"c.json:1:11: count: is 0; use 1 to 10\n" +
				"c.json:1:35: rules[0].weight: is 2; use 0 to 1\n" +
				"c.json:1:52: rules[0].expression: is the number 5; use text, in quotes\n" +
				"c.json:1:57: zz: is not a known key; known are enabled, text, mode, count, small, natural, ratio, wait, day, at, default, channels and more",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var into everything
			problems := plugin.Decode(parse(t, tt.document), &into)
			if diff := cmp.Diff(tt.want, problems.Error()); diff != "" {
				t.Errorf("problems of %s (-want +got):\n%s", tt.document, diff)
			}
		})
	}
}

func TestDecode_KeepsDefaultsApart(t *testing.T) {
	t.Parallel()
	ratio := 0.5
	def := everything{Headers: map[string]string{"a": "1"}, Channels: []string{"sms"}, Ratio: &ratio}
	config := def
	if ps := plugin.Decode(parse(t, `{"headers": {"a": "2"}, "channels": ["email"], "ratio": 0.75}`), &config); len(ps) > 0 {
		t.Fatal(ps)
	}
	if def.Headers["a"] != "1" || def.Channels[0] != "sms" || *def.Ratio != 0.5 {
		t.Errorf("decoding changed the defaults: %v %v %v", def.Headers, def.Channels, *def.Ratio)
	}
	if ps := plugin.Decode(parse(t, `{"ratio": null}`), &config); len(ps) > 0 || config.Ratio != nil {
		t.Errorf("null left %v, %v", config.Ratio, ps)
	}
}

func TestDecodePartial(t *testing.T) {
	t.Parallel()
	var into everything
	if ps := plugin.DecodePartial(parse(t, `{"rules": [{"weight": 1}]}`), &into); len(ps) > 0 {
		t.Errorf("a partial document lacks nothing, but: %v", ps)
	}
	if ps := plugin.DecodePartial(parse(t, `{"rules": [{"wieght": 1}]}`), &into); len(ps) != 1 {
		t.Errorf("an unknown key of a partial document gave %v", ps)
	}
}

func TestDecode_Nil(t *testing.T) {
	t.Parallel()
	into := ruleConfig{Weight: 0.25}
	want := `expression: is missing; add "expression": what must hold`
	if ps := plugin.Decode(nil, &into); ps.Error() != want || into.Weight != 0.25 {
		t.Errorf("no document gave %v and problems %q, want %q", into, ps.Error(), want)
	}
}

func TestNode_Canonical(t *testing.T) {
	t.Parallel()
	t.Run("equal content, equal text", func(t *testing.T) {
		t.Parallel()
		a := parse(t, `{"b": [1.0, 10e-1, 0.50, -0, 1e3, 1e40], "a": {"y": null, "x": "é"}}`)
		b := parse(t, `{"a":{"x":"\u00e9","y":null},"b":[1,1.00,5e-1,0,1000.0,1e40]}`)
		if string(a.Canonical()) != string(b.Canonical()) {
			t.Errorf("%s\ndiffers from\n%s", a.Canonical(), b.Canonical())
		}
		if want := `{"a":{"x":"é","y":null},"b":[1,1,0.5,0,1000,1e40]}`; string(a.Canonical()) != want {
			t.Errorf("canonical form is %s, want %s", a.Canonical(), want)
		}
	})
	t.Run("numbers keep their value", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			x := rapid.Float64().Draw(t, "x")
			text, err := json.Marshal(x)
			if err != nil {
				t.Skip("not a JSON number")
			}
			node := plugin.Node{Kind: plugin.NodeNumber, Text: string(text)}
			var back float64
			if err := json.Unmarshal(node.Canonical(), &back); err != nil || back != x {
				t.Fatalf("%s became %s (%v)", text, node.Canonical(), err)
			}
		})
	})
}

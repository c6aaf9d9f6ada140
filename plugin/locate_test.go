package plugin_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

type checkedConfig struct {
	Rules []ruleConfig      `json:"rules" ceap:"nonempty"`
	Names map[string]string `json:"names"`
}

func (c checkedConfig) Validate() ceap.Problems {
	if len(c.Rules) > 1 {
		return ceap.Problems{{Path: "rules[1].expression", Message: "is one too many"}}
	}
	return nil
}

// opened describes a plug-in whose opening fails with err.
func opened(err error) plugin.Of[int] {
	return plugin.Define("failing", "fails", checkedConfig{},
		func(plugin.Env, checkedConfig) (int, error) { return 0, err })
}

func TestOf_Open_Problems(t *testing.T) {
	t.Parallel()
	document := parse(t, `{"config": {
  "rules": [{"expression": "a"}],
  "names": {"a.b": "c"}
}, "two": {"rules": [{"expression": "a"}, {"expression": "b"}]}, "bad": {"rules": [], "x": 1}}`)
	config := document.Get("config")
	at := func(path string) error { return ceap.Problems{{Path: path, Message: "is wrong"}} }
	tests := []struct {
		name   string
		err    error
		config *plugin.Node
		want   string
	}{
		{"path of a value", at("rules[0].expression"), config, `c.json:2:28: config.rules[0].expression: is wrong`},
		{"quoted name", at(`names["a.b"]`), config, `c.json:3:20: config.names["a.b"]: is wrong`},
		{"closest parent of what is absent", at("rules[0].weight"), config, `c.json:2:13: config.rules[0].weight: is wrong`},
		{"item beyond the list", at("rules[7]"), config, `c.json:2:12: config.rules[7]: is wrong`},
		{"no path", at(""), config, `c.json:1:12: config: is wrong`},
		{"wrapped", fmt.Errorf("compiling: %w", at("rules")), config, `c.json:2:12: config.rules: is wrong`},
		{
			"error of the input", (&ceap.Error{Code: ceap.CodeInvalid, Message: "is odd", Hint: "mend it", Field: "rules"}), config,
			`c.json:2:12: config.rules: is odd; mend it`,
		},
		{"problem that has its place", ceap.Problems{config.Get("rules").Problem("is wrong")}, config, `c.json:2:12: config.rules: is wrong`},
		{"without a configuration", at("rules"), nil, `rules: is wrong`},
		{"the configuration's own check", nil, document.Get("two"), `c.json:4:58: two.rules[1].expression: is one too many`},
		{
			"the decoder", nil, document.Get("bad"),
			"c.json:4:83: bad.rules: is empty; give at least one entry\n" +
				"c.json:4:87: bad.x: is not a known key; known: rules, names",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := opened(tt.err).Open(plugin.Env{}, tt.config)
			ps, ok := errors.AsType[ceap.Problems](err)
			if !ok {
				t.Fatalf("error is %v, want problems", err)
			}
			if diff := cmp.Diff(tt.want, ps.Error()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOf_Open_OtherErrors(t *testing.T) {
	t.Parallel()
	want := ceap.Errorf(ceap.CodeUnsupported, "not in this build")
	if _, err := opened(want).Open(plugin.Env{}, nil); !errors.Is(err, want) {
		t.Errorf("error is %v, want %v as it was", err, want)
	}
	if _, err := opened(nil).Open(plugin.Env{}, nil); err != nil {
		t.Errorf("opening with the defaults: %v", err)
	}
}

func TestOf_DecodeSettings(t *testing.T) {
	t.Parallel()
	type settings struct {
		Path string `json:"path" ceap:"nonempty" doc:"where"`
		Size int    `json:"size" ceap:"min=1" doc:"how much"`
	}
	described := opened(nil).WithSettings(settings{Path: "data", Size: 3}).WithSettingsCheck(func(given any) ceap.Problems {
		if s := given.(settings); s.Path == "nowhere" {
			return ceap.Problems{{Path: "path", Message: "leads nowhere"}}
		}
		return nil
	})
	for text, want := range map[string]string{
		`{"size": 5}`:                    "",
		`{"size": 0, "path": "nowhere"}`: "c.json:1:10: size: is 0; use at least 1",
		`{"size": 5, "path": "nowhere"}`: "c.json:1:21: path: leads nowhere",
	} {
		node, err := plugin.FromJSON("c.json", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got, problems := described.DecodeSettings(node)
		if problems.Error() != want {
			t.Errorf("problems of %s are %q, want %q", text, problems.Error(), want)
		}
		if want == "" && got != (settings{Path: "data", Size: 5}) {
			t.Errorf("settings of %s are %v", text, got)
		}
	}
}

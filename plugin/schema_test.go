package plugin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap/plugin"
)

func compileSchema(tb testing.TB, schema any) *jsonschema.Schema {
	tb.Helper()
	data, err := json.Marshal(schema)
	if err != nil {
		tb.Fatalf("marshaling the schema: %v", err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		tb.Fatalf("reading the schema: %v", err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", document); err != nil {
		tb.Fatalf("adding the schema: %v", err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		tb.Fatalf("compiling the schema: %v", err)
	}
	return compiled
}

// document draws a JSON text that is often, but not always, what decodes into
// everything. It leaves out what a schema cannot express.
func document() *rapid.Generator[string] {
	scalar := rapid.SampledFrom([]string{
		`true`, `"x"`, `""`, `" "`, `"all"`, `"email"`, `"sms"`, `1`, `0.5`, `-1`, `1.0`, `10`, `11`, `1e1`, `200`, `70000`,
		`null`, `[]`, `{}`, `["email"]`, `["email", "fax"]`, `[{"expression": "a"}]`, `[{"expression": "a", "weight": 2}]`,
		`{"expression": "a"}`, `{"expression": " "}`, `{"weight": 0}`, `{"a": 1}`, `{"a": 6}`, `{"a": "1"}`,
		`"30s"`, `"1h30m"`, `"30"`, `"2026-01-26"`, `"2026-02-30"`, `"2026-01-26T00:00:00Z"`,
	})
	key := rapid.SampledFrom([]string{
		"enabled", "text", "mode", "count", "small", "natural", "ratio", "wait", "day", "at", "default",
		"channels", "rules", "headers", "limits", "inner", "raw", "anything", "unknown", "schedule",
	})
	return rapid.Custom(func(t *rapid.T) string {
		var entries []string
		for _, k := range rapid.SliceOfNDistinct(key, 0, 4, rapid.ID[string]).Draw(t, "keys") {
			entries = append(entries, fmt.Sprintf("%q: %s", k, scalar.Draw(t, "value")))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	})
}

func TestSchema_AgreesWithDecode(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t, plugin.Schema(everything{}))
	accepted := 0
	rapid.Check(t, func(rt *rapid.T) {
		text := document().Draw(rt, "document")
		var into everything
		problems := plugin.Decode(parse(t, text), &into)
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			rt.Fatalf("reading %s: %v", text, err)
		}
		invalid := schema.Validate(instance)
		if (invalid == nil) != (len(problems) == 0) {
			rt.Fatalf("document %s\nschema says: %v\nDecode says: %v", text, invalid, problems)
		}
		if invalid == nil {
			accepted++
		}
	})
	if accepted == 0 {
		t.Error("no document was valid; the test shows nothing")
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	type config struct {
		Query  string        `json:"query" ceap:"required,nonempty" doc:"the query"`
		Wait   time.Duration `json:"wait" ceap:"min=1s" doc:"how long"`
		Factor *float64      `json:"factor" ceap:"min=0,max=1" doc:"a share"`
		Rules  []ruleConfig  `json:"rules" doc:"rules"`
	}
	got, err := json.MarshalIndent(plugin.Schema(config{Wait: 90 * time.Second}), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
 "additionalProperties": false,
 "properties": {
  "factor": {
   "anyOf": [
    {
     "maximum": 1,
     "minimum": 0,
     "type": "number"
    },
    {
     "type": "null"
    }
   ],
   "description": "a share"
  },
  "query": {
   "description": "the query",
   "pattern": "[^\\t\\n\\f\\r ]",
   "type": "string"
  },
  "rules": {
   "description": "rules",
   "items": {
    "additionalProperties": false,
    "properties": {
     "expression": {
      "description": "what must hold",
      "pattern": "[^\\t\\n\\f\\r ]",
      "type": "string"
     },
     "weight": {
      "default": 0.5,
      "maximum": 1,
      "minimum": 0,
      "type": "number"
     }
    },
    "required": [
     "expression"
    ],
    "type": "object"
   },
   "type": "array"
  },
  "wait": {
   "default": "1m30s",
   "description": "how long",
   "pattern": "^([0-9]{1,9}(\\.[0-9]{1,9})?(ms|s|m|h|d))+$",
   "type": "string"
  }
 },
 "required": [
  "query"
 ],
 "type": "object"
}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
}

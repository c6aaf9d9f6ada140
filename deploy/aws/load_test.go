package aws_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const templateFile = "template.yaml"

// template is template.yaml with its short functions written out: !Sub x as
// {"Fn::Sub": x}.
type template struct {
	parameters, conditions, globals, resources, outputs map[string]any
	values                                              map[string]string // of parameters, for text
}

func readTemplate(t *testing.T) *template {
	t.Helper()
	data, err := os.ReadFile(templateFile)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		t.Fatal(err)
	}
	root := object(plain(t, file.Docs[0].Body))
	out := &template{
		parameters: object(root["Parameters"]), conditions: object(root["Conditions"]), globals: object(root["Globals"]),
		resources: object(root["Resources"]), outputs: object(root["Outputs"]),
		values: map[string]string{
			"AWS::Region": "us-east-1", "AWS::AccountId": "123456789012",
			"DataBuckets": "your-data-bucket,another-bucket",
		},
	}
	for name, p := range out.parameters {
		if standard, ok := object(p)["Default"]; ok {
			out.values[name] = fmt.Sprint(standard)
		}
	}
	return out
}

// resource returns the properties of a resource.
func (tp *template) resource(t *testing.T, id string) map[string]any {
	t.Helper()
	properties := object(object(tp.resources[id])["Properties"])
	if properties == nil {
		t.Fatalf("there is no resource %s", id)
	}
	return properties
}

// ofType returns the properties of all resources of a type, by their ids.
func (tp *template) ofType(kind string) map[string]map[string]any {
	out := map[string]map[string]any{}
	for id, r := range tp.resources {
		if object(r)["Type"] == kind {
			out[id] = object(object(r)["Properties"])
		}
	}
	return out
}

// text returns a value that is text, or becomes text with the default parameters.
// What only a deployment knows stays as it is written: ${Bucket.Arn}.
func (tp *template) text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		if name, ok := v["Ref"].(string); ok {
			return tp.substitute("${"+name+"}", nil)
		}
		if name, ok := v["Fn::GetAtt"].(string); ok {
			return "${" + name + "}"
		}
		if join := list(v["Fn::Join"]); len(join) == 2 {
			return strings.Join(tp.texts(join[1]), tp.text(join[0]))
		}
		switch sub := v["Fn::Sub"].(type) {
		case string:
			return tp.substitute(sub, nil)
		case []any:
			body, _ := sub[0].(string)
			return tp.substitute(body, object(sub[1]))
		}
	}
	return fmt.Sprint(v)
}

func (tp *template) substitute(body string, own map[string]any) string {
	body = regexp.MustCompile(`\$\{([A-Za-z0-9:.]+)\}`).ReplaceAllStringFunc(body, func(reference string) string {
		name := strings.Trim(reference, "${}")
		if value, ok := own[name]; ok {
			return tp.text(value)
		}
		if value, ok := tp.values[name]; ok {
			return value
		}
		return reference
	})
	return strings.ReplaceAll(body, "${!", "${")
}

// plain turns a node into what encoding/json would make of it.
func plain(t *testing.T, node ast.Node) any {
	t.Helper()
	switch n := node.(type) {
	case *ast.MappingNode:
		out := map[string]any{}
		for _, pair := range n.Values {
			key := fmt.Sprint(plain(t, pair.Key))
			if _, twice := out[key]; twice {
				t.Fatalf("%s: %s stands there twice", pair.Key.GetPath(), key)
			}
			out[key] = plain(t, pair.Value)
		}
		return out
	case *ast.MappingValueNode:
		return map[string]any{fmt.Sprint(plain(t, n.Key)): plain(t, n.Value)}
	case *ast.SequenceNode:
		out := []any{}
		for _, item := range n.Values {
			out = append(out, plain(t, item))
		}
		return out
	case *ast.TagNode:
		name := strings.TrimPrefix(n.Start.Value, "!")
		if name != "Ref" {
			name = "Fn::" + name
		}
		return map[string]any{name: plain(t, n.Value)}
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.IntegerNode:
		switch v := n.Value.(type) {
		case uint64:
			return float64(v)
		case int64:
			return float64(v)
		}
	case *ast.FloatNode:
		return n.Value
	case *ast.BoolNode:
		return n.Value
	case *ast.NullNode:
		return nil
	}
	t.Fatalf("%s: a %T is no YAML that CloudFormation takes", node.GetPath(), node)
	return nil
}

package program

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// parseYAML reads the document of src, whose text is data.
func parseYAML(src *source, data []byte) (*plugin.Node, ceap.Problems) {
	tokens := lexer.Tokenize(string(data))
	if len(tokens) > maxYAMLTokens {
		return nil, ceap.Problems{src.whole(fmt.Sprintf("has more than %d words and signs", maxYAMLTokens), "make it smaller, or write it as JSON")}
	}
	r := yamlReader{file: src.file, anchors: map[string]ast.Node{}}
	// The reader finds repeated keys itself, all of them.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, ceap.Problems{r.syntax(err)}
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if _, directive := doc.Body.(*ast.DirectiveNode); doc.Body != nil && !directive {
			bodies = append(bodies, doc.Body)
		}
	}
	switch {
	case len(bodies) == 0:
		return nil, ceap.Problems{src.whole("is empty", "write a program into it")}
	case len(bodies) > 1:
		p := src.whole("is followed by another", "keep one program in a file")
		p.Position = r.position(bodies[1])
		return nil, ceap.Problems{p}
	}
	node := r.value(bodies[0], "", 1)
	return node, r.problems
}

type yamlReader struct {
	file     string
	anchors  map[string]ast.Node // whose value is complete
	aliases  int                 // how many aliases the reader is inside of
	copied   int                 // nodes that come from aliases
	full     bool                // aliases have expanded to too much
	problems ceap.Problems
}

// syntax returns the problem of a text that is not YAML.
func (r *yamlReader) syntax(err error) ceap.Problem {
	p := ceap.Problem{Position: ceap.Position{File: r.file, Line: 1, Column: 1}, Message: "not valid YAML: " + err.Error()}
	if e, ok := errors.AsType[yaml.Error](err); ok {
		p.Message = "not valid YAML: " + e.GetMessage()
		if t := e.GetToken(); t != nil {
			p.Position = r.place(t)
		}
	}
	if strings.ContainsRune(p.Message, '\t') {
		p.Message, p.Hint = "not valid YAML: a tab where only spaces may stand", "indent with spaces"
	}
	return p
}

func (r *yamlReader) place(t *token.Token) ceap.Position {
	if t == nil || t.Position == nil {
		return ceap.Position{File: r.file}
	}
	return ceap.Position{File: r.file, Line: t.Position.Line, Column: t.Position.Column}
}

// position returns where a node starts: an object at its first key, for the
// parser's own place is the colon after it.
func (r *yamlReader) position(n ast.Node) ceap.Position {
	switch x := n.(type) {
	case *ast.MappingNode:
		if !x.IsFlowStyle && len(x.Values) > 0 {
			return r.position(x.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return r.position(x.Key)
	}
	return r.place(n.GetToken())
}

// report adds a problem at the node.
func (r *yamlReader) report(n ast.Node, path, message, hint string) {
	r.problems = append(r.problems, ceap.Problem{Position: r.position(n), Path: path, Message: message, Hint: hint})
}

func (r *yamlReader) value(n ast.Node, path string, depth int) *plugin.Node {
	if n == nil {
		return &plugin.Node{Path: path, Pos: ceap.Position{File: r.file}}
	}
	out := &plugin.Node{Pos: r.position(n), Path: path}
	if depth > maxDepth {
		r.report(n, path, fmt.Sprintf("lists and objects are nested more than %d deep", maxDepth), "make the document flatter")
		return out
	}
	if r.aliases > 0 && !r.countCopy(n, path) {
		return out
	}
	switch x := n.(type) {
	case *ast.MappingNode:
		out.Kind = plugin.NodeObject
		r.entries(x.Values, out, depth)
	case *ast.MappingValueNode:
		out.Kind = plugin.NodeObject
		r.entries([]*ast.MappingValueNode{x}, out, depth)
	case *ast.SequenceNode:
		out.Kind = plugin.NodeList
		for i, item := range x.Values {
			out.Items = append(out.Items, r.value(item, plugin.PathIndex(path, i), depth+1))
		}
	case *ast.AnchorNode:
		inner := r.value(x.Value, path, depth)
		r.anchors[x.Name.GetToken().Value] = x.Value
		return inner
	case *ast.AliasNode:
		return r.alias(x, path, depth)
	case *ast.TagNode:
		r.tag(x, out)
	default:
		r.scalar(n, out)
	}
	return out
}

// countCopy counts a node that comes from an alias, and reports whether there
// is room for it.
func (r *yamlReader) countCopy(n ast.Node, path string) bool {
	if r.copied++; r.copied <= maxAliasNodes {
		return true
	}
	if !r.full {
		r.full = true
		r.report(n, path, fmt.Sprintf("aliases expand to more than %d values", maxAliasNodes), "write the values out")
	}
	return false
}

func (r *yamlReader) alias(x *ast.AliasNode, path string, depth int) *plugin.Node {
	name := x.Value.GetToken().Value
	target, ok := r.anchors[name]
	if !ok {
		r.report(x, path, fmt.Sprintf("no anchor &%s stands before this alias", name), "write the anchor first")
		return &plugin.Node{Pos: r.position(x), Path: path}
	}
	r.aliases++
	defer func() { r.aliases-- }()
	return r.value(target, path, depth)
}

// tag reads a tagged value. Only text can be meant: everything else is what it
// looks like.
func (r *yamlReader) tag(x *ast.TagNode, out *plugin.Node) {
	name := x.GetToken().Value
	scalar, ok := x.Value.(ast.ScalarNode)
	if name != "!!str" || !ok {
		r.report(x, out.Path, fmt.Sprintf("the tag %s is not supported", name), "leave it out")
		return
	}
	r.scalar(scalar, out)
	if out.Kind == plugin.NodeNull && scalar.GetToken().Type == token.NullType {
		out.Text = scalar.GetToken().Value
	}
	out.Kind = plugin.NodeString
}

// scalar reads a single value. What is not in quotes is what JSON takes it for,
// else text.
func (r *yamlReader) scalar(n ast.Node, out *plugin.Node) {
	out.Kind = plugin.NodeString
	switch x := n.(type) {
	case nil:
		out.Kind = plugin.NodeNull
		return
	case *ast.LiteralNode:
		out.Text = x.Value.Value
		return
	case *ast.StringNode:
		out.Text = x.Value
		if t := x.GetToken().Type; t == token.SingleQuoteType || t == token.DoubleQuoteType {
			return
		}
	case ast.ScalarNode:
		out.Text = x.GetToken().Value
	default:
		r.report(n, out.Path, "this form of YAML is not supported", "write a plain value")
		return
	}
	switch text := out.Text; {
	case text == "null" || text == "~" || text == "":
		out.Kind, out.Text = plugin.NodeNull, ""
	case text == "true" || text == "false":
		out.Kind = plugin.NodeBool
	case plugin.IsNumber(text):
		out.Kind = plugin.NodeNumber
	}
}

// entries reads the keys of an object. Merge keys (<<) fill in what the object
// does not say itself, so they come last.
func (r *yamlReader) entries(values []*ast.MappingValueNode, out *plugin.Node, depth int) {
	seen := duplicates{}
	var merges []*ast.MappingValueNode
	for _, v := range values {
		if v.Key.IsMergeKey() {
			merges = append(merges, v)
			continue
		}
		name, ok := r.key(v.Key, out.Path)
		if !ok {
			continue
		}
		at, path := r.position(v.Key), plugin.PathKey(out.Path, name)
		if p, twice := seen.repeated(name, at, path); twice {
			r.problems = append(r.problems, p)
			continue
		}
		out.Fields = append(out.Fields, plugin.Field{Name: name, Pos: at, Value: r.value(v.Value, path, depth+1)})
	}
	for _, v := range merges {
		r.mergeKey(v, out, depth)
	}
}

func (r *yamlReader) mergeKey(v *ast.MappingValueNode, out *plugin.Node, depth int) {
	merged := r.value(v.Value, out.Path, depth+1)
	from := []*plugin.Node{merged}
	if merged.Kind == plugin.NodeList {
		from = merged.Items
	}
	for _, object := range from {
		if object.Kind != plugin.NodeObject {
			r.report(v, out.Path, "<< merges objects only", "give it an alias of an object")
			continue
		}
		for _, f := range object.Fields {
			if out.Get(f.Name) == nil {
				out.Fields = append(out.Fields, f)
			}
		}
	}
}

// key returns the text of a key.
func (r *yamlReader) key(n ast.Node, path string) (string, bool) {
	switch x := n.(type) {
	case *ast.MappingKeyNode:
		return r.key(x.Value, path)
	case *ast.StringNode:
		return x.Value, true
	case *ast.LiteralNode:
		return x.Value.Value, true
	case ast.ScalarNode:
		return x.GetToken().Value, true
	default:
		if n != nil {
			r.report(n, path, "a key that is not plain text", "write the key as text")
		}
		return "", false
	}
}

package plugin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
)

// NodeKind says what a [Node] is.
type NodeKind uint8

// The kinds of nodes.
const (
	NodeNull NodeKind = iota
	NodeBool
	NodeNumber
	NodeString
	NodeList
	NodeObject
)

// String returns the kind in the words of error messages.
func (k NodeKind) String() string {
	return [...]string{"null", "true or false", "a number", "text", "a list", "an object"}[k]
}

// Node is a value of a document that a person wrote, with its place in the file
// and its path from the document's root. Nodes are not changed once parsed, and
// so are safe for concurrent use.
type Node struct {
	Kind   NodeKind
	Pos    ceap.Position
	Path   string  // such as filterChain.filters[0].order; "" for the root
	Text   string  // of a string; of a number or boolean as written
	Items  []*Node // of a list
	Fields []Field // of an object, in the order of the file
}

// Field is a key of an object with its value.
type Field struct {
	Name  string
	Pos   ceap.Position // of the name
	Value *Node
}

// Get returns the value of the object's key, or nil. A nil Node has no keys.
func (n *Node) Get(name string) *Node {
	if n == nil {
		return nil
	}
	for i := range n.Fields {
		if n.Fields[i].Name == name {
			return n.Fields[i].Value
		}
	}
	return nil
}

// Problem returns a problem at the node's place.
func (n *Node) Problem(format string, args ...any) ceap.Problem {
	p := ceap.Problem{Message: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Position, p.Path = n.Pos, n.Path
	}
	return p
}

// MarshalJSON returns the node as JSON, with the keys in the order of the file.
func (n *Node) MarshalJSON() ([]byte, error) { return n.appendJSON(nil), nil }

func (n *Node) appendJSON(b []byte) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	switch n.Kind {
	case NodeBool, NodeNumber:
		return append(b, n.Text...)
	case NodeString:
		return ceap.AppendJSONString(b, n.Text)
	case NodeList:
		b = append(b, '[')
		for i, item := range n.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	case NodeObject:
		b = append(b, '{')
		for i, f := range n.Fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = ceap.AppendJSONString(b, f.Name)
			b = append(b, ':')
			b = f.Value.appendJSON(b)
		}
		return append(b, '}')
	default:
		return append(b, "null"...)
	}
}

// Canonical returns the node as JSON in a form that is the same for all nodes
// of equal content: without spaces, keys sorted by their bytes, equal numbers
// written alike (1.0 as 1).
func (n *Node) Canonical() []byte { return n.appendCanonical(nil) }

func (n *Node) appendCanonical(b []byte) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	switch n.Kind {
	case NodeNumber:
		return append(b, parseNumber(n.Text).String()...)
	case NodeList:
		b = append(b, '[')
		for i, item := range n.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendCanonical(b)
		}
		return append(b, ']')
	case NodeObject:
		fields := slices.SortedFunc(slices.Values(n.Fields), func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
		b = append(b, '{')
		for i, f := range fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = ceap.AppendJSONString(b, f.Name)
			b = append(b, ':')
			b = f.Value.appendCanonical(b)
		}
		return append(b, '}')
	default:
		return n.appendJSON(b)
	}
}

var _ json.Marshaler = (*Node)(nil)

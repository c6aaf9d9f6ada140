package plugin

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/ceap-platform/ceap"
)

// Encode returns a configuration as the document that [Decode] reads as it,
// with the keys in the order of the struct. What has no value is left out: nil
// pointers, lists and maps, empty text, and zeros where the rule of a field or
// its json tag suggests that zero means absence.
func Encode(config any) (*Node, error) {
	e := encoder{}
	n := e.value(reflect.ValueOf(config), "")
	if e.err != nil {
		return nil, fmt.Errorf("encoding %T: %w", config, e.err)
	}
	return n, nil
}

type encoder struct{ err error }

func (e *encoder) value(v reflect.Value, path string) *Node {
	if n, ok := e.special(v, path); ok {
		return n
	}
	n := &Node{Path: path}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return n
		}
		return e.value(v.Elem(), path)
	case reflect.Struct:
		n.Kind = NodeObject
		for _, f := range fieldsOf(v.Type()) {
			if fv := v.FieldByIndex(f.index); !f.absent(fv) {
				inner := PathKey(path, f.name)
				n.Fields = append(n.Fields, Field{Name: f.name, Value: e.value(fv, inner)})
			}
		}
	case reflect.Slice:
		n.Kind = NodeList
		for i := range v.Len() {
			n.Items = append(n.Items, e.value(v.Index(i), PathIndex(path, i)))
		}
	case reflect.String:
		n.Kind, n.Text = NodeString, v.String()
	case reflect.Bool:
		n.Kind, n.Text = NodeBool, strconv.FormatBool(v.Bool())
	default: // numbers, maps and what encoding/json makes of anything else
		return e.foreign(v, path)
	}
	return n
}

func (e *encoder) special(v reflect.Value, path string) (*Node, bool) {
	if !v.IsValid() {
		return &Node{Path: path}, true
	}
	switch x := v.Interface().(type) {
	case *Node:
		return x, true
	case time.Duration:
		return &Node{Kind: NodeString, Text: formatDuration(x), Path: path}, true
	case json.Marshaler, encoding.TextMarshaler:
		return e.foreign(v, path), true
	}
	if v.Kind() != reflect.Map {
		return nil, false
	}
	n := &Node{Kind: NodeObject, Path: path}
	for _, key := range sortedKeys(v) {
		n.Fields = append(n.Fields, Field{Name: key.String(), Value: e.value(v.MapIndex(key), PathKey(path, key.String()))})
	}
	return n, true
}

// foreign encodes what encoding/json writes as Decode reads it.
func (e *encoder) foreign(v reflect.Value, path string) *Node {
	data, err := json.Marshal(v.Interface())
	if err == nil {
		var n *Node
		if n, err = FromJSON("", data); err == nil {
			return n.moved(path)
		}
	}
	e.err = err
	return &Node{Path: path}
}

// moved returns a copy of n without places, whose paths lie below path.
func (n *Node) moved(path string) *Node {
	c := *n
	c.Pos, c.Path = ceap.Position{}, joinPath(path, n.Path)
	c.Items, c.Fields = nil, nil
	for _, item := range n.Items {
		c.Items = append(c.Items, item.moved(path))
	}
	for _, f := range n.Fields {
		c.Fields = append(c.Fields, Field{Name: f.Name, Value: f.Value.moved(path)})
	}
	return &c
}

// absent reports whether v stands for a key that is not given.
func (f field) absent(v reflect.Value) bool {
	if !v.IsZero() {
		return false
	}
	if f.omit || f.rule.required || f.rule.nonempty || len(f.rule.enum) > 0 || f.rule.min+f.rule.max != "" {
		return true
	}
	if _, own := v.Interface().(encoding.TextMarshaler); own {
		return true
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.String:
		return true
	default:
		return false
	}
}

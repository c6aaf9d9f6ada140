package tabular

import (
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// parquetNode is a field of a file's schema.
type parquetNode struct {
	name      string
	typeName  string
	repeated  bool
	optional  bool
	def, rep  int // the levels at which a value of it is there
	firstLeaf int
	leaves    int
	children  []*parquetNode
	shape     nodeShape
	value     func(parquet.Value, *arena) (ceap.Value, error) // of a leaf
}

// nodeShape says how a field with children is written.
type nodeShape uint8

const (
	shapeLeaf nodeShape = iota
	shapeStruct
	shapeList
	shapeMap
)

// flat reports whether each row has one value.
func (n *parquetNode) flat() bool { return n.shape == shapeLeaf && !n.repeated }

// readSchema fills fields and columns.
func (p *Parquet) readSchema() error {
	b := &schemaBuilder{elements: p.meta.Schema, at: 1}
	root := &p.meta.Schema[0]
	for range root.NumChildren.V {
		n, err := b.node(0, 0, 0)
		if err != nil {
			return err
		}
		p.fields = append(p.fields, n)
		p.columns = append(p.columns, connector.Column{Name: n.name, Type: n.typeName})
	}
	if len(p.fields) == 0 {
		return damaged("it has no columns")
	}
	if b.at != len(p.meta.Schema) || b.leaf != len(p.file.Schema().Columns()) {
		return damaged("its schema does not add up")
	}
	return nil
}

// schemaBuilder makes a tree of the schema's list, which is in the tree's order.
type schemaBuilder struct {
	elements []format.SchemaElement
	at       int
	leaf     int
}

func (b *schemaBuilder) node(def, rep, depth int) (*parquetNode, error) {
	if b.at >= len(b.elements) || depth > maxNesting {
		return nil, damaged("its schema does not add up")
	}
	e := &b.elements[b.at]
	b.at++
	n := &parquetNode{
		name: e.Name, firstLeaf: b.leaf,
		repeated: e.RepetitionType.V == format.Repeated, optional: e.RepetitionType.V == format.Optional,
	}
	if n.repeated {
		rep++
	}
	if n.repeated || n.optional {
		def++
	}
	n.def, n.rep = def, rep
	if e.Type.Valid {
		b.leaf++
		n.leaves = 1
		n.leafType(e)
		n.asList()
		return n, nil
	}
	for range e.NumChildren.V {
		child, err := b.node(def, rep, depth+1)
		if err != nil {
			return nil, err
		}
		n.children = append(n.children, child)
	}
	if n.leaves = b.leaf - n.firstLeaf; n.leaves == 0 {
		return nil, unsupported(fmt.Sprintf("the field %q has no fields in it", n.name), "leave it out")
	}
	n.shape, n.typeName = groupShape(e, n)
	n.asList()
	return n, nil
}

// asList names the type of a field that is repeated without being in a list.
func (n *parquetNode) asList() {
	if n.repeated {
		n.typeName = "LIST"
	}
}

// groupShape tells lists and maps from structs, by the rules of the Parquet
// format, older ways of writing included.
func groupShape(e *format.SchemaElement, n *parquetNode) (nodeShape, string) {
	isList := e.ConvertedType.Valid && e.ConvertedType.V == deprecated.List
	isMap := e.ConvertedType.Valid && (e.ConvertedType.V == deprecated.Map || e.ConvertedType.V == deprecated.MapKeyValue)
	switch e.LogicalType.Value.(type) {
	case *format.ListType:
		isList = true
	case *format.MapType:
		isMap = true
	}
	one := len(n.children) == 1 && n.children[0].repeated
	switch {
	case isMap && one && len(n.children[0].children) == 2:
		return shapeMap, "MAP"
	case isList && one:
		return shapeList, "LIST"
	default:
		return shapeStruct, "STRUCT"
	}
}

// element returns what the items of a list are: the repeated field itself, or
// the one field in it.
func (n *parquetNode) element() (item *parquetNode, inside bool) {
	r := n.children[0]
	if len(r.children) == 1 && r.name != "array" && r.name != n.name+"_tuple" {
		return r.children[0], true
	}
	return r, false
}

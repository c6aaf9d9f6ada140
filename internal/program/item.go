package program

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// The keys and values of program items (D9, D11).
const (
	pkPrefix = "PROGRAM#"
	skPrefix = "MARKETPLACE#"

	// BaseConfig and BaseAny are the marketplaces of base items: the sort keys
	// CONFIG and MARKETPLACE#*.
	BaseConfig = "CONFIG"
	BaseAny    = "*"
)

// IsBase reports whether a [ceap.ProgramItem.Marketplace] marks a base item.
func IsBase(marketplace string) bool { return marketplace == BaseConfig || marketplace == BaseAny }

// sections lists the keys whose value an item may hold as a JSON text (D9).
func sections() []string {
	return []string{
		"dataConnectors", "filterChain", "scoringModels", "channels", "marketplaces", "marketplaceOverrides",
		"defaultEligibility", "dataQuality",
	}
}

// item is what a document says of its place in the program table.
type item struct {
	is          bool
	programID   string
	marketplace string // "" if unknown; may mark a base item
	createdAt   time.Time
	updatedAt   time.Time
}

// name returns the item in the words of messages.
func (it item) name() string {
	sk := it.marketplace
	if sk != BaseConfig {
		sk = skPrefix + sk
	}
	return fmt.Sprintf("item %s%s / %s", pkPrefix, it.programID, sk)
}

// readItem returns the program document of an item of the program table, as
// DynamoDB writes it ({"PK": {"S": ...}, ...}) or plainly. Other documents are
// returned as they are.
func readItem(src *source, node *plugin.Node) (*plugin.Node, item, ceap.Problems) {
	pk := node.Get("PK")
	if pk == nil {
		return node, item{}, nil
	}
	r := itemReader{src: src, item: item{is: true}}
	if pk.Kind == plugin.NodeObject {
		node = r.attributes(node, "")
	}
	r.keys(node)
	for _, stamp := range []struct {
		name string
		into *time.Time
	}{{"createdAt", &r.item.createdAt}, {"updatedAt", &r.item.updatedAt}} {
		r.timestamp(node.Get(stamp.name), stamp.into)
	}
	node = without(node, "PK", "SK", "createdAt", "updatedAt")
	node = r.complete(node, pk)
	return r.texts(node), r.item, r.problems
}

type itemReader struct {
	src      *source
	item     item
	problems ceap.Problems
}

func (r *itemReader) report(n *plugin.Node, hint, format string, args ...any) {
	p := n.Problem(format, args...)
	p.Hint = hint
	r.problems = append(r.problems, p)
}

// attributes turns an object of DynamoDB attributes into one of values.
func (r *itemReader) attributes(n *plugin.Node, path string) *plugin.Node {
	out := &plugin.Node{Kind: plugin.NodeObject, Pos: n.Pos, Path: path}
	for _, f := range n.Fields {
		out.Fields = append(out.Fields, plugin.Field{Name: f.Name, Pos: f.Pos, Value: r.attribute(f.Value, plugin.PathKey(path, f.Name))})
	}
	return out
}

// attribute turns one DynamoDB attribute, such as {"S": "US"}, into its value.
func (r *itemReader) attribute(n *plugin.Node, path string) *plugin.Node {
	const forms = `write it as {"S": "text"}, {"N": "1"}, {"BOOL": true}, {"L": [...]} or {"M": {...}}`
	out := &plugin.Node{Pos: n.Pos, Path: path}
	if n.Kind != plugin.NodeObject || len(n.Fields) != 1 {
		r.report(&plugin.Node{Pos: n.Pos, Path: path}, forms, "is not an attribute of a DynamoDB item")
		return out
	}
	kind, v := n.Fields[0].Name, n.Fields[0].Value
	out.Pos = v.Pos
	switch {
	case kind == "S" && v.Kind == plugin.NodeString:
		out.Kind, out.Text = plugin.NodeString, v.Text
		if at, ok := r.src.literals[v]; ok {
			r.src.literals[out] = at
		}
	case kind == "N" && v.Kind == plugin.NodeString && plugin.IsNumber(v.Text):
		out.Kind, out.Text = plugin.NodeNumber, v.Text
	case kind == "BOOL" && v.Kind == plugin.NodeBool:
		out.Kind, out.Text = plugin.NodeBool, v.Text
	case kind == "NULL" && v.Kind == plugin.NodeBool:
		out.Kind = plugin.NodeNull
	case kind == "M" && v.Kind == plugin.NodeObject:
		out = r.attributes(v, path)
	case kind == "L" && v.Kind == plugin.NodeList:
		out.Kind = plugin.NodeList
		for i, element := range v.Items {
			out.Items = append(out.Items, r.attribute(element, plugin.PathIndex(path, i)))
		}
	case (kind == "SS" || kind == "NS") && v.Kind == plugin.NodeList:
		out.Kind = plugin.NodeList
		for i, element := range v.Items {
			single := &plugin.Node{Kind: plugin.NodeObject, Pos: element.Pos, Fields: []plugin.Field{{Name: kind[:1], Value: element}}}
			out.Items = append(out.Items, r.attribute(single, plugin.PathIndex(path, i)))
		}
	default:
		r.report(out, forms, "is not an attribute of a DynamoDB item: %q cannot hold %s", kind, v.Kind)
	}
	return out
}

// keys reads PK and SK.
func (r *itemReader) keys(node *plugin.Node) {
	pk, sk := node.Get("PK"), node.Get("SK")
	program, ok := strings.CutPrefix(textOf(pk), pkPrefix)
	if !ok || program == "" {
		r.report(pk, "write PROGRAM# and the programId", "is not the partition key of a program: %q", textOf(pk))
	}
	r.item.programID = program
	if sk == nil {
		missing := &plugin.Node{Pos: node.Pos, Path: "SK"}
		r.report(missing, `add "SK": "MARKETPLACE#US", with the program's marketplace`, "is missing")
		return
	}
	if textOf(sk) == BaseConfig {
		r.item.marketplace = BaseConfig
		return
	}
	marketplace, ok := strings.CutPrefix(textOf(sk), skPrefix)
	if !ok || marketplace == "" {
		r.report(sk, "write MARKETPLACE# and the marketplace, or CONFIG for a base item", "is not the sort key of a program: %q", textOf(sk))
	}
	r.item.marketplace = marketplace
}

// complete checks the document against the item's keys and fills in from them
// what it does not say.
func (r *itemReader) complete(node, pk *plugin.Node) *plugin.Node {
	for _, part := range []struct{ name, key, value string }{
		{"programId", "PK", r.item.programID}, {"marketplace", "SK", r.item.marketplace},
	} {
		said := node.Get(part.name)
		switch {
		case part.value == "" || (part.name == "marketplace" && IsBase(part.value)):
		case said == nil:
			node = withText(node, part.name, part.value, pk)
		case said.Kind == plugin.NodeString && said.Text != part.value:
			r.report(said, fmt.Sprintf("make it %q, or correct %s", part.value, part.key),
				"is %q, but the %s of the item says %q", said.Text, part.key, part.value)
		}
	}
	return node
}

func (r *itemReader) timestamp(n *plugin.Node, into *time.Time) {
	if n == nil {
		return
	}
	at, err := time.Parse(time.RFC3339, textOf(n))
	if err != nil {
		r.report(n, "write it as 2026-01-27T00:00:00Z", "is not a time")
		return
	}
	*into = at.UTC()
}

// texts replaces sections that are JSON texts by what they say.
func (r *itemReader) texts(node *plugin.Node) *plugin.Node {
	out := *node
	out.Fields = slices.Clone(node.Fields)
	for i, f := range out.Fields {
		if f.Value.Kind != plugin.NodeString || !slices.Contains(sections(), f.Name) {
			continue
		}
		value, problems := parseInside(r.src, f.Value)
		for _, p := range problems {
			p.Message = fmt.Sprintf("attribute %q of %s: %s", f.Name, r.item.name(), p.Message)
			r.problems = append(r.problems, p)
		}
		if value == nil {
			value = &plugin.Node{Kind: plugin.NodeNull, Pos: f.Value.Pos, Path: f.Value.Path}
		}
		out.Fields[i].Value = value
	}
	return &out
}

// textOf returns the text of a text node, else "".
func textOf(n *plugin.Node) string {
	if n == nil || n.Kind != plugin.NodeString {
		return ""
	}
	return n.Text
}

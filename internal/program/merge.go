package program

import (
	"slices"

	"github.com/ceap-platform/ceap/plugin"
)

// Merge returns the document base with over laid on it (D11): objects are
// merged key by key, lists of named things entry by entry, by their id; of
// everything else over's value is taken. What over does not mention stays as it
// is in base (I19). Either may be nil. Values keep their own places; neither
// argument is changed.
//
// A named thing is an object with connectorId, filterId, modelId or channelId,
// or else channelType, which is a channel's id by default (D59). New ones are
// appended. An entry of fieldMappings is one value, though it may be written as
// an object.
func Merge(base, over *plugin.Node) *plugin.Node {
	switch {
	case over == nil:
		return base
	case base == nil || base.Kind != over.Kind:
		return over
	case base.Kind == plugin.NodeObject:
		return mergeObjects(base, over, Merge)
	case base.Kind == plugin.NodeList && named(base) && named(over):
		return mergeNamed(base, over)
	default:
		return over
	}
}

func mergeObjects(base, over *plugin.Node, merge func(base, over *plugin.Node) *plugin.Node) *plugin.Node {
	merged := *base
	merged.Fields = slices.Clone(base.Fields)
	for _, f := range over.Fields {
		i := slices.IndexFunc(merged.Fields, func(b plugin.Field) bool { return b.Name == f.Name })
		switch old := base.Get(f.Name); {
		case i < 0:
			merged.Fields = append(merged.Fields, f)
		case f.Name == "fieldMappings" && old.Kind == plugin.NodeObject && f.Value.Kind == plugin.NodeObject:
			merged.Fields[i].Value = mergeObjects(old, f.Value, func(_, over *plugin.Node) *plugin.Node { return over })
		default:
			merged.Fields[i].Value = merge(old, f.Value)
		}
	}
	return &merged
}

func mergeNamed(base, over *plugin.Node) *plugin.Node {
	merged := *base
	merged.Items = slices.Clone(base.Items)
	used := map[string]bool{}
	for _, item := range over.Items {
		id := entryID(item)
		i := slices.IndexFunc(base.Items, func(b *plugin.Node) bool { return entryID(b) == id })
		// A second entry of one id stays a second entry, so that it is found.
		if i < 0 || used[id] {
			merged.Items = append(merged.Items, item)
			continue
		}
		used[id] = true
		merged.Items[i] = Merge(base.Items[i], item)
	}
	return &merged
}

// named reports whether n is a list of named things only, at least one.
func named(n *plugin.Node) bool {
	return len(n.Items) > 0 && !slices.ContainsFunc(n.Items, func(item *plugin.Node) bool { return entryID(item) == "" })
}

// entryID returns the id of a named thing, or "".
func entryID(n *plugin.Node) string {
	for _, key := range [...]string{"connectorId", "filterId", "modelId", "channelId", "channelType"} {
		if id := n.Get(key); id != nil && id.Kind == plugin.NodeString {
			return id.Text
		}
	}
	return ""
}

// without returns the object n without some of its keys.
func without(n *plugin.Node, names ...string) *plugin.Node {
	if n == nil || n.Kind != plugin.NodeObject {
		return n
	}
	c := *n
	c.Fields = slices.DeleteFunc(slices.Clone(n.Fields), func(f plugin.Field) bool { return slices.Contains(names, f.Name) })
	return &c
}

// withText returns the object n with its key set to a text, placed as like is.
func withText(n *plugin.Node, name, text string, like *plugin.Node) *plugin.Node {
	c := without(n, name)
	value := &plugin.Node{Kind: plugin.NodeString, Text: text, Pos: like.Pos, Path: name}
	c.Fields = append(slices.Clone(c.Fields), plugin.Field{Name: name, Pos: like.Pos, Value: value})
	return c
}

// only returns the object n with some of its keys.
func only(n *plugin.Node, names ...string) *plugin.Node {
	c := *n
	c.Fields = slices.DeleteFunc(slices.Clone(n.Fields), func(f plugin.Field) bool { return !slices.Contains(names, f.Name) })
	return &c
}

// replaced returns the object n with another value of a key that it has.
func replaced(n *plugin.Node, name string, value *plugin.Node) *plugin.Node {
	c := *n
	c.Fields = slices.Clone(n.Fields)
	for i := range c.Fields {
		if c.Fields[i].Name == name {
			c.Fields[i].Value = value
		}
	}
	return &c
}

package plugin

import (
	"strconv"
	"strings"
)

// PathKey returns the path of the key called name in the object at path:
// "filterChain.filters", or fieldMappings["a.b"] for a name that needs quotes.
func PathKey(path, name string) string {
	if name == "" || strings.ContainsAny(name, ".[]\" \t\r\n") {
		return path + "[" + strconv.Quote(name) + "]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// PathIndex returns the path of the i-th item, from 0, of the list at path.
func PathIndex(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// joinPath returns the path of what lies at the relative path below base.
func joinPath(base, relative string) string {
	if base == "" || relative == "" || relative[0] == '[' {
		return base + relative
	}
	return base + "." + relative
}

// closest follows a relative path from n and returns the node it leads to, or
// the last one on the way that exists.
func (n *Node) closest(path string) *Node {
	for path != "" {
		var next *Node
		if next, path = n.step(path); next == nil {
			return n
		}
		n = next
	}
	return n
}

// step returns the child that the first part of a relative path names, or nil,
// and the rest of the path.
func (n *Node) step(path string) (child *Node, rest string) {
	path = strings.TrimPrefix(path, ".")
	if inner, ok := strings.CutPrefix(path, "["); ok {
		if quoted, err := strconv.QuotedPrefix(inner); err == nil {
			name, _ := strconv.Unquote(quoted) // QuotedPrefix has checked it
			return n.Get(name), strings.TrimPrefix(inner[len(quoted):], "]")
		}
		digits, rest, _ := strings.Cut(inner, "]")
		i, err := strconv.Atoi(digits)
		if err != nil || i < 0 || i >= len(n.Items) {
			return nil, rest
		}
		return n.Items[i], rest
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	return n.Get(path[:end]), path[end:]
}

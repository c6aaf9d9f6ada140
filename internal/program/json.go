package program

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tailscale/hujson"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// parseJSON reads the document of src.
func parseJSON(src *source) (*plugin.Node, ceap.Problems) {
	r := jsonReader{src: src, place: newPlacer(src), start: src.start}
	return r.read(src.data[src.start:], "")
}

type jsonReader struct {
	src      *source
	place    *placer
	start    int // the offset of the text in the document
	inside   bool
	problems ceap.Problems
}

// read parses a text whose value is to have that path.
func (r *jsonReader) read(text []byte, path string) (*plugin.Node, ceap.Problems) {
	if offset := tooDeep(text); offset >= 0 {
		return nil, ceap.Problems{{
			Position: r.place.at(r.start + offset), Path: path,
			Message: fmt.Sprintf("lists and objects are nested more than %d deep", maxDepth), Hint: "make the document flatter",
		}}
	}
	value, err := hujson.Parse(text)
	if err != nil {
		return nil, ceap.Problems{r.syntax(err, text, path)}
	}
	node := r.value(&value, path)
	return node, r.problems
}

// syntax returns the problem of a text that is not JSON. The parser tells the
// place in its message only, with columns in bytes.
func (r *jsonReader) syntax(err error, text []byte, path string) ceap.Problem {
	message, line, column := err.Error(), 1, 1
	if n, _ := fmt.Sscanf(message, "hujson: line %d, column %d:", &line, &column); n == 2 {
		_, message, _ = strings.Cut(message, ": ")
		_, message, _ = strings.Cut(message, ": ")
	}
	offset := 0
	for range line - 1 {
		offset += bytes.IndexByte(text[offset:], '\n') + 1
	}
	offset = min(offset+column-1, len(text))
	message = strings.ReplaceAll(message, "parsing value: ", "")
	if strings.HasSuffix(message, "unexpected EOF") {
		message = "the text ends too early: a bracket or quote is not closed"
	}
	where := ""
	if r.inside {
		lineStart := bytes.LastIndexByte(text[:offset], '\n') + 1
		where = fmt.Sprintf(" at line %d, column %d of the text", line, 1+utf8.RuneCount(text[lineStart:offset]))
	}
	return ceap.Problem{Position: r.place.at(r.start + offset), Path: path, Message: "not valid JSON" + where + ": " + message}
}

func (r *jsonReader) value(v *hujson.Value, path string) *plugin.Node {
	n := &plugin.Node{Pos: r.place.at(r.start + v.StartOffset), Path: path}
	switch x := v.Value.(type) {
	case hujson.Literal:
		r.literal(x, n, v.StartOffset)
	case *hujson.Array:
		n.Kind = plugin.NodeList
		for i := range x.Elements {
			n.Items = append(n.Items, r.value(&x.Elements[i], plugin.PathIndex(path, i)))
		}
	case *hujson.Object:
		n.Kind = plugin.NodeObject
		seen := duplicates{}
		for i := range x.Members {
			r.member(&x.Members[i], n, seen)
		}
	}
	return n
}

func (r *jsonReader) literal(x hujson.Literal, n *plugin.Node, offset int) {
	switch x.Kind() {
	case 't', 'f':
		n.Kind, n.Text = plugin.NodeBool, string(x)
	case '0':
		n.Kind, n.Text = plugin.NodeNumber, string(x)
	case '"':
		n.Kind, n.Text = plugin.NodeString, x.String()
		if !r.inside {
			r.src.literals[n] = offset + r.start
		}
	}
}

func (r *jsonReader) member(m *hujson.ObjectMember, n *plugin.Node, seen duplicates) {
	literal, _ := m.Name.Value.(hujson.Literal)
	key := plugin.Field{Name: literal.String(), Pos: r.place.at(r.start + m.Name.StartOffset)}
	path := plugin.PathKey(n.Path, key.Name)
	p, twice := seen.repeated(key.Name, key.Pos, path)
	if twice {
		r.problems = append(r.problems, p)
		return
	}
	key.Value = r.value(&m.Value, path)
	n.Fields = append(n.Fields, key)
}

// tooDeep returns where brackets are nested more than maxDepth deep, or -1. It
// runs before the parser, which would recurse.
func tooDeep(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c == '/' && i+1 < len(text) && text[i+1] == '/':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case c == '/' && i+1 < len(text) && text[i+1] == '*':
			end := bytes.Index(text[i+2:], []byte("*/"))
			if end < 0 {
				return -1
			}
			i += end + 3
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return i
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return -1
}

// parseInside reads the JSON text that the node n of src holds. Places are those
// in the document if that is possible, else the node's own.
func parseInside(src *source, n *plugin.Node) (*plugin.Node, ceap.Problems) {
	offsets := []int{}
	if at, ok := src.literals[n]; ok {
		offsets = literalOffsets(src.data, at, n.Text)
	}
	r := jsonReader{src: src, place: newPlacer(src), inside: true}
	if len(offsets) > 0 {
		r.place.offsets = offsets
	} else {
		r.place = newPlacer(&source{file: src.file})
		r.place.line, r.place.column = n.Pos.Line, n.Pos.Column
	}
	return r.read([]byte(n.Text), n.Path)
}

// literalOffsets returns, for each byte of the text that the JSON literal at
// data[at] stands for, where in data it is written, and after them the place of
// the closing quote. It returns nil if the literal does not stand for text.
func literalOffsets(data []byte, at int, text string) []int {
	offsets := make([]int, 0, len(text)+1)
	i := at + 1
	for i < len(data) && data[i] != '"' {
		from, written := i, 1
		size := 1
		if data[i] == '\\' {
			size, written = escapeSize(data[i:])
		}
		i += written
		for range size {
			offsets = append(offsets, from)
		}
	}
	if len(offsets) != len(text) {
		return nil
	}
	return append(offsets, i)
}

// escapeSize returns how many bytes the JSON escape at the start of data stands
// for, and in how many it is written.
func escapeSize(data []byte) (size, written int) {
	first, ok := hexEscape(data)
	if !ok {
		return 1, 2
	}
	if second, ok := hexEscape(data[6:]); ok && utf16.IsSurrogate(first) {
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return utf8.RuneLen(r), 12
		}
	}
	if utf16.IsSurrogate(first) {
		first = utf8.RuneError
	}
	return utf8.RuneLen(first), 6
}

// hexEscape reads a \uXXXX at the start of data.
func hexEscape(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	var r rune
	if _, err := fmt.Sscanf(string(data[2:6]), "%04x", &r); err != nil {
		return 0, false
	}
	return r, true
}

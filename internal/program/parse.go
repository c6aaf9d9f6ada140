package program

import (
	"bytes"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// Bounds of program documents. They are far above any real program, and low
// enough that no document keeps a process busy.
const (
	maxBytes      = 1 << 20
	maxDepth      = 100
	maxYAMLTokens = 50_000 // the YAML parser takes quadratic time for large mappings
	maxAliasNodes = 10_000 // what all aliases of a document may expand to
)

// Parse reads a document in JSON, JSON with comments and trailing commas, or
// YAML, which all mean the same (D7): in YAML too, only true and false are
// booleans, only what JSON writes as a number is one, and dates are text. The
// file's name, which messages show, decides the format (.json, .jsonc, .yaml,
// .yml), else the first character does. Without errors among the problems the
// node is not nil.
func Parse(file string, data []byte) (*plugin.Node, ceap.Problems) {
	node, _, problems := parse(file, data)
	return node, problems
}

// source is a document's text, for those who look inside its literals.
type source struct {
	file     string
	data     []byte
	start    int                  // where the text starts, after a byte order mark
	literals map[*plugin.Node]int // where a JSON text starts, at its quote
}

func parse(file string, data []byte) (*plugin.Node, *source, ceap.Problems) {
	src := &source{file: file, data: data, literals: map[*plugin.Node]int{}}
	if len(data) > maxBytes {
		return nil, src, ceap.Problems{src.whole("is larger than 1 MiB", "move long texts out of the program")}
	}
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		src.start = len("\ufeff")
	}
	text := data[src.start:]
	if i := invalidUTF8(data); i >= 0 {
		p := src.whole("is not UTF-8 text", "save it as UTF-8")
		p.Position = newPlacer(src).at(i)
		return nil, src, ceap.Problems{p}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, src, ceap.Problems{src.whole("is empty", "write a program into it")}
	}
	if isYAML(file, text) {
		node, problems := parseYAML(src, text)
		return node, src, problems
	}
	node, problems := parseJSON(src)
	return node, src, problems
}

// whole returns a problem of the document as such.
func (s *source) whole(message, hint string) ceap.Problem {
	return ceap.Problem{Position: ceap.Position{File: s.file, Line: 1, Column: 1}, Message: "the document " + message, Hint: hint}
}

func isYAML(file string, data []byte) bool {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".json", ".jsonc":
		return false
	case ".yaml", ".yml":
		return true
	default:
		// YAML has no comments with a slash, and its own forms of lists and objects
		// in brackets are those of JSON.
		return !strings.ContainsRune("{[/", rune(bytes.TrimSpace(data)[0]))
	}
}

// invalidUTF8 returns where data stops being UTF-8, or -1.
func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// placer turns offsets into positions. It is fast when offsets grow.
type placer struct {
	src     *source
	offsets []int // of a text inside the document: the document's offset of each byte, and of the end
	offset  int
	line    int
	column  int
}

func newPlacer(src *source) *placer {
	return &placer{src: src, offset: src.start, line: 1, column: 1}
}

// at returns the position of an offset, at most the length of the text.
func (p *placer) at(offset int) ceap.Position {
	if p.offsets != nil {
		offset = p.offsets[min(offset, len(p.offsets)-1)]
	}
	offset = min(offset, len(p.src.data))
	if offset < p.offset {
		p.offset, p.line, p.column = p.src.start, 1, 1
	}
	if passed := p.src.data[p.offset:max(p.offset, offset)]; len(passed) > 0 {
		if last := bytes.LastIndexByte(passed, '\n'); last >= 0 {
			p.line += bytes.Count(passed, []byte("\n"))
			p.column = 1
			passed = passed[last+1:]
		}
		p.column += utf8.RuneCount(passed)
		p.offset = offset
	}
	return ceap.Position{File: p.src.file, Line: p.line, Column: p.column}
}

// duplicates finds keys that an object has twice.
type duplicates map[string]ceap.Position

// repeated returns the problem of a key that was given before.
func (d duplicates) repeated(name string, at ceap.Position, path string) (ceap.Problem, bool) {
	first, twice := d[name]
	if !twice {
		d[name] = at
		return ceap.Problem{}, false
	}
	first.File = ""
	return ceap.Problem{
		Position: at, Path: path, Message: "is given twice", Hint: "keep one; the first is at " + first.String(),
	}, true
}

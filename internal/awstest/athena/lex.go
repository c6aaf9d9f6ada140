package athena

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is the kind of a token.
type kind uint8

const (
	word   kind = iota // a keyword, name or number
	quoted             // a "name"
	back               // a `name`
	text               // a 'text'
	symbol             // one character, or ::
)

// token is a piece of SQL between white space and comments.
type token struct {
	kind       kind
	text       string // as it stands
	start, end int    // bytes
	open       bool   // a quote or comment that never ends
}

func (t token) is(word string) bool { return t.kind != text && strings.EqualFold(t.text, word) }

// name returns what a name or text stands for.
func (t token) name() string {
	switch t.kind {
	case quoted:
		return strings.ReplaceAll(t.text[1:len(t.text)-1], `""`, `"`)
	case back:
		return strings.ReplaceAll(t.text[1:len(t.text)-1], "``", "`")
	case text:
		return strings.ReplaceAll(t.text[1:len(t.text)-1], "''", "'")
	default:
		return t.text
	}
}

// lex cuts SQL into tokens.
func lex(sql string) []token {
	var out []token
	for pos := 0; pos < len(sql); {
		start := pos
		r, size := utf8.DecodeRuneInString(sql[pos:])
		switch {
		case unicode.IsSpace(r):
			pos += size
		case strings.HasPrefix(sql[pos:], "--"):
			pos = after(sql, pos, "\n", len(sql))
		case strings.HasPrefix(sql[pos:], "/*"):
			if pos = after(sql, pos+2, "*/", -1); pos < 0 {
				return append(out, token{kind: symbol, text: "/*", start: start, end: len(sql), open: true})
			}
		case strings.ContainsRune("'\"`", r):
			t := quote(sql, pos)
			out = append(out, t)
			pos = t.end
		case isWord(r):
			for pos < len(sql) {
				r, size := utf8.DecodeRuneInString(sql[pos:])
				if !isWord(r) && !decimalPoint(sql, start, pos) {
					break
				}
				pos += size
			}
			out = append(out, token{kind: word, text: sql[start:pos], start: start, end: pos})
		default:
			if strings.HasPrefix(sql[pos:], "::") {
				size = 2
			}
			pos += size
			out = append(out, token{kind: symbol, text: sql[start:pos], start: start, end: pos})
		}
	}
	return out
}

// decimalPoint reports whether the point at pos belongs to a number.
func decimalPoint(sql string, start, pos int) bool {
	return sql[pos] == '.' && sql[start] >= '0' && sql[start] <= '9'
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// after returns the place after the next end, or else.
func after(sql string, pos int, end string, otherwise int) int {
	if i := strings.Index(sql[pos:], end); i >= 0 {
		return pos + i + len(end)
	}
	return otherwise
}

// quote reads a quoted token; a doubled quote stands for itself.
func quote(sql string, start int) token {
	t := token{kind: map[byte]kind{'\'': text, '"': quoted, '`': back}[sql[start]], start: start}
	q := sql[start : start+1]
	for pos := start + 1; pos < len(sql); pos++ {
		if sql[pos:pos+1] != q {
			continue
		}
		if strings.HasPrefix(sql[pos+1:], q) {
			pos++
			continue
		}
		t.end, t.text = pos+1, sql[start:pos+1]
		return t
	}
	return token{kind: symbol, text: sql[start:], start: start, end: len(sql), open: true}
}

// place returns line and column of a byte, as Trino counts them: from 1, in
// characters.
func place(sql string, offset int) string {
	before := sql[:min(max(offset, 0), len(sql))]
	return fmt.Sprintf("line %d:%d", 1+strings.Count(before, "\n"),
		1+utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]))
}

func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func quoteText(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

func quoteList(items []string) string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = quoteText(item)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

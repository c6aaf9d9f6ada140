package warehouse

import (
	"strings"
	"unicode/utf8"
)

// tokenKind says what a token is.
type tokenKind uint8

const (
	tokenWord   tokenKind = iota // a keyword, name or number
	tokenString                  // '...', with its prefix if it has one
	tokenQuoted                  // "..." or `...`, a quoted name
	tokenDollar                  // $tag$...$tag$
	tokenParam                   // ?, $1 or $name
	tokenHolder                  // {name}
	tokenSymbol                  // anything else, one character at a time
)

// token is a piece of a query that means something; white space and comments
// are left out.
type token struct {
	kind       tokenKind
	start, end int    // bytes
	text       string // as written
	prefix     string // of a string: "", "E", "U&", "X" or "B"
	open       bool   // a string, name or comment that never ends
}

// is reports whether the token is that keyword.
func (t token) is(word string) bool { return t.kind == tokenWord && strings.EqualFold(t.text, word) }

// symbol reports whether the token is that symbol.
func (t token) symbol(s string) bool { return t.kind == tokenSymbol && t.text == s }

// lexer splits a query as DuckDB and Trino do.
type lexer struct {
	text string
	pos  int
}

// tokens returns all tokens. A token that never ends is the last one and open.
func tokens(text string) []token {
	l := &lexer{text: text}
	var out []token
	for {
		unclosed := l.skip()
		start := l.pos
		if unclosed {
			return append(out, token{kind: tokenSymbol, start: start, end: len(text), text: "/*", open: true})
		}
		if start == len(text) {
			return out
		}
		t := l.next()
		t.start, t.end, t.text = start, l.pos, text[start:l.pos]
		out = append(out, t)
	}
}

// skip passes white space and comments, which nest. It reports whether a
// comment never ends, and then stays at its start.
func (l *lexer) skip() (unclosed bool) {
	for l.pos < len(l.text) {
		rest := l.text[l.pos:]
		switch {
		case strings.HasPrefix(rest, "--"):
			end := strings.IndexAny(rest, "\n\r")
			if end < 0 {
				end = len(rest)
			}
			l.pos += end
		case strings.HasPrefix(rest, "/*"):
			end := commentEnd(rest)
			if end < 0 {
				return true
			}
			l.pos += end
		case strings.IndexByte(" \t\n\r\f\v", rest[0]) >= 0:
			l.pos++
		default:
			return false
		}
	}
	return false
}

// commentEnd returns the length of the comment that text starts with, or -1.
func commentEnd(text string) int {
	depth := 0
	for i := 0; i < len(text)-1; i++ {
		switch text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1
		}
	}
	return -1
}

// next reads one token, of which the caller fills in place and text.
func (l *lexer) next() token {
	c := l.text[l.pos]
	switch {
	case c == '\'':
		return l.quoted(token{kind: tokenString}, '\'', false)
	case c == '"' || c == '`':
		return l.quoted(token{kind: tokenQuoted}, c, false)
	case c == '$':
		return l.dollar()
	case c == '?':
		l.pos++
		return token{kind: tokenParam}
	case c == '{':
		if _, n, ok := placeholderAt(l.text[l.pos:]); ok {
			l.pos += n
			return token{kind: tokenHolder}
		}
	case isWordByte(c):
		return l.word()
	}
	_, size := utf8.DecodeRuneInString(l.text[l.pos:])
	l.pos += size
	return token{kind: tokenSymbol}
}

// quoted reads up to the closing quote; a doubled quote stands for one. With
// escapes, so does one after a backslash.
func (l *lexer) quoted(t token, quote byte, escapes bool) token {
	for i := l.pos + 1; i < len(l.text); i++ {
		switch {
		case escapes && l.text[i] == '\\':
			i++
		case l.text[i] == quote && i+1 < len(l.text) && l.text[i+1] == quote:
			i++
		case l.text[i] == quote:
			l.pos = i + 1
			return t
		}
	}
	l.pos, t.open = len(l.text), true
	return t
}

// word reads a name, keyword or number, or a string with a prefix.
func (l *lexer) word() token {
	start := l.pos
	for l.pos < len(l.text) && isWordByte(l.text[l.pos]) {
		l.pos++
	}
	word, rest := l.text[start:l.pos], l.text[l.pos:]
	if strings.EqualFold(word, "u") && strings.HasPrefix(rest, "&'") {
		l.pos++
		return l.quoted(token{kind: tokenString, prefix: "U&"}, '\'', false)
	}
	if len(word) == 1 && strings.ContainsAny(word, "eExXbBnN") && strings.HasPrefix(rest, "'") {
		prefix := strings.ToUpper(word)
		return l.quoted(token{kind: tokenString, prefix: prefix}, '\'', prefix == "E")
	}
	return token{kind: tokenWord}
}

// dollar reads $$...$$, $tag$...$tag$ or a parameter.
func (l *lexer) dollar() token {
	end := l.pos + 1
	for end < len(l.text) && isWordByte(l.text[end]) {
		end++
	}
	first := l.pos + 1
	tagged := end < len(l.text) && l.text[end] == '$' && (end == first || l.text[first] < '0' || l.text[first] > '9')
	if !tagged {
		l.pos = end
		return token{kind: tokenParam}
	}
	tag := l.text[l.pos : end+1]
	length := strings.Index(l.text[end+1:], tag)
	if length < 0 {
		l.pos = len(l.text)
		return token{kind: tokenDollar, open: true}
	}
	l.pos = end + 1 + length + len(tag)
	return token{kind: tokenDollar}
}

func isWordByte(c byte) bool {
	return c == '_' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// placeholderAt returns the name of the placeholder that text starts with, and
// its length. {3}, {1,2} and {'a': 1} are none. White space inside the braces
// belongs to it, so that a slip is reported instead of matching nothing.
func placeholderAt(text string) (name string, length int, ok bool) {
	end := strings.IndexByte(text, '}')
	if end < 0 || text[0] != '{' {
		return "", 0, false
	}
	name = strings.Trim(text[1:end], " \t")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return "", 0, false
	}
	for i := range len(name) {
		if !isWordByte(name[i]) && name[i] != '-' && name[i] != '.' {
			return "", 0, false
		}
	}
	return name, end + 1, true
}

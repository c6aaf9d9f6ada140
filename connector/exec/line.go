package exec

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ceap-platform/ceap"
)

// lineReader reads lines of bounded length.
type lineReader struct {
	r      *bufio.Reader
	max    int
	buf    []byte
	number int64 // of the last line, from 1
}

var errTooLong = errors.New("it is too long")

// next returns the next line without its end, and whether it had one. The line
// is valid until the next call. After the last line it returns io.EOF.
func (l *lineReader) next() (line []byte, ended bool, err error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.buf)+len(bytes.TrimSuffix(part, []byte("\n"))) > l.max {
			l.number++
			return nil, true, errTooLong
		}
		switch {
		case err == nil && len(l.buf) == 0:
			l.number++
			return part[:len(part)-1], true, nil
		case err == nil:
			l.number++
			l.buf = append(l.buf, part[:len(part)-1]...)
			return l.buf, true, nil
		case errors.Is(err, bufio.ErrBufferFull):
			l.buf = append(l.buf, part...)
		case errors.Is(err, io.EOF):
			l.buf = append(l.buf, part...)
			if len(l.buf) == 0 {
				return nil, false, io.EOF
			}
			l.number++
			return l.buf, false, nil
		default:
			return nil, false, err
		}
	}
}

// scanObject calls visit for each key of the JSON object in line, in order. Keys
// and values belong to the line or are valid until visit returns. The errors are
// reasons in words.
func scanObject(line []byte, visit func(key, value []byte) error) error {
	if err := checkJSON(line); err != nil {
		return err
	}
	at := skipSpace(line, 0)
	if line[at] != '{' {
		return fmt.Errorf("it is %s, not an object", kindOf(line[at]))
	}
	for at = skipSpace(line, at+1); line[at] != '}'; {
		end := valueEnd(line, at)
		key, err := keyOf(line[at:end])
		if err != nil {
			return err
		}
		at = skipSpace(line, skipSpace(line, end)+1) // past the colon
		end = valueEnd(line, at)
		if err := visit(key, line[at:end]); err != nil {
			return err
		}
		if at = skipSpace(line, end); line[at] == ',' {
			at = skipSpace(line, at+1)
		}
	}
	return nil
}

// checkJSON returns nil if line is one JSON value in UTF-8; the functions below
// rely on it.
func checkJSON(line []byte) error {
	if !utf8.Valid(line) {
		return errors.New("it is not UTF-8")
	}
	if json.Valid(line) {
		return nil
	}
	var ignored json.RawMessage
	err := json.Unmarshal(line, &ignored)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("it is no JSON at byte %d: %w", syntax.Offset, err)
	}
	return fmt.Errorf("it is no JSON: %w", err)
}

func kindOf(first byte) string {
	switch first {
	case '[':
		return "a list"
	case '"':
		return "text"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

func skipSpace(line []byte, at int) int {
	for at < len(line) && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r' || line[at] == '\n') {
		at++
	}
	return at
}

// valueEnd returns where the value that starts there ends.
func valueEnd(line []byte, at int) int {
	depth := 0
	for ; at < len(line); at++ {
		switch line[at] {
		case '"':
			at = textEnd(line, at)
			if depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return at
			}
		}
	}
	return at
}

// textEnd returns where the closing quote is of the text that starts there.
func textEnd(line []byte, at int) int {
	for at++; line[at] != '"'; at++ {
		if line[at] == '\\' {
			at++
		}
	}
	return at
}

func keyOf(raw []byte) ([]byte, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	text, err := textOf(raw)
	return []byte(text), err
}

// valueOf reads a value: numbers exactly, lists and objects as their compact
// text.
func valueOf(raw []byte) (v ceap.Value, err error) {
	if raw[0] != '"' {
		err = v.UnmarshalJSON(raw)
		return v, err
	}
	text, err := textOf(raw)
	return ceap.String(text), err
}

const replacement = "\uFFFD"

// textOf reads text in quotes. Half of a surrogate pair, which encoding/json
// replaces in silence, is an error.
func textOf(raw []byte) (string, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", err
	}
	if n := strings.Count(text, replacement); n > 0 {
		meant := bytes.Count(raw, []byte(replacement)) + bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`))
		if n > meant {
			return "", errors.New(`it has half of a surrogate pair, such as \ud800`)
		}
	}
	return text, nil
}

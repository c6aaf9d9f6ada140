package tabular

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ceap-platform/ceap"
)

// ScanObject calls visit for each key of the JSON object that data is, in order.
// Keys and values, which [JSONValue] reads, are valid until visit returns. The
// errors are reasons in words.
func ScanObject(data []byte, visit func(key, value []byte) error) error {
	if err := checkJSON(data); err != nil {
		return err
	}
	at := skipSpace(data, 0)
	if data[at] != '{' {
		return fmt.Errorf("it is %s, not an object", kindOf(data[at]))
	}
	for at = skipSpace(data, at+1); data[at] != '}'; {
		end := valueEnd(data, at)
		key, err := keyOf(data[at:end])
		if err != nil {
			return err
		}
		at = skipSpace(data, skipSpace(data, end)+1) // past the colon
		end = valueEnd(data, at)
		if err := visit(key, data[at:end]); err != nil {
			return err
		}
		if at = skipSpace(data, end); data[at] == ',' {
			at = skipSpace(data, at+1)
		}
	}
	return nil
}

// JSONValue reads a value: numbers exactly, lists and objects as their compact
// text.
func JSONValue(raw []byte) (v ceap.Value, err error) {
	if raw[0] != '"' {
		err = v.UnmarshalJSON(raw)
		return v, err
	}
	text, err := textOf(raw)
	return ceap.String(text), err
}

var errNotUTF8 = errors.New("it is not UTF-8")

// checkJSON returns nil if data is one JSON value in UTF-8; the functions below
// rely on it.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errNotUTF8
	}
	if json.Valid(data) {
		return nil
	}
	var ignored json.RawMessage
	err := json.Unmarshal(data, &ignored)
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

func skipSpace(data []byte, at int) int {
	for at < len(data) && (data[at] == ' ' || data[at] == '\t' || data[at] == '\r' || data[at] == '\n') {
		at++
	}
	return at
}

// valueEnd returns where the value that starts there ends.
func valueEnd(data []byte, at int) int {
	depth := 0
	for ; at < len(data); at++ {
		switch data[at] {
		case '"':
			at = textEnd(data, at)
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
func textEnd(data []byte, at int) int {
	for at++; data[at] != '"'; at++ {
		if data[at] == '\\' {
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

// Objects turns JSON objects into rows of the same columns. The zero Objects
// knows no columns; [Objects.Learn] tells it some, before the first row.
type Objects struct {
	names  []string
	index  map[string]int
	given  []int64 // by column, the last row that has it
	count  int64
	Select bool // leave out keys that are no columns; otherwise such a key is a [*NewKeyError]
}

// maxColumns is how many columns there may be; more are values that were taken
// for keys.
const maxColumns = 1000

// NewKeyError says that an object has a key that is no column.
type NewKeyError struct{ Key string }

// Error names the key.
func (e *NewKeyError) Error() string {
	return fmt.Sprintf("the key %q is new, and the columns are known already", shorten(e.Key))
}

// Names returns the columns in the order in which they were learned.
func (o *Objects) Names() []string { return o.names }

// Add makes the names columns, unless they are.
func (o *Objects) Add(names ...string) error {
	if o.index == nil {
		o.index = map[string]int{}
	}
	for _, name := range names {
		if _, known := o.index[name]; known {
			continue
		}
		switch {
		case name == "":
			return errors.New("a key is empty")
		case len(o.names) == maxColumns:
			return fmt.Errorf("%q is key number %d, and %d are possible; are values written as keys?", shorten(name), maxColumns+1, maxColumns)
		}
		o.index[name] = len(o.names)
		o.names = append(o.names, name)
		o.given = append(o.given, 0)
	}
	return nil
}

// Learn makes the keys of an object columns. The errors are reasons in words;
// then no column was added.
func (o *Objects) Learn(object []byte) error {
	var names []string
	err := ScanObject(object, func(key, _ []byte) error {
		if slices.Contains(names, string(key)) {
			return twice(key)
		}
		names = append(names, string(key))
		return nil
	})
	if err != nil {
		return err
	}
	return o.Add(names...)
}

// AppendRow appends the object's values to values, one for each column; those it
// lacks are NULL. The errors are reasons in words or a [*NewKeyError]; what was
// appended means nothing then.
func (o *Objects) AppendRow(values []ceap.Value, object []byte) ([]ceap.Value, error) {
	o.count++
	start := len(values)
	values = slices.Grow(values, len(o.names))[:start+len(o.names)]
	row := values[start:]
	clear(row)
	err := ScanObject(object, func(key, raw []byte) (err error) {
		i, known := o.index[string(key)]
		switch {
		case !known && o.Select:
			return nil
		case !known:
			return &NewKeyError{string(key)}
		case o.given[i] == o.count:
			return twice(key)
		}
		o.given[i] = o.count
		if row[i], err = JSONValue(raw); err != nil {
			return fmt.Errorf("the value of %q: %w", shorten(string(key)), err)
		}
		return nil
	})
	return values, err
}

func twice(key []byte) error {
	return fmt.Errorf("the key %q is given twice", shorten(string(key)))
}

// shorten bounds what a message shows of a key, in bytes.
func shorten(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

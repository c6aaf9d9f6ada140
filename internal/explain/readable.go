package explain

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxReadable is how many bytes of a value people are shown: far more than an id
// has, and no screenful.
const maxReadable = 200

// Readable returns a value from outside in a form that is safe to show: a long
// one is cut, and one with characters that a terminal acts on or that cannot be
// seen, such as line ends, is quoted as in Go. Others stay as they are.
func Readable(value string) string {
	cut := ""
	if len(value) > maxReadable {
		end := maxReadable
		for !utf8.RuneStart(value[end]) {
			end--
		}
		cut = fmt.Sprintf("... (%d bytes)", len(value))
		value = value[:end]
	}
	odd := func(r rune) bool { return !strconv.IsPrint(r) || r == utf8.RuneError }
	if strings.ContainsFunc(value, odd) || strings.TrimSpace(value) != value {
		value = strconv.Quote(value)
	}
	return value + cut
}

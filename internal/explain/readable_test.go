package explain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap/internal/explain"
)

func TestReadable(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                       "",
		"product/PROD-123":       "product/PROD-123",
		`a#b%'"/\`:               `a#b%'"/\`,
		"Müller 😀":               "Müller 😀",
		" lead":                  `" lead"`,
		"trail ":                 `"trail "`,
		"new\nline":              `"new\nline"`,
		"\x1b[31mred":            `"\x1b[31mred"`,
		"\u202ertl":              `"\u202ertl"`,
		"nul\x00":                `"nul\x00"`,
		"latin \xe9":             `"latin \xe9"`,
		strings.Repeat("x", 300): strings.Repeat("x", 200) + "... (300 bytes)",
		strings.Repeat("é", 150): strings.Repeat("é", 100) + "... (300 bytes)",
	} {
		if got := explain.Readable(value); got != want {
			t.Errorf("Readable(%q) = %q, want %q", value, got, want)
		}
	}
}

func TestReadable_IsOneShortLine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		if rapid.Bool().Draw(t, "bytes") {
			value = string(rapid.SliceOf(rapid.Byte()).Draw(t, "value"))
		}
		got := explain.Readable(value)
		if len(got) > 2000 || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\x1b\x00") {
			t.Errorf("Readable(%q) = %q", value, got)
		}
	})
}

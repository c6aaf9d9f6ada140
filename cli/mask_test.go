//go:build cgo

package cli_test

import "regexp"

// masked replaces ids, instants and durations in output.
func masked(text string) string {
	for _, m := range []struct{ pattern, with string }{
		{`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`, "UUID"},
		{`\b2[0-9]{3}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}Z`, "INSTANT"},
		{`took [0-9hms.]+`, "took TIME"},
		{`(open until|expires  +)([0-9]{4}-[0-9]{2}-[0-9]{2})`, "$1 DAY"},
	} {
		text = regexp.MustCompile(m.pattern).ReplaceAllString(text, m.with)
	}
	return text
}

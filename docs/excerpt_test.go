package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPages_Excerpts holds that every block with from=FILE is a piece of that file
// of the module, line by line; a line of ... leaves lines out.
func TestPages_Excerpts(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range pages(t) {
		for i := range p.blocks {
			b := &p.blocks[i]
			if b.attr["from"] == "" {
				continue
			}
			found++
			data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(b.attr["from"])))
			if err != nil {
				t.Fatal(err)
			}
			if line, ok := isExcerpt(strings.Split(strings.Trim(b.body, "\n"), "\n"), strings.Split(string(data), "\n")); !ok {
				t.Errorf("%s:%d: %s has no line %q there", p.name, b.line, b.attr["from"], line)
			}
		}
	}
	if found < 3 {
		t.Errorf("only %d excerpts were found", found)
	}
}

// isExcerpt reports whether the lines stand in the file in this order, next to
// one another but where a line of ... stands between; or the line that does not.
func isExcerpt(lines, file []string) (missing string, ok bool) {
	at, gap := 0, true
	for _, line := range lines {
		if strings.TrimSpace(line) == "..." {
			gap = true
			continue
		}
		skip := slices.Index(file[at:], line)
		if skip < 0 || !gap && skip > 0 {
			return line, false
		}
		at, gap = at+skip+1, false
	}
	return "", true
}

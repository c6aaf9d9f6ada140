// Package docs_test holds the documentation to its word: it runs the commands
// that pages show and compares what they print, loads every program and
// configuration, runs every query, follows every link, and writes the pages of
// docs/reference from the code (go test ./docs -run Reference -update).
//
// A page is one story: its blocks run in order, in one folder.
//
//	```sh            commands for a shell; all must succeed
//	```sh exit=2     the last of them ends with status 2
//	```text          right after commands: what they print. A line of ... stands
//	                 for any lines; ids, times and durations may differ
//	```yaml file=F   a file that the story creates; a ```csv, ```json and ```sql too
//	```json          a program
//	```json in=P     a part of one, put into a program at P; of ceap.yaml for yaml
//	```sql           a query of the sample shop; it must find rows
//	```sql journal   a query of the journal of the story so far, in plain DuckDB
//	```text figure   nothing to run: a drawing, the pattern of a name
package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the module's folder, seen from this one.
const root = ".."

// elsewhere lists pages that have a test of their own.
func elsewhere() []string { return []string{"docs/writing-a-connector.md"} }

// page is a page of the documentation.
type page struct {
	name   string // relative to the module's folder
	text   string
	blocks []block
}

// block is a fenced block.
type block struct {
	line  int // of its first fence
	lang  string
	words []string          // of the fence, after the language
	attr  map[string]string // those of them that are name=value
	body  string
}

func (b *block) has(word string) bool { return slices.Contains(b.words, word) }

// pages returns the hand-written pages: those of the module's folder and of docs.
func pages(t *testing.T) []page {
	t.Helper()
	var out []page
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md", "examples/*.md", "examples/*/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			out = append(out, readPage(t, name))
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d pages were found; the test looks in the wrong place", len(out))
	}
	return out
}

func readPage(t *testing.T, name string) page {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// Rel needs to know where the module's folder is.
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	absolute, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(here, absolute)
	if err != nil {
		t.Fatal(err)
	}
	p := page{name: filepath.ToSlash(relative), text: string(data)}
	p.blocks = blocksOf(t, p.name, p.text)
	return p
}

func blocksOf(t *testing.T, name, text string) []block {
	t.Helper()
	const fence = "```"
	var blocks []block
	var current *block
	for i, line := range strings.Split(text, "\n") {
		switch {
		case !strings.HasPrefix(line, fence):
			if current != nil {
				current.body += line + "\n"
			}
		case current != nil:
			blocks = append(blocks, *current)
			current = nil
		default:
			current = &block{line: i + 1, attr: map[string]string{}}
			words := strings.Fields(strings.TrimPrefix(line, fence))
			if len(words) > 0 {
				current.lang, current.words = words[0], words[1:]
			}
			for _, word := range current.words {
				if key, value, ok := strings.Cut(word, "="); ok {
					current.attr[key] = value
				}
			}
		}
	}
	if current != nil {
		t.Fatalf("%s:%d: the block is not closed", name, current.line)
	}
	return blocks
}

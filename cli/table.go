package cli

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ceap-platform/ceap/internal/explain"
)

// table is text in columns, aligned once all rows are known. Columns of numbers
// are aligned to the right. text/tabwriter aligns all columns one way, and would
// count colour codes as text.
type table struct {
	indent string
	head   []string
	right  map[int]bool
	rows   [][]string
	style  func(row, column int, cell string) string // colours a cell; may be nil
}

// newTable returns a table with these headings; a heading that starts with ">"
// is that of a column of numbers.
func newTable(head ...string) *table {
	t := &table{right: map[int]bool{}}
	for i, h := range head {
		name, right := strings.CutPrefix(h, ">")
		t.head = append(t.head, name)
		t.right[i] = right
	}
	return t
}

// row adds a row. A cell that could break the table takes the form of
// [explain.Readable].
func (t *table) row(cells ...string) {
	for i, cell := range cells {
		if strings.ContainsFunc(cell, unicode.IsControl) {
			cells[i] = explain.Readable(cell)
		}
	}
	t.rows = append(t.rows, cells)
}

// empty reports whether the table has no rows.
func (t *table) empty() bool { return len(t.rows) == 0 }

// write writes headings and rows; without any heading text, rows only.
func (t *table) write(w io.Writer) error {
	rows := t.rows
	first := 0
	if strings.Join(t.head, "") != "" {
		rows = append([][]string{t.head}, rows...)
		first = 1
	}
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			shown := cell
			if t.style != nil && n >= first {
				shown = t.style(n-first, i, cell)
			}
			if t.right[i] {
				line.WriteString(pad + shown)
			} else {
				line.WriteString(shown + pad)
			}
			if i < len(row)-1 {
				line.WriteString("  ")
			}
		}
		b.WriteString(t.indent + strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

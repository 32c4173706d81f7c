package view

import "strings"

// Table is text in columns. Its cells may be foreign text: they are made
// harmless.
type Table struct {
	Head []string
	rows []row
}

type row struct {
	style string
	cells []string
}

// Add adds a row, in a style or none.
func (t *Table) Add(style string, cells ...string) {
	clean := make([]string, len(cells))
	for i, cell := range cells {
		clean[i] = oneLine(cell)
	}
	t.rows = append(t.rows, row{style, clean})
}

// Lines draws the table, head first, in at most so many columns of a terminal;
// 0 means without bound. The last column of the table is cut off first.
func (t *Table) Lines(columns int, paint Paint) []string {
	widths := make([]int, len(t.Head))
	for _, r := range append([]row{{cells: t.Head}}, t.rows...) {
		for i, cell := range r.cells {
			widths[i] = max(widths[i], Width(cell))
		}
	}
	out := make([]string, 0, len(t.rows)+1)
	for i, r := range append([]row{{StyleFaint, t.Head}}, t.rows...) {
		var b strings.Builder
		for j, cell := range r.cells {
			if widths[j] == 0 {
				continue // nothing in it, not even a name
			}
			b.WriteString(pad(cell, widths[j]))
			b.WriteString("  ")
		}
		line := strings.TrimRight(b.String(), " ")
		if columns > 0 {
			line = Clip(line, columns-1)
		}
		if i > 0 && r.style == "" {
			out = append(out, line)
			continue
		}
		out = append(out, paint(r.style, line))
	}
	return out
}

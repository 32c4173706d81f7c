package view

import (
	"strings"

	"github.com/regie-dev/regie/internal/diag"
)

// oneLine makes foreign text harmless and puts it on one line.
func oneLine(text string) string {
	return diag.Visible(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }), " "))
}

// Width is the number of columns that a harmless text takes on a terminal.
func Width(text string) int {
	n := 0
	for _, r := range text {
		n += diag.Columns(r)
	}
	return n
}

// Clip shortens a harmless text to a number of columns; what was cut off shows
// as an ellipsis.
func Clip(text string, columns int) string {
	if Width(text) <= columns {
		return text
	}
	if columns < 1 {
		return ""
	}
	n := 0
	for i, r := range text {
		if n += diag.Columns(r); n > columns-1 {
			return text[:i] + "…"
		}
	}
	return text
}

// pad fills a harmless text up to a number of columns.
func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-Width(text)))
}

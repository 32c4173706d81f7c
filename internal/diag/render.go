package diag

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sizes of excerpts, in characters.
const (
	tabWidth     = 4
	maxExcerpt   = 120 // of a longer line only what surrounds the column is shown
	beforeColumn = 60
)

// Render draws the diagnostic for people: the place and message, the line of
// the source with a caret under the column, and the hint. source is the text of
// the file; without it, or when the line is unknown, there is no excerpt. The
// result ends with a line end. Control characters of the source and of the
// message cannot reach the terminal, see [Visible].
func Render(d Diagnostic, source string, color bool) string {
	paint := painter(color)
	tone := red
	if d.Severity == Warning {
		tone = yellow
	}
	var b strings.Builder
	if place := d.place(); place != "" {
		b.WriteString(paint(bold, place+":") + " ")
	}
	b.WriteString(paint(tone, fmt.Sprintf("%s[%s]:", d.Severity, Visible(d.Code))) + " " + Visible(d.Text()) + "\n")
	if line, ok := lineOf(source, d.Line); ok {
		text, caret := excerpt(line, d.Column, d.Length)
		number := strconv.Itoa(d.Line)
		fmt.Fprintf(&b, "  %s %s\n", paint(faint, number+" |"), text)
		if caret != "" {
			fmt.Fprintf(&b, "  %s %s\n", paint(faint, strings.Repeat(" ", len(number))+" |"), paint(tone, caret))
		}
	}
	if d.Hint != "" {
		b.WriteString("  " + paint(cyan, "hint:") + " " + Visible(d.Hint) + "\n")
	}
	return b.String()
}

// place is file:line:column as far as known.
func (d Diagnostic) place() string {
	place := Visible(d.File)
	if d.Line > 0 {
		place += ":" + strconv.Itoa(d.Line)
		if d.Column > 0 {
			place += ":" + strconv.Itoa(d.Column)
		}
	}
	return strings.TrimPrefix(place, ":")
}

func lineOf(source string, n int) (string, bool) {
	if n < 1 || source == "" {
		return "", false
	}
	for ; n > 1; n-- {
		i := strings.IndexByte(source, '\n')
		if i < 0 {
			return "", false
		}
		source = source[i+1:]
	}
	if i := strings.IndexByte(source, '\n'); i >= 0 {
		source = source[:i]
	}
	return strings.TrimSuffix(source, "\r"), true
}

// excerpt returns the line as it is shown, and the line of carets below it,
// empty when the column is unknown.
func excerpt(line string, column, length int) (text, caret string) {
	runes := []rune(line)
	column = min(column, len(runes)+1)
	from, to := 0, len(runes)
	if to > maxExcerpt {
		from = max(0, min(column-1-beforeColumn, to-maxExcerpt))
		to = from + maxExcerpt
	}
	var b strings.Builder
	if from > 0 {
		b.WriteString("…")
	}
	start, end := -1, -1 // display columns of the carets
	width := utf8.RuneCountInString(b.String())
	for i := from; i <= to; i++ {
		if i == column-1 {
			start = width
		}
		if i == column-1+max(length, 1) {
			end = width
		}
		if i < to {
			shown, w := display(runes[i])
			b.WriteString(shown)
			width += w
		}
	}
	if to < len(runes) {
		b.WriteString("…")
	}
	if start < 0 {
		return b.String(), ""
	}
	if end < 0 {
		end = width
	}
	return b.String(), strings.Repeat(" ", start) + strings.Repeat("^", max(1, end-start))
}

// display returns how a character of a source line is shown, and the columns
// that this takes on a terminal.
func display(r rune) (string, int) {
	switch {
	case r == '\t':
		return strings.Repeat(" ", tabWidth), tabWidth
	case hidden(r):
		s := escape(r)
		return s, len(s)
	}
	return string(r), Columns(r)
}

// Columns is the number of columns that a character takes on a terminal: none
// if it combines with the one before, two if it is wide, else one.
func Columns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case wide(r):
		return 2
	}
	return 1
}

// Visible replaces characters that could steer a terminal or deceive a reader
// (control characters, line ends, direction marks, invalid UTF-8) by escapes
// such as \x1b and \u202e, so that foreign text can be printed in one line.
func Visible(s string) string {
	if strings.IndexFunc(s, hidden) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hidden(r):
			b.WriteString(escape(r))
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// hidden reports whether r has no form of its own: controls, formats such as
// direction marks, separators of lines and paragraphs.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

func escape(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// wideRanges are the blocks whose characters take two columns on terminals
// (East Asian wide and fullwidth forms, and emoji).
var wideRanges = [...][2]rune{
	{0x1100, 0x115f}, {0x231a, 0x231b}, {0x2e80, 0x303e}, {0x3041, 0x4dbf}, {0x4e00, 0xa4cf}, {0xa960, 0xa97c},
	{0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff01, 0xff60}, {0xffe0, 0xffe6},
	{0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
}

func wide(r rune) bool {
	for _, block := range wideRanges {
		if r >= block[0] && r <= block[1] {
			return true
		}
	}
	return false
}

// The styles of terminals (SGR numbers).
const (
	bold   = "1"
	faint  = "2"
	red    = "1;31"
	yellow = "1;33"
	cyan   = "36"
)

func painter(color bool) func(style, s string) string {
	if !color {
		return func(_, s string) string { return s }
	}
	return func(style, s string) string { return "\x1b[" + style + "m" + s + "\x1b[0m" }
}

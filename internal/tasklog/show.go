package tasklog

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/executor"
)

// maxSGR is the most bytes of an escape for colour; longer ones are shown.
const maxSGR = 64

// Sanitize makes one line of foreign text safe for a terminal. Tabs stay. With
// colour, escapes that set colour and weight (SGR) stay too, and the line ends
// with a reset if it had any; without, they are taken away. Every other control
// character, character that changes the direction or is invisible, and byte
// that is not UTF-8 is shown as \x1b, \r, \u202e or the like. Joiners that
// scripts and emoji need stay.
func Sanitize(text string, colour bool) string {
	if clean(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 16)
	coloured := false
	for i := 0; i < len(text); {
		if n := sgr(text[i:]); n > 0 {
			if colour {
				b.WriteString(text[i : i+n])
				coloured = true
			}
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case !hidden(r):
			b.WriteString(text[i : i+n])
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\n':
			b.WriteString(`\n`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += n
	}
	if coloured {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// clean reports whether text is plain ASCII, as most lines are.
func clean(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < 0x20 && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// hidden reports whether a character is shown by its number.
func hidden(r rune) bool {
	const joiner, nonJoiner = '\u200d', '\u200c'
	if r == '\t' || r == joiner || r == nonJoiner {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// sgr returns the length of the escape for colour that text begins with, 0 if
// there is none. One that hides text is none.
func sgr(text string) int {
	rest, ok := strings.CutPrefix(text, "\x1b[")
	if !ok {
		return 0
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != ';' && r != ':' })
	if end < 0 || rest[end] != 'm' || end+3 > maxSGR || conceals(strings.Split(rest[:end], ";")) {
		return 0
	}
	return end + 3
}

// conceals reports whether 8, conceal, is among the parameters, and not part of
// a colour such as 38;5;8.
func conceals(parameters []string) bool {
	for i := 0; i < len(parameters); i++ {
		switch strings.TrimLeft(parameters[i], "0") {
		case "8":
			return true
		case "38", "48", "58":
			if i+1 < len(parameters) {
				switch strings.TrimLeft(parameters[i+1], "0") {
				case "5":
					i += 2
				case "2":
					i += 4
				}
			}
		}
	}
	return false
}

// Style says how lines are shown. Every line gets a mark that no task can make
// itself: "|" for stdout, "!" for stderr, "=" for what Regie says.
type Style struct {
	// Prefix stands before the mark, such as the path of the step. It must be
	// safe for the terminal.
	Prefix string
	// Colour lets a task's colours through.
	Colour bool
	// Zone, if not nil, has lines begin with their time in it.
	Zone *time.Location
}

// Append appends the line as it is shown, with a line break.
func (s Style) Append(b []byte, l Line) []byte {
	if s.Zone != nil {
		b = l.At.In(s.Zone).AppendFormat(b, "2006-01-02T15:04:05.000Z07:00 ")
	}
	if s.Prefix != "" {
		b = append(append(b, s.Prefix...), ' ')
	}
	switch l.Stream {
	case executor.Stdout:
		b = append(b, '|')
	case executor.Stderr:
		b = append(b, '!')
	default:
		b = append(b, '=')
	}
	if l.Text != "" {
		b = append(append(b, ' '), Sanitize(l.Text, s.Colour)...)
	}
	return append(b, '\n')
}

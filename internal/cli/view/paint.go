package view

// The styles of text on a terminal (SGR numbers).
const (
	StyleBold    = "1"
	StyleFaint   = "2"
	StyleError   = "1;31"
	StyleBad     = "31"
	StyleGood    = "32"
	StyleWarning = "33"
	StyleBusy    = "36"
	StyleHint    = "36"
)

// Paint wraps text in a style. Without a style, or without text, nothing
// happens.
type Paint func(style, text string) string

// Painter returns a Paint that uses colours, or one that leaves all text as it
// is.
func Painter(color bool) Paint {
	return func(style, text string) string {
		if !color || style == "" || text == "" {
			return text
		}
		return "\x1b[" + style + "m" + text + "\x1b[0m"
	}
}

package filter

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// Wildcards among the characters of a glob.
const (
	anyText rune = -1
	anyChar rune = -2
)

// Glob is a pattern for texts: * stands for any characters, ? for one. The zero
// Glob matches the empty text. Matching takes time proportional to the lengths
// of both, at worst to their product.
type Glob struct {
	chars []rune // with wildcards
}

// ParseGlob reads a pattern of at most [MaxValue] bytes, in which a backslash
// makes * ? and \ stand for themselves.
func ParseGlob(text string) (Glob, error) {
	if len(text) > MaxValue {
		return Glob{}, errors.New("the pattern is too long")
	}
	if !utf8.ValidString(text) {
		return Glob{}, errors.New("the pattern is not UTF-8")
	}
	g, err := parseGlob(text)
	return g.simple(), err
}

func parseGlob(text string) (Glob, error) {
	var g Glob
	escaped := false
	for _, r := range text {
		switch {
		case escaped && !strings.ContainsRune(`*?\`, r):
			return Glob{}, errors.New(`after a backslash comes *, ? or \`)
		case escaped:
			g.chars, escaped = append(g.chars, r), false
		case r == '\\':
			escaped = true
		case r == '*':
			g.chars = append(g.chars, anyText)
		case r == '?':
			g.chars = append(g.chars, anyChar)
		default:
			g.chars = append(g.chars, r)
		}
	}
	if escaped {
		return Glob{}, errors.New(`after a backslash comes *, ? or \`)
	}
	return g, nil
}

func literal(text string) Glob { return Glob{[]rune(text)} }

// simple joins stars that follow each other.
func (g Glob) simple() Glob {
	g.chars = slices.CompactFunc(slices.Clone(g.chars), func(a, b rune) bool { return a == anyText && b == anyText })
	return g
}

// size is the length in bytes, without backslashes.
func (g Glob) size() int {
	n := 0
	for _, r := range g.chars {
		n += max(1, utf8.RuneLen(r))
	}
	return n
}

// Literal returns the one text that the pattern matches, if it has no wildcard.
func (g Glob) Literal() (string, bool) {
	for _, r := range g.chars {
		if r < 0 {
			return "", false
		}
	}
	return string(g.chars), true
}

// String writes the pattern as ParseGlob reads it.
func (g Glob) String() string { return g.escaped(`*?\`) }

// escaped writes the pattern, with a backslash before some characters.
func (g Glob) escaped(which string) string {
	var b strings.Builder
	for _, r := range g.chars {
		switch {
		case r == anyText:
			b.WriteByte('*')
		case r == anyChar:
			b.WriteByte('?')
		case strings.ContainsRune(which, r):
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Match reports whether the whole text is as the pattern says.
func (g Glob) Match(text string) bool {
	at, i := 0, 0          // in the pattern, in the text
	star, resume := -1, -1 // the last star, and where the text goes on after it
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case at < len(g.chars) && g.chars[at] == anyText:
			star, resume = at, i
			at++
		case at < len(g.chars) && (g.chars[at] == anyChar || g.chars[at] == r):
			at++
			i += size
		case star >= 0: // the star takes one character more
			_, size = utf8.DecodeRuneInString(text[resume:])
			resume += size
			at, i = star+1, resume
		default:
			return false
		}
	}
	for at < len(g.chars) && g.chars[at] == anyText {
		at++
	}
	return at == len(g.chars)
}

// folderSegments cuts a folder into its parts: /a/b/ into a and b.
func folderSegments(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// folderGlob is the pattern of a folder, without the slash at its begin.
type folderGlob []Glob

func (g Glob) folder() folderGlob {
	out := folderGlob{} // of the root it stays empty
	rest := g.chars
	for {
		i := slices.Index(rest, '/')
		if i < 0 {
			return append(out, Glob{rest})
		}
		if i > 0 {
			out = append(out, Glob{rest[:i]})
		}
		rest = rest[i+1:]
		if len(rest) == 0 {
			return out
		}
	}
}

// deep reports whether the part stands for any number of folders.
func (g Glob) deep() bool {
	return len(g.chars) == 2 && g.chars[0] == anyText && g.chars[1] == anyText
}

func (p folderGlob) match(path []string) bool {
	at, i := 0, 0
	star, resume := -1, -1
	for i < len(path) {
		switch {
		case at < len(p) && p[at].deep():
			star, resume = at, i
			at++
		case at < len(p) && p[at].Match(path[i]):
			at++
			i++
		case star >= 0:
			resume++
			at, i = star+1, resume
		default:
			return false
		}
	}
	for at < len(p) && p[at].deep() {
		at++
	}
	return at == len(p)
}

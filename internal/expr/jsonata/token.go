package jsonata

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/expr"
)

// tokenKind is the kind of a token.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenOperator
	tokenName
	tokenVariable
	tokenString
	tokenNumber
	tokenValue // true, false, null
	tokenRegex
)

// token is one lexical unit. For operators text is the operator.
type token struct {
	kind  tokenKind
	text  string
	value any // of strings, numbers, literals and regular expressions
	pos   int // bytes into the source
}

// lexer cuts a source into tokens.
type lexer struct {
	src string
	pos int
}

const space = " \t\n\r\v"

var doubles = []string{"..", ":=", "!=", ">=", "<=", "**", "~>"}

const singles = `.[]{}(),@#;:?+-*/%|=<>^&!~`

// next reads a token; operand says that an operand stands before it, so that a
// slash divides instead of beginning a regular expression.
func (l *lexer) next(operand bool) token {
	l.skip()
	start := l.pos
	if start >= len(l.src) {
		return token{kind: tokenEnd, pos: start}
	}
	rest, c := l.src[start:], l.src[start]
	if c == '/' && !operand {
		return l.regex()
	}
	for _, op := range doubles {
		if strings.HasPrefix(rest, op) {
			l.pos += len(op)
			return token{kind: tokenOperator, text: op, pos: start}
		}
	}
	switch {
	case strings.IndexByte(singles, c) >= 0:
		l.pos++
		return token{kind: tokenOperator, text: rest[:1], pos: start}
	case c == '"' || c == '\'':
		return token{kind: tokenString, value: l.quoted(c), pos: start}
	case c == '`':
		end := strings.IndexByte(rest[1:], '`')
		if end < 0 {
			l.pos = len(l.src)
			panic(newFault("S0105", start))
		}
		l.pos += end + 2
		return token{kind: tokenName, text: rest[1 : end+1], pos: start}
	case c >= '0' && c <= '9':
		return l.number()
	}
	return l.name()
}

func (l *lexer) skip() {
	for l.pos < len(l.src) {
		switch {
		case strings.IndexByte(space, l.src[l.pos]) >= 0:
			l.pos++
		case strings.HasPrefix(l.src[l.pos:], "/*"):
			end := strings.Index(l.src[l.pos+2:], "*/")
			if end < 0 {
				panic(newFault("S0106", l.pos))
			}
			l.pos += end + 4
		default:
			return
		}
	}
}

// quoted reads the string that begins at the current place.
func (l *lexer) quoted(mark byte) string {
	start := l.pos
	var out strings.Builder
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; c {
		case mark:
			l.pos++
			return out.String()
		case '\\':
			l.pos++
			if l.pos >= len(l.src) {
				panic(newFault("S0101", start))
			}
			l.escape(&out)
		default:
			out.WriteByte(c)
		}
	}
	panic(newFault("S0101", start))
}

const (
	escapes  = `"\/bfnrt`
	escaped  = "\"\\/\b\f\n\r\t"
	hexDigit = 4 // of a Unicode escape
)

// escape reads what stands behind a backslash, and leaves the place at its
// last byte.
func (l *lexer) escape(out *strings.Builder) {
	c := l.src[l.pos]
	if i := strings.IndexByte(escapes, c); i >= 0 {
		out.WriteByte(escaped[i])
		return
	}
	if c != 'u' {
		panic(newFault("S0103", l.pos, string(c)))
	}
	r, ok := l.unit(l.pos + 1)
	if !ok {
		panic(newFault("S0104", l.pos))
	}
	l.pos += hexDigit
	if utf16.IsSurrogate(r) {
		if low, ok := l.unit(l.pos + 3); ok && strings.HasPrefix(l.src[l.pos+1:], `\u`) {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				l.pos += 2 + hexDigit
				out.WriteRune(both)
				return
			}
		}
		// Half of a pair has no UTF-8; these bytes mark it within an evaluation.
		out.Write([]byte{0xED, byte(0x80 | (r>>6)&0x3F), byte(0x80 | r&0x3F)})
		return
	}
	out.WriteRune(r)
}

func (l *lexer) unit(at int) (rune, bool) {
	if at+hexDigit > len(l.src) {
		return 0, false
	}
	n, err := strconv.ParseUint(l.src[at:at+hexDigit], 16, 32)
	return rune(n), err == nil
}

var numberShape = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[Ee][-+]?[0-9]+)?`)

func (l *lexer) number() token {
	start := l.pos
	text := numberShape.FindString(l.src[start:])
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) {
		panic(newFault("S0102", start, text))
	}
	l.pos += len(text)
	return token{kind: tokenNumber, value: n, pos: start}
}

func (l *lexer) name() token {
	start := l.pos
	for l.pos < len(l.src) && strings.IndexByte(space, l.src[l.pos]) < 0 && strings.IndexByte(singles, l.src[l.pos]) < 0 {
		l.pos++
	}
	text := l.src[start:l.pos]
	switch text {
	case "or", "in", "and":
		return token{kind: tokenOperator, text: text, pos: start}
	case "true":
		return token{kind: tokenValue, value: true, pos: start}
	case "false":
		return token{kind: tokenValue, value: false, pos: start}
	case "null":
		return token{kind: tokenValue, value: null{}, pos: start}
	}
	if text[0] == '$' {
		return token{kind: tokenVariable, text: text[1:], pos: start}
	}
	return token{kind: tokenName, text: text, pos: start}
}

// regex reads a regular expression with its flags.
func (l *lexer) regex() token {
	start, depth := l.pos, 0
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '\\':
			l.pos++
		case c == '/' && depth == 0:
			return l.flags(start, l.src[start+1:l.pos])
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth--
		}
	}
	panic(newFault("S0302", start))
}

func (l *lexer) flags(start int, pattern string) token {
	if pattern == "" {
		panic(newFault("S0301", start))
	}
	l.pos++
	flags := ""
	for l.pos < len(l.src) && (l.src[l.pos] == 'i' || l.src[l.pos] == 'm') {
		if !strings.Contains(flags, l.src[l.pos:l.pos+1]) {
			flags += l.src[l.pos : l.pos+1]
		}
		l.pos++
	}
	source := pattern
	if flags != "" {
		source = "(?" + flags + ")" + pattern
	}
	re, err := expr.CompileRegexp(source)
	if err != nil {
		panic(newFault("S0303", start, strings.TrimPrefix(err.Error(), "error parsing regexp: ")))
	}
	return token{kind: tokenRegex, value: &regex{re: re, pattern: pattern}, pos: start}
}

package jsonpath

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// place is where in a text a path stands. It decides where a name after a dot
// ends.
type place uint8

const (
	alone      place = iota // the whole text
	asArgument              // of a function
	inFilter
)

// stops are the characters that end a name after a dot, beside blanks.
var stops = [...]string{
	alone:      ".[()]",
	asArgument: ".[()],",
	inFilter:   ".[()],]=!<>&|~",
}

// maxVariable is the longest name of a variable, in characters.
const maxVariable = 80

type parser struct {
	src   string
	pos   int
	depth int
}

// failf ends the parsing with a problem at a place.
func (p *parser) failf(pos int, format string, args ...any) {
	panic(&fault{code: expr.CodeSyntax, message: fmt.Sprintf(format, args...), pos: pos})
}

func (p *parser) enter() {
	p.depth++
	if p.depth > expr.MaxDepth {
		panic(&fault{code: expr.CodeLimit, message: fmt.Sprintf("the expression is nested deeper than %d", expr.MaxDepth), pos: p.pos})
	}
}

func (p *parser) leave() { p.depth-- }

// peek is the next byte, 0 at the end. A NUL in the text is refused wherever
// it would be taken for the end.
func (p *parser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *parser) has(prefix string) bool { return strings.HasPrefix(p.src[p.pos:], prefix) }

// take skips a prefix if it is there.
func (p *parser) take(prefix string) bool {
	if p.has(prefix) {
		p.pos += len(prefix)
		return true
	}
	return false
}

func (p *parser) blanks() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

// expect takes what must come now.
func (p *parser) expect(text, after string) {
	p.blanks()
	if !p.take(text) {
		p.failf(p.pos, "%q is expected %s, and this is %s", text, after, p.here())
	}
}

// here is the next character in a message.
func (p *parser) here() string {
	if p.pos >= len(p.src) {
		return "the end"
	}
	_, size := utf8.DecodeRuneInString(p.src[p.pos:])
	return strconv.Quote(p.src[p.pos : p.pos+size])
}

// path parses a path that begins here with $ or @.
func (p *parser) path(where place) *path {
	p.enter()
	defer p.leave()
	out := &path{pos: p.pos, root: Input}
	switch {
	case p.take("$$"):
		out.root = Context
	case p.take("$"):
		if name := p.variable(); name != "" {
			out.root, out.variable = Variable, name
		}
	case where == inFilter && p.take("@"):
		out.root = item
	default:
		p.failf(p.pos, "a path begins with $, and this is %s", p.here())
	}
	for p.pos < len(p.src) {
		switch p.peek() {
		case '.':
			out.steps = append(out.steps, p.dot(where))
		case '[':
			pos := p.pos
			out.steps = append(out.steps, p.bracket(pos, false))
		default:
			return p.finish(out)
		}
	}
	return p.finish(out)
}

// finish ends a path here. Several names must be its end.
func (p *parser) finish(out *path) *path {
	for i := range out.steps {
		if s := &out.steps[i]; s.kind == stepNames && i+1 < len(out.steps) {
			p.failf(s.pos, "several names can only end a path")
		}
	}
	out.text = p.src[out.pos:p.pos]
	out.close()
	return out
}

// variable reads the name of a workflow variable, which may be empty.
func (p *parser) variable() string {
	start := p.pos
	for p.pos < len(p.src) {
		r, size := utf8.DecodeRuneInString(p.src[p.pos:])
		first := p.pos == start
		if r != '_' && !unicode.IsLetter(r) && (first || !unicode.IsDigit(r) && !unicode.In(r, unicode.Mn, unicode.Mc, unicode.Pc)) {
			break
		}
		p.pos += size
	}
	name := p.src[start:p.pos]
	if utf8.RuneCountInString(name) > maxVariable {
		p.failf(start, "the name of a variable has at most %d characters", maxVariable)
	}
	return name
}

// dot parses a step that begins with one dot or two.
func (p *parser) dot(where place) step {
	pos := p.pos
	p.pos++
	scan := p.take(".")
	if p.peek() == '[' {
		if !scan {
			p.failf(p.pos, "a name or * is expected after the dot; leave the dot out before [")
		}
		return p.bracket(pos, true)
	}
	if p.take("*") {
		return step{kind: stepWildcard, scan: scan, pos: pos}
	}
	start := p.pos
	for p.pos < len(p.src) {
		r, size := utf8.DecodeRuneInString(p.src[p.pos:])
		if strings.ContainsRune(stops[where], r) || unicode.IsSpace(r) || r < ' ' {
			break
		}
		p.pos += size
	}
	name := p.src[start:p.pos]
	if name == "" {
		p.failf(p.pos, "a name is expected after the dot, and this is %s", p.here())
	}
	if p.peek() == '(' {
		if scan {
			p.failf(pos, "a function cannot follow '..'")
		}
		return p.function(pos, start, name)
	}
	return step{kind: stepName, scan: scan, pos: pos, names: []string{name}}
}

// bracket parses a step that begins with [ and whose text begins at pos.
func (p *parser) bracket(pos int, scan bool) step {
	p.pos++
	p.blanks()
	var s step
	switch c := p.peek(); {
	case c == '*':
		p.pos++
		s = step{kind: stepWildcard}
	case c == '\'' || c == '"':
		s = p.quotedNames()
	case c == '?':
		p.pos++
		s = step{kind: stepFilter, filter: p.filter()}
	case c == '-' || c == ':' || c >= '0' && c <= '9':
		s = p.indexes()
	default:
		p.failf(p.pos, "an index, a name in quotes, * or ?( is expected after [, and this is %s", p.here())
	}
	p.expect("]", "to close the bracket")
	s.scan, s.pos = scan, pos
	return s
}

func (p *parser) quotedNames() step {
	var names []string
	for {
		names = append(names, p.quotedName())
		p.blanks()
		if !p.take(",") {
			break
		}
		p.blanks()
		if c := p.peek(); c != '\'' && c != '"' {
			p.failf(p.pos, "a name in quotes is expected after the comma, and this is %s", p.here())
		}
	}
	if len(names) == 1 {
		return step{kind: stepName, names: names}
	}
	return step{kind: stepNames, names: names}
}

// quotedName reads a name in quotes. A backslash quotes the quote mark and
// itself; before anything else it is part of the name.
func (p *parser) quotedName() string {
	start, mark := p.pos, p.peek()
	var b strings.Builder
	for p.pos++; p.pos < len(p.src); p.pos++ {
		c := p.src[p.pos]
		switch {
		case c == mark:
			p.pos++
			return b.String()
		case c == '\\' && p.pos+1 < len(p.src) && (p.src[p.pos+1] == mark || p.src[p.pos+1] == '\\'):
			p.pos++
			b.WriteByte(p.src[p.pos])
		default:
			b.WriteByte(c)
		}
	}
	p.failf(start, "the name that begins here does not end")
	return ""
}

// indexes parses an index, several, or a slice.
func (p *parser) indexes() step {
	s := step{kind: stepIndexes}
	first, ok := p.integer()
	if p.blanks(); p.take(":") {
		p.blanks()
		s.kind, s.open[0] = stepSlice, !ok
		last, ok := p.integer()
		s.indexes, s.open[1] = []int{first, last}, !ok
		if p.blanks(); p.peek() == ':' {
			p.failf(p.pos, "a slice has no step here: it is [first:end]")
		}
		return s
	}
	if !ok {
		p.failf(p.pos, "an index is expected, and this is %s", p.here())
	}
	s.indexes = []int{first}
	for p.take(",") {
		p.blanks()
		next, ok := p.integer()
		if !ok {
			p.failf(p.pos, "an index is expected after the comma, and this is %s", p.here())
		}
		s.indexes = append(s.indexes, next)
		p.blanks()
	}
	if len(s.indexes) == 1 {
		s.kind = stepIndex
	}
	return s
}

// integer reads an index; ok is false if there is none.
func (p *parser) integer() (n int, ok bool) {
	start := p.pos
	p.take("-")
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
	}
	text := p.src[start:p.pos]
	if text == "" {
		return 0, false
	}
	v, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		p.failf(start, "%s is not an index", text)
	}
	return int(v), true
}

// number reads a JSON number.
func (p *parser) number() value.Value {
	start := p.pos
	for p.pos < len(p.src) && strings.IndexByte("+-.0123456789eE", p.src[p.pos]) >= 0 {
		p.pos++
	}
	v, err := value.Parse([]byte(p.src[start:p.pos]))
	if err != nil {
		p.failf(start, "%s is not a number", p.src[start:p.pos])
	}
	return v
}

// word reads true, false or null.
func (p *parser) word() (value.Value, bool) {
	for _, w := range []struct {
		text string
		v    value.Value
	}{{"true", value.True}, {"false", value.False}, {"null", value.Null}} {
		if p.has(w.text) && !continues(p.src[p.pos+len(w.text):]) {
			p.pos += len(w.text)
			return w.v, true
		}
	}
	return value.Undefined, false
}

// continues reports whether a text goes on with a letter or digit.
func continues(rest string) bool {
	r, _ := utf8.DecodeRuneInString(rest)
	return rest != "" && (r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r))
}

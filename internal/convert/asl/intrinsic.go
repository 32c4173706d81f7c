package asl

import (
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// callParser converts a call of an intrinsic function.
type callParser struct {
	*emitter
	sc  scope
	src string
	pos int
	why string // what cannot be converted
}

func (p *callParser) fail(why string) data {
	if p.why == "" {
		p.why = why
	}
	return data{}
}

func (p *callParser) blanks() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

// call reads States.Name(arguments).
func (p *callParser) call() data {
	end := strings.IndexByte(p.src[p.pos:], '(')
	if end < 0 {
		return p.fail("it is not understood")
	}
	name := strings.TrimPrefix(p.src[p.pos:p.pos+end], "States.")
	p.pos += end + 1
	var args []data
	for p.blanks(); p.why == ""; {
		if p.pos >= len(p.src) {
			return p.fail("it is not understood")
		}
		if p.src[p.pos] == ')' {
			p.pos++
			break
		}
		if p.src[p.pos] == ',' {
			p.pos++
		}
		p.blanks()
		args = append(args, p.argument())
		p.blanks()
	}
	if p.why != "" {
		return data{}
	}
	for _, a := range args {
		if a.some(func(part data) bool { return part.kind == overlay }) {
			return p.fail("it takes data that is put together; keep that in a variable first")
		}
	}
	return p.function(name, args)
}

// argument reads a text, number, word, path or call.
func (p *callParser) argument() data {
	rest := p.src[p.pos:]
	switch {
	case rest == "":
		return p.fail("it is not understood")
	case rest[0] == '\'':
		var b strings.Builder
		for p.pos++; p.pos < len(p.src) && p.src[p.pos] != '\''; p.pos++ {
			if p.src[p.pos] == '\\' && p.pos+1 < len(p.src) {
				p.pos++
				if c := p.src[p.pos]; c == '{' || c == '}' { // they stay escaped for States.Format
					b.WriteByte('\\')
				}
			}
			b.WriteByte(p.src[p.pos])
		}
		p.pos++
		return fixedText(b.String())
	case strings.HasPrefix(rest, "States."):
		return p.call()
	}
	end := argumentEnd(rest)
	word := strings.TrimSpace(rest[:end])
	p.pos += end
	if strings.HasPrefix(word, "$") {
		d, why := p.read(p.sc, word)
		if why != "" {
			return p.fail(why)
		}
		return d
	}
	v, err := value.Parse([]byte(word))
	if err != nil {
		return p.fail("it is not understood")
	}
	return fixed(v)
}

// argumentEnd is where an argument that is no text ends.
func argumentEnd(s string) int {
	depth := 0
	quoted := byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quoted != 0:
			if c == quoted {
				quoted = 0
			}
		case c == '\'' || c == '"':
			quoted = c
		case c == '[' || c == '(':
			depth++
		case c == ']':
			depth--
		case c == ')' && depth > 0:
			depth--
		case (c == ',' || c == ')') && depth == 0:
			return i
		}
	}
	return len(s)
}

// function is a call with its arguments.
func (p *callParser) function(name string, args []data) data {
	src := make([]string, len(args))
	moving := false
	for i, a := range args {
		src[i] = p.operand(a)
		moving = moving || a.some(func(d data) bool { return d.moving })
	}
	var out data
	var ok bool
	switch {
	case name == "Format" && len(args) > 0:
		return p.format(args)
	case name == "Array":
		return simple(data{kind: list, items: args})
	case len(args) == 1:
		out, ok = unary(name, src[0])
	case len(args) == 2:
		out, ok = p.binary(name, src, args)
	}
	if !ok {
		return p.fail("States." + name + " has no counterpart")
	}
	out.moving = moving
	return out
}

func unary(name, x string) (d data, ok bool) {
	switch name {
	case "StringToJson":
		return cel("json.parse(" + x + ")"), true
	case "JsonToString":
		return cel("json.encode(" + x + ")"), true
	case "ArrayLength":
		return cel("size(" + x + ")"), true
	case "ArrayUnique":
		return cel("dyn(" + x + ").distinct()"), true
	case "Base64Encode":
		return cel("base64.encode(bytes(" + x + "))"), true
	case "Base64Decode":
		return cel("string(base64.decode(" + x + "))"), true
	}
	return d, false
}

func (p *callParser) binary(name string, x []string, args []data) (d data, ok bool) {
	switch name {
	case "ArrayContains":
		return operation("dyn(" + x[1] + ") in dyn(" + x[0] + ")"), true
	case "ArrayGetItem":
		return cel("dyn(" + x[0] + ")[" + p.source(args[1]) + "]"), true
	case "MathAdd":
		return operation(x[0] + " + " + x[1]), true
	case "StringSplit":
		if s, isText := args[1].value.Str(); args[1].kind == constant && isText && len([]rune(s)) == 1 {
			return cel(x[0] + ".split(" + x[1] + `).filter(x, x != "")`), true
		}
	}
	return d, false
}

// format is States.Format: a text with places.
func (p *callParser) format(args []data) data {
	pattern, ok := args[0].value.Str()
	if args[0].kind != constant || !ok {
		return p.fail("States.Format with a pattern that is computed has no counterpart")
	}
	d := data{kind: text}
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			d.items = append(d.items, fixedText(literal.String()))
			literal.Reset()
		}
	}
	rest := args[1:]
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
			literal.WriteByte(pattern[i])
		case strings.HasPrefix(pattern[i:], "{}") && len(rest) > 0:
			flush()
			d.items = append(d.items, rest[0])
			rest = rest[1:]
			i++
		default:
			literal.WriteByte(pattern[i])
		}
	}
	flush()
	if len(rest) > 0 || strings.Contains(pattern, "{}") && len(args) == 1 {
		return p.fail("its arguments do not fit its pattern")
	}
	for _, item := range d.items {
		if item.kind == object || item.kind == list || item.kind == constant && !isScalarText(item.value) {
			return p.fail("a value in its text is no text or number")
		}
	}
	if len(d.items) == 0 {
		return fixedText("")
	}
	if len(d.items) == 1 && d.items[0].kind == constant {
		return d.items[0]
	}
	return d
}

func isScalarText(v value.Value) bool {
	return v.Kind() == value.KindString || v.Kind() == value.KindInt
}

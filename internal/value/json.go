package value

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of [Parse]; deeper or longer documents are refused.
const (
	MaxDepth        = 512
	MaxNumberDigits = 1000 // characters of one number
)

// SyntaxError says what is wrong in a JSON text, and where.
type SyntaxError struct {
	Offset int // bytes before the fault
	Line   int // from 1
	Column int // in bytes, from 1
	Msg    string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// Parse reads one JSON text (RFC 8259), strictly: duplicate keys, a byte order
// mark, text after the value, invalid UTF-8, lone surrogates, NUL characters,
// numbers beyond float64 and nesting beyond [MaxDepth] are errors. Integers
// keep every digit, objects their order. Errors are *[SyntaxError].
func Parse(text []byte) (Value, error) { return parse(text, false) }

func parse(text []byte, nul bool) (Value, error) {
	p := parser{text: text, nul: nul}
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		return Undefined, p.fail("byte order mark; save the file as UTF-8 without one")
	}
	if !utf8.Valid(text) {
		for p.at < len(text) {
			r, n := utf8.DecodeRune(text[p.at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			p.at += n
		}
		return Undefined, p.fail("invalid UTF-8")
	}
	v, err := p.value(0)
	if err != nil {
		return Undefined, err
	}
	p.space()
	if p.at < len(p.text) {
		return Undefined, p.fail("text after the end of the value")
	}
	return v, nil
}

// MustParse is [Parse] for literals in tests and examples; it panics on error.
func MustParse(text string) Value {
	v, err := Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	return v
}

type parser struct {
	text []byte
	nul  bool // NUL characters are taken
	at   int
}

func (p *parser) fail(format string, args ...any) error {
	before := p.text[:min(p.at, len(p.text))]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
	return &SyntaxError{Offset: p.at, Line: line, Column: column, Msg: fmt.Sprintf(format, args...)}
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) (Value, error) {
	if depth > MaxDepth {
		return Undefined, p.fail("nested deeper than %d levels", MaxDepth)
	}
	p.space()
	if p.at >= len(p.text) {
		return Undefined, p.fail("unexpected end of JSON")
	}
	switch c := p.text[p.at]; {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.list(depth)
	case c == '"':
		s, err := p.str()
		return String(s), err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case bytes.HasPrefix(p.text[p.at:], []byte("true")):
		p.at += 4
		return True, nil
	case bytes.HasPrefix(p.text[p.at:], []byte("false")):
		p.at += 5
		return False, nil
	case bytes.HasPrefix(p.text[p.at:], []byte("null")):
		p.at += 4
		return Null, nil
	}
	r, _ := utf8.DecodeRune(p.text[p.at:])
	return Undefined, p.fail("unexpected character %q", r)
}

func (p *parser) object(depth int) (Value, error) {
	p.at++
	o := &object{}
	for first := true; ; first = false {
		p.space()
		if p.at < len(p.text) && p.text[p.at] == '}' && first {
			p.at++
			return o.value(), nil
		}
		if p.at >= len(p.text) || p.text[p.at] != '"' {
			return Undefined, p.fail("expected a key in quotes")
		}
		start := p.at
		key, err := p.str()
		if err != nil {
			return Undefined, err
		}
		if o.find(key) >= 0 {
			p.at = start
			return Undefined, p.fail("duplicate key %q", key)
		}
		p.space()
		if p.at >= len(p.text) || p.text[p.at] != ':' {
			return Undefined, p.fail("expected ':' after the key %q", key)
		}
		p.at++
		v, err := p.value(depth + 1)
		if err != nil {
			return Undefined, err
		}
		o.put(Member{key, v})
		end, err := p.more('}')
		if err != nil {
			return Undefined, err
		}
		if end && p.nul && len(o.members) == 1 && strings.HasPrefix(key, "\x00") {
			if v, err = readStored(key, v); err != nil {
				return Undefined, p.fail("%s", err)
			}
			return v, nil
		}
		if end {
			return o.value(), nil
		}
	}
}

func (p *parser) list(depth int) (Value, error) {
	p.at++
	items := []Value{}
	p.space()
	if p.at < len(p.text) && p.text[p.at] == ']' {
		p.at++
		return List(items...), nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return Undefined, err
		}
		items = append(items, v)
		end, err := p.more(']')
		if err != nil {
			return Undefined, err
		}
		if end {
			return List(items...), nil
		}
	}
}

// more reads the comma before another item, or the closing bracket.
func (p *parser) more(closing byte) (end bool, err error) {
	p.space()
	if p.at < len(p.text) {
		switch p.text[p.at] {
		case ',':
			p.at++
			return false, nil
		case closing:
			p.at++
			return true, nil
		}
	}
	return false, p.fail("expected ',' or '%c'", closing)
}

func (p *parser) number() (Value, error) {
	start := p.at
	integer := true
	for p.at < len(p.text) && strings.IndexByte("+-.eE0123456789", p.text[p.at]) >= 0 {
		if strings.IndexByte(".eE", p.text[p.at]) >= 0 {
			integer = false
		}
		p.at++
	}
	text := string(p.text[start:p.at])
	end := p.at
	p.at = start
	if len(text) > MaxNumberDigits {
		return Undefined, p.fail("number longer than %d characters", MaxNumberDigits)
	}
	if !json.Valid([]byte(text)) {
		return Undefined, p.fail("%q is not a JSON number", text)
	}
	if integer {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			p.at = end
			return Int(i), nil
		}
		b, _ := new(big.Int).SetString(text, 10)
		p.at = end
		return BigInt(b), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return Undefined, p.fail("number %s is too large", text)
	}
	p.at = end
	return Float(f), nil
}

func (p *parser) str() (string, error) {
	start := p.at + 1
	for i := start; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			p.at = i + 1
			return string(p.text[start:i]), nil
		case c == '\\':
			return p.escaped(start, i)
		case c < 0x20:
			p.at = i
			return "", p.fail("control character 0x%02x in a string; write it as an escape", c)
		}
	}
	return "", p.fail("string without end")
}

// escaped reads a string that has escapes, from the first of them.
func (p *parser) escaped(start, i int) (string, error) {
	var b strings.Builder
	b.Write(p.text[start:i])
	for i < len(p.text) {
		c := p.text[i]
		switch {
		case c == '"':
			p.at = i + 1
			return b.String(), nil
		case c < 0x20:
			p.at = i
			return "", p.fail("control character 0x%02x in a string; write it as an escape", c)
		case c != '\\':
			b.WriteByte(c)
			i++
		default:
			r, n, msg := unescape(p.text[i:], p.nul)
			if msg != "" {
				p.at = i
				return "", p.fail("%s", msg)
			}
			b.WriteRune(r)
			i += n
		}
	}
	return "", p.fail("string without end")
}

func unescape(text []byte, nul bool) (r rune, n int, msg string) {
	if len(text) < 2 {
		return 0, 0, "string without end"
	}
	if i := strings.IndexByte(`"\/bfnrt`, text[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2, ""
	}
	if text[1] != 'u' {
		r, _ := utf8.DecodeRune(text[1:])
		return 0, 0, fmt.Sprintf("unknown escape \\%c", r)
	}
	hex := func(from int) (rune, bool) {
		if len(text) < from+4 {
			return 0, false
		}
		u, err := strconv.ParseUint(string(text[from:from+4]), 16, 32)
		return rune(u), err == nil
	}
	r, ok := hex(2)
	if !ok {
		return 0, 0, "\\u needs four hexadecimal digits"
	}
	switch {
	case r == 0 && !nul:
		return 0, 0, "NUL character in a string"
	case r >= 0xd800 && r < 0xdc00:
		if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
			if low, ok := hex(8); ok && low >= 0xdc00 && low < 0xe000 {
				return (r-0xd800)<<10 + (low - 0xdc00) + 0x10000, 12, ""
			}
		}
		return 0, 0, "lone surrogate in a string"
	case r >= 0xdc00 && r < 0xe000:
		return 0, 0, "lone surrogate in a string"
	}
	return r, 6, ""
}

// Append appends v as compact JSON. Equal inputs give equal bytes; parsing
// them again gives v (a float without a fraction keeps ".0").
// A reference is shown as an object that says what it stands for.
func (v Value) Append(b []byte) []byte { return v.append(b, false) }

func (v Value) append(b []byte, stored bool) []byte {
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(b, v.num == 1)
	case KindInt:
		return strconv.AppendInt(b, int64(v.num), 10)
	case KindBigInt:
		return v.ptr.(*big.Int).Append(b, 10)
	case KindFloat:
		return appendFloat(b, math.Float64frombits(v.num))
	case KindString:
		return AppendString(b, v.ptr.(string))
	case KindList:
		b = append(b, '[')
		for i, item := range v.Items() {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.append(b, stored)
		}
		return append(b, ']')
	case KindObject:
		b = append(b, '{')
		members := v.Members()
		if stored && len(members) > 1 && strings.HasPrefix(members[0].Key, "\x00") {
			b = append(b, ' ') // so that it does not begin as a reference does
		}
		for i, m := range members {
			if i > 0 {
				b = append(b, ',')
			}
			key := m.Key
			if stored && len(members) == 1 {
				key = storedKey(key)
			}
			b = AppendString(b, key)
			b = append(b, ':')
			b = m.Value.append(b, stored)
		}
		return append(b, '}')
	case KindRef:
		return v.ptr.(*Ref).append(b, stored)
	}
	return append(b, "null"...)
}

func appendFloat(b []byte, f float64) []byte {
	start := len(b)
	abs := math.Abs(f)
	if abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if bytes.IndexByte(b[start:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return b
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string; bytes that are not UTF-8 become
// U+FFFD.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// String returns v as compact JSON; undefined as "undefined".
func (v Value) String() string {
	if v.kind == KindUndefined {
		return "undefined"
	}
	return string(v.Append(nil))
}

// Indent returns v as JSON in lines, indented by two spaces.
func (v Value) Indent() string {
	var out bytes.Buffer
	if err := json.Indent(&out, v.Append(nil), "", "  "); err != nil {
		return v.String()
	}
	return out.String()
}

// MarshalJSON makes a Value usable in structs for encoding/json that are stored,
// see [Value.AppendStored]. An undefined value is written as null: use
// `json:",omitzero"` to leave it out.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendStored(nil), nil }

// UnmarshalJSON reads what MarshalJSON wrote: by the rules of [Parse], except
// that texts may hold NUL characters, which computed values can have, and that
// there may be references. It is for what Regie itself wrote, never for what
// people send.
func (v *Value) UnmarshalJSON(text []byte) error {
	parsed, err := parse(text, true)
	if err != nil {
		return err
	}
	*v = parsed
	return nil
}

// IsZero reports whether v is undefined, for `json:",omitzero"`.
func (v Value) IsZero() bool { return v.kind == KindUndefined }

// JSONSize is the length of what [Value.Append] appends, in bytes.
func (v Value) JSONSize() int {
	switch v.kind {
	case KindString:
		return stringSize(v.ptr.(string))
	case KindList:
		n := 2 + max(0, v.Len()-1)
		for _, item := range v.Items() {
			n += item.JSONSize()
		}
		return n
	case KindObject:
		n := 2 + max(0, v.Len()-1)
		for _, m := range v.Members() {
			n += stringSize(m.Key) + 1 + m.Value.JSONSize()
		}
		return n
	}
	var b [64]byte
	return len(v.Append(b[:0]))
}

// stringSize is the length of what AppendString appends, of text that is UTF-8.
func stringSize(s string) int {
	n := 2 + len(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"', c == '\\', c == '\n', c == '\r', c == '\t':
			n++
		case c < 0x20:
			n += 5
		}
	}
	return n
}

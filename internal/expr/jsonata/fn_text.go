package jsonata

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/value"
)

func textFunctions() []*native {
	return []*native{
		fn("string", "<x-b?:s>", 1, fnString),
		fn("substring", "<s-nn?:s>", 3, fnSubstring),
		fn("substringBefore", "<s-s:s>", 2, func(_ *machine, c call) any { return around(c, true) }),
		fn("substringAfter", "<s-s:s>", 2, func(_ *machine, c call) any { return around(c, false) }),
		fn("lowercase", "<s-:s>", 1, mapText(strings.ToLower)),
		fn("uppercase", "<s-:s>", 1, mapText(strings.ToUpper)),
		fn("length", "<s-:n>", 1, func(_ *machine, c call) any {
			s, ok := c.str(0)
			if !ok {
				return nil
			}
			return float64(countRunes(s))
		}),
		fn("trim", "<s-:s>", 1, mapText(func(s string) string { return strings.Join(strings.FieldsFunc(s, isBlank), " ") })),
		fn("pad", "<s-ns?:s>", 3, fnPad),
		fn("join", "<a<s>s?:s>", 2, fnJoin),
		fn("base64encode", "<s-:s>", 1, mapText(func(s string) string { return base64.StdEncoding.EncodeToString(latin1(s)) })),
		fn("base64decode", "<s-:s>", 1, fnDecode64),
		fn("encodeUrlComponent", "<s-:s>", 1, encodeURL("$encodeUrlComponent", componentMarks)),
		fn("encodeUrl", "<s-:s>", 1, encodeURL("$encodeUrl", componentMarks+urlMarks)),
		fn("decodeUrlComponent", "<s-:s>", 1, decodeURL("$decodeUrlComponent", "")),
		fn("decodeUrl", "<s-:s>", 1, decodeURL("$decodeUrl", urlMarks)),
	}
}

// mapText makes a function of one string, undefined for undefined.
func mapText(f func(string) string) func(*machine, call) any {
	return func(m *machine, c call) any {
		s, ok := c.str(0)
		if !ok {
			return nil
		}
		m.text(2 * len(s))
		return f(s)
	}
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

// runes are the code points of s; half of a surrogate pair is one.
func runes(s string) []string {
	out := make([]string, 0, len(s))
	for i := 0; i < len(s); {
		n := runeLen(s[i:])
		out = append(out, s[i:i+n])
		i += n
	}
	return out
}

// countRunes is the number of code points of s.
func countRunes(s string) int {
	n := 0
	for at := 0; at < len(s); n++ {
		at += runeLen(s[at:])
	}
	return n
}

// cutRunes is s from the code point start up to end.
func cutRunes(s string, start, end int) string {
	at, from := 0, len(s)
	for n := 0; n < end && at < len(s); n++ {
		if n == start {
			from = at
		}
		at += runeLen(s[at:])
	}
	return s[min(from, at):at]
}

func runeLen(s string) int {
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 && isHalf(s) {
		return 3
	}
	return n
}

// isHalf reports whether s begins with half of a surrogate pair.
func isHalf(s string) bool { return len(s) >= 3 && s[0] == 0xED && s[1] >= 0xA0 }

func fnString(m *machine, c call) any {
	if c.arg(0) == nil {
		return nil
	}
	pretty, _ := c.arg(1).(bool)
	if a, ok := c.arg(0).(*array); ok && a.outer {
		return m.string(m.all(a)[0], pretty)
	}
	return m.string(c.arg(0), pretty)
}

// string is the text of a value: JSON, with numbers rounded to 15 digits.
func (m *machine) string(x any, pretty bool) string {
	switch x := x.(type) {
	case string:
		return x
	case *lambda, *native, *regex:
		return ""
	case float64:
		if math.IsInf(x, 0) || math.IsNaN(x) {
			m.fail("D3001", formatFloat(x))
		}
	}
	w := writer{m: m, pretty: pretty}
	w.value(x, 0)
	return string(w.out)
}

// writer writes JSON as ECMAScript does.
type writer struct {
	m      *machine
	out    []byte
	pretty bool
}

func (w *writer) line(depth int) {
	if w.pretty {
		w.m.text(1 + 2*depth)
		w.out = append(w.out, '\n')
		for range depth {
			w.out = append(w.out, "  "...)
		}
	}
}

func (w *writer) value(x any, depth int) {
	before := len(w.out)
	if depth > maxDataDepth {
		w.m.fail("U1001")
	}
	switch x := x.(type) {
	case nil, null:
		w.out = append(w.out, "null"...)
	case bool:
		w.out = strconv.AppendBool(w.out, x)
	case float64:
		w.out = append(w.out, formatFloat(digits15(x))...)
	case exact:
		w.out = append(w.out, x.v.String()...)
	case string:
		w.out = value.AppendString(w.out, x)
	case *array:
		w.list(x, depth)
		return
	case *object:
		w.object(x, depth)
		return
	default:
		w.out = append(w.out, `""`...)
	}
	w.m.step()
	w.m.text(len(w.out) - before)
}

func (w *writer) list(x *array, depth int) {
	w.m.text(2)
	w.out = append(w.out, '[')
	for i, item := range w.m.all(x) {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.line(depth + 1)
		w.value(item, depth+1)
	}
	if x.len() > 0 {
		w.line(depth)
	}
	w.out = append(w.out, ']')
}

func (w *writer) object(x *object, depth int) {
	w.m.text(2)
	w.out = append(w.out, '{')
	for i := range x.len() {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.line(depth + 1)
		w.m.text(len(x.key(i)))
		w.out = append(value.AppendString(w.out, x.key(i)), ':')
		if w.pretty {
			w.out = append(w.out, ' ')
		}
		w.value(x.val(i), depth+1)
	}
	if x.len() > 0 {
		w.line(depth)
	}
	w.out = append(w.out, '}')
}

// digits15 rounds to 15 significant digits.
func digits15(f float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(f, 'e', 14, 64), 64)
	if err != nil {
		return f
	}
	return r
}

func fnSubstring(m *machine, c call) any {
	s, ok := c.str(0)
	if !ok {
		return nil
	}
	size := countRunes(s)
	first, given := c.num(1)
	if first+float64(size) < 0 {
		first = 0
	}
	end := float64(size)
	if n, ok := c.num(2); ok {
		if n <= 0 || !given {
			return ""
		}
		end = first + n
		if first < 0 {
			end += float64(size)
		}
	}
	return cutRunes(s, slicePlace(first, size), slicePlace(end, size))
}

// slicePlace is a place in a list of n items as Array.prototype.slice takes it: cut
// to an integer, and counted from the end if it is negative.
func slicePlace(f float64, n int) int {
	if f = math.Trunc(f); f < 0 {
		f += float64(n)
	}
	return int(math.Max(0, math.Min(f, float64(n))))
}

func around(c call, before bool) any {
	s, ok := c.str(0)
	if !ok {
		return nil
	}
	mark, ok := c.str(1)
	if !ok {
		return s
	}
	head, rest, found := strings.Cut(s, mark)
	switch {
	case !found:
		return s
	case before:
		return head
	}
	return rest
}

func fnPad(m *machine, c call) any {
	s, ok := c.str(0)
	if !ok {
		return nil
	}
	width, _ := c.num(1)
	char, ok := c.str(2)
	if !ok || char == "" {
		char = " "
	}
	missing := math.Abs(math.Trunc(width)) - float64(countRunes(s))
	if missing <= 0 {
		return s
	}
	m.text(int(math.Min(missing*4, maxMemory+1)) + len(s))
	n, marks := int(missing), runes(cutRunes(char, 0, int(missing)))
	var fill strings.Builder
	for i := range n {
		fill.WriteString(marks[i%len(marks)])
	}
	if width < 0 {
		return fill.String() + s
	}
	return s + fill.String()
}

func fnJoin(m *machine, c call) any {
	list, ok := c.list(0)
	if !ok {
		return nil
	}
	by, _ := c.str(1)
	parts, size := make([]string, list.len()), 0
	for i, item := range m.all(list) {
		parts[i], _ = item.(string)
		size += len(parts[i]) + len(by)
	}
	m.spend(len(parts))
	m.text(size)
	return strings.Join(parts, by)
}

// latin1 is what base64 encodes: a byte for each character up to U+00FF; of
// others, their UTF-8.
func latin1(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xFF {
			return []byte(s)
		}
		out = append(out, byte(r))
	}
	return out
}

func fnDecode64(m *machine, c call) any {
	s, ok := c.str(0)
	if !ok {
		return nil
	}
	m.text(2 * len(s))
	// As the reference on Node: up to the padding, both alphabets, and what is
	// of neither is skipped.
	s, _, _ = strings.Cut(s, "=")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		case r == '+' || r == '/' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z':
			return r
		}
		return -1
	}, s)
	if len(s)%4 == 1 {
		s = s[:len(s)-1] // 6 bits make no byte
	}
	raw, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		m.fail("D3140", "$base64decode")
	}
	var out strings.Builder
	for _, b := range raw {
		out.WriteRune(rune(b))
	}
	return out.String()
}

const (
	componentMarks = "-_.!~*'()"
	urlMarks       = ";,/?:@&=+$#"
)

func encodeURL(name, keep string) func(*machine, call) any {
	return func(m *machine, c call) any {
		s, ok := c.str(0)
		if !ok {
			return nil
		}
		if !utf8.ValidString(s) {
			m.fail("D3140", name)
		}
		m.text(3 * len(s))
		var out strings.Builder
		for i := range len(s) {
			b := s[i]
			if b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || strings.IndexByte(keep, b) >= 0 {
				out.WriteByte(b)
				continue
			}
			const hex = "0123456789ABCDEF"
			out.WriteByte('%')
			out.WriteByte(hex[b>>4])
			out.WriteByte(hex[b&15])
		}
		return out.String()
	}
}

// decodeURL makes the reverse function; what stands for a byte of keep stays.
func decodeURL(name, keep string) func(*machine, call) any {
	return func(m *machine, c call) any {
		s, ok := c.str(0)
		if !ok {
			return nil
		}
		m.text(len(s))
		var out strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] != '%' {
				out.WriteByte(s[i])
				continue
			}
			if i+2 >= len(s) {
				m.fail("D3140", name)
			}
			b, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				m.fail("D3140", name)
			}
			if strings.IndexByte(keep, byte(b)) >= 0 {
				out.WriteString(s[i : i+3])
			} else {
				out.WriteByte(byte(b))
			}
			i += 2
		}
		if !utf8.ValidString(out.String()) {
			m.fail("D3140", name)
		}
		return out.String()
	}
}

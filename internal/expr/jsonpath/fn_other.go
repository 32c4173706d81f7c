package jsonpath

import (
	"encoding/base64"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// maxText is the longest text, in characters, of Hash and the Base64
// functions, as on AWS.
const maxText = 10_000

// bounded is a text of at most maxText characters.
func (c *call) bounded(s string) string {
	if utf8.RuneCountInString(s) > maxText {
		c.refuse("the text has more than %d characters", maxText)
	}
	return s
}

func base64Encode(m *machine, c *call) value.Value {
	s := c.bounded(c.str(0))
	m.text(2 * len(s))
	return value.String(base64.StdEncoding.EncodeToString([]byte(s)))
}

// base64Decode reads up to the padding and skips what is not of the alphabet,
// as AWS does.
func base64Decode(m *machine, c *call) value.Value {
	s := c.bounded(c.str(0))
	m.text(len(s))
	s, _, _ = strings.Cut(s, "=")
	clean := make([]byte, 0, len(s))
	for _, b := range []byte(s) {
		switch {
		case b == '-':
			clean = append(clean, '+')
		case b == '_':
			clean = append(clean, '/')
		case b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '+' || b == '/':
			clean = append(clean, b)
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1] // 6 bits make no byte
	}
	out, err := base64.RawStdEncoding.DecodeString(string(clean))
	if err != nil {
		c.refuse("the text is not Base64")
	}
	return value.String(string(out))
}

func hash(m *machine, c *call) value.Value {
	s := c.bounded(m.plain(c.args[0]))
	m.text(len(s))
	name := c.str(1)
	digest, ok := expr.Hash(name, s)
	if !ok {
		c.refuse("there is no algorithm '%s'; there are "+expr.HashAlgorithms, name)
	}
	return value.String(digest)
}

func jsonMerge(m *machine, c *call) value.Value {
	for i := range 2 {
		if c.args[i].Kind() != value.KindObject {
			c.refuse("argument %d must be an object", i+1)
		}
	}
	if deep, ok := c.args[2].Bool(); ok && deep {
		c.refuse("only a shallow merge is supported, with false as argument 3")
	}
	left, right := c.args[0].Members(), c.args[1].Members()
	n := len(left) + len(right)
	m.spend(n)
	m.allocate(n * 2 * itemBytes)
	return value.Object(append(append(make([]value.Member, 0, n), left...), right...)...)
}

func jsonToString(m *machine, c *call) value.Value { return value.String(m.json(c.args[0])) }

// stringToJSON reads JSON; a text without any is null, as on AWS.
func stringToJSON(m *machine, c *call) value.Value {
	s := c.str(0)
	m.text(4 * len(s))
	if strings.TrimSpace(s) == "" {
		return value.Null
	}
	v, err := value.Parse([]byte(s))
	if err != nil {
		c.refuse("the text is not JSON: %s", err)
	}
	return v
}

// mathAdd rounds both numbers, halves towards positive infinity, and adds them.
func mathAdd(_ *machine, c *call) value.Value {
	sum := c.rounded(0) + c.rounded(1)
	if sum != int64(int32(sum)) {
		c.refuse("the sum is out of range")
	}
	return value.Int(sum)
}

// rounded is an argument that must be a number, rounded to 32 bits.
func (c *call) rounded(i int) int64 {
	n, ok := c.args[i].Int()
	if !ok {
		f, ok := c.args[i].Float()
		if !ok {
			c.refuse("argument %d must be a number", i+1)
		}
		down := math.Floor(f)
		if f-down >= 0.5 {
			down++
		}
		if math.Abs(down) > math.MaxInt32+1 {
			c.refuse("argument %d is out of range", i+1)
		}
		n = int64(down)
	}
	if n != int64(int32(n)) {
		c.refuse("argument %d is out of range", i+1)
	}
	return n
}

// mathRandom gives an integer from the first number up to, without, the
// second. With a seed it is the same every time, but not the one of AWS.
func mathRandom(m *machine, c *call) value.Value {
	first, end := c.integer(0), c.integer(1)
	if first >= end {
		c.refuse("the end must be greater than the start")
	}
	source := m.random
	if len(c.args) == 3 {
		source = expr.NewRandom(uint64(c.integer(2)))
	}
	return value.Int(int64(uint64(first) + source.Next()%uint64(end-first)))
}

// stringSplit splits at each of the characters of the second text. Empty parts
// are left out, as on AWS.
func stringSplit(m *machine, c *call) value.Value {
	s, splitters := c.str(0), c.str(1)
	m.text(len(s))
	m.spend(len(s) * len(splitters) / stepBytes)
	parts := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(splitters, r) })
	m.spend(len(parts))
	m.allocate(len(parts) * itemBytes)
	out := make([]value.Value, len(parts))
	for i, part := range parts {
		out[i] = value.String(part)
	}
	return value.List(out...)
}

// uuid is a random UUID of version 4.
func uuid(m *machine, _ *call) value.Value {
	m.text(36)
	return value.String(m.random.UUID())
}

// format puts the arguments in place of {} in the template.
func format(m *machine, c *call) value.Value {
	template := c.str(0)
	escapes := `\{}`
	if arg := c.node.args[0]; arg.quoted {
		template, escapes = arg.raw, escapable
	}
	var b strings.Builder
	next := 1
	for i := 0; i < len(template); i++ {
		switch ch := template[i]; {
		case ch == '\\' && i+1 < len(template) && strings.IndexByte(escapes, template[i+1]) >= 0:
			i++
			b.WriteByte(template[i])
		case strings.HasPrefix(template[i:], "{}"):
			i++
			if next < len(c.args) {
				text := m.plain(c.args[next])
				m.text(len(text))
				b.WriteString(text)
			}
			next++
		case ch == '{':
			panic(&refusal{why: "Invalid template in States.Format: matching '}' not found for '{'."})
		case ch == '}':
			panic(&refusal{why: "Invalid template in States.Format: matching '{' not found for '}'."})
		default:
			b.WriteByte(ch)
		}
	}
	if next != len(c.args) {
		panic(&refusal{why: "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}."})
	}
	m.text(len(template))
	return value.String(b.String())
}

// plain is a value as Format writes it: texts as they are, lists and objects
// as [a, b] and {key=a}.
func (m *machine) plain(v value.Value) string {
	if s, ok := v.Str(); ok {
		return s
	}
	return string(m.appendPlain(nil, v, 0))
}

func (m *machine) appendPlain(b []byte, v value.Value, depth int) []byte {
	m.deep(depth)
	m.step()
	switch v.Kind() {
	case value.KindString:
		s, _ := v.Str()
		m.text(len(s))
		return append(b, s...)
	case value.KindList:
		b = append(b, '[')
		for i, item := range v.Items() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = m.appendPlain(b, item, depth+1)
		}
		return append(b, ']')
	case value.KindObject:
		b = append(b, '{')
		for i, member := range v.Members() {
			if i > 0 {
				b = append(b, ", "...)
			}
			m.text(len(member.Key))
			b = append(append(b, member.Key...), '=')
			b = m.appendPlain(b, member.Value, depth+1)
		}
		return append(b, '}')
	case value.KindNull, value.KindUndefined:
		return append(b, "null"...)
	default:
		m.text(v.Size())
		return v.Append(b)
	}
}

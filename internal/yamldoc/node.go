package yamldoc

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
)

// Kind is the kind of a node.
type Kind uint8

// The kinds of nodes.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	List
	Map
)

// String names the kind in messages, with its article.
func (k Kind) String() string {
	switch k {
	case Null:
		return "nothing (null)"
	case Bool:
		return "a boolean"
	case Int:
		return "an integer"
	case Float:
		return "a number"
	case String:
		return "a text"
	case List:
		return "a list"
	case Map:
		return "a mapping"
	}
	return "an unknown kind"
}

// Style says how a node is written.
type Style uint8

// The styles. Plain is a scalar without quotes; Block and Flow are those of
// lists and mappings.
const (
	Plain Style = iota
	SingleQuoted
	DoubleQuoted
	Literal // |
	Folded  // >
	Block
	Flow // [a, b] and {a: b}
)

// Node is one value of a document. A value that stands at several places
// through aliases is one Node, at the position of its anchor, so the tree is a
// graph without cycles. Nodes are read-only and safe for concurrent reading.
type Node struct {
	Kind  Kind
	Style Style
	Pos   diag.Pos // of the value itself, after its anchor and tag
	// Text is the text of a scalar as decoded: without quotes, escapes and
	// indentation. 012 keeps its zero.
	Text string
	// Value is the typed value of a scalar; undefined for lists and mappings,
	// see [Node.ToValue].
	Value   value.Value
	Items   []*Node
	Entries []Entry

	src    *source
	offset int // bytes before Pos in the text
	size   int // nodes below and including this one, aliases expanded
	height int // levels below this one
}

// Entry is one key of a mapping with its value. Keys are texts.
type Entry struct {
	Key   *Node
	Value *Node
}

// IsScalar reports whether n is neither a list nor a mapping.
func (n *Node) IsScalar() bool { return n.Kind < List }

// Quoted reports whether n is a text in quotes or a block scalar, which no
// reader may take for a number.
func (n *Node) Quoted() bool { return n.Style >= SingleQuoted && n.Style <= Folded }

// Get returns the value under the key, or nil; nil also for a nil node and for
// anything but a mapping.
func (n *Node) Get(key string) *Node {
	if e := n.Entry(key); e != nil {
		return e.Value
	}
	return nil
}

// Entry returns the entry with the key, or nil, as [Node.Get] does.
func (n *Node) Entry(key string) *Entry {
	if n == nil {
		return nil
	}
	for i := range n.Entries {
		if n.Entries[i].Key.Text == key {
			return &n.Entries[i]
		}
	}
	return nil
}

// Keys returns the keys of a mapping in order.
func (n *Node) Keys() []string {
	if n == nil || n.Kind != Map {
		return nil
	}
	keys := make([]string, len(n.Entries))
	for i, e := range n.Entries {
		keys[i] = e.Key.Text
	}
	return keys
}

// ToValue returns the data of the node and everything below it.
func (n *Node) ToValue() value.Value {
	switch {
	case n == nil:
		return value.Undefined
	case n.Kind == List:
		items := make([]value.Value, len(n.Items))
		for i, item := range n.Items {
			items[i] = item.ToValue()
		}
		return value.List(items...)
	case n.Kind == Map:
		members := make([]value.Member, len(n.Entries))
		for i, e := range n.Entries {
			members[i] = value.M(e.Key.Text, e.Value.ToValue())
		}
		return value.Object(members...)
	}
	return n.Value
}

// FromValue returns the node of a value that stands in no file, so that
// computed data is checked like written data. Undefined becomes null.
func FromValue(v value.Value) *Node {
	n := &Node{Value: v}
	switch v.Kind() {
	case value.KindUndefined, value.KindNull:
		n.Value = value.Null
	case value.KindBool:
		n.Kind, n.Text = Bool, v.String()
	case value.KindInt, value.KindBigInt:
		n.Kind, n.Text = Int, v.String()
	case value.KindFloat:
		n.Kind, n.Text = Float, v.String()
	case value.KindString:
		n.Kind, n.Style = String, DoubleQuoted
		n.Text, _ = v.Str()
	case value.KindList:
		n.Kind, n.Style, n.Value = List, Flow, value.Undefined
		for _, item := range v.Items() {
			n.Items = append(n.Items, FromValue(item))
		}
	case value.KindObject:
		n.Kind, n.Style, n.Value = Map, Flow, value.Undefined
		for _, m := range v.Members() {
			n.Entries = append(n.Entries, Entry{FromValue(value.String(m.Key)), FromValue(m.Value)})
		}
	}
	return n
}

// Length returns the number of characters that a caret should mark at Pos: the
// scalar as written if it stands in one line, else 1.
func (n *Node) Length() int {
	if !n.IsScalar() || n.src == nil {
		return 1
	}
	from := n.offset
	end, exact := n.align(len(n.Text))
	if !exact || strings.Contains(n.src.text[from:end], "\n") {
		return 1
	}
	if n.Style == SingleQuoted || n.Style == DoubleQuoted {
		end++
	}
	return max(1, utf8.RuneCountInString(n.src.text[from:min(end, len(n.src.text))]))
}

// maxAlign bounds the bytes of Text that [Node.At] follows in scalars which
// are not literal blocks; places beyond are reported at the scalar's start.
const maxAlign = 64 << 10

// At returns the position in the file of the byte offset in Text, so that a
// fault within an expression is shown where it stands. Where the written form
// cannot be followed (rare escapes) it is the start of the scalar.
func (n *Node) At(offset int) diag.Pos {
	if n.src == nil || !n.IsScalar() || offset < 0 || offset > len(n.Text) {
		return n.Pos
	}
	var at int
	var ok bool
	if n.Style == Literal {
		at, ok = n.literal(offset)
	} else {
		at, ok = n.align(offset)
	}
	if !ok {
		return n.Pos
	}
	return n.src.after(n.Pos, n.offset, at)
}

// literal finds the place in a literal block: line i of Text is the ith line
// after the header, behind the indentation.
func (n *Node) literal(offset int) (int, bool) {
	before := n.Text[:offset]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	line := n.Text[lineStart:]
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	start, end, ok := n.src.lineAfter(n.offset, 1+strings.Count(before, "\n"))
	if !ok || !strings.HasSuffix(n.src.text[start:end], line) {
		return 0, false
	}
	return end - len(line) + (offset - lineStart), true
}

// align walks through the source and Text side by side as far as offset in
// Text: white space against white space of any length, escapes against the
// characters that they stand for, everything else byte by byte.
func (n *Node) align(offset int) (int, bool) {
	if offset > maxAlign {
		return 0, false
	}
	s, at := n.src.text, n.offset
	switch n.Style {
	case SingleQuoted, DoubleQuoted:
		at++
	case Literal, Folded:
		at, _, _ = n.src.lineAfter(at, 1)
		if n.Text != "" && !isSpace(n.Text[0]) {
			at = skipSpace(s, at, len(s))
		}
	}
	for t := 0; t < offset; {
		if at >= len(s) {
			return 0, false
		}
		c := n.Text[t]
		switch {
		case n.Style == DoubleQuoted && s[at] == '\\':
			written, length := unescape(s[at:])
			if written == "" || !strings.HasPrefix(n.Text[t:], written) {
				return 0, false
			}
			at, t = at+length, t+len(written)
		case isSpace(c) && isSpace(s[at]):
			t, at = skipSpace(n.Text, t, offset), skipSpace(s, at, len(s))
		case c == s[at]:
			if n.Style == SingleQuoted && c == '\'' {
				at++
			}
			at, t = at+1, t+1
		default:
			return 0, false
		}
	}
	return at, true
}

// unescape returns the text that the escape at the start of s stands for and
// the bytes that it takes; "" for a rare one.
func unescape(s string) (text string, length int) {
	if len(s) < 2 {
		return "", 0
	}
	if i := strings.IndexByte("\"\\/ bfnrt", s[1]); i >= 0 {
		return "\"\\/ \b\f\n\r\t"[i : i+1], 2
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]
	hex := func(from int) rune {
		if digits == 0 || len(s) < from+digits {
			return utf8.RuneError
		}
		u, err := strconv.ParseUint(s[from:from+digits], 16, 32)
		if err != nil {
			return utf8.RuneError
		}
		return rune(u)
	}
	r, length := hex(2), 2+digits
	if utf16.IsSurrogate(r) && strings.HasPrefix(s[length:], `\u`) {
		r, length = utf16.DecodeRune(r, hex(8)), 12
	}
	if r == utf8.RuneError {
		return "", 0
	}
	return string(r), length
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func skipSpace(s string, from, limit int) int {
	for from < limit && isSpace(s[from]) {
		from++
	}
	return from
}

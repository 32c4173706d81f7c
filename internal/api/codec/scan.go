package codec

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may be nested: the depth that package
// value takes, and some for the messages around a value.
const MaxDepth = 520

// An Error says what is wrong with a message.
type Error struct {
	// Field is the place, such as files[3].path; empty if it is the whole.
	Field string
	// Message is what is wrong there.
	Message string
}

// Error is the place and what is wrong with it.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// maxShown is how many bytes of a name or a text of a client an error repeats.
const maxShown = 200

// clip cuts text that is too long to repeat, at the end of a character.
func clip(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "..."
}

// within puts the name of an object's field before the place.
func (e *Error) within(name string) *Error {
	name = clip(name)
	switch {
	case e.Field == "":
		e.Field = name
	case e.Field[0] == '[':
		e.Field = name + e.Field
	default:
		e.Field = name + "." + e.Field
	}
	return e
}

// at puts the index of a list's item before the place.
func (e *Error) at(i int) *Error { return e.within("[" + strconv.Itoa(i) + "]") }

// A scanner reads JSON text strictly and copies it to out without the space
// between tokens.
type scanner struct {
	src []byte
	pos int
	out []byte
}

// fail describes what is wrong at the current place of the text.
func (s *scanner) fail(format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...) + " at byte " + strconv.Itoa(s.pos+1)}
}

// compact returns text without the space between tokens, or what is wrong.
func compact(text []byte) ([]byte, *Error) {
	s := scanner{src: text, out: make([]byte, 0, len(text))}
	if err := s.value(0); err != nil {
		return nil, err
	}
	return s.out, s.end()
}

// end demands that nothing but space is left.
func (s *scanner) end() *Error {
	s.space()
	if s.pos < len(s.src) {
		return s.fail("unexpected text after the JSON value")
	}
	return nil
}

func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// next skips space and returns the byte that follows, 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.pos == len(s.src) {
		return 0
	}
	return s.src[s.pos]
}

// take copies the byte that next returned.
func (s *scanner) take() {
	s.out = append(s.out, s.src[s.pos])
	s.pos++
}

// value copies one value inside depth arrays and objects.
func (s *scanner) value(depth int) *Error {
	switch c := s.next(); c {
	case '{':
		return s.object(depth, func(string) *Error { return s.value(depth + 1) })
	case '[':
		return s.list(depth, func(int) *Error { return s.value(depth + 1) })
	case '"':
		_, err := s.text(false)
		return err
	default:
		return s.scalar(c)
	}
}

// object copies an object; member copies the value of each key.
func (s *scanner) object(depth int, member func(key string) *Error) *Error {
	if depth >= MaxDepth {
		return s.fail("nested deeper than %d", MaxDepth)
	}
	s.take()
	if s.next() == '}' {
		s.take()
		return nil
	}
	seen := map[string]bool{}
	for {
		if s.next() != '"' {
			return s.fail("expected a key in quotes")
		}
		key, err := s.text(true)
		if err != nil {
			return err
		}
		if seen[key] {
			return (&Error{Message: "key stands twice"}).within(key)
		}
		seen[key] = true
		if s.next() != ':' {
			return s.fail("expected ':'")
		}
		s.take()
		if err := member(key); err != nil {
			return err.within(key)
		}
		if done, err := s.more('}'); done || err != nil {
			return err
		}
	}
}

// list copies an array; item copies each of its items.
func (s *scanner) list(depth int, item func(i int) *Error) *Error {
	if depth >= MaxDepth {
		return s.fail("nested deeper than %d", MaxDepth)
	}
	s.take()
	if s.next() == ']' {
		s.take()
		return nil
	}
	for i := 0; ; i++ {
		if err := item(i); err != nil {
			return err.at(i)
		}
		if done, err := s.more(']'); done || err != nil {
			return err
		}
	}
}

// more copies what follows a member: a comma, or the end.
func (s *scanner) more(end byte) (done bool, err *Error) {
	switch s.next() {
	case ',':
		s.take()
		return false, nil
	case end:
		s.take()
		return true, nil
	default:
		return false, s.fail("expected ',' or '%c'", end)
	}
}

// scalar copies a number, true, false or null that begins with c.
func (s *scanner) scalar(c byte) *Error {
	for _, word := range []string{"true", "false", "null"} {
		if c == word[0] && len(s.src)-s.pos >= len(word) && string(s.src[s.pos:s.pos+len(word)]) == word {
			s.out = append(s.out, word...)
			s.pos += len(word)
			return nil
		}
	}
	if c != '-' && (c < '0' || c > '9') {
		return s.fail("expected a JSON value")
	}
	start := s.pos
	if c == '-' {
		s.pos++
	}
	if s.at(s.pos) == '0' {
		s.pos++
	} else if !s.digits() {
		return s.fail("expected a digit")
	}
	if s.at(s.pos) == '.' {
		s.pos++
		if !s.digits() {
			return s.fail("expected a digit")
		}
	}
	if e := s.at(s.pos); e == 'e' || e == 'E' {
		s.pos++
		if sign := s.at(s.pos); sign == '+' || sign == '-' {
			s.pos++
		}
		if !s.digits() {
			return s.fail("expected a digit")
		}
	}
	s.out = append(s.out, s.src[start:s.pos]...)
	return nil
}

// at returns the byte at i, 0 past the end.
func (s *scanner) at(i int) byte {
	if i >= len(s.src) {
		return 0
	}
	return s.src[i]
}

// digits skips digits and reports whether there were any.
func (s *scanner) digits() bool {
	start := s.pos
	for c := s.at(s.pos); c >= '0' && c <= '9'; c = s.at(s.pos) {
		s.pos++
	}
	return s.pos > start
}

// text copies a string as it is written and, if asked, returns what it says.
func (s *scanner) text(said bool) (string, *Error) {
	start := s.pos
	s.pos++
	var buffer []byte
	for {
		c := s.at(s.pos)
		switch {
		case s.pos >= len(s.src):
			return "", s.fail("string does not end")
		case c == '"':
			s.pos++
			s.out = append(s.out, s.src[start:s.pos]...)
			return string(buffer), nil
		case c < ' ':
			return "", s.fail("control character in a string; escape it")
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			if said {
				buffer = utf8.AppendRune(buffer, r)
			}
		case c < utf8.RuneSelf:
			if said {
				buffer = append(buffer, c)
			}
			s.pos++
		default:
			r, n := utf8.DecodeRune(s.src[s.pos:])
			if r == utf8.RuneError && n == 1 {
				return "", s.fail("text is not UTF-8")
			}
			if said {
				buffer = append(buffer, s.src[s.pos:s.pos+n]...)
			}
			s.pos += n
		}
	}
}

// escape reads an escape sequence and returns its character.
func (s *scanner) escape() (rune, *Error) {
	switch c := s.at(s.pos + 1); c {
	case '"', '\\', '/':
		s.pos += 2
		return rune(c), nil
	case 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return map[byte]rune{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[c], nil
	case 'u':
	default:
		return 0, s.fail("unknown escape sequence")
	}
	r, ok := s.unit(s.pos)
	if !ok {
		return 0, s.fail("expected four hexadecimal digits")
	}
	if !utf16.IsSurrogate(r) {
		if r == 0 {
			return 0, s.fail("NUL character")
		}
		s.pos += 6
		return r, nil
	}
	low, ok := s.unit(s.pos + 6)
	if both := utf16.DecodeRune(r, low); ok && both != utf8.RuneError {
		s.pos += 12
		return both, nil
	}
	return 0, s.fail("half of a surrogate pair")
}

// unit reads the \uXXXX at i.
func (s *scanner) unit(i int) (rune, bool) {
	if s.at(i) != '\\' || s.at(i+1) != 'u' || i+6 > len(s.src) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.src[i+2:i+6]), 16, 16)
	return rune(n), err == nil
}

package executor

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/value"
)

// Bounds of the files that a task may leave.
const (
	MaxOutputBytes     = 128 << 20 // of $REGIE_OUTPUT, as it is and as JSON
	MaxCheckpointBytes = 1 << 20   // of $REGIE_CHECKPOINT
)

// OutputError says what is wrong in the content of $REGIE_OUTPUT, and where.
type OutputError struct {
	Line int // from 1
	Msg  string
}

func (e *OutputError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// ParseOutput reads the content of $REGIE_OUTPUT. It is one JSON value, which it
// must be if its first character that is not white space is "{", "[" or a quote,
// or it consists of lines:
//
//	total=12                 the text after the first "=", byte for byte
//	report<<END              the lines up to one that is END and nothing else,
//	first line               without the last line break
//	second line
//	END
//
// A key is a letter or "_", then letters, digits, "_", "-" and "."; values are
// strings. Empty lines between entries are skipped; of two entries with the
// same key the last wins. Nothing but white space gives undefined. Errors are
// *[OutputError].
func ParseOutput(text []byte) (value.Value, error) {
	content := bytes.TrimLeft(text, " \t\r\n")
	if len(content) == 0 {
		return value.Undefined, nil
	}
	v, err := value.Parse(text)
	if err == nil {
		return v, nil
	}
	if syntax := (*value.SyntaxError)(nil); errors.As(err, &syntax) && bytes.IndexByte([]byte("{[\""), content[0]) >= 0 {
		return value.Undefined, &OutputError{syntax.Line, fmt.Sprintf("column %d: %s", syntax.Column, syntax.Msg)}
	}
	p := outputParser{rest: text}
	var members []value.Member
	for len(p.rest) > 0 {
		m, ok, err := p.entry()
		if err != nil {
			return value.Undefined, err
		}
		if ok {
			members = append(members, m)
		}
	}
	return value.Object(members...), nil
}

type outputParser struct {
	rest []byte
	line int // of the line read last, from 1
}

// next returns the next line without its line break.
func (p *outputParser) next() (line []byte, ok bool) {
	if len(p.rest) == 0 {
		return nil, false
	}
	p.line++
	line, p.rest, _ = bytes.Cut(p.rest, []byte{'\n'})
	return line, true
}

// entry reads one entry; ok is false for an empty line.
func (p *outputParser) entry() (m value.Member, ok bool, err error) {
	line, _ := p.next()
	if len(bytes.TrimSpace(line)) == 0 {
		return m, false, nil
	}
	n := keyLength(line)
	key, rest := string(line[:n]), line[n:]
	var text []byte
	switch {
	case n > 0 && rest != nil && bytes.HasPrefix(rest, []byte("=")):
		text, err = p.check(p.line, rest[1:])
	case n > 0 && bytes.HasPrefix(rest, []byte("<<")):
		text, err = p.lines(key, rest[2:])
	default:
		err = &OutputError{p.line, "expected key=value or key<<END (a key has letters, digits, _ - .), or one JSON value as the whole file"}
	}
	return value.M(key, value.String(string(text))), true, err
}

// lines reads a value of several lines up to its delimiter.
func (p *outputParser) lines(key string, delimiter []byte) ([]byte, error) {
	begin := p.line
	if len(delimiter) == 0 {
		return nil, &OutputError{begin, fmt.Sprintf("%s<< needs a delimiter, such as %s<<END", key, key)}
	}
	rest := p.rest
	for {
		line, ok := p.next()
		if !ok {
			return nil, &OutputError{begin, fmt.Sprintf("value of %s has no end; write a line that is %q and nothing else", key, delimiter)}
		}
		if bytes.Equal(line, delimiter) {
			text := rest[:len(rest)-len(p.rest)]
			text = bytes.TrimSuffix(text, []byte{'\n'})
			text = bytes.TrimSuffix(text[:len(text)-len(delimiter)], []byte{'\n'})
			return p.check(begin+1, text)
		}
	}
}

// check refuses what a string cannot hold; first is the line where text
// begins.
func (p *outputParser) check(first int, text []byte) ([]byte, error) {
	line := first
	for i := 0; i < len(text); {
		switch r, n := utf8.DecodeRune(text[i:]); {
		case r == utf8.RuneError && n == 1:
			return nil, &OutputError{line, "invalid UTF-8"}
		case r == 0:
			return nil, &OutputError{line, "NUL character"}
		default:
			if r == '\n' {
				line++
			}
			i += n
		}
	}
	return text, nil
}

func keyLength(line []byte) int {
	for i, c := range line {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.') {
			return i
		}
	}
	return len(line)
}

package items

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// MaxColumns is the most columns that delimited text may have: each row has a
// field for every one of them, however short it is.
const MaxColumns = 10_000

// CSVOptions say how delimited text is read.
type CSVOptions struct {
	// Delimiter stands between fields; 0 means a comma. Not a quotation mark,
	// backslash or line feed.
	Delimiter byte
	// Headers are the names of the fields; nil means that the first row has
	// them.
	Headers []string
}

// Delimiter returns the byte that AWS Step Functions calls by a name such as
// PIPE; upper and lower case are the same.
func Delimiter(name string) (byte, bool) {
	switch strings.ToUpper(name) {
	case "COMMA":
		return ',', true
	case "PIPE":
		return '|', true
	case "SEMICOLON":
		return ';', true
	case "SPACE":
		return ' ', true
	case "TAB":
		return '\t', true
	}
	return 0, false
}

// CSV returns the rows of delimited text as objects of texts by header.
//
// A row ends with its line; empty lines are passed over. A field that begins
// with a quotation mark goes on to the next one, over delimiters and line
// breaks; a doubled quotation mark in it stands for one. A backslash before a
// backslash, quotation mark or delimiter gives that character; any other
// backslash is dropped. Fields missing at the end of a row are empty, fields
// beyond the headers are dropped. The first error is the last thing that it
// yields; it may be [ErrDuplicateHeaders].
func CSV(r io.Reader, o CSVOptions) iter.Seq2[value.Value, error] {
	if o.Delimiter == 0 {
		o.Delimiter = ','
	}
	return func(yield func(value.Value, error) bool) {
		rows := &rowReader{r: bufio.NewReader(r), delimiter: o.Delimiter, line: 1, keep: MaxColumns + 1}
		headers := o.Headers
		if headers == nil {
			var err error
			if headers, err = rows.next(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				yield(value.Undefined, err)
				return
			}
		}
		if len(headers) > MaxColumns {
			yield(value.Undefined, fmt.Errorf("there are more than %d columns", MaxColumns))
			return
		}
		rows.keep = len(headers)
		if repeats(headers) {
			yield(value.Undefined, ErrDuplicateHeaders)
			return
		}
		for {
			row, err := rows.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(value.Undefined, err)
				return
			}
			if !yield(named(headers, row), nil) {
				return
			}
		}
	}
}

func repeats(names []string) bool {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// named makes an object of a row.
func named(headers, row []string) value.Value {
	members := make([]value.Member, len(headers))
	for i, header := range headers {
		text := ""
		if i < len(row) {
			text = row[i]
		}
		members[i] = value.M(header, value.String(text))
	}
	return value.Object(members...)
}

// rowReader reads rows of delimited text.
type rowReader struct {
	r         *bufio.Reader
	delimiter byte
	line      int  // number of the line that is read
	size      int  // bytes of the row so far, its end with them
	filled    bool // whether any of them is more than the end of the line
	keep      int  // fields of a row that are kept
}

// next returns the next row that is not an empty line, io.EOF after the last.
func (c *rowReader) next() ([]string, error) {
	for {
		start := c.line
		row, end, err := c.row()
		switch {
		case err != nil:
			return nil, fmt.Errorf("row at line %d: %w", start, err)
		case c.filled:
			return row, nil
		case end:
			return nil, io.EOF
		}
	}
}

// row reads the fields up to the end of the line or, with end, of the text.
func (c *rowReader) row() (row []string, end bool, err error) {
	c.size, c.filled = 0, false
	for {
		field, after, err := c.field()
		if end = errors.Is(err, io.EOF); err != nil && !end {
			return nil, false, err
		}
		if len(row) < c.keep {
			row = append(row, field)
		}
		if end || after == '\n' {
			return row, end, nil
		}
	}
}

// field reads a field and what ends it: the delimiter or a line feed. At the
// end of the text the error is io.EOF, beside the field.
func (c *rowReader) field() (text string, after byte, err error) {
	var b strings.Builder
	quoted := false
	for first := true; ; first = false {
		ch, err := c.read()
		if errors.Is(err, io.EOF) && quoted {
			return "", 0, errors.New("a quoted field has no end")
		}
		if err != nil {
			return b.String(), 0, err
		}
		switch {
		case ch == '"' && first:
			quoted = true
		case ch == '"' && quoted && !c.skip('"'):
			quoted = false
		case ch == '\\':
			next, err := c.r.Peek(1)
			if err == nil && (next[0] == '\\' || next[0] == '"' || next[0] == c.delimiter) {
				c.skip(next[0])
				b.WriteByte(next[0])
			}
		case quoted:
			b.WriteByte(ch)
		case ch == c.delimiter || ch == '\n':
			return b.String(), ch, nil
		case ch == '\r' && c.ends():
		default:
			b.WriteByte(ch)
		}
	}
}

// read returns the next byte.
func (c *rowReader) read() (byte, error) {
	ch, err := c.r.ReadByte()
	if err != nil {
		return 0, err
	}
	if ch == '\n' {
		c.line++
	}
	c.filled = c.filled || ch != '\n' && ch != '\r'
	if c.size++; c.size > MaxLine {
		return 0, errTooLong
	}
	return ch, nil
}

// skip reads ch if it is next.
func (c *rowReader) skip(ch byte) bool {
	next, err := c.r.Peek(1)
	if err != nil || next[0] != ch {
		return false
	}
	_, err = c.read()
	return err == nil
}

// ends reports whether the line or the text ends here.
func (c *rowReader) ends() bool {
	next, err := c.r.Peek(1)
	return err != nil || next[0] == '\n'
}

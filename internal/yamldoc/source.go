package yamldoc

import (
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/diag"
)

// source is the text of a file with the starts of its lines.
type source struct {
	file  string
	text  string
	lines []int // byte offsets of line starts, ended by \n
	// breaks are the line starts as the YAML library counts them: it also
	// ends lines at lone CR, NEL, LS and PS.
	breaks []int
	// The last places found by locate and next while parsing, so that a file
	// of one long line is walked through once and not for every node.
	located cursor
	passed  cursor
}

type cursor struct {
	line, column, offset int
}

func newSource(file, text string) *source {
	s := &source{file: file, text: text}
	s.lines = append(make([]int, 0, strings.Count(text, "\n")+1), 0)
	odd := false
	for i := 0; i < len(text); i++ {
		if n := lineBreak(text[i:]); n > 0 && text[i+n-1] == '\n' {
			i += n - 1
			s.lines = append(s.lines, i+1)
		} else if n > 0 {
			odd = true
		}
	}
	s.breaks = s.lines
	if odd {
		s.breaks = []int{0}
		for i := 0; i < len(text); i++ {
			if n := lineBreak(text[i:]); n > 0 {
				i += n - 1
				s.breaks = append(s.breaks, i+1)
			}
		}
	}
	return s
}

// lineBreak returns the length of the line break at the start of s, 0 for none.
func lineBreak(s string) int {
	switch s[0] {
	case '\n':
		return 1
	case '\r':
		if len(s) > 1 && s[1] == '\n' {
			return 2
		}
		return 1
	case 0xc2:
		if strings.HasPrefix(s, "\u0085") {
			return 2
		}
	case 0xe2:
		if strings.HasPrefix(s, "\u2028") || strings.HasPrefix(s, "\u2029") {
			return 3
		}
	}
	return 0
}

// pos returns the position of a byte offset.
func (s *source) pos(offset int) diag.Pos {
	line := sort.SearchInts(s.lines, offset+1)
	return diag.Pos{File: s.file, Line: line, Column: utf8.RuneCountInString(s.text[s.lines[line-1]:offset]) + 1}
}

// next is pos for the parser, which moves mostly forward.
func (s *source) next(offset int) diag.Pos {
	c := s.passed
	if c.line == 0 || offset < c.offset || c.line < len(s.lines) && offset >= s.lines[c.line] {
		line := sort.SearchInts(s.lines, offset+1)
		c = cursor{line: line, column: 1, offset: s.lines[line-1]}
	}
	c.column += utf8.RuneCountInString(s.text[c.offset:offset])
	c.offset = offset
	s.passed = c
	return diag.Pos{File: s.file, Line: c.line, Column: c.column}
}

// after returns the position of offset, given the one of an earlier offset.
func (s *source) after(pos diag.Pos, from, offset int) diag.Pos {
	if offset < from || strings.Contains(s.text[from:offset], "\n") {
		return s.pos(offset)
	}
	pos.Column += utf8.RuneCountInString(s.text[from:offset])
	return pos
}

// lineAfter returns the bounds of the nth line after the one with offset,
// without the line end.
func (s *source) lineAfter(offset, n int) (start, end int, ok bool) {
	line := sort.SearchInts(s.breaks, offset+1) - 1 + n
	if line >= len(s.breaks) {
		return len(s.text), len(s.text), false
	}
	start, end = s.breaks[line], len(s.text)
	if line+1 < len(s.breaks) {
		end = s.breaks[line+1]
	}
	return start, start + len(strings.TrimRight(s.text[start:end], "\r\n")), true
}

// locate returns the byte offset of a line and column (in characters, both
// from 1) as the YAML library counts them; places outside are moved inside.
func (s *source) locate(line, column int) int {
	line = min(max(line, 1), len(s.breaks))
	c := cursor{line: line, column: 1, offset: s.breaks[line-1]}
	if s.located.line == line && s.located.column <= column {
		c = s.located
	}
	for c.column < column && c.offset < len(s.text) && s.text[c.offset] != '\n' {
		_, n := utf8.DecodeRuneInString(s.text[c.offset:])
		c.offset += n
		c.column++
	}
	s.located = c
	return c.offset
}

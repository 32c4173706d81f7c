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
	s := &source{file: file, text: text, lines: []int{0}, breaks: []int{0}}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n':
			s.lines = append(s.lines, i+1)
			s.breaks = append(s.breaks, i+1)
		case '\r':
			if i+1 >= len(text) || text[i+1] != '\n' {
				s.breaks = append(s.breaks, i+1)
			}
		case 0xc2:
			if strings.HasPrefix(text[i:], "\u0085") {
				s.breaks = append(s.breaks, i+2)
			}
		case 0xe2:
			if strings.HasPrefix(text[i:], "\u2028") || strings.HasPrefix(text[i:], "\u2029") {
				s.breaks = append(s.breaks, i+3)
			}
		}
	}
	return s
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

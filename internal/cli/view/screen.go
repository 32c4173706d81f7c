package view

import (
	"bytes"
	"fmt"
	"io"
)

// Screen redraws a picture in place on a terminal, below what scrolls by. Not
// safe for concurrent use.
type Screen struct {
	out   io.Writer
	size  func() (columns, rows int)
	drawn []int // widths of the lines of the last picture
}

// NewScreen returns a screen on a terminal with the size as it is at each
// moment.
func NewScreen(out io.Writer, size func() (columns, rows int)) *Screen {
	return &Screen{out: out, size: size}
}

// Draw replaces the last picture. Each line must fit the width.
func (s *Screen) Draw(lines []string) {
	var b bytes.Buffer
	s.top(&b)
	s.put(&b, lines)
	s.flush(&b)
}

// Above prints lines that stay, above the picture.
func (s *Screen) Above(text string, picture []string) {
	var b bytes.Buffer
	s.top(&b)
	b.WriteString("\x1b[J")
	b.WriteString(text)
	s.put(&b, picture)
	s.flush(&b)
}

// Keep leaves the last picture where it is: the next one is drawn below.
func (s *Screen) Keep() { s.drawn = nil }

// put writes the lines of a picture from where the cursor is.
func (s *Screen) put(b *bytes.Buffer, lines []string) {
	s.drawn = s.drawn[:0]
	for _, l := range lines {
		b.WriteString(l)
		b.WriteString("\x1b[K\n")
		s.drawn = append(s.drawn, plainWidth(l))
	}
	b.WriteString("\x1b[J")
}

// top moves the cursor to the first line of the last picture, whose lines may
// have been wrapped since, if the terminal became narrower.
func (s *Screen) top(b *bytes.Buffer) {
	columns, _ := s.size()
	up := 0
	for _, w := range s.drawn {
		up += max(1, (w+columns-1)/max(columns, 1))
	}
	if up > 0 {
		fmt.Fprintf(b, "\r\x1b[%dA", up)
	}
}

func (s *Screen) flush(b *bytes.Buffer) {
	_, _ = s.out.Write(b.Bytes()) // a terminal that is gone shows nothing
}

// plainWidth is the width of a line without its colours.
func plainWidth(line string) int {
	plain := make([]byte, 0, len(line))
	for i := 0; i < len(line); i++ {
		if line[i] == 0x1b {
			for i < len(line) && line[i] != 'm' {
				i++
			}
			continue
		}
		plain = append(plain, line[i])
	}
	return Width(string(plain))
}

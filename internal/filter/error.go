package filter

import "fmt"

// Error says what is wrong with a line, where, and what to write.
type Error struct {
	Column  int    // in characters, from 1
	Message string // what is wrong
	Hint    string // what to write; may be empty
}

// Error returns the message with its place and hint.
func (e *Error) Error() string {
	text := fmt.Sprintf("filter, column %d: %s", e.Column, e.Message)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

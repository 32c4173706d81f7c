package workflow

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxSignalName is the longest name of a signal, in bytes.
const MaxSignalName = 200

// CheckSignalName says what is wrong with the name of a signal.
func CheckSignalName(name string) error {
	if name == "" || len(name) > MaxSignalName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("the name of a signal has 1 to %d bytes of text, without control characters", MaxSignalName)
	}
	return nil
}

package evidence

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Key is the public key of a log.
type Key struct {
	verifier note.Verifier
	text     string
}

// ErrKey means that a text is not a public key.
var ErrKey = errors.New("not the public key of an audit log")

// privateKey begins the text of a private key.
const privateKey = "PRIVATE+KEY+"

// ParseKey reads a public key: one line, in the form of a note verifier
// (NAME+HASH+KEY). The error is [ErrKey], wrapped.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, privateKey) {
		return Key{}, fmt.Errorf("%w: it is the private one, which should stay where it is", ErrKey)
	}
	verifier, err := note.NewVerifier(text)
	if err != nil {
		return Key{}, fmt.Errorf("%w: want one line such as regie/NAME+1a2b3c4d+BASE64", ErrKey)
	}
	return Key{verifier: verifier, text: text}, nil
}

// Origin is the name of the log.
func (k Key) Origin() string { return k.verifier.Name() }

// Verifier checks signatures of the key.
func (k Key) Verifier() note.Verifier { return k.verifier }

// String is the text that ParseKey reads.
func (k Key) String() string { return k.text }

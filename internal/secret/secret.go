package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Placeholder is what a [Secret] prints as, whatever prints it.
const Placeholder = "[secret]"

// Mask is what masked text is replaced by.
const Mask = "***"

// Secret holds a secret text. Nothing but [Secret.Reveal] gives it away:
// printing, logging and encoding a Secret, or anything that contains one,
// shows [Placeholder]. The zero Secret is empty. Copying is cheap; safe for
// concurrent use.
type Secret struct {
	// A closure, since no printer and no encoder looks into one.
	reveal func() string
}

// New makes a handle for text.
func New(text string) Secret { return Secret{reveal: func() string { return text }} }

// Reveal returns the secret text. Call it where the text is handed over and
// nowhere else.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// String returns [Placeholder].
func (Secret) String() string { return Placeholder }

// GoString returns [Placeholder].
func (Secret) GoString() string { return Placeholder }

// Format writes [Placeholder] for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Placeholder) }

// MarshalJSON writes [Placeholder] as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Placeholder + `"`), nil }

// MarshalText writes [Placeholder]; YAML and XML encoders use it.
func (Secret) MarshalText() ([]byte, error) { return []byte(Placeholder), nil }

// MarshalBinary refuses: no binary form of a secret is meant to exist.
func (Secret) MarshalBinary() ([]byte, error) {
	return nil, errors.New("encode secret: a secret has no binary form")
}

// LogValue logs [Placeholder].
func (Secret) LogValue() slog.Value { return slog.StringValue(Placeholder) }

// Named is a secret with the name by which workflows refer to it.
type Named struct {
	Name   string
	Secret Secret
}

package secret

import (
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// MinMaskLength is the length from which a secret is masked, in bytes. Shorter
// texts occur by chance: masking them would make logs unreadable and give the
// secret away by the places where it is missing.
const MinMaskLength = 8

// A Masker replaces secrets in text. It never changes and is safe for
// concurrent use.
type Masker struct {
	automaton automaton
}

// NewMasker returns a masker for the secrets and their [Encodings], and a
// warning for each secret that cannot be masked because it is too short or a
// common word. Warnings name the secret and do not show it.
func NewMasker(secrets ...Named) (*Masker, []string) {
	var warnings, patterns []string
	for _, s := range secrets {
		text := s.Secret.Reveal()
		if err := Maskable(text); err != nil {
			warnings = append(warnings, fmt.Sprintf("secret %s is not masked in logs and outputs: %v", s.Name, err))
			continue
		}
		patterns = append(patterns, Encodings(text)...)
	}
	return &Masker{automaton: newAutomaton(patterns)}, warnings
}

// Maskable says why a text cannot be masked, nil if it can.
func Maskable(text string) error {
	if isCommonWord(text) {
		return fmt.Errorf("it is a common word; use a random text of at least %d bytes", MinMaskLength)
	}
	if len(text) < MinMaskLength {
		return fmt.Errorf("it has %d bytes; use at least %d", len(text), MinMaskLength)
	}
	return nil
}

func isCommonWord(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "true", "false", "null", "none", "nil", "yes", "no", "on", "off", "undefined",
		"password", "changeme", "localhost", "production", "development", "default":
		return true
	}
	return false
}

// String returns text masked.
func (m *Masker) String(text string) string {
	if m.automaton.empty() {
		return text
	}
	var out strings.Builder
	w := m.Writer(&out)
	_, _ = w.Write([]byte(text)) // a strings.Builder takes everything
	_ = w.Flush()
	return out.String()
}

// Value returns v with all texts and keys masked. A number whose digits hold
// a secret becomes a text. Keys that become equal are one key.
func (m *Masker) Value(v value.Value) value.Value {
	if m.automaton.empty() {
		return v
	}
	switch v.Kind() {
	case value.KindString:
		text, _ := v.Str()
		if masked := m.String(text); masked != text {
			return value.String(masked)
		}
	case value.KindInt, value.KindBigInt, value.KindFloat:
		text := v.String()
		if masked := m.String(text); masked != text {
			return value.String(masked)
		}
	case value.KindList:
		items := make([]value.Value, v.Len())
		for i, item := range v.Items() {
			items[i] = m.Value(item)
		}
		return value.List(items...)
	case value.KindObject:
		members := make([]value.Member, 0, v.Len())
		for _, member := range v.Members() {
			members = append(members, value.M(m.String(member.Key), m.Value(member.Value)))
		}
		return value.Object(members...)
	}
	return v
}

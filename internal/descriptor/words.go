package descriptor

import (
	"strings"

	"github.com/regie-dev/regie/internal/yamldoc"
)

// Words says in plain words what the type expects, such as "a list of texts".
func (t *Type) Words() string {
	switch t.Kind {
	case String:
		return "a text"
	case Integer:
		return "an integer"
	case Number:
		return "a number"
	case Decimal:
		return "a decimal number"
	case Boolean:
		return "true or false"
	case Duration:
		return "a duration such as 90s, 10m or 1h30m"
	case Date:
		return "a date such as 2026-01-31"
	case DateTime:
		return "a date and time such as 2026-01-31T06:30:00Z"
	case Identifier:
		return "an identifier"
	case Name:
		return "a name"
	case Expression:
		return "an expression"
	case List:
		if t.Elem == nil || t.Elem.Kind == Any {
			return "a list"
		}
		return "a list, each item " + t.Elem.Words()
	case Map:
		if t.Elem == nil || t.Elem.Kind == Any {
			return "a mapping"
		}
		return "a mapping, each value " + t.Elem.Words()
	case Struct:
		if t.Object != nil && t.Object.Name != "" {
			return "a mapping (" + t.Object.Name + ")"
		}
		return "a mapping"
	case OneOf:
		words := make([]string, len(t.Options))
		for i := range t.Options {
			words[i] = t.Options[i].Words()
		}
		return alternatives(words)
	case Const:
		return "`" + t.Text + "`"
	}
	return "anything"
}

// rule is Words with the grammar of names, for who broke it.
func (t *Type) rule() string {
	switch t.Kind {
	case Identifier:
		return "an identifier (a letter or _, then letters, digits and _, at most 63)"
	case Name:
		return "a name (a-z, 0-9, then also . _ -, at most 63)"
	}
	return t.Words()
}

// alternatives joins "a", "b" and "c" as "a, b or c".
func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// maxShown bounds the characters of a file's text that a message repeats.
const maxShown = 63

func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	if runes := []rune(s); len(runes) > maxShown {
		return string(runes[:maxShown]) + "…"
	}
	return s
}

// found says what stands in a place. Computed texts are not repeated: they may
// hold secrets.
func (c *checker) found(n *yamldoc.Node) string {
	switch n.Kind {
	case yamldoc.Null:
		return "nothing stands here"
	case yamldoc.List, yamldoc.Map:
		return "this is " + n.Kind.String()
	}
	if c.computed {
		return "this is " + n.Kind.String()
	}
	return "this is " + n.Kind.String() + ", " + shown(n)
}

// shown is a scalar in a message: shortened, in quotes if it is a text.
func shown(n *yamldoc.Node) string {
	if n.Kind != yamldoc.String {
		return clip(n.Text)
	}
	return `"` + clip(n.Text) + `"`
}

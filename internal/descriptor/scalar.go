package descriptor

import (
	"fmt"
	"math/big"
	"time"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// fault is what is wrong with a scalar: it "must be" what message says.
type fault struct {
	code, message, hint string
	kind                bool // the kind is wrong, not only the form
}

func (f *fault) report(c *checker, n *yamldoc.Node, p *path) {
	d := c.errorf(n, p, f.code, "%s must be %s", p.label(nil), f.message)
	d.Hint = f.hint
}

// scalar checks a value against a type without parts; nil when it fits.
func (c *checker) scalar(n *yamldoc.Node, t *Type, u use) *fault {
	if !kindFits(n.Kind, t.Kind) {
		return c.wrongKind(n, t, u)
	}
	switch t.Kind {
	case String:
		if len(u.enum) > 0 {
			return c.enum(n, u.enum)
		}
		return c.length(n, t)
	case Const:
		if n.Text != t.Text {
			return &fault{code: CodeUnknownValue, message: t.Words() + "; " + c.found(n), hint: diag.DidYouMean(n.Text, []string{t.Text})}
		}
	case Expression:
		if n.Text == "" {
			return &fault{code: CodeInvalidValue, message: "an expression; this is empty"}
		}
	case Integer, Number, Decimal:
		return c.number(n, t)
	case Boolean:
		return nil
	default:
		if !wellFormed(n.Text, t.Kind) {
			return &fault{code: CodeInvalidValue, message: t.rule() + "; " + c.found(n), hint: formHint(n.Text, t.Kind)}
		}
	}
	return nil
}

// kindFits reports whether a node of kind n can be a value of kind t at all.
func kindFits(n yamldoc.Kind, t Kind) bool {
	switch t {
	case Integer, Number:
		return n == yamldoc.Int || n == yamldoc.Float
	case Decimal:
		return n == yamldoc.Int || n == yamldoc.Float || n == yamldoc.String
	case Boolean:
		return n == yamldoc.Bool
	case Expression:
		return n == yamldoc.String || n == yamldoc.Bool || n == yamldoc.Int || n == yamldoc.Float
	case List:
		return n == yamldoc.List
	case Map, Struct:
		return n == yamldoc.Map
	case Any:
		return true
	}
	return n == yamldoc.String
}

// wrongKind explains a value of another kind.
func (c *checker) wrongKind(n *yamldoc.Node, t *Type, u use) *fault {
	f := &fault{code: CodeWrongType, message: expects(t, u) + "; " + c.found(n), kind: true}
	if c.computed {
		return f
	}
	switch {
	case n.Kind == yamldoc.Null:
		f.hint = hintNull
	case !n.IsScalar():
	case t.Kind == Boolean:
		f.hint = booleanHint(n.Text)
	case n.Kind == yamldoc.Int && t.Kind == Duration:
		f.hint = fmt.Sprintf("write a unit: %ss for seconds, %sm for minutes", clip(n.Text), clip(n.Text))
	case n.Kind != yamldoc.String && (t.Kind == String || t.Kind == Name || t.Kind == Const):
		f.hint = fmt.Sprintf("write it in quotes: %q", clip(n.Text))
	case n.Kind == yamldoc.String && (t.Kind == Integer || t.Kind == Number):
		if n.Quoted() {
			f.hint = "write it without quotes"
		}
	}
	return f
}

// booleanHint knows the words that YAML 1.1 took for booleans.
func booleanHint(text string) string {
	switch text {
	case "yes", "Yes", "YES", "on", "On", "ON", "y", "Y", "1":
		return "write true"
	case "no", "No", "NO", "off", "Off", "OFF", "n", "N", "0":
		return "write false"
	}
	return ""
}

func (c *checker) enum(n *yamldoc.Node, enum []EnumValue) *fault {
	for _, e := range enum {
		if e.Text == n.Text {
			return nil
		}
	}
	return &fault{code: CodeUnknownValue, message: enumWords(enum) + "; " + c.found(n), hint: diag.DidYouMean(n.Text, texts(enum))}
}

func (c *checker) length(n *yamldoc.Node, t *Type) *fault {
	length := int64(utf8.RuneCountInString(n.Text))
	switch {
	case t.Min != nil && *t.Min == 1 && length == 0:
		return &fault{code: CodeOutOfRange, message: "a text; this is empty"}
	case t.Min != nil && length < *t.Min:
		return &fault{code: CodeOutOfRange, message: fmt.Sprintf("at least %s long; this has %d", count(*t.Min, "characters"), length)}
	case t.Max != nil && length > *t.Max:
		return &fault{code: CodeOutOfRange, message: fmt.Sprintf("at most %s long; this has %d", count(*t.Max, "characters"), length)}
	}
	return nil
}

func (c *checker) number(n *yamldoc.Node, t *Type) *fault {
	if n.Kind == yamldoc.String && !decimalForm.MatchString(n.Text) {
		return &fault{code: CodeInvalidValue, message: t.Words() + "; " + c.found(n), hint: `write digits with a point, such as "1234.50"`}
	}
	x := rational(n)
	if t.Kind == Integer && !x.IsInt() {
		return &fault{code: CodeWrongType, message: "an integer; " + c.found(n)}
	}
	if t.Kind == Integer && !x.Num().IsInt64() {
		return &fault{code: CodeOutOfRange, message: "an integer of at most 63 bits; " + c.found(n)}
	}
	switch {
	case t.Min != nil && x.Cmp(new(big.Rat).SetInt64(*t.Min)) < 0:
		return &fault{code: CodeOutOfRange, message: fmt.Sprintf("at least %d; %s", *t.Min, c.found(n))}
	case t.Max != nil && x.Cmp(new(big.Rat).SetInt64(*t.Max)) > 0:
		return &fault{code: CodeOutOfRange, message: fmt.Sprintf("at most %d; %s", *t.Max, c.found(n))}
	}
	return nil
}

// rational returns the exact value of a number, or of a text of digits.
func rational(n *yamldoc.Node) *big.Rat {
	x := new(big.Rat)
	if i, ok := n.Value.BigInt(); ok {
		return x.SetInt(i)
	}
	if f, ok := n.Value.Float(); ok && x.SetFloat64(f) != nil {
		return x
	}
	if parsed, ok := x.SetString(n.Text); ok {
		return parsed
	}
	return new(big.Rat)
}

// wellFormed checks the form of a text.
func wellFormed(text string, kind Kind) bool {
	switch kind {
	case Duration:
		_, err := duration.Parse(text)
		return err == nil
	case Date:
		_, err := time.Parse(time.DateOnly, text)
		return err == nil
	case DateTime:
		_, err := time.Parse(time.RFC3339, text)
		return err == nil && dateTimeForm.MatchString(text)
	case Identifier:
		return ValidIdentifier(text)
	case Name:
		return ValidName(text)
	}
	return true
}

func formHint(text string, kind Kind) string {
	switch kind {
	case Duration:
		return "units are w d h m s ms, the larger first"
	case Name:
		if fixed := fixName(text); ValidName(fixed) {
			return fmt.Sprintf("for example %q", fixed)
		}
	case Identifier:
		if fixed := fixIdentifier(text); ValidIdentifier(fixed) {
			return fmt.Sprintf("for example %q", fixed)
		}
	}
	return ""
}

// fixName proposes a name that looks like text.
func fixName(text string) string {
	return mapBytes(text, func(c byte) byte {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_':
			return c
		}
		return '-'
	})
}

func fixIdentifier(text string) string {
	fixed := mapBytes(text, func(c byte) byte {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	})
	if fixed != "" && fixed[0] >= '0' && fixed[0] <= '9' {
		return "_" + fixed
	}
	return fixed
}

func mapBytes(s string, f func(byte) byte) string {
	out := []byte(s)
	for i, c := range out {
		out[i] = f(c)
	}
	return string(out)
}

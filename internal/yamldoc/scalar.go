package yamldoc

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/regie-dev/regie/internal/value"
)

// The forms of numbers in the YAML 1.2 core schema.
var (
	decimalInt = regexp.MustCompile(`^[-+]?[0-9]+$`)
	octalInt   = regexp.MustCompile(`^0o[0-7]+$`)
	hexInt     = regexp.MustCompile(`^0x[0-9a-fA-F]+$`)
	float      = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	special    = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

func (p *parser) scalar(n *yaml.Node, out *Node) bool {
	out.Text = n.Value
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		out.Style = SingleQuoted
	case n.Style&yaml.DoubleQuotedStyle != 0:
		out.Style = DoubleQuoted
	case n.Style&yaml.LiteralStyle != 0:
		out.Style = Literal
	case n.Style&yaml.FoldedStyle != 0:
		out.Style = Folded
	}
	tagged := n.Style&yaml.TaggedStyle != 0
	if n.Tag == "!" || tagged && n.Tag == "!!str" || !tagged && out.Style != Plain {
		return p.str(out)
	}
	if !p.resolve(out) {
		return false
	}
	if !tagged || n.Tag == out.Kind.tag() {
		return true
	}
	if n.Tag == "!!float" && out.Kind == Int {
		f, _ := out.Value.Float()
		out.Kind, out.Value = Float, value.Float(f)
		return true
	}
	p.unknownTag(n, out)
	return false
}

// str makes the node a text.
func (p *parser) str(out *Node) bool {
	if strings.ContainsRune(out.Text, 0) {
		p.errorf(out.Pos, CodeEncoding, "the text contains a NUL character")
		return false
	}
	out.Kind, out.Value = String, value.String(out.Text)
	return true
}

func (k Kind) tag() string {
	return [...]string{"!!null", "!!bool", "!!int", "!!float", "!!str", "!!seq", "!!map"}[k]
}

// resolve types a plain scalar by the YAML 1.2 core schema.
func (p *parser) resolve(out *Node) bool {
	text := out.Text
	switch text {
	case "", "~", "null", "Null", "NULL":
		out.Kind, out.Value = Null, value.Null
		return true
	case "true", "True", "TRUE":
		out.Kind, out.Value = Bool, value.True
		return true
	case "false", "False", "FALSE":
		out.Kind, out.Value = Bool, value.False
		return true
	}
	if c := text[0]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') {
		out.Kind, out.Value = String, value.String(text)
		return true
	}
	switch {
	case decimalInt.MatchString(text):
		return p.integer(out, text, 10)
	case octalInt.MatchString(text):
		return p.integer(out, text[2:], 8)
	case hexInt.MatchString(text):
		return p.integer(out, text[2:], 16)
	case float.MatchString(text):
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || len(text) > value.MaxNumberDigits {
			p.errorf(out.Pos, CodeNumber, "the number %s is too large", shorten(text)).
				WithLength(out.Length()).WithHint("write it in quotes if it is a text")
			return false
		}
		out.Kind, out.Value = Float, value.Float(f)
		return true
	case special.MatchString(text):
		p.errorf(out.Pos, CodeNumber, "%s has no form in JSON and is not supported", text).
			WithLength(out.Length()).WithHint("write it in quotes if it is a text")
		return false
	}
	out.Kind, out.Value = String, value.String(text)
	return true
}

func (p *parser) integer(out *Node, digits string, base int) bool {
	if len(digits) > value.MaxNumberDigits {
		p.errorf(out.Pos, CodeNumber, "the number %s is longer than %d digits", shorten(digits), value.MaxNumberDigits).
			WithHint("write it in quotes if it is a text")
		return false
	}
	i, ok := new(big.Int).SetString(digits, base)
	if !ok {
		p.errorf(out.Pos, CodeNumber, "%s is not an integer", digits)
		return false
	}
	out.Kind, out.Value = Int, value.BigInt(i)
	if plain := strings.TrimLeft(digits, "+-"); base == 10 && len(plain) > 1 && plain[0] == '0' {
		p.problems.Warnf(out.Pos, CodeNumber, "%s is read as the number %s", digits, i).
			WithLength(out.Length()).WithHint("write %q for a text, 0o%s for an octal number", digits, strings.TrimLeft(plain, "0"))
	}
	return true
}

// shorten keeps a text short enough for a message.
func shorten(s string) string {
	const most = 63 // characters
	if len(s) <= most {
		return s
	}
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

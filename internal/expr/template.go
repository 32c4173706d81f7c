package expr

import "strings"

// Marks of an expression in a text. The escape stands for a literal "${{".
const (
	templateOpen   = "${{"
	templateClose  = "}}"
	templateEscape = "$${{"
)

// Part is a piece of a text with expressions: either literal text or an
// expression.
type Part struct {
	IsExpr  bool
	Literal string // with escapes resolved
	Source  string // of the expression, without the space around it
	Offset  int    // bytes into the text where the literal or Source begins
}

// HasTemplate reports whether the text has an expression or an escape in it,
// so that [ParseTemplate] would give something else than the text itself.
func HasTemplate(text string) bool { return strings.Contains(text, templateOpen) }

// ParseTemplate splits a text into literals and the expressions between ${{
// and }}. Braces and quotes within an expression are skipped over in pairs;
// $${{ gives a literal ${{. The rules are the same for every language. Offsets
// of problems count from the start of the text.
//
// A text that is one expression and nothing else gives a single Part with
// IsExpr: its value keeps its type. Otherwise the parts are joined, each value
// as value.Value.Text writes it.
func ParseTemplate(text string) ([]Part, []Problem) {
	var (
		parts    []Part
		problems []Problem
		literal  strings.Builder
		start    int // of the literal
	)
	flush := func() {
		if literal.Len() > 0 {
			parts = append(parts, Part{Literal: literal.String(), Offset: start})
			literal.Reset()
		}
	}
	for at := 0; at < len(text); {
		rest := text[at:]
		if strings.HasPrefix(rest, templateEscape) {
			if literal.Len() == 0 {
				start = at
			}
			literal.WriteString(templateOpen)
			at += len(templateEscape)
			continue
		}
		if !strings.HasPrefix(rest, templateOpen) {
			if literal.Len() == 0 {
				start = at
			}
			literal.WriteByte(text[at])
			at++
			continue
		}
		flush()
		inner := at + len(templateOpen)
		end, fault := closing(text, inner)
		if fault != nil {
			problems = append(problems, *fault)
			return parts, problems
		}
		part := expression(text, inner, end)
		if part.Source == "" {
			problems = append(problems, Problem{
				Code: CodeSyntax, Message: "there is no expression between ${{ and }}",
				Hint: "write $${{ for a literal ${{", Offset: at, Length: end + len(templateClose) - at,
			})
		}
		parts = append(parts, part)
		at = end + len(templateClose)
	}
	flush()
	return parts, problems
}

// expression makes the part of the text from start to end, without the space
// around it.
func expression(text string, start, end int) Part {
	const space = " \t\r\n"
	body := strings.TrimLeft(text[start:end], space)
	offset := end - len(body)
	return Part{IsExpr: true, Source: strings.TrimRight(body, space), Offset: offset}
}

// closing finds the }} that ends the expression beginning at start.
func closing(text string, start int) (end int, fault *Problem) {
	depth := 0
	for at := start; at < len(text); {
		switch c := text[at]; c {
		case '"', '\'', '`':
			next, ok := skipQuoted(text, at)
			if !ok {
				return 0, &Problem{
					Code: CodeSyntax, Message: "the quoted text that begins here does not end",
					Hint: "close it with " + string(c), Offset: at, Length: 1,
				}
			}
			at = next
			continue
		case '{':
			depth++
		case '}':
			if depth == 0 && strings.HasPrefix(text[at:], templateClose) {
				return at, nil
			}
			depth = max(depth-1, 0)
		}
		at++
	}
	return 0, &Problem{
		Code: CodeSyntax, Message: "the expression that begins here does not end",
		Hint:   "close it with }}, or write $${{ for a literal ${{",
		Offset: start - len(templateOpen), Length: len(templateOpen),
	}
}

// skipQuoted returns the place behind the quoted text that begins at start. A
// backslash quotes the next character, except behind an r (raw text); a quote
// mark three times is closed by three.
func skipQuoted(text string, start int) (end int, ok bool) {
	mark := text[start : start+1]
	if tripled := strings.Repeat(mark, 3); mark != "`" && strings.HasPrefix(text[start:], tripled) {
		mark = tripled
	}
	raw := mark == "`" || isRaw(text[:start])
	for at := start + len(mark); at < len(text); at++ {
		switch {
		case text[at] == '\\' && !raw:
			at++
		case strings.HasPrefix(text[at:], mark):
			return at + len(mark), true
		}
	}
	return 0, false
}

// isRaw reports whether the text before a quote mark ends in the prefix r,
// alone or with b, and not in a longer name.
func isRaw(before string) bool {
	name := before[len(strings.TrimRight(before, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")):]
	return len(name) <= 2 && strings.ContainsAny(name, "rR") && strings.Trim(name, "rRbB") == ""
}

package asl

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/regie-dev/regie/internal/yamldoc"
)

// pathRule says which paths a field takes.
type pathRule struct {
	null      bool // null is allowed
	reference bool // one value, by names and indexes
	context   bool // the context object $$ may be read
	input     bool // of $ only: it is written to
	intrinsic bool // intrinsic functions are allowed
}

// path is the path under the field, nil where there is none.
func (o *object) path(field string, rule pathRule) *Value {
	n := o.get(field)
	at := o.where(field)
	switch {
	case n == nil:
		return nil
	case n.Kind == yamldoc.Null && rule.null:
		return &Value{Field: field, Literal: n.Value, Node: n}
	case n.Kind != yamldoc.String:
		o.wrongType(n, at, "[STRING]")
		return nil
	case rule.intrinsic && isIntrinsic(n.Text):
		if !o.query(n.Text) {
			o.fail(n, at, "The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", field)
			return nil
		}
		return &Value{Kind: Intrinsic, Field: field, Text: n.Text, Node: n}
	case rule.reference:
		ref, reason := parseReference(n.Text)
		if reason == "" && (ref.root == rootContext && !rule.context || rule.input && ref.root != rootInput) {
			reason = "Reference path must start with '$.'"
		}
		if reason != "" {
			o.fail(n, at, "Value is not a Reference Path: %s", reason)
			return nil
		}
		o.query(n.Text)
	case !strings.HasPrefix(n.Text, "$") || !o.query(n.Text):
		o.fail(n, at, "Value must be a valid JSONPath.")
		return nil
	}
	return &Value{Kind: Path, Field: field, Text: n.Text, Node: n}
}

// query notes the variables of a path or intrinsic, and reports whether it can
// be read.
func (o *object) query(src string) bool {
	if o.cfg.Path != nil {
		if _, problems := o.cfg.Path.Compile(src, nil); len(problems) > 0 {
			return false
		}
	}
	for _, name := range variablesOf(src) {
		o.refer(name)
	}
	return true
}

// refer notes that the state reads a variable.
func (o *object) refer(name string) {
	if o.state != nil {
		o.state.references[name] = true
	}
}

// isIntrinsic reports whether the text calls an intrinsic function.
func isIntrinsic(s string) bool { return strings.HasPrefix(s, "States.") }

// isPath reports whether a text looks like a path.
func isPath(s string) bool {
	s, _ = strings.CutPrefix(s, "$")
	return strings.HasPrefix(s, "$.") || strings.HasPrefix(s, "$[") || strings.HasPrefix(s, ".") && s != "."
}

// variablesOf lists the variables of a path or intrinsic: $name outside texts
// in quotes.
func variablesOf(src string) []string {
	var out []string
	quoted := false
	for i := 0; i < len(src); i++ {
		switch {
		case src[i] == '\\':
			i++
		case src[i] == '\'':
			quoted = !quoted
		case !quoted && src[i] == '$':
			if strings.HasPrefix(src[i:], "$$") {
				i++
				continue
			}
			name := src[i+1 : i+1+nameLength(src[i+1:])]
			if name != "" {
				out = append(out, name)
			}
			i += len(name)
		}
	}
	return out
}

// nameLength is the number of bytes of the variable's name with which the text
// begins.
func nameLength(s string) int {
	for i, r := range s {
		if !(unicode.IsLetter(r) || r == '_' || i > 0 && (unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r))) {
			return i
		}
	}
	return len(s)
}

type root uint8

const (
	rootInput    root = iota // $
	rootContext              // $$
	rootVariable             // $name
)

// reference is a reference path: it leads to one value.
type reference struct {
	root     root
	variable string
	steps    []refStep
}

// refStep is a name, or an index of a list.
type refStep struct {
	name    string
	index   int
	indexed bool
}

// parseReference takes a reference path apart; reason says why it is none.
func parseReference(s string) (ref reference, reason string) {
	rest, ok := strings.CutPrefix(s, "$")
	if !ok {
		return ref, "Reference path didn't start with '$'"
	}
	if after, ok := strings.CutPrefix(rest, "$"); ok {
		ref.root, rest = rootContext, after
	} else if n := nameLength(rest); n > 0 {
		ref.root, ref.variable, rest = rootVariable, rest[:n], rest[n:]
	}
	for rest != "" {
		var step refStep
		if step, rest, reason = nextStep(rest); reason != "" {
			return ref, reason
		}
		ref.steps = append(ref.steps, step)
	}
	return ref, ""
}

// nextStep reads the step with which the rest of a reference path begins.
func nextStep(s string) (step refStep, rest, reason string) {
	if s[0] == '.' && !strings.HasPrefix(s, ".[") {
		end := strings.IndexAny(s[1:], ".[")
		if end < 0 {
			end = len(s) - 1
		}
		step.name, rest = s[1:1+end], s[1+end:]
		if step.name == "" || strings.ContainsAny(step.name, "*@?()'\", ]") {
			return step, "", fmt.Sprintf("Reference path has an illegal step: %s", s)
		}
		return step, rest, ""
	}
	s = strings.TrimPrefix(s, ".")
	if s[0] != '[' {
		return step, "", fmt.Sprintf("Reference path has an illegal step: %s", s)
	}
	if len(s) > 1 && (s[1] == '\'' || s[1] == '"') {
		name, n, ok := quotedName(s[1:])
		if !ok || !strings.HasPrefix(s[1+n:], "]") {
			return step, "", fmt.Sprintf("Reference path has an illegal step: %s", s)
		}
		return refStep{name: name}, s[n+2:], ""
	}
	inside, after, ok := strings.Cut(s[1:], "]")
	index, err := strconv.Atoi(inside)
	if !ok || err != nil || index < 0 {
		return step, "", fmt.Sprintf("Reference path has an illegal step: %s", s)
	}
	return refStep{index: index, indexed: true}, after, ""
}

// quotedName reads a name in quotes, and how many bytes it takes.
func quotedName(s string) (name string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == s[0]:
			return b.String(), i + 1, true
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0, false
}

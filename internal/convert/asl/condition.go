package asl

import (
	"regexp"
	"strings"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/value"
)

// condition is the condition of a rule as CEL.
func (e *emitter) condition(b *block, s *asl.State, r *asl.Rule, in data) string {
	sc := e.scope(s, in, in)
	if r.Test == nil {
		d := e.settle(b, e.field(sc, r.Condition))
		if d.kind == constant {
			return d.value.String()
		}
		return e.source(d)
	}
	out, why := e.test(sc, r.Test)
	if why != "" {
		e.note(Lost, r.Pos, s.Name, "Choices", "%s; a placeholder that fails stands there, write the condition", why)
		return "bool(" + quote("TODO: "+why) + ")"
	}
	if strict(r.Test) {
		e.note(Changed, r.Pos, s.Name, "Choices", "a value of another type fails the run instead of not matching").Differs = true
	}
	return out
}

// strict reports whether a test compares in a way that CEL refuses for values
// of other types.
func strict(t *asl.Test) bool {
	for _, inner := range append(append([]asl.Test{}, t.And...), t.Or...) {
		if strict(&inner) {
			return true
		}
	}
	if t.Not != nil {
		return strict(t.Not)
	}
	return strings.Contains(t.Operator, "Than") || strings.HasPrefix(t.Operator, "Timestamp") || t.Operator == "StringMatches"
}

// test is a rule of JSONPath.
func (e *emitter) test(sc scope, t *asl.Test) (source, why string) {
	switch {
	case t.And != nil:
		return e.tests(sc, t.And, " && ")
	case t.Or != nil:
		return e.tests(sc, t.Or, " || ")
	case t.Not != nil:
		inner, why := e.test(sc, t.Not)
		return "!(" + inner + ")", why
	}
	return e.comparison(sc, t)
}

func (e *emitter) tests(sc scope, all []asl.Test, op string) (source, why string) {
	parts := make([]string, len(all))
	for i := range all {
		part, why := e.test(sc, &all[i])
		if why != "" {
			return "", why
		}
		if len(all[i].And) > 0 || len(all[i].Or) > 0 {
			part = "(" + part + ")"
		}
		parts[i] = part
	}
	return strings.Join(parts, op), ""
}

// dynamic is an operand whose type is not checked before it runs.
func (e *emitter) dynamic(d data) string {
	if d.kind != computed || d.shape != nil {
		return "dyn(" + e.source(d) + ")"
	}
	return e.operand(d)
}

// relations are the comparisons by the ends of their names.
var relations = []struct{ name, op string }{
	{"LessThanEquals", "<="}, {"GreaterThanEquals", ">="}, {"LessThan", "<"}, {"GreaterThan", ">"}, {"Equals", "=="},
}

func (e *emitter) comparison(sc scope, t *asl.Test) (source, why string) {
	if t.Operator == "IsPresent" {
		return e.present(sc, t)
	}
	v, why := e.read(sc, t.Variable.Text)
	if why == "" && hasOverlay(v) {
		why = "it compares data that is put together"
	}
	if why != "" {
		return "", t.Variable.Text + ": " + why
	}
	x := e.dynamic(v)
	if of, is := strings.CutPrefix(t.Operator, "Is"); is {
		return typeTest(of, x, t.Operand.Literal)
	}
	if t.Operator == "StringMatches" {
		pattern, _ := t.Operand.Literal.Str()
		if t.Operand.Kind != asl.Literal {
			return "", "StringMatches with a pattern that is computed has no counterpart"
		}
		return x + ".matches(" + quote(wildcards(pattern)) + ")", ""
	}
	y := fixed(t.Operand.Literal)
	if t.Operand.Kind != asl.Literal {
		if y, why = e.read(sc, t.Operand.Text); why != "" || hasOverlay(y) {
			return "", t.Operand.Text + ": " + why
		}
	}
	return relation(t.Operator, x, e.sourceOf(y), t.Operand.Kind == asl.Literal), ""
}

func hasOverlay(d data) bool { return d.some(func(part data) bool { return part.kind == overlay }) }

// sourceOf is an operand on the right.
func (e *emitter) sourceOf(d data) string {
	if d.kind == constant {
		return e.source(d)
	}
	return e.dynamic(d)
}

// relation compares x with y.
func relation(operator, x, y string, literal bool) string {
	for _, r := range relations {
		of, is := strings.CutSuffix(operator, r.name)
		if !is {
			continue
		}
		switch {
		case of == "Timestamp":
			return "timestamp(" + x + ") " + r.op + " timestamp(" + y + ")"
		case r.op == "==" && !literal:
			// Values of another type are not equal, whatever they are.
			is := map[string]string{
				"String": "type(" + x + ") == string", "Boolean": "type(" + x + ") == bool",
				"Numeric": "type(" + x + ") in [int, double]",
			}[of]
			return is + " && " + x + " == " + y
		}
		return x + " " + r.op + " " + y
	}
	return "false"
}

// present asks whether there is something at a path.
func (e *emitter) present(sc scope, t *asl.Test) (source, why string) {
	want, _ := t.Operand.Literal.Bool()
	p, why := parsePath(t.Variable.Text)
	if why != "" {
		return "", t.Variable.Text + ": " + why
	}
	d := sc.dollar
	switch {
	case p.context:
		return "", "IsPresent of the context object has no counterpart"
	case p.variable != "":
		v, ok := e.variable(p.variable)
		if !ok {
			return not("false", want), ""
		}
		d = v
	}
	for len(p.steps) > 0 && (d.kind == object || d.kind == constant || d.kind == overlay) && p.steps[0].by == byKey {
		if d.kind == overlay && len(d.path) > 1 && d.path[0] == p.steps[0].key && len(p.steps) == 1 {
			return not("true", want), ""
		}
		if _, known := d.known(p.steps[0].key); d.kind != overlay && !known {
			return not("false", want), ""
		}
		d, p.steps = e.member(d, p.steps[0].key), p.steps[1:]
	}
	if len(p.steps) == 0 {
		return not("true", want), ""
	}
	if d.kind != computed && d.kind != root {
		return "", t.Variable.Text + ": it asks for a part of data that is put together"
	}
	if d.kind == root { // an input cannot be asked for, a member of it can
		e.whole = true
	}
	src := e.source(d)
	if d.shape != nil {
		src = "dyn(" + src + ")"
	}
	for _, s := range p.steps {
		switch {
		case s.by == byAll:
			return "", t.Variable.Text + ": IsPresent with [*] has no counterpart"
		case s.by == byIndex:
			src += "[?" + itoa(s.index) + "]"
		case isName(s.key):
			src += ".?" + s.key
		default:
			src += "[?" + quote(s.key) + "]"
		}
	}
	return not(src+".hasValue()", want), ""
}

func not(source string, want bool) string {
	if want {
		return source
	}
	switch source {
	case "true":
		return "false"
	case "false":
		return "true"
	}
	return "!" + source
}

func typeTest(of, x string, literal value.Value) (source, why string) {
	want, _ := literal.Bool()
	out := ""
	switch of {
	case "Null":
		out = x + " == null"
		if !want {
			return x + " != null", ""
		}
		return out, ""
	case "String":
		out = "type(" + x + ") == string"
	case "Numeric":
		out = "type(" + x + ") in [int, double]"
	case "Boolean":
		out = "type(" + x + ") == bool"
	case "Timestamp":
		out = "type(" + x + ") == string && string(" + x + ").matches(" + quote(timestampForm) + ")"
	}
	if !want {
		out = "!(" + out + ")"
	}
	return out, ""
}

const timestampForm = `^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$`

// wildcards is a pattern of StringMatches as a regular expression.
func wildcards(pattern string) string {
	var b strings.Builder
	b.WriteString("(?s)^")
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		case pattern[i] == '*':
			b.WriteString(".*")
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	b.WriteString("$")
	return b.String()
}

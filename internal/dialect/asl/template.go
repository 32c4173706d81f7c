package asl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/jsonpath"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// The marks of an expression in a text of JSONata.
const (
	openMark  = "{%"
	closeMark = "%}"
)

// dynamic ends the name of a member whose value is a path or intrinsic.
const dynamic = ".$"

// template is the template under the field, nil where there is none. Fields of
// JSONPath are objects, those of JSONata objects or expressions, Output
// anything.
func (o *object) template(field string) *yamldoc.Node {
	n := o.get(field)
	if n == nil {
		return nil
	}
	at := o.where(field)
	if o.lang == JSONata {
		if field != "Output" && field != "Items" && field != "Arguments" && n.Kind != yamldoc.Map && n.Kind != yamldoc.String {
			o.wrongType(n, at, "[OBJECT, STRING]")
			return nil
		}
		o.jsonataTemplate(n, at)
		return n
	}
	if n.Kind != yamldoc.Map {
		if field == "Parameters" || field == "ResultSelector" || field == "ItemSelector" {
			return n // fixed data
		}
		o.wrongType(n, at, "[OBJECT]")
		return nil
	}
	o.payload(n, at)
	return n
}

// payload checks a template of JSONPath.
func (o *object) payload(n *yamldoc.Node, at string) {
	switch n.Kind {
	case yamldoc.List:
		for i, item := range n.Items {
			o.payload(item, index(at, i))
		}
	case yamldoc.Map:
		for i := range n.Entries {
			e := &n.Entries[i]
			if name, ok := strings.CutSuffix(e.Key.Text, dynamic); ok {
				o.dynamicMember(e, name, at)
				continue
			}
			o.noDollar(e, at)
			o.payload(e.Value, place(at, e.Key.Text))
		}
	default:
	}
}

// dynamicMember checks a member whose name ends with .$.
func (o *object) dynamicMember(e *yamldoc.Entry, name, at string) {
	hint := fmt.Sprintf("for the text itself, name the field %q", name)
	if e.Value.Kind != yamldoc.String {
		o.fail(e.Value, at, "%s", jsonpath.NotQuery(e.Key.Text)).Hint = hint
		return
	}
	q, problem := jsonpath.Parse(e.Value.Text)
	if problem != nil {
		if problem.Hint == "" && !strings.HasPrefix(e.Value.Text, "$") && !isIntrinsic(e.Value.Text) {
			problem.Hint = hint
		}
		o.addAt(e.Value, problem, at, jsonpath.NotQuery(e.Key.Text))
		return
	}
	o.refer(q.Variables()...)
}

// noDollar warns of a text that looks like a path and is none here.
func (o *object) noDollar(e *yamldoc.Entry, at string) {
	what := ""
	switch {
	case e.Value.Kind != yamldoc.String:
	case isPath(e.Value.Text):
		what = "a JSONPath"
	case isIntrinsic(e.Value.Text) && strings.HasSuffix(e.Value.Text, ")"):
		what = "an Intrinsic Function"
	}
	if what != "" {
		key := e.Key.Text
		o.add(Warning, CodeNoDollar, e.Key.Pos, e.Key.Length(), at, fmt.Sprintf(
			"The value of '%s' looks like %s. Instead of '%s', use '%s.$' to evaluate it as %s at runtime.", key, what, key, key, what))
	}
}

// noPath warns of a text that looks like a path where a field of another name
// takes paths.
func (o *object) noPath(field string) {
	if n := o.get(field); o.lang == JSONPath && n != nil && n.Kind == yamldoc.String && isPath(n.Text) {
		o.add(Warning, CodeNoPath, n.Pos, n.Length(), o.where(field), fmt.Sprintf(
			"The value of '%s' looks like a JSONPath. Instead of '%s', use '%sPath' to evaluate it as a JSONPath at runtime.", field, field, field))
	}
}

// staticResult warns of members of a Pass state's Result that look as if they
// were evaluated.
func (o *object) staticResult(n *yamldoc.Node, at string) {
	for _, item := range n.Items {
		o.staticResult(item, at)
	}
	for i := range n.Entries {
		e := &n.Entries[i]
		if strings.HasSuffix(e.Key.Text, dynamic) && e.Value.Kind == yamldoc.String {
			o.add(Warning, CodeStaticResult, e.Key.Pos, e.Key.Length(), at, fmt.Sprintf(
				"The value of '%s' will not evaluate as a JSONPath or Intrinsic Function at runtime. Instead of 'Result', use 'Parameters' to evaluate it as a JSONPath or Intrinsic Function at runtime.", e.Key.Text))
		}
		o.staticResult(e.Value, at)
	}
}

// jsonataTemplate checks every text of a template of JSONata.
func (o *object) jsonataTemplate(n *yamldoc.Node, at string) {
	switch n.Kind {
	case yamldoc.List:
		for i, item := range n.Items {
			o.jsonataTemplate(item, index(at, i))
		}
	case yamldoc.Map:
		for i := range n.Entries {
			o.jsonataTemplate(n.Entries[i].Value, place(at, n.Entries[i].Key.Text))
		}
	case yamldoc.String:
		o.jsonata(n, at, o.caught)
	default:
	}
}

// expressionOf is the JSONata in a text; ok is false for a text that is none,
// open for one that begins like an expression and does not end so.
func expressionOf(text string) (src string, offset int, ok, open bool) {
	if !strings.HasPrefix(text, openMark) {
		return "", 0, false, false
	}
	inside, closed := strings.CutSuffix(text[len(openMark):], closeMark)
	if !closed || len(text) < len(openMark)+len(closeMark) {
		return "", 0, false, true
	}
	trimmed := strings.TrimLeft(inside, " \t\r\n")
	return strings.TrimRight(trimmed, " \t\r\n"), len(openMark) + len(inside) - len(trimmed), true, false
}

// freeNames is a compiled expression that knows what it takes from outside.
type freeNames interface {
	Free() (variables, names []string)
}

// jsonata checks a text of JSONata: its source if it is an expression without
// faults.
func (o *object) jsonata(n *yamldoc.Node, at string, caught bool) (src string, ok bool) {
	src, offset, ok, open := expressionOf(n.Text)
	if open {
		o.fail(n, at, "JSONata string must start with {%% and end with %%}")
	}
	if !ok {
		return src, ok
	}
	// $$ is the variable $.
	compiled, problems := o.cfg.JSONata.Compile(src, &expr.Env{Roots: []expr.Root{{Name: "$", Why: "Reference to '$$' is not supported."}}})
	for _, p := range problems {
		code, message := CodeJSONata, jsonataMessage(p)
		if p.Code == expr.CodeForbidden {
			code = CodeUnsupportedJSONata
		}
		o.add(Error, code, n.At(offset+p.Offset), p.Length, at, message).Hint = p.Hint
	}
	if len(problems) > 0 {
		return "", false
	}
	reads := compiled.Reads()
	unsupported := func(format string, args ...any) {
		ok = false
		o.add(Error, CodeUnsupportedJSONata, n.Pos, n.Length(), at, fmt.Sprintf(format, args...))
	}
	if f, knows := compiled.(freeNames); knows {
		variables, names := f.Free()
		for _, name := range names {
			unsupported("Reference to '%s' at the top level is not supported.", name)
		}
		for _, name := range variables {
			if name != "states" {
				o.refer(name)
			}
		}
	}
	if !caught && slices.ContainsFunc(reads, func(r []string) bool { return len(r) > 1 && r[0] == "states" && r[1] == "errorOutput" }) {
		unsupported("Field '$states.errorOutput' does not exist.")
	}
	return src, ok
}

// jsonataMessage is a fault of an expression as AWS words it, which takes the
// words of JSONata's reference implementation, where they name nothing of the
// expression; ours elsewhere.
func jsonataMessage(p expr.Problem) string {
	switch p.Code {
	case "S0101":
		return "String literal must be terminated by a matching quote"
	case "S0105":
		return "Quoted property name must be terminated with a backquote (`)"
	case "S0106":
		return "Comment has no closing tag"
	case "S0207":
		return "Unexpected end of expression"
	case "S0301":
		return "Empty regular expressions are not allowed"
	case "S0302":
		return "No terminating / in regular expression"
	}
	return p.Message
}

// assign is the template under Assign: the names of variables with values.
func (o *object) assign() *yamldoc.Node {
	n := o.get("Assign")
	if n == nil {
		return nil
	}
	if n.Kind != yamldoc.Map {
		o.wrongType(n, o.where("Assign"), "[OBJECT]")
		return nil
	}
	for i := range n.Entries {
		key := n.Entries[i].Key
		name := key.Text
		if o.lang == JSONPath {
			name = strings.TrimSuffix(name, dynamic)
		}
		switch {
		case name == "states":
			o.add(Error, CodeReservedVariable, key.Pos, key.Length(), o.where("Assign"), "Cannot assign to reserved variable '$states'.")
		case nameLength(name) != len(name) || name == "":
			o.add(Error, CodeVariableName, key.Pos, key.Length(), o.where("Assign"),
				fmt.Sprintf("Invalid variable name '%s': the variable name contains invalid characters.", name)).
				Hint = "a name is a letter, then letters, digits and _"
		case utf8.RuneCountInString(name) > maxVariableName:
			o.add(Error, CodeVariableName, key.Pos, key.Length(), o.where("Assign"),
				fmt.Sprintf("Invalid variable name '%s': the variable name exceeds the 80-character limit.", name))
		}
	}
	return o.template("Assign")
}

// VariableReferences lists, for each state that reads variables, their names in
// order.
func (m *Machine) VariableReferences() map[string][]string {
	out := map[string][]string{}
	m.Each(func(s *State) {
		if len(s.references) > 0 {
			out[s.Name] = slices.Sorted(maps.Keys(s.references))
		}
	})
	return out
}

package asl

import (
	"strings"

	"github.com/regie-dev/regie/internal/yamldoc"
)

func (o *object) choice(s *State) {
	c := &ChoiceState{Default: o.str("Default")}
	s.Choice = c
	o.required("Choices")
	items := o.list("Choices")
	for i, n := range items {
		r := o.inner(n, index(o.where("Choices"), i))
		if r == nil {
			continue
		}
		rule := Rule{Pos: n.Pos, Location: r.at}
		test := append(words("And Or Not Variable"), operators()...)
		r.fields(fieldSet{words("Next Comment Assign"), test, words("Condition Output")})
		r.required("Next")
		rule.Next, rule.Comment = r.str("Next"), r.str("Comment").Text
		rule.Assign, rule.Output = r.assign(), r.template("Output")
		if r.lang == JSONata {
			rule.Condition = r.condition()
		} else {
			rule.Test = r.test()
		}
		c.Rules = append(c.Rules, rule)
	}
}

// only refuses a rule that says nothing, or several things.
func (o *object) only() bool {
	found := len(o.present("And", "Or", "Not", "Variable", "Condition"))
	if found == 1 {
		return true
	}
	if found == 0 && len(o.refused) > 0 {
		return false // what is there is not of this language
	}
	o.fail(nil, o.at, "The object must have only one of the following fields, [And, Or, Not, Variable, Condition]")
	return false
}

// condition reads a rule of JSONata.
func (o *object) condition() *Value {
	n := o.get("Condition")
	if n == nil {
		o.only()
		return nil
	}
	if v, is := o.expression("Condition", n); is {
		return v
	}
	if _, ok := n.Value.Bool(); !ok {
		o.wrongType(n, o.where("Condition"), "[BOOLEAN]")
		return nil
	}
	return &Value{Field: "Condition", Literal: n.Value, Node: n}
}

// test reads a rule of JSONPath, or one inside it.
func (o *object) test() *Test {
	if !o.only() {
		return nil
	}
	switch {
	case o.get("And") != nil:
		return &Test{And: o.tests("And")}
	case o.get("Or") != nil:
		return &Test{Or: o.tests("Or")}
	case o.get("Not") != nil:
		if inner := o.child("Not"); inner != nil {
			return &Test{Not: inner.nested()}
		}
		return nil
	}
	return o.comparison()
}

func (o *object) tests(field string) []Test {
	items := o.list(field)
	var out []Test
	for i, n := range items {
		if inner := o.inner(n, index(o.where(field), i)); inner != nil {
			if t := inner.nested(); t != nil {
				out = append(out, *t)
			}
		}
	}
	return out
}

func (o *object) nested() *Test {
	o.fields(fieldSet{both: words("Comment"), path: append(words("And Or Not Variable"), operators()...), nata: words("Condition")})
	return o.test()
}

func (o *object) comparison() *Test {
	t := &Test{Variable: o.path("Variable", pathRule{reference: true, context: true})}
	found := o.present(operators()...)
	if len(found) != 1 {
		message := "This object should have only one of the following fields: [%s]"
		if len(found) > 1 {
			message = "There should only be one of the following fields: [%s]"
		}
		o.fail(nil, o.at, message, strings.Join(operators(), ", "))
		return nil
	}
	name := found[0]
	base, of, path := operatorOf(name)
	t.Operator = base
	if path {
		t.Operand = o.path(name, pathRule{reference: true, context: true})
		return t
	}
	n, at := o.get(name), o.where(name)
	t.Operand = &Value{Field: name, Literal: n.Value, Node: n}
	_, isNumber := n.Value.Float()
	switch {
	case of == ofText && n.Kind != yamldoc.String:
		o.wrongType(n, at, "[STRING]")
	case of == ofNumber && !isNumber:
		o.wrongType(n, at, "Number")
	case of == ofBoolean && n.Kind != yamldoc.Bool:
		o.wrongType(n, at, "[BOOLEAN]")
	case of == ofTimestamp && n.Kind != yamldoc.String:
		o.wrongType(n, at, "[STRING]")
	case of == ofTimestamp && !isTimestamp(n.Text):
		o.fail(n, at, "String does not match RFC3339 timestamp")
	}
	return t
}

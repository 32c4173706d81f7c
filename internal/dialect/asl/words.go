package asl

import (
	"encoding/json"
	"strings"

	"github.com/regie-dev/regie/internal/workflow"
)

// Words is an expression of a state machine as its author wrote it, for people to
// read: a path, JSONata, or the test of a Choice in the words of the language. It
// is the source of an expression of any other language.
func Words(e *workflow.Expr) string {
	var op Operation
	if e.Language != Name || json.Unmarshal([]byte(e.Source), &op) != nil {
		return e.Source
	}
	switch {
	case op.JSONata != "":
		return op.JSONata
	case op.Test != nil:
		return op.Test.words()
	case op.Path != "":
		return op.Path
	}
	return e.Source
}

func (t *TestSource) words() string {
	switch {
	case len(t.And) > 0:
		return joinTests(t.And, " and ")
	case len(t.Or) > 0:
		return joinTests(t.Or, " or ")
	case t.Not != nil:
		return "not (" + t.Not.words() + ")"
	case t.Path != "":
		return t.Variable + " " + t.Operator + " " + t.Path
	}
	return t.Variable + " " + t.Operator + " " + t.Literal.String()
}

func joinTests(tests []TestSource, word string) string {
	out := make([]string, len(tests))
	for i := range tests {
		if out[i] = tests[i].words(); len(tests[i].And) > 0 || len(tests[i].Or) > 0 {
			out[i] = "(" + out[i] + ")"
		}
	}
	return strings.Join(out, word)
}

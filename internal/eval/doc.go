// Package eval knows how one expression is evaluated by itself: the core of
// regie eval, for a person at a terminal and, line by line, for programs that
// try many expressions.
//
// The package is pure. It imports expr, value and diag; the languages are
// passed in.
//
//	e := eval.New(eval.Config{Languages: []expr.Language{cel.New()}})
//	answer := e.Line([]byte(`{"id": 1, "expression": "input.total > 10", "input": {"total": 12}}`))
//	// {"id":1,"result":true}
package eval

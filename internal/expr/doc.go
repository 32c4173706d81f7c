// Package expr knows what an expression language is to the rest of Regie: text
// that is compiled against the names it may use and evaluated within a budget,
// without clock, randomness or access to anything outside its bindings.
//
// The languages live below it (cel, jsonata, jsonpath). The package is pure; it
// imports value only.
//
//	compiled, problems := lang.Compile("inputs.total > 10", env)
//	result, err := compiled.Eval(expr.Request{Bindings: map[string]value.Value{"inputs": in}, Cost: expr.InlineCost})
package expr

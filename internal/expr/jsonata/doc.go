// Package jsonata evaluates JSONata, the query and transformation language of
// JSON, as version 2.0.6 of its reference implementation does.
//
// It knows expressions and data only: no clock but [expr.Request].Now, no
// randomness but from [expr.Request].Seed, and no access to anything outside
// the bindings. It imports expr and value. What is evaluated is bounded in
// steps, memory, depth and length; docs/jsonata.md lists the bounds, and what
// regular expressions lack.
//
//	lang := jsonata.New(jsonata.Config{})
//	compiled, problems := lang.Compile("$sum(orders.(price * quantity))", nil)
//	result, err := compiled.Eval(expr.Request{Bindings: map[string]value.Value{"input": in}})
package jsonata

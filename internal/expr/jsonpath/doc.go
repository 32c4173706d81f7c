// Package jsonpath evaluates the JSONPath mode of the Amazon States Language:
// paths of the state's input ($), of the context object ($$) and of workflow
// variables ($name), and the intrinsic functions (States.Format and so on).
//
// It behaves as Step Functions does, also where that differs from its
// documentation: numbers that must be integers are cut off except in MathAdd,
// StringSplit drops empty parts, and failed functions have the error
// States.Runtime. docs/jsonpath.md lists the rules and the bounds.
//
// The package knows no states: which field may hold which kind of path, and
// in what order they apply, is known by the dialect. It has no clock, and
// randomness only from a seed. It imports expr and value.
//
//	query, problem := jsonpath.Parse("States.Format('{} items', States.ArrayLength($.items))")
//	e := jsonpath.NewEvaluator(jsonpath.Scope{Input: input}, jsonpath.Budget{})
//	result, err := e.Select(query)
package jsonpath

// Package transform knows the connector json.transform: a list of operations
// that reshape JSON, for what is long-winded as an expression: sorting,
// grouping, adding up, reading CSV.
//
// It computes in memory and calls nothing. The package imports connector and
// pure packages; nothing else of Regie.
//
//	call.Input = value.MustParse(`{"input": [{"n": 2}, {"n": 1}], "operations": [{"sort_by": ["n"]}]}`)
//	result, err := transform.New().Call(ctx, call)   // result.Output is {"result": [{"n":1},{"n":2}]}
package transform

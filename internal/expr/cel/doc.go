// Package cel knows CEL, the language of expressions in Regie's own files: its
// functions, its static types and how it is evaluated within a budget.
//
// The parser, its tree and the functions of the standard and of the extension
// libraries are those of cel-go. The checker and the evaluator are Regie's,
// for what it promises and cel-go does not: objects keep the order of their
// keys (cel-go's maps are iterated in random order); numbers of all types,
// decimals and big integers among them, compare and compute with each other,
// also within lists and sets; JSON is read where it lies instead of being
// converted; members that do not exist and values that may be null are found
// when a file is validated; time and memory are counted before they are spent.
// The conformance tests of CEL pass, but for the deviations that
// TestConformance lists with their reasons.
//
// One table of functions ([Language.Reference]) is what the checker checks,
// what is called, and what users read in docs/expressions.md; its examples are
// tests.
//
// The package is pure. It imports expr, value, calendar, duration and diag,
// and no package that uses expressions.
//
//	lang := cel.New()
//	env := &expr.Env{Roots: []expr.Root{{Name: "inputs"}}, Zone: "Europe/Amsterdam"}
//	compiled, problems := lang.Compile(`inputs.total > 10`, env)
//	result, err := compiled.Eval(expr.Request{Bindings: map[string]value.Value{"inputs": inputs}})
package cel

// Package asl knows the Amazon States Language: what may stand in a state
// machine, what it means, and the program form that it compiles to.
//
// [Read] gives the typed [Machine] of a definition in JSON or YAML and
// everything that is wrong with it. A [Diagnostic] has the code, location,
// severity and message of AWS's own validation, as far as they are known, and
// the file, line and column.
//
// [Compile] makes a program of a machine: a body of jumps for each set of
// states, whose nodes have the names of the states. Its expressions are of the
// language [NewLanguage], which says in AWS's words what is wrong with a value.
//
// The package is pure. It imports yamldoc, diag, value, expr, jsonpath and
// workflow; JSONata and what resources mean are passed in.
//
//	language := jsonata.New(jsonata.Config{AWS: true})
//	machine, problems := asl.Read(asl.Config{JSONata: language}, "order.asl.json", text)
//	if !asl.HasErrors(problems) {
//		program, problems := asl.Compile(asl.CompileConfig{Name: "order", JSONata: language, Target: target}, machine)
//	}
package asl

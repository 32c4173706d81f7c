// Package asl knows the Amazon States Language: what may stand in a state
// machine, what it means, and the program form that it compiles to.
//
// [Read] gives the typed [Machine] of a definition in JSON or YAML and
// everything that is wrong with it. A [Diagnostic] has the code, location,
// severity and message of AWS's own validation, as far as they are known, and
// the file, line and column.
//
// The package is pure. It imports yamldoc, diag, value, expr and workflow; the
// query languages are passed in.
//
//	machine, problems := asl.Read(asl.Config{JSONata: jsonata.New(jsonata.Config{AWS: true})}, "order.asl.json", text)
//	if !asl.HasErrors(problems) {
//		fmt.Println(machine.StartAt.Text, machine.VariableReferences())
//	}
package asl

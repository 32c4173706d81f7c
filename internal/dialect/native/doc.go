// Package native knows Regie's own workflow language: its YAML documents,
// what may stand in them, what they mean, and the program form that a workflow
// compiles to (docs/language.md).
//
// [Load] reads all documents of all files and returns everything that is wrong
// with them, each fault at its place. The descriptors of the language are the
// one source of checking, JSON Schema and the reference page.
//
// The package is pure: connectors, connection types and the expression
// language are passed in, and so are the files of bundles.
//
//	set, problems := native.Load(native.Config{Expr: language}, []native.Source{{Path: "eod.yaml", Text: text}})
//	if !diag.HasErrors(problems) {
//		program := set.Workflow("eod").Program
//	}
package native

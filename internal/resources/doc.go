// Package resources knows the file that says what the resources of Amazon
// States Language definitions are here: a function is a process or an HTTP
// endpoint, an integration a connector, a state machine another definition.
//
// [Parse] reads it, [File.Find] finds what a task calls, as a target of the
// compiler. [Describe] is its descriptor, of which schema and reference page
// come.
//
// The package is pure. It imports the dialects, descriptor, diag, expr, mock
// (for its patterns), value, workflow and yamldoc; it reads no files: which it
// needs, it says.
//
//	file, problems := resources.Parse(resources.Config{Expr: cel.New(), Connectors: connectors}, "resources.yaml", text)
//	found, ok := file.Find(state.Calls())
package resources

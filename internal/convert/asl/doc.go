// Package asl converts state machines of the Amazon States Language to native
// workflows, with a report of everything that the conversion carries over,
// changes or loses.
//
// [Convert] finds the structure in the graph of jumps: sequences, cases that
// join again, handlers of errors. Data is followed through paths, ResultPath
// and joins, so that a step reads the very step that made a value, and not a
// document that is passed along. What has no counterpart is written as a
// placeholder that fails when it is reached, never as something that looks
// right, and stands in the report.
//
// The package is pure. It imports dialect/asl for the model, value, diag and
// yamldoc; what resources mean is passed in.
//
//	machine, problems := asl.Read(config, "order.asl.json", text)
//	if !asl.HasErrors(problems) {
//		result := convert.Convert(convert.Config{Name: "order"}, machine)
//	}
package asl

// Package history knows how AWS Step Functions shows an execution: it makes
// the events of GetExecutionHistory from the events that are stored of a run of
// a state machine.
//
// A history is a view. Nothing of it is stored, nothing depends on it, and it
// can be made of a run that has not ended. The names of events, their details
// and their order are those of AWS's API reference and of recorded executions.
//
// The package is pure. It imports the engine's events, the program form and
// package asl.
//
//	events, err := history.Of(machine, program, stored)
//	name, cause := history.Failure(events)
package history

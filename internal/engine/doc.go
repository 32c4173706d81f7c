// Package engine is the decision core: a pure state machine that says what
// happens next in a run.
//
// [Machine.Decide] takes the state of one run and an input (a result, a timer,
// a cancel) and returns events, which are facts, and commands, which are work
// for others. It applies its own events to the state through [Run.Apply], the
// same function that recovery uses to fold stored events; expressions are
// evaluated while deciding and never again. Events and state move together, so
// a caller whose commit fails must drop the state and fold again.
//
// There is no clock, no randomness, no goroutine and no IO here: time, fencing
// numbers and seeds come in with the input. docs/engine.md has the model.
//
//	machine, err := engine.Prepare(program, languages)
//	run := engine.NewRun("r1")
//	d, err := machine.Decide(run, engine.Accept{Input: in}, engine.Context{Now: now})
//	// store d.Events, then act on d.Commands
package engine

// Package sim knows how to run the whole of Regie in one goroutine on simulated
// time, and what must hold while everything around it fails.
//
// The runtime's and the dispatcher's reactors and the engine are the ones that
// ship. Around them stand a store that fails as stores do, a server that
// crashes, workers that die, fall silent and report late, an outside world that
// keeps a ledger of what really happened, and clients that ask for runs, lose
// the answers, ask again, and cancel, and operators who hold, release and retry.
// All of it is drawn from one seed: the same seed gives the same trace, whose
// hash says so.
//
//	report := sim.Run(sim.Options{Seed: 42})
//	if report.Violation != nil { report.Write(os.Stderr) }
//
// What must hold is checked from outside, against what the store made durable
// and the ledger (model.go, check.go), by code that shares nothing with the
// engine but the form of programs and events.
//
// Randomness is split by subsystem, so that another fault of the store does not
// change what clients do. Nothing here may depend on the order of a map.
package sim

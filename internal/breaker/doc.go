// Package breaker is a circuit breaker: it keeps calls from a place that does
// not answer, and lets a few of them try whether it does again.
//
// A breaker is closed until a number of calls in a row has failed within a time.
// Then it is open for a while, and half open after that: a few calls, the
// probes, are let through. The first of them that reaches the place closes it,
// the first that does not opens it again; if they are on their way for as long as
// it was open, more go. If nothing asks for [IdleFor], it closes. A person may open
// it, until a person closes it.
//
//	b := breaker.New(breaker.Policy{Failures: 2, Within: time.Minute, OpenFor: 30 * time.Second, Probes: 1})
//	b.Failed(0, "refused", now)
//	b.Failed(0, "refused", now)   // true: it is open now
//	b.Tick(now.Add(30 * time.Second)) // true: it is half open now
//	round, ok := b.Probe(now)    // true: one call may go
//	b.Reached(round, now)         // true: it is closed now
//
// The package is pure: instants are given to it, and equal calls give equal
// answers. It knows nothing of connections or tasks.
package breaker

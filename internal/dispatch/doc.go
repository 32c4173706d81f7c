// Package dispatch knows which worker has which attempt: it gives ready tasks
// to workers with a free slot, keeps track of them until their results are on
// disk, and says when an attempt is lost.
//
// [Reactor] is a single-threaded state machine, driven by [Service] in a
// process and by the simulator in tests:
//
//	effects := reactor.Handle([]dispatch.Message{dispatch.Ready{Task: task}}, now)
//
// An attempt is named by a [Ref]; its fencing number tells attempts apart that
// different incarnations counted alike. Of each activation one attempt is
// current, and fencing numbers of an activation only grow. What a worker reports
// about any other attempt is not passed on, but for what nobody here has heard
// of: the runtime knows better, since it may have had the attempt before a
// restart. A worker keeps each result until it is told to forget it.
//
// A worker that is silent for longer than the lease gets nothing more; what it
// has runs on, and is lost only after Config.LostAfter. Of a worker that is
// known to be dead everything is lost at once. A lost attempt that shows up
// again is stopped, and its result refused.
//
// Of a connection whose circuit breaker is open nothing is given to workers: the
// attempts that use it wait, and are probes or go on as package breaker says.
// Breakers are in memory only, and closed after a restart.
//
// The package imports the engine, the contracts and clock and mailbox of the
// runtime; its matching is a pure package below it.
package dispatch

// Package gate knows who may begin: limits, rates and conditions of the whole
// installation, who holds shares of them and who waits, in which order.
//
// Whoever wants to begin asks with a [Request]: shares of limits, and conditions
// that must hold. A grant is all or none. [State.Next] grants one request after
// the other until there is none that may begin.
//
// # Order
//
// Requests are ordered by effective priority, then the latest instant at which
// they must begin, then how long they wait, then run and activation. The
// effective priority grows by one with each full [Config.Ageing] of the clock
// that passes, so whoever waits overtakes newcomers of any priority in the end.
// As all grow alike, the order of two requests never changes.
//
// # Who may overtake
//
// A request that is ready, and has to wait for one of its limits, keeps its
// shares of all of them free: on each limit, those behind it may take only what
// then remains. So nothing big is starved by what is small, and what cannot
// delay anybody goes on. A request that is held, lacks a condition, or wants more
// than a limit will ever have is not ready: it keeps its place, and nothing free.
//
// Of each limit the requests lie in two heaps: the first ones, which fit into
// what is free, and the others. A request is granted when it is among the first
// of all its limits. So an event costs the logarithm of the queue, however many
// wait.
//
// # Rates
//
// A rate is a bucket of Count that fills by one each Per / Count: at most Count
// at once, and over any time no more than Count and what it fills by meanwhile.
//
// The package is pure and of Regie imports calendar alone.
//
//	s := gate.New(gate.Config{})
//	s.SetLimits([]gate.Limit{{ID: gate.ID{Namespace: "bank", Name: "tapes"}, Capacity: 3}}, now)
//	s.Ask(gate.Request{Ref: gate.Ref{Run: "r1", Act: 2}, Uses: []gate.Use{{ID: tapes, Weight: 2}}, Since: now}, now)
//	for g, ok := s.Next(now); ok; g, ok = s.Next(now) { … begin g.Ref … }
//	s.Leave(ref, now)
package gate

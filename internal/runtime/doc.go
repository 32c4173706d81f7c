// Package runtime knows who owns the live runs: it feeds inputs to the engine,
// commits what was decided, and only then lets anything of it leave.
//
// [Reactor] is a single-threaded state machine, driven by [Service] in a
// process and by the simulator in tests: messages and the time go in, effects
// come out.
//
//	effects := reactor.Handle([]runtime.Message{submit, ended}, now)
//
// Decisions are collected in the batch that is being built. If no commit is in
// flight it is sent off, else it grows until the one before is durable: group
// commit, clocked by the disk itself. What a decision wants done (tasks,
// answers to callers, published events) waits in its batch and leaves in order
// once the store has it. Three things leave earlier: evaluations, which touch
// nothing outside; questions for attempts that a recovery found on disk; and
// tasks of pipelined programs whose run is on disk.
//
// When a commit fails for certain, the same bytes are sent again; when its
// outcome is unknown, the store's sequence is read, and then it either has
// happened or is sent again. The state in memory stays true either way. When an
// idempotency key turns out to be taken, the run that wanted it is taken out of
// the batches and its caller gets the other one: runs share nothing within a
// batch. Whenever memory and disk contradict each other the reactor halts and
// is made anew from the store; callers without answer are told [ErrUnknown].
//
// # Quarantine
//
// A run whose decision panics or fails, or whose stored events do not fold, is
// quarantined: its state is dropped from memory and kept on disk as it was
// before that decision, nothing more is decided for it, and it is shown with
// the reason. Others go on. It is tried again at the next start. A run that was
// being decided when the process died, twice, is quarantined from the start
// (see [Marker]), since what kills the process cannot be caught.
//
// The package imports the contracts and the engine; no adapter.
package runtime

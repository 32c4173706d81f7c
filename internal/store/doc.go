// Package store knows what durable storage owes the runtime: one gapless
// sequence of batches, each committed whole or not at all under a lease, and
// the reads that recovery and the command line need.
//
// Implementations live below it (sqlite, postgres) and in the simulator, and
// pass one suite, storetest. The package imports value and audit only, and
// neither do implementations import each other.
//
// A batch is the unit of everything: events of many runs, timers, idempotency
// keys, programs, objects (what is durable and no run), entries (who did what),
// erasures and one audit leaf that commits to all of it. Nothing that a batch
// says may leave the process before Commit returned nil.
//
// What every implementation does in the same way stands here: the rules of a
// batch ([Batch.Check]) and of queries, what its leaf covers ([Batch.Leaf]), how
// stored data is checked against the leaves ([Verifier]), and how one thing is
// proven to somebody who has a root of the log only ([Prover], [Prove]).
//
//	lease, err := s.Acquire(ctx, "server on host a")
//	b := &store.Batch{Sequence: lease.LastSequence + 1, Incarnation: lease.Incarnation, At: now}
//	b.Records = append(b.Records, store.Record{Run: id, First: 1, Count: 3, Control: facts, Payload: values})
//	switch err := s.Commit(ctx, b); {
//	case errors.Is(err, store.ErrUnknown): // read LastSequence
//	case errors.Is(err, store.ErrLeaseLost): // stop leading
//	}
package store

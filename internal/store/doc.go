// Package store knows what durable storage owes the runtime: one gapless
// sequence of batches, each committed whole or not at all under a lease, and
// the reads that recovery and the command line need.
//
// Implementations live below it (sqlite, postgres) and in the simulator, and
// pass one suite, storetest. The package imports value and audit only, and
// neither do implementations import each other.
//
// A batch is the unit of everything: events of many runs, timers, idempotency
// keys, programs and one audit leaf that commits to all of it. Nothing that a
// batch says may leave the process before Commit returned nil.
package store

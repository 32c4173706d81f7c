// Package sqlite knows how to keep a store in one SQLite file: its tables, its
// transactions, and what is damaged when something is.
//
// One connection writes, under WAL with synchronous=FULL; a few connections
// read. The hot path speaks to SQLite directly, with prepared statements;
// database/sql is used for migrations only. docs/storage.md documents tables and
// encodings to the byte.
//
// Payloads are encrypted with a key of their run, which is wrapped by the
// key-encryption key given in [Config]. Three things guard what is read: every
// page has a checksum, every record is authenticated and checked against its
// commitment, and a small file beside the database, the mark, says how far it
// had come, so that a lost or replaced file is noticed. Nothing that looks
// damaged is ever deleted or repaired by itself.
//
// [Store.Backup] copies the database while commits go on, [OpenBackup] looks at
// such a copy, and [Restore] makes an installation of it that cannot be taken for
// its original: its incarnation lies beyond all that the original may have given.
//
// The lock that keeps two processes from leading on the same files is the data
// folder's matter (package datadir).
//
//	s, err := sqlite.Open(ctx, sqlite.Config{Path: "regie.db", Key: key})
//	defer s.Close()
//	lease, err := s.Acquire(ctx, "regie run, pid 123")
package sqlite

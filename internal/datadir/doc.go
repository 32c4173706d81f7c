// Package datadir knows the data folder: what lies where in it, that one
// process has it at a time, where its key is, and where the folders of single
// runs are kept in the user's state directory.
//
//	regie.db, regie.db-*  the database (package store/sqlite)
//	keys/kek              the key-encryption key
//	audit/                signing key and checkpoints (package auditlog)
//	logs/                 what tasks wrote
//	work/                 working directories of attempts
//	lock                  who has the folder: locked for the life of the process
//	ended                 there when the run of the folder has ended
//
// The folder is made with mode 0700 and keys/kek with 0600. A folder that
// everybody may write to, or that belongs to somebody else but root, is
// refused; so is a key that others may read.
//
// Nobody but its holder writes to a folder. [View] opens one for reading beside
// its holder.
//
// The package imports contracts only. It runs on Unix: the lock is flock(2).
//
//	dir, err := datadir.Open("/var/lib/regie", owner)
//	if held := (*datadir.HeldError)(nil); errors.As(err, &held) { … }
//	defer dir.Close()
//	key, err := dir.Key()
//	s, err := sqlite.Open(ctx, sqlite.Config{Path: dir.Database(), Key: key})
package datadir

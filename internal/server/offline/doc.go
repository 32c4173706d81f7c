// Package offline knows what is done to the data folder of a server that does
// not run: a backup is put back, everything is checked, a loss is accepted, an
// admin is let in again.
//
// Whatever changes a folder takes it for this process alone, and puts what was
// done on record in its audit log.
//
// # Restoring
//
// A backup is one file, the database as it was after one batch; it has no keys.
// [Restore] makes of it the database of a folder that has none, under the key of
// the original. The original may have gone on after the backup, and have signed
// batches that the restored log has others for. A log that both share a key with
// would contradict itself. So a restored folder begins a new log: what its folder
// audit had is moved aside, the next start makes a new key, and the first entry
// after those of the backup says what came before.
//
//	restored, err := offline.Restore(ctx, folder, "regie.backup", "keys/kek")
package offline

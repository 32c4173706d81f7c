// Package auditlog knows how the audit log is made provable to others: it signs
// checkpoints of the log, keeps each before anybody sees it, hands them to
// anchors outside of the installation, and writes the documents that package
// evidence verifies.
//
// # Files
//
// In the folder audit of the data folder, which nobody else may look into:
//
//	audit/key          the private key (Ed25519): one line, a note signer
//	audit/key.pub      the public key: one line, a note verifier, for auditors
//	audit/checkpoints  every checkpoint that was signed, as a line of JSON
//
// The key is made at the first start, with the name of the log: regie/ and 16
// random letters and digits. It is never replaced: one that is missing beside
// checkpoints is an error. Keys are not rotated: a new key is a new log, whose
// folder is a new one.
//
// # Rules
//
// A checkpoint is signed when the log has grown and the last one is a minute
// old, when it has grown by 1,000 batches, and at the end. It is signed only if
// the log continues the last one that was signed, which is proven and not
// assumed: otherwise the log was cut, forked, or put back to an old copy. Then
// nothing is signed any more, [Service.Ready] fails and the alarm is raised. An
// anchor that has a checkpoint which the log does not continue does the same. To
// go on all the same, as after a backup was put back on purpose, is an
// operator's decision: move the folder audit away, as [SetAside] does, which
// begins a new log, and tell those who hold the old key.
//
// A checkpoint is on disk, synced, before it is returned, exported or anchored.
// So a crash in between loses one that nobody has seen.
//
// Without an anchor, whoever has the key and the files can write another log and
// nobody can tell: [Service.Warning] says so.
//
// The package imports the store's contract; it decides nothing about runs.
//
//	s, err := auditlog.Open(auditlog.Config{Log: store, Root: dir.Root(), Anchors: anchors, Alarm: page})
//	err = s.Start(ctx)
//	defer s.Stop(ctx)
//	err = s.Export(ctx, out, 1)
package auditlog

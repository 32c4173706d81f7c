// Package evidence knows the documents by which the audit log is checked without
// the server: exports of the log, proofs of an entry or a run, and checkpoints
// that were kept elsewhere. It writes them and verifies them.
//
// Every document is canonical: what is read is written again and must give the
// same bytes, but for white space in a proof. So there is no byte that could be
// changed without being found: it is covered by a hash that a signature covers,
// or it is compared.
//
// # Export, format 1
//
// Lines of JSON without white space, each ended by a line feed. Bytes and hashes
// are base64; lists of hashes are one text, 32 bytes each; members that are
// empty or zero are left out where marked with *.
//
//	{"format":"regie-audit-export/1","origin":…,"key":…,"from":1,"size":N,"edge":…*}
//	{"batch":1,"incarnation":…,"at":…,"objects":…*,"entries":…*,"records":…*,"items":…*,"leaf":…}
//	{"entry":0,"batch":1,"salt":…,"actor":…,"via":…*,"action":…,"namespace":…*,"object":…*,
//	 "outcome":…,"reason":…*,"request":…*,"detail":…*}
//	{"entry":1,"batch":1,"forgotten":7}
//	{"checkpoint":…}
//
// The first line says what the rest must be: the name of the log, its public key
// as a note verifier, the first batch and the last. From a batch after the first
// on, edge has what the tree needs of those before. Then come the batches, each
// with the hashes of its records and items, and behind it its entries; what is
// hashed of them stands in docs/storage.md, section 5. An entry whose text was
// taken out names the batch that did it, which must have said so. Each
// checkpoint stands behind the last batch that it covers; there is one behind
// the last.
//
// # Proof, format 1
//
// One JSON object: a checkpoint, and for an entry, or for each record of a run,
// what is hashed, the batch, and the hashes of the tree that lead to the
// checkpoint. See [Proof].
//
// # Not told
//
// A document does not show what happened after its last checkpoint, nor that the
// holder of the key did not write another log instead: a checkpoint that
// somebody else kept does (see [Options]). Keys are not rotated: a log has one.
//
// The package reads no clock and no files. It imports the store's contract and
// package audit only.
//
//	report, err := evidence.Verify(file, evidence.Options{Key: key, Kept: kept})
//	if report.Fault != nil { … }
package evidence

// Package audit knows how Regie's log proves that nothing was rewritten: the
// bytes that are hashed, the Merkle trees over them (RFC 6962), proofs of
// inclusion and consistency, and signed checkpoints.
//
// There are two kinds of trees. Every batch of the store has a small one over
// the hashes of its records followed by the hashes of its other items; the log
// has one leaf for each batch. A proof goes from the record through the tree of
// its batch to the log, and from there to a checkpoint that somebody keeps
// elsewhere. Whoever holds a checkpoint finds every change of what it covers.
//
// # Bytes
//
// Integers are big endian; string and bytes are a 4-byte length and then the
// bytes; a time is the count of microseconds since 1970 in UTC, signed, 8
// bytes. SHA-256 throughout. The leaf hash of data is SHA-256(0x00, data), the
// hash of an inner node SHA-256(0x01, left, right), as in RFC 6962. Every text
// that is hashed begins with its own tag, so that no two kinds can be confused.
//
//	payload commitment  SHA-256("regie/payload/1\x00", salt [16]byte, payload)
//	record              leaf hash of
//	                    "regie/record/1\x00", run string, first uint64,
//	                    count uint64, control bytes, payload commitment [32]byte
//	item                leaf hash of
//	                    "regie/item/1\x00", kind uint8, fields of the kind
//	batch               leaf hash of
//	                    "regie/batch/1\x00", sequence uint64, incarnation uint64,
//	                    at time, records uint32, items uint32, objects uint32,
//	                    entries uint32, root [32]byte
//
// The root of a batch is the Merkle tree hash over its records in order and
// then its items in order; that of a batch with neither is SHA-256 of nothing.
// The last items are its objects and then its entries, as many as it says.
// The salt is random, is stored with the payload and dies with it: a commitment
// whose salt is gone says nothing about the payload. Batch s is leaf s-1 of the
// log. What the kinds of items are and which fields they have is the store's
// matter (package store).
//
// The package is pure: callers hand in the stored hashes, the time and the
// signing key.
//
//	var edge audit.Edge
//	stored := edge.Append(leaf.Hash()) // store them with the batch
//	text, err := audit.Checkpoint{Origin: "regie.example/prod", Size: edge.Size(), Root: edge.Root()}.Sign(signer)
package audit

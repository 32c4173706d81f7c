// Package blob is the contract of what keeps the large data of runs: files that
// steps leave (artifacts), and values that are too large to lie in events.
//
// A blob belongs to a run and goes with its data. It is named by the SHA-256 of
// its content, so that putting it twice keeps it once, and an event that holds the
// name holds a commitment to the content. A name is put into an event only after
// the blob is durable: what an event names is there.
//
// Implementations are adapters, such as blob/folder. The package imports the
// standard library only.
package blob

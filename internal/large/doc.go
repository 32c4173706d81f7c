// Package large knows how values that are too large to lie in events lie in
// blobs, and how they are read again.
//
// A blob has a value as [value.Value.AppendStored] writes it; in it may be
// references to further blobs. A list of more than [PartBytes] is cut: each part is
// a blob with consecutive items, and the blob of the list has references to the
// parts, so that one item is read without the others.
//
// It imports value, blob and engine, whose limits it keeps.
//
//	store := large.New(large.Config{Blobs: blobs})
//	short, err := store.Keep(run, output) // what is large in it is a reference now
package large

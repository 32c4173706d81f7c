// Package object knows object stores: buckets that hold objects by key, in S3
// (and what speaks its protocol) or in a folder. It makes the connectors
// object.get, object.put, object.list, object.delete, object.items (reads a
// list of items, as the ItemReader of Step Functions does) and object.results
// (writes the results of a map, as its ResultWriter does).
//
// Formats are in package items; this package adds the calls and their bounds.
// Every call to S3 goes through package egress.
//
//	stores := object.New(object.Config{Dialer: dialer, Folders: folders})
//	defer stores.Close()
//	for _, c := range stores.Connectors() { … }
package object

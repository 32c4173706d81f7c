// Command regie-docs writes what is generated from the descriptors of the
// language, the connectors and the server's configuration: the JSON Schema of
// definitions and the reference pages.
//
// It knows where the files lie and nothing of what is in them. `make generate`
// runs it, and its test fails when one of the files is stale.
//
//	go run ./cmd/regie-docs
package main

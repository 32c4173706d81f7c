// Command proto compiles the API definition below proto/ to Go, without protoc
// and without the network:
//
//	go -C tools/proto run . -root ../..
//
// `go generate ./...` runs it (gen/doc.go). It compiles the .proto files with
// bufbuild/protocompile, takes what they import from google/ out of the
// descriptors that are linked into Go packages, and hands the result to
// protoc-gen-go and protoc-gen-connect-go, whose versions this module's go.mod
// pins. What they answer replaces everything generated below gen/.
//
// It imports nothing of Regie.
package main

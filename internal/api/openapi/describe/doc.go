// Package describe makes the OpenAPI 3.1 document of the API's REST routes from
// the API definition: paths and parameters from the table of routes, schemas
// from the messages as package codec writes them, texts from the comments.
//
//	files, err := protodesc.NewFiles(set) // compiled with comments
//	document, err := describe.Document(services)
//
// Equal definitions give equal bytes. It does no IO; cmd/regie-openapi runs it
// when code is generated.
package describe

// Package regiev1connect has the handlers and clients of Regie's services,
// generated from proto/regie/v1. A handler takes and returns plain messages; it
// finds the headers of a call with connect.CallInfoForHandlerContext:
//
//	path, handler := regiev1connect.NewRunServiceHandler(service)
//
// It imports the messages of package regiev1 and nothing else of Regie.
package regiev1connect

// Package call knows what the transport tells handlers about a request beside
// its message: its ID, the route, the protocol.
//
//	info := call.From(ctx)
//	entry.RequestID = info.RequestID
//
// Handlers find it in their context. It imports package routes and nothing else
// of Regie, so that handlers need not import the transport.
package call

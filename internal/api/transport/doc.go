// Package transport knows how requests reach the API: one handler speaks
// connect, gRPC, gRPC-Web and REST on one port, and serves the few plain routes
// beside them.
//
//	handler, err := transport.New(transport.Config{Table: table, Services: services, Plain: plain, Access: access, Logger: log})
//	server := transport.NewServer(handler, transport.Listening{Plaintext: true})
//	err = server.Serve(listener)
//
// A request goes through these steps, whatever its protocol:
//
//  1. It gets an ID, which every answer bears as X-Request-Id. One that the
//     client sent is kept if it has 8 to 64 letters, digits, dots, hyphens and
//     underscores.
//  2. Its path is looked up, as it was sent, in the table of package routes:
//     404 if there is none, 405 if there is one for other HTTP methods, the same
//     with and without a token.
//  3. [Access.Identify] says who calls, before the body is read.
//  4. The media type is checked: 415.
//  5. The body is read, bounded in size and time, and decoded by package codec.
//  6. REST fills in what the path and the query say. What stands in both the path
//     and the body must be equal; a parameter that is unknown, stands twice, or
//     stands beside a body is refused.
//  7. [Access.Authorize] says whether the caller may, in the namespace that the
//     decoded message names.
//  8. The handler runs. A panic becomes an internal error; it is logged with the
//     stack, and the caller learns nothing of it but the request's ID.
//
// Every error has a regie.v1.Problem with the request's ID. REST has the form of
// package problem. The status is that of the code, but for 404, 405, 415, and in
// REST 413.
//
// REST is translated here and not by a library: the ones there are let a query or
// body overrule the path, and end a download that failed as if it were whole.
// Here a stream that fails after it began is cut.
//
// What is written for one reader is not cached, sniffed or run: answers bear
// no-store, nosniff and a content security policy that allows nothing.
// X-HTTP-Method-Override, X-Original-URL and their like are not looked at.
package transport

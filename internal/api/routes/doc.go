// Package routes knows every route of the server and who may call it: one table,
// made from the API definition and a short list of plain routes. What is not in
// the table is not served.
//
//	table, err := routes.Load()
//	match, allow := table.Lookup("GET", "/v1/namespaces/default/runs/0198c2")
//	// match.Route.Permission, match.Route.Namespace(request)
//
// A method without an access rule, two REST paths that both fit one request, a
// REST path without the namespace that its rule is about, a method that changes
// something and can be called by GET: each of them is an error when the table is
// made.
//
// Paths are matched as they were sent, without cleaning. It reads no clock, does
// no IO, and of Regie imports the generated messages only.
package routes

// Package connector knows what a connector is: one bounded, typed call to
// something outside (an HTTP request, an SQL statement, a message).
//
// Implementations live below it, one package each, and are listed in
// connector/all. They never import each other, nor anything above.
package connector

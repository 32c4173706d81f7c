// Package workflow knows the program form: the one intermediate form to which
// every workflow language compiles, and which the engine runs. Nothing past
// the dialects knows where a program came from.
//
// A [Program] is data: immutable, format-numbered, stored as JSON with the
// workflow version and used as it is for the whole life of a run. docs/engine.md
// shows it beside small definitions in the manner of each language.
//
// The shape in one paragraph: a program is a table of bodies; a body is a graph
// of nodes; entering a node in a frame makes an activation; a node that
// contains other nodes opens frames, each of them running one body. In a
// joined body a node starts when the predicate over its predecessors holds; in
// a body of jumps, where the node before it says so.
//
// The package is pure. It imports value, expr, calendar and duration only.
package workflow

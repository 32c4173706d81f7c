// Package graph knows how a program looks as a picture: nodes inside nodes, and
// edges between them. It reads the program form only, so that every language has
// the same picture, in the words of its author.
//
// A node is named by the path that its steps have in a run, without what tells
// instances apart: the steps settle[0]/pay and settle[7]/pay~2 are of the node
// settle[]/pay. [NodeOf] takes a path to its node, so that a run can be painted
// over the picture of its program.
//
//	g := graph.Of(program, nil)
//	states[graph.NodeOf(step.Path)]++
//
// The package is pure. It imports workflow only.
package graph

// Package view knows how a run looks to people: as a tree that is redrawn in
// place on a terminal, as plain lines when the output is piped, and as the
// summary at the end.
//
// It draws what package history has folded; it decides nothing and reads
// nothing. Whatever text comes from outside (names, errors, outputs, logs) is
// made harmless before it is drawn, and no line is wider than the terminal.
//
//	t := view.NewTree(builder)
//	t.Add(&event)
//	screen.Draw(t.Lines(view.Frame{Now: now, Columns: 80, Rows: 24}))
package view

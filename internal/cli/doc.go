// Package cli knows Regie's command line: its commands, their flags, what they
// print, and their exit codes.
//
// Everything outside the process comes in a [World], so that tests run whole
// commands in memory, side by side. Nothing here decides about runs: commands
// load definitions, hand them to package local or to a server by package client,
// and show what came of it. Which server that is stands in package contexts.
//
//	code := cli.Main(ctx, cli.World{Args: []string{"validate", "eod.yaml"}, Stdout: out, …})
//
// # What goes where
//
// Standard output has the result and nothing else; with --output json that is
// exactly one JSON document, also when the command failed. Errors, warnings and
// hints go to standard error, progress too when the result is JSON. Colours,
// cursor movement and the live tree appear on a terminal only. Text that Regie
// did not write itself (names, outputs, errors, lines of logs) is made harmless
// before it is shown.
//
// # Exit codes
//
//	0  the command did what was asked; a run succeeded
//	1  a run failed or was canceled, or a test failed
//	2  the definition or the usage is not valid; nothing was started
//	3  something outside is at fault: the data folder is locked or damaged,
//	   a disk is full, the server cannot be reached, Regie itself has a defect
package cli

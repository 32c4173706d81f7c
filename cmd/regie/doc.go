// Command regie runs workflows: `regie help` lists what it can do.
//
// It knows the process it lives in: its arguments, streams, environment, clock
// and signals. All of that it hands to package cli, which it imports for
// everything else.
//
//	regie run examples/nightly-settlement
package main

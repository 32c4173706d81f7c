// Package history knows what a run looks like to people: which steps it has,
// in which states, with which inputs, outputs, errors and attempts. It is a
// fold of the run's events, so it can be made again at any time, and it is
// what `regie run`, `regie show` and the live tree print.
//
// The package is pure. It imports engine, workflow and value.
package history

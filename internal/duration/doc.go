// Package duration knows how lengths of time are written in files: a number
// and a unit, several in a row from the largest to the smallest (90s, 10m,
// 1h30m, 2d, 500ms). It is the only reader and writer of that grammar.
//
// The package is pure and imports nothing of Regie.
package duration

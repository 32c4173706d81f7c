// Package diag knows diagnostics: what is wrong in a file, where, and what to
// write instead. Parsers and checkers collect them all; nobody stops at the
// first.
//
// The package is pure and imports nothing of Regie.
package diag

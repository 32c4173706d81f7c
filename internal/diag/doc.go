// Package diag knows diagnostics: what is wrong in a file, where, and what to
// write instead. Parsers and checkers collect them all; nobody stops at the
// first.
//
// The package is pure and imports nothing of Regie.
//
//	var l diag.List
//	l.Errorf(pos, "unknown_field", "unknown field %q", name).WithHint("%s", diag.DidYouMean(name, known))
//	for _, d := range l.Sorted() {
//		fmt.Print(diag.Render(d, source, false))
//	}
package diag

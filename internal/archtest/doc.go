// Package archtest knows how Regie is cut: which layer every package belongs
// to, what a layer may import, and what the pure layer must not touch. Its
// test checks the whole tree; a package that is not in the table fails it.
//
// It reads source text and imports nothing of Regie.
//
//	violations, err := archtest.Check(os.DirFS("../.."), archtest.Regie())
package archtest

// Package glob knows the patterns that name files: of a workflow's bundle, and of
// what a step leaves.
//
// `*`, `?` and `[...]` stand for characters within a name, `**` for any folders;
// none stands for a name that begins with a dot.
//
//	p := glob.Parse("reports/**/*.xml")
//	p.Match("reports/unit/a.xml")
package glob

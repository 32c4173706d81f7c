// Package project knows how definitions lie on disk: which files of a folder
// are definitions, in which language, and what belongs to a workflow's bundle.
//
// It reads files through os.Root, within bounds, and gives their text to the
// dialects, which know what it means.
//
//	p, err := project.Open("workflows")
//	set, problems := p.Load(native.Config{Expr: language, Connectors: project.Connectors(all.Describe())})
package project

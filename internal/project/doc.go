// Package project knows how definitions lie on disk: which files of a folder
// are definitions, in which language, and what belongs to a workflow's bundle.
//
// It reads files through os.Root, within bounds, and gives their text to the
// dialects, which know what it means.
//
//	p, err := project.Open("workflows")
//	set, problems := project.Load(project.Config{Native: native, JSONata: jsonata}, p.Sources)
package project

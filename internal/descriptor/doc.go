// Package descriptor knows how a mapping in a file is described once, as data:
// its fields, their types, defaults and documentation. Validation with
// positions, JSON Schema, reference pages and forms all come from the same
// descriptor, so no field is typed twice.
//
// The native language, every connector, every executor and every kind of
// object has a descriptor. A file is checked by [Check], and its expressions
// are found by [Texts]; a computed input gets its defaults by [Fill] and is
// checked by [CheckValue]; [Schema] and [Markdown] describe both to others.
//
// The package is pure. It imports yamldoc, diag, value, duration, and expr for
// the marks of templates.
//
//	var Conf = &descriptor.Object{Name: "log", Doc: "Writes a line to the run's log.", Fields: []descriptor.Field{
//		{Name: "message", Doc: "Text to write.", Type: descriptor.Type{Kind: descriptor.String}, Required: true, Template: true},
//	}}
package descriptor

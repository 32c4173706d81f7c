// Package descriptor knows how a mapping in a file is described once, as data:
// its fields, their types, defaults and documentation. Validation with
// positions, JSON Schema, reference pages and forms all come from the same
// descriptor, so no field is typed twice.
//
// The native language, every connector, every executor and every kind of
// object has a descriptor. The package is pure.
//
//	var Conf = &descriptor.Object{Name: "log", Doc: "Writes a line to the run's log.", Fields: []descriptor.Field{
//		{Name: "message", Doc: "Text to write.", Type: descriptor.Type{Kind: descriptor.String}, Required: true, Template: true},
//	}}
package descriptor

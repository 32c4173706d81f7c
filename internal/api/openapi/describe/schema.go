package describe

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/regie-dev/regie/internal/value"
)

// A describer collects the messages and enums that schemas refer to.
type describer struct {
	seen  map[protoreflect.FullName]bool
	found []protoreflect.Descriptor
}

// note remembers a message or enum to be described.
func (d *describer) note(desc protoreflect.Descriptor) {
	if !d.seen[desc.FullName()] {
		d.seen[desc.FullName()] = true
		d.found = append(d.found, desc)
	}
}

// reach notes a message that no method names, as the files describe it.
func (d *describer) reach(desc protoreflect.MessageDescriptor, files []protoreflect.FileDescriptor) {
	for _, file := range files {
		imports := file.Imports()
		for i := range imports.Len() {
			if m := imports.Get(i).Messages().ByName(desc.Name()); m != nil && m.FullName() == desc.FullName() {
				d.note(m)
			}
		}
	}
}

func ref(kind, name string) value.Value {
	return value.Object(value.M("$ref", value.String("#/components/"+kind+"/"+name)))
}

// message refers to the schema of a message; well-known types stand in place.
func (d *describer) message(desc protoreflect.MessageDescriptor) value.Value {
	switch desc.FullName() {
	case "google.protobuf.Timestamp":
		return value.Object(value.M("type", value.String("string")), value.M("format", value.String("date-time")))
	case "google.protobuf.Duration":
		return value.Object(
			value.M("type", value.String("string")),
			value.M("pattern", value.String(`^-?[0-9]+(\.[0-9]{1,9})?s$`)),
			value.M("examples", value.List(value.String("1.5s"))),
		)
	}
	d.note(desc)
	return ref("schemas", string(desc.Name()))
}

// schemas describes all that was noted, and what that refers to.
func (d *describer) schemas() (value.Value, error) {
	members := []value.Member{value.M("Error", errorSchema())}
	for i := 0; i < len(d.found); i++ { // it grows
		desc := d.found[i]
		if desc.FullName().Parent() != "regie.v1" {
			return value.Value{}, fmt.Errorf("%s cannot be described: only messages of regie.v1 and times can", desc.FullName())
		}
		members = append(members, value.M(string(desc.Name()), d.schema(desc)))
	}
	slices.SortFunc(members, func(a, b value.Member) int { return cmp.Compare(a.Key, b.Key) })
	return value.Object(members...), nil
}

// schema describes a message or enum.
func (d *describer) schema(desc protoreflect.Descriptor) value.Value {
	var members []value.Member
	if text := comment(desc); text != "" {
		members = append(members, value.M("description", value.String(text)))
	}
	switch desc := desc.(type) {
	case protoreflect.EnumDescriptor:
		var names []value.Value
		for i := range desc.Values().Len() {
			names = append(names, value.String(string(desc.Values().Get(i).Name())))
		}
		members = append(members, value.M("type", value.String("string")), value.M("enum", value.List(names...)))
	case protoreflect.MessageDescriptor:
		if desc.Name() == "Json" {
			return value.Object(value.M("description", value.String("Any JSON value.")))
		}
		var properties []value.Member
		for i := range desc.Fields().Len() {
			f := desc.Fields().Get(i)
			properties = append(properties, value.M(f.TextName(), d.field(f, true)))
		}
		members = append(members,
			value.M("type", value.String("object")),
			value.M("properties", value.Object(properties...)),
			value.M("additionalProperties", value.Bool(false)),
		)
	}
	return value.Object(members...)
}

// field describes the value of a field, with its comment if asked.
func (d *describer) field(f protoreflect.FieldDescriptor, comments bool) value.Value {
	var schema value.Value
	switch {
	case f.IsMap():
		schema = value.Object(
			value.M("type", value.String("object")), value.M("additionalProperties", d.one(f.MapValue())),
		)
	case f.IsList():
		schema = value.Object(value.M("type", value.String("array")), value.M("items", d.one(f)))
	default:
		schema = d.one(f)
	}
	if text := comment(f); comments && text != "" {
		return value.Object(append([]value.Member{value.M("description", value.String(text))}, schema.Members()...)...)
	}
	return schema
}

// one describes one value of a field.
func (d *describer) one(f protoreflect.FieldDescriptor) value.Value {
	text := func(name string) value.Member { return value.M("type", value.String(name)) }
	switch f.Kind() {
	case protoreflect.BoolKind:
		return value.Object(text("boolean"))
	case protoreflect.StringKind:
		return value.Object(text("string"))
	case protoreflect.BytesKind:
		return value.Object(text("string"), value.M("contentEncoding", value.String("base64")))
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return value.Object(text("number"))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return value.Object(text("integer"), value.M("format", value.String("int32")),
			value.M("minimum", value.Int(math.MinInt32)), value.M("maximum", value.Int(math.MaxInt32)))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return value.Object(text("integer"), value.M("minimum", value.Int(0)), value.M("maximum", value.Int(math.MaxUint32)))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return value.Object(text("string"), value.M("pattern", value.String("^-?[0-9]{1,19}$")))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return value.Object(text("string"), value.M("pattern", value.String("^[0-9]{1,20}$")))
	case protoreflect.EnumKind:
		d.note(f.Enum())
		return ref("schemas", string(f.Enum().Name()))
	default:
		return d.message(f.Message())
	}
}

// errorSchema describes what package problem writes.
func errorSchema() value.Value {
	var codes []value.Value
	for code := connect.CodeCanceled; code <= connect.CodeUnauthenticated; code++ {
		codes = append(codes, value.String(code.String()))
	}
	text := value.Object(value.M("type", value.String("string")))
	return value.Object(
		value.M("description", value.String("An error of any method.")),
		value.M("type", value.String("object")),
		value.M("properties", value.Object(
			value.M("code", value.Object(value.M("type", value.String("string")), value.M("enum", value.List(codes...)))),
			value.M("message", text),
			value.M("problem", ref("schemas", "Problem")),
		)),
		value.M("required", value.List(value.String("code"), value.String("message"), value.String("problem"))),
		value.M("additionalProperties", value.Bool(false)),
	)
}

package cel

import (
	"github.com/regie-dev/regie/internal/expr"
)

// kind is the static kind of a value, as far as it is known.
type kind uint8

const (
	kAny kind = iota
	kNull
	kBool
	kUint
	kInt
	kNumber // of JSON: an integer or a float
	kDecimal
	kString
	kBytes
	kDate
	kDateTime
	kDuration
	kList
	kObject
	kOptional
	kType
	kCalendar
)

// kindNames are the words of messages and of the signatures in the function
// table.
var kindNames = [...]string{
	kAny: "any", kNull: "null", kBool: "bool", kUint: "uint", kInt: "int", kNumber: "number",
	kDecimal: "decimal", kString: "string", kBytes: "bytes", kDate: "date", kDateTime: "datetime",
	kDuration: "duration", kList: "list", kObject: "object", kOptional: "optional", kType: "type",
	kCalendar: "calendar",
}

func (k kind) String() string { return kindNames[k] }

func (k kind) numeric() bool { return k >= kUint && k <= kDecimal }

// readFromText reports whether values of the kind are text in JSON, so that
// they compare with text.
func (k kind) readFromText() bool {
	return k == kDecimal || k == kDate || k == kDateTime || k == kDuration
}

// typ is a static type. The zero typ is any.
type typ struct {
	kind     kind
	nullable bool       // and no guard has excluded null
	decl     *expr.Type // the declaration it comes from, nil when inferred
	elem     *typ       // inferred type of items, of members or within an optional
}

var kindOf = [...]kind{
	expr.Any:  kAny,
	expr.Bool: kBool, expr.Int: kInt, expr.Number: kNumber, expr.Decimal: kDecimal, expr.String: kString,
	expr.Date: kDate, expr.DateTime: kDateTime, expr.Duration: kDuration, expr.ListOf: kList,
	expr.ObjectOf: kObject, expr.NullType: kNull,
}

// declared is the static type of a value that the environment declares.
func declared(t *expr.Type) typ {
	if t == nil {
		return typ{}
	}
	return typ{kind: kindOf[t.Kind], nullable: t.Nullable, decl: t}
}

// item is the type of the items of a list, or within an optional.
func (t typ) item() typ {
	switch {
	case t.elem != nil:
		return *t.elem
	case t.decl != nil && t.kind == kList:
		return declared(t.decl.Elem)
	}
	return typ{}
}

// member is the type of a member of an object. known is false for a closed
// object that has no such member.
func (t typ) member(name string) (member typ, known bool) {
	if t.elem != nil {
		return *t.elem, true
	}
	if t.decl == nil || t.kind != kObject {
		return typ{}, true
	}
	for i := range t.decl.Fields {
		if t.decl.Fields[i].Name == name {
			return declared(&t.decl.Fields[i].Type), true
		}
	}
	return declared(t.decl.Elem), !t.decl.Closed
}

// memberNames lists the declared members.
func (t typ) memberNames() []string {
	if t.decl == nil {
		return nil
	}
	names := make([]string, len(t.decl.Fields))
	for i, f := range t.decl.Fields {
		names[i] = f.Name
	}
	return names
}

func (t typ) guarded() typ {
	t.nullable = false
	return t
}

// listOf and optionalOf are inferred types.
func listOf(elem typ) typ     { return typ{kind: kList, elem: &elem} }
func optionalOf(elem typ) typ { return typ{kind: kOptional, elem: &elem} }
func objectOf(elem typ) typ   { return typ{kind: kObject, elem: &elem} }

// String is the type in messages.
func (t typ) String() string {
	name := t.kind.String()
	if item := t.item(); item.kind != kAny && (t.kind == kList || t.kind == kOptional) {
		name += "<" + item.String() + ">"
	}
	return name
}

// join is the type of a value that is one of the two.
func join(a, b typ) typ {
	switch {
	case a.kind == kNull:
		b.nullable = true
		return b
	case b.kind == kNull:
		a.nullable = true
		return a
	case a.kind == b.kind && a.decl == b.decl && a.elem == b.elem:
		a.nullable = a.nullable || b.nullable
		return a
	case a.kind == b.kind && (a.kind == kList || a.kind == kOptional):
		elem := join(a.item(), b.item())
		return typ{kind: a.kind, nullable: a.nullable || b.nullable, elem: &elem}
	case a.kind == b.kind:
		return typ{kind: a.kind, nullable: a.nullable || b.nullable}
	}
	return typ{nullable: a.nullable || b.nullable}
}

// public is the type as callers see it, depth levels down.
func (t typ) public(depth int) expr.Type {
	if t.decl != nil {
		out := *t.decl
		out.Nullable = t.nullable
		return out
	}
	out := expr.Type{Nullable: t.nullable}
	switch t.kind {
	case kUint:
		out.Kind = expr.Int
	case kBytes, kType:
		out.Kind = expr.String
	case kOptional:
		if depth > 0 {
			out = t.item().public(depth - 1)
		}
		out.Nullable = true
	default:
		for public, k := range kindOf {
			if k == t.kind {
				out.Kind = expr.TypeKind(public)
			}
		}
		if t.elem != nil && depth > 0 {
			elem := t.item().public(depth - 1)
			out.Elem = &elem
		}
	}
	return out
}

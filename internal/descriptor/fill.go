package descriptor

import (
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// Fill returns v with the defaults of its descriptor in the fields that are
// absent, also in objects within. Null in a field that does not take anything
// counts as absent, as in [CheckValue], and goes away. Undefined and null give
// an object of defaults; anything else that is no object comes back as it is.
func Fill(v value.Value, o *Object) value.Value {
	if v.IsNull() {
		v = value.Object()
	}
	f := filler{&checker{computed: true}}
	return f.object(yamldoc.FromValue(v), v, o)
}

// filler walks through a value and its node, which have the same shape.
type filler struct{ check *checker }

func (f filler) object(n *yamldoc.Node, v value.Value, o *Object) value.Value {
	if v.Kind() != value.KindObject || o == nil {
		return v
	}
	members := make([]value.Member, 0, v.Len()+len(o.Fields))
	for i, m := range v.Members() {
		field := o.Field(m.Key)
		if field == nil {
			members = append(members, m)
		} else if child := n.Entries[i].Value; !f.check.absent(field, child) {
			members = append(members, value.M(m.Key, f.typ(child, m.Value, &field.Type, field.Enum)))
		}
	}
	for i := range o.Fields {
		field := &o.Fields[i]
		if e := n.Entry(field.Name); e == nil || f.check.absent(field, e.Value) {
			members = append(members, value.M(field.Name, field.Default)) // left out when undefined
		}
	}
	return value.Object(members...)
}

func (f filler) typ(n *yamldoc.Node, v value.Value, t *Type, enum []EnumValue) value.Value {
	switch t.Kind {
	case Struct:
		return f.object(n, v, t.Object)
	case List:
		if v.Kind() != value.KindList || t.Elem == nil {
			return v
		}
		items := make([]value.Value, v.Len())
		for i, item := range v.Items() {
			items[i] = f.typ(n.Items[i], item, t.Elem, enum)
		}
		return value.List(items...)
	case Map:
		if v.Kind() != value.KindObject || t.Elem == nil {
			return v
		}
		members := make([]value.Member, v.Len())
		for i, m := range v.Members() {
			members[i] = value.M(m.Key, f.typ(n.Entries[i].Value, m.Value, t.Elem, enum))
		}
		return value.Object(members...)
	case OneOf:
		if option := f.check.pick(n, t, use{enum: enum}); option != nil {
			return f.typ(n, v, option, enum)
		}
	}
	return v
}

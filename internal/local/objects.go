package local

import (
	"strings"

	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// ObjectsOf are the objects of a set of definitions.
func ObjectsOf(set *native.Set) []Object {
	var out []Object
	for _, o := range set.Objects {
		out = append(out, Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Type: o.Type, Fields: o.Fields, Limit: o.Limit})
	}
	return out
}

// Vars are the names of the namespace variables that the object reads.
func (o *Object) Vars() []string {
	var names []string
	walk(o.Fields, func(d *workflow.Data) {
		exprs := []*workflow.Expr{d.Expr}
		for i := range d.Text {
			exprs = append(exprs, d.Text[i].Expr)
		}
		for _, e := range exprs {
			if e == nil {
				continue
			}
			for _, b := range e.Bind {
				if b.From.Root == workflow.RootNamespace && b.From.Name != "" {
					names = append(names, b.From.Name)
				}
			}
		}
	})
	return names
}

// Secrets are the names of the secrets in the object.
func (o *Object) Secrets() []string {
	var names []string
	walk(o.Fields, func(d *workflow.Data) {
		for i := range d.Text {
			if d.Text[i].Secret != "" {
				names = append(names, d.Text[i].Secret)
			}
		}
	})
	return names
}

// walk visits data and everything in it.
func walk(d *workflow.Data, visit func(*workflow.Data)) {
	if d == nil {
		return
	}
	visit(d)
	for i := range d.List {
		walk(&d.List[i], visit)
	}
	for i := range d.Object {
		walk(&d.Object[i].Data, visit)
	}
}

// Uses reports whether steps of the program can reach the object: they name it,
// or a channel that they name does.
func (l *Launch) Uses(p *workflow.Program, o *Object) bool {
	for _, ref := range p.Objects {
		namespace, name := p.Namespace, ref.Name
		if ns, rest, qualified := strings.Cut(name, "/"); qualified {
			namespace, name = ns, rest
		}
		if o.Namespace != namespace {
			continue
		}
		if ref.Kind == o.Kind && name == o.Name {
			return true
		}
		for i := range l.Objects {
			via := &l.Objects[i]
			if via.Kind == ref.Kind && via.Name == name && via.Namespace == namespace && o.Kind == kindConnection && via.member("connection") == o.Name {
				return true
			}
		}
	}
	return false
}

// kindConnection is the kind of objects that channels refer to.
const kindConnection = "Connection"

// member is the text of a field that is constant, "" if it is not.
func (o *Object) member(name string) string {
	if o.Fields == nil {
		return ""
	}
	if text, ok := o.Fields.Const.Get(name).Str(); ok {
		return text
	}
	for i := range o.Fields.Object {
		if m := &o.Fields.Object[i]; m.Key == name && m.Data.Const.Kind() == value.KindString {
			return m.Data.Const.Text()
		}
	}
	return ""
}

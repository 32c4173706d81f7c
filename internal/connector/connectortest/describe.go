package connectortest

import (
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// CheckObjectType checks the description of a type of connection or channel.
func CheckObjectType(t *testing.T, o connector.ObjectType) {
	t.Helper()
	if o.Name == "" || o.Object == nil {
		t.Fatal("a type needs a name and an object")
	}
	checkObject(t, o.Object, false, map[*descriptor.Object]bool{})
	checkExample(t, o.Object, "")
	if has := o.Object.Field("connection") != nil; has != (len(o.Connections) > 0) {
		t.Errorf("%s has a connection: %v, types of it: %v", o.Name, has, o.Connections)
	}
}

// checkObject checks that every field has a doc that ends as a sentence does,
// and an example and default, if any, that its type takes. Templates are
// allowed where a field above allows them.
func checkObject(t *testing.T, o *descriptor.Object, template bool, seen map[*descriptor.Object]bool) {
	t.Helper()
	if seen[o] {
		return
	}
	seen[o] = true
	sentence(t, o.Name, o.Doc)
	names := map[string]bool{}
	for i := range o.Fields {
		f := &o.Fields[i]
		where := o.Name + ": " + f.Name
		if names[f.Name] {
			t.Errorf("%s is there twice", where)
		}
		names[f.Name] = true
		sentence(t, where, f.Doc)
		for _, e := range f.Enum {
			sentence(t, where+": "+e.Text, e.Doc)
		}
		alone := *f
		alone.Template = f.Template || template
		object := &descriptor.Object{Name: o.Name, Fields: []descriptor.Field{alone}}
		if f.Example != "" {
			checkYAML(t, where, f.Name+": "+f.Example, object)
		}
		if !f.Default.IsUndefined() {
			checkYAML(t, where+": default", f.Name+": "+f.Default.String(), object)
		}
		checkType(t, &f.Type, alone.Template, seen)
	}
	for _, g := range o.OneOfGroups {
		for _, name := range g.Fields {
			if !names[name] {
				t.Errorf("%s: group names the field %s, which does not exist", o.Name, name)
			}
		}
	}
}

func checkType(t *testing.T, typ *descriptor.Type, template bool, seen map[*descriptor.Object]bool) {
	t.Helper()
	if typ.Object != nil {
		checkObject(t, typ.Object, template, seen)
	}
	if typ.Elem != nil {
		checkType(t, typ.Elem, template, seen)
	}
	for i := range typ.Options {
		checkType(t, &typ.Options[i], template, seen)
	}
}

func sentence(t *testing.T, where, doc string) {
	t.Helper()
	if !strings.HasSuffix(doc, ".") {
		t.Errorf("%s: doc %q is not a sentence", where, doc)
	}
}

// checkExample checks the example of an object: the mapping under key, or the
// whole document without kind, name and type.
func checkExample(t *testing.T, o *descriptor.Object, key string) {
	t.Helper()
	if o.Example == "" {
		t.Errorf("%s has no example", o.Name)
		return
	}
	full := &descriptor.Object{Name: o.Name, Fields: o.Fields, OneOfGroups: o.OneOfGroups}
	if key != "" {
		full = &descriptor.Object{Name: "step", Fields: []descriptor.Field{
			{Name: "uses", Type: descriptor.Type{Kind: descriptor.String}},
			{Name: key, Type: descriptor.Type{Kind: descriptor.Struct, Object: o}},
		}}
	} else {
		for _, name := range []string{"kind", "name", "type"} {
			full.Fields = append([]descriptor.Field{{Name: name, Type: descriptor.Type{Kind: descriptor.String}}}, full.Fields...)
		}
	}
	checkYAML(t, o.Name+": example", o.Example, full)
}

func checkYAML(t *testing.T, where, text string, o *descriptor.Object) {
	t.Helper()
	docs, problems := yamldoc.Parse("example.yaml", []byte(text))
	if len(docs) != 1 {
		t.Errorf("%s: want one document, found %d: %v", where, len(docs), problems)
		return
	}
	var found diag.List
	found.Add(problems...)
	descriptor.Check(docs[0], o, &found)
	for _, d := range found.Sorted() {
		t.Errorf("%s: %s", where, d)
	}
}

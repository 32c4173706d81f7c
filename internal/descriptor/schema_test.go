package descriptor_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

const schemaID = "https://regie.example/robot.json"

// compile builds a validator from the schema of an object.
func compile(t *testing.T, o *descriptor.Object) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(schemaID, unmarshal(t, descriptor.Schema(o, schemaID))); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(schemaID)
	if err != nil {
		t.Fatalf("the schema does not compile: %v", err)
	}
	return s
}

type fataler interface{ Fatal(args ...any) }

// unmarshal gives the form of data that the validator takes.
func unmarshal(t fataler, v value.Value) any {
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(v.Append(nil)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSchemaAgrees: the schema accepts and refuses what Check does.
func TestSchemaAgrees(t *testing.T) {
	t.Parallel()
	schema := compile(t, robot())
	for _, tt := range good {
		if err := schema.Validate(unmarshal(t, parse(t, tt.text).ToValue())); err != nil {
			t.Errorf("%s: refused: %v", tt.name, err)
		}
	}
	for _, tt := range bad {
		err := schema.Validate(unmarshal(t, parse(t, tt.text).ToValue()))
		if tt.lax != (err == nil) {
			t.Errorf("%s: lax %v, but %v", tt.name, tt.lax, err)
		}
	}
}

// withoutExceptions removes the fields in which Schema is documented to be
// laxer than Check.
func withoutExceptions(o *descriptor.Object) *descriptor.Object {
	kept := *o
	kept.Fields = nil
	for _, f := range o.Fields {
		if f.Later == "" {
			kept.Fields = append(kept.Fields, f)
		}
	}
	return &kept
}

// random makes documents of the words that the robot's descriptor knows.
type random struct {
	t    *rapid.T
	keys []string
}

var words = []string{
	`null`, `true`, `0`, `1`, `9`, `-1`, `10`, `1.5`, `2.0`, `""`, `"x"`, `"left"`, `"failed"`, `"none"`, `"box"`, `"circle"`, `"90s"`, `"1d2h"`,
	`"2026-01-31"`, `"2026-02-30"`, `"2026-01-31T06:30:00Z"`, `"1.50"`, `"a b"`, `"A"`, `"12345678901"`, `"${{ x }}"`, `"x ${{ y }}"`, `" ${{ x }}"`, `"$${{ y"`,
}

func (r random) chance(percent int) bool {
	return rapid.IntRange(1, 100).Draw(r.t, "chance") <= percent
}

// anything is a value without regard to any descriptor.
func (r random) anything(depth int) value.Value {
	kind := rapid.IntRange(0, 3).Draw(r.t, "kind")
	if depth == 0 || kind < 2 {
		return value.MustParse(rapid.SampledFrom(words).Draw(r.t, "word"))
	}
	v := value.List()
	if kind == 3 {
		v = value.Object()
	}
	for range rapid.IntRange(0, 3).Draw(r.t, "size") {
		item := r.anything(depth - 1)
		if kind == 3 {
			v = v.With(rapid.SampledFrom(r.keys).Draw(r.t, "key"), item)
		} else {
			v = value.List(append(v.Items(), item)...)
		}
	}
	return v
}

// likely is a value that mostly fits the type.
func (r random) likely(typ *descriptor.Type, depth int) value.Value {
	if r.chance(15) || depth == 0 {
		return r.anything(depth)
	}
	pick := func(texts ...string) value.Value {
		return value.MustParse(rapid.SampledFrom(texts).Draw(r.t, "value"))
	}
	switch typ.Kind {
	case descriptor.String, descriptor.Const:
		return pick(`"left"`, `"failed"`, `"skipped"`, `"box"`, `"circle"`, `"none"`, `"x"`)
	case descriptor.Integer, descriptor.Number, descriptor.Decimal:
		return pick(`1`, `0`, `9`, `2.0`, `1.5`, `"1.50"`)
	case descriptor.Boolean:
		return pick(`true`, `"${{ x }}"`)
	case descriptor.OneOf:
		return r.likely(&typ.Options[rapid.IntRange(0, len(typ.Options)-1).Draw(r.t, "option")], depth)
	case descriptor.List:
		var items []value.Value
		for range rapid.IntRange(0, 3).Draw(r.t, "size") {
			items = append(items, r.likely(typ.Elem, depth-1))
		}
		return value.List(items...)
	case descriptor.Map:
		v := value.Object()
		for range rapid.IntRange(0, 3).Draw(r.t, "size") {
			elem := typ.Elem
			if elem == nil {
				elem = &descriptor.Type{}
			}
			v = v.With(rapid.SampledFrom([]string{"a", "A", "b", "1x"}).Draw(r.t, "key"), r.likely(elem, depth-1))
		}
		return v
	case descriptor.Struct:
		v := value.Object()
		for i := range typ.Object.Fields {
			if f := &typ.Object.Fields[i]; f.Required && r.chance(90) || r.chance(40) {
				v = v.With(f.Name, r.likely(&f.Type, depth-1))
			}
		}
		return v
	}
	return r.anything(depth)
}

// TestSchemaAgreesOnAnything: Check and Schema agree on documents made at
// random, some of which fit and some of which do not.
func TestSchemaAgreesOnAnything(t *testing.T) {
	t.Parallel()
	o := withoutExceptions(robot())
	schema := compile(t, o)
	keys := []string{"a", "A", "1x", "${{ k }}", "bogus", "side", "reach", "hands", "kind", "radius", "width"}
	for _, f := range o.Fields {
		keys = append(keys, f.Name)
	}
	verdicts := map[bool]int{}
	property := func(t *rapid.T) {
		r := random{t, keys}
		doc := value.MustParse(`{"name":"r2","run":"beep"}`)
		for range rapid.IntRange(0, 3).Draw(t, "fields") {
			f := rapid.SampledFrom(o.Fields).Draw(t, "field")
			doc = doc.With(f.Name, r.likely(&f.Type, 4))
		}
		if r.chance(5) {
			doc = doc.With(rapid.SampledFrom(keys).Draw(t, "key"), r.anything(2))
		}
		docs, problems := yamldoc.Parse("f", doc.Append(nil))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		var l diag.List
		descriptor.Check(docs[0], o, &l)
		err := schema.Validate(unmarshal(t, doc))
		if l.HasErrors() != (err != nil) {
			t.Fatalf("%s\nCheck:\n%s\nSchema: %v", doc, lines(l.Sorted()), err)
		}
		verdicts[err == nil && doc.Len() > 2]++
	}
	for range 5 { // one document in ten fits: of five hundred never fewer than five
		rapid.Check(t, property)
	}
	if !t.Failed() && (verdicts[true] < 5 || verdicts[false] < 5) {
		t.Errorf("documents are too much alike: %v", verdicts)
	}
}

func TestSchemaForm(t *testing.T) {
	t.Parallel()
	s := descriptor.Schema(robot(), schemaID)
	if again := descriptor.Schema(robot(), schemaID); again.String() != s.String() {
		t.Error("the schema is not the same every time")
	}
	defs := s.Get("$defs")
	tests := []struct{ what, got, want string }{
		{"dialect", s.Get("$schema").String(), `"https://json-schema.org/draft/2020-12/schema"`},
		{"id", s.Get("$id").String(), `"` + schemaID + `"`},
		{"root", s.Get("$ref").String(), `"#/$defs/robot"`},
		{"description", defs.Get("robot").Get("description").String(), `"A robot.\n\nSecond paragraph."`},
		{"required", defs.Get("robot").Get("required").String(), `["name"]`},
		{"closed", defs.Get("robot").Get("additionalProperties").String(), `false`},
		{"default", defs.Get("arm").Get("properties").Get("reach").Get("default").String(), `2`},
		{"recursion", defs.Get("arm").Get("properties").Get("hands").String(), `{"type":"array","items":{"$ref":"#/$defs/arm"},"maxItems":2,"description":"Arms of the arm."}`},
		{"recursion with templates", defs.Get("arm.template").Get("properties").Get("hands").Get("anyOf").At(0).Get("items").String(), `{"anyOf":[{"$ref":"#/$defs/arm.template"},{"$ref":"#/$defs/template_value"}]}`},
		{"enum", defs.Get("arm").Get("properties").Get("side").String(), `{"enum":["left","right"],"description":"Where it hangs.\n\n- ` + "`left`" + `: Left | west."}`},
		{"later", defs.Get("robot").Get("properties").Get("child").Get("description").String(), `"Not available yet: child robots come with a later release."`},
		{"ignored", defs.Get("robot").Get("properties").Get("paint").Get("description").String(), `"Has no effect: robots are grey."`},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.what, tt.got, tt.want)
		}
	}
}

func TestSchemaNamesAreDistinct(t *testing.T) {
	t.Parallel()
	type T = descriptor.Type
	one := &descriptor.Object{Name: "part", Fields: []descriptor.Field{{Name: "a", Type: T{Kind: descriptor.Integer}}}}
	two := &descriptor.Object{Name: "part", Fields: []descriptor.Field{{Name: "b", Type: T{Kind: descriptor.Integer}}}}
	nameless := &descriptor.Object{}
	nameless.Fields = []descriptor.Field{{Name: "more", Type: T{Kind: descriptor.Struct, Object: nameless}}}
	odd := &descriptor.Object{Name: "plain_text", Fields: []descriptor.Field{{Name: "c", Type: T{Kind: descriptor.Integer}}}}
	root := &descriptor.Object{Name: "a/b ~c", Fields: []descriptor.Field{
		{Name: "one", Type: T{Kind: descriptor.Struct, Object: one}},
		{Name: "two", Type: T{Kind: descriptor.Struct, Object: two}},
		{Name: "nameless", Type: T{Kind: descriptor.Struct, Object: nameless}},
		{Name: "odd", Type: T{Kind: descriptor.Struct, Object: odd}},
	}}
	schema := compile(t, root)
	if err := schema.Validate(unmarshal(t, value.MustParse(`{"one":{"a":1},"two":{"b":1},"nameless":{"more":{"more":{}}},"odd":{"c":1}}`))); err != nil {
		t.Error(err)
	}
	if err := schema.Validate(unmarshal(t, value.MustParse(`{"two":{"a":1}}`))); err == nil {
		t.Error("two objects of one name are mixed up")
	}
	got := strings.Join(keysOf(descriptor.Schema(root, schemaID).Get("$defs")), " ")
	if want := "a_b__c part part.2 object plain_text.2 plain_text plain_value template_text template_value"; got != want {
		t.Errorf("$defs %s, want %s", got, want)
	}
}

func keysOf(v value.Value) []string {
	var keys []string
	for _, m := range v.Members() {
		keys = append(keys, m.Key)
	}
	return keys
}

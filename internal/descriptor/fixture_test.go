package descriptor_test

import (
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// robot is a descriptor with every kind of field.
func robot() *descriptor.Object {
	type T = descriptor.Type
	arm := &descriptor.Object{Name: "arm", Doc: "One arm of the robot.", Example: "side: left\nreach: 3\n"}
	arm.Fields = []descriptor.Field{
		{Name: "side", Doc: "Where it hangs.", Type: T{Kind: descriptor.String}, Required: true, Enum: []descriptor.EnumValue{{Text: "left", Doc: "Left | west."}, {Text: "right"}}},
		{Name: "reach", Type: T{Kind: descriptor.Integer, Min: descriptor.Bound(1), Max: descriptor.Bound(9)}, Default: value.Int(2), Template: true},
		{Name: "hands", Doc: "Arms of the arm.", Type: T{Kind: descriptor.List, Elem: &T{Kind: descriptor.Struct, Object: arm}, Max: descriptor.Bound(2)}},
	}
	circle := &descriptor.Object{Name: "circle", Fields: []descriptor.Field{
		{Name: "kind", Type: T{Kind: descriptor.Const, Text: "circle"}, Required: true},
		{Name: "radius", Type: T{Kind: descriptor.Number}, Required: true},
	}}
	box := &descriptor.Object{Name: "box", Fields: []descriptor.Field{
		{Name: "kind", Type: T{Kind: descriptor.Const, Text: "box"}, Required: true},
		{Name: "width", Type: T{Kind: descriptor.Number}, Required: true, Default: value.Int(1)},
	}}
	return &descriptor.Object{
		Name: "robot", Doc: "A robot.\n\nSecond paragraph.",
		Fields: []descriptor.Field{
			{Name: "name", Doc: "What it is called.", Type: T{Kind: descriptor.Name}, Required: true, Example: "name: r2"},
			{Name: "id", Type: T{Kind: descriptor.Identifier}},
			{Name: "motto", Type: T{Kind: descriptor.String, Min: descriptor.Bound(1), Max: descriptor.Bound(10)}, Template: true, Secrets: true},
			{Name: "script", Type: T{Kind: descriptor.String}, NoTemplate: "pass the value in `env`"},
			{Name: "age", Type: T{Kind: descriptor.Integer}},
			{Name: "weight", Type: T{Kind: descriptor.Number, Min: descriptor.Bound(0)}},
			{Name: "price", Type: T{Kind: descriptor.Decimal}, Template: true},
			{Name: "active", Type: T{Kind: descriptor.Boolean}, Default: value.True, Template: true},
			{Name: "warranty", Type: T{Kind: descriptor.Duration}, Default: value.String("2d")},
			{Name: "built", Type: T{Kind: descriptor.Date}, Template: true},
			{Name: "started_at", Type: T{Kind: descriptor.DateTime}},
			{Name: "if", Type: T{Kind: descriptor.Expression}},
			{Name: "arms", Type: T{Kind: descriptor.List, Elem: &T{Kind: descriptor.Struct, Object: arm}}},
			{Name: "spare", Doc: "With expressions.", Type: T{Kind: descriptor.Struct, Object: arm}, Template: true},
			{Name: "env", Type: T{Kind: descriptor.Map, KeyKind: descriptor.Identifier, Max: descriptor.Bound(3), Elem: &T{Kind: descriptor.OneOf, Options: []T{
				{Kind: descriptor.String}, {Kind: descriptor.Number}, {Kind: descriptor.Boolean}}}}, Template: true},
			{Name: "needs", Type: T{Kind: descriptor.OneOf, Options: []T{
				{Kind: descriptor.List, Elem: &T{Kind: descriptor.Identifier}, Min: descriptor.Bound(1)},
				{Kind: descriptor.Map, KeyKind: descriptor.Identifier, Elem: &T{Kind: descriptor.List, Elem: &T{Kind: descriptor.String}}},
			}}, Enum: []descriptor.EnumValue{{Text: "failed"}, {Text: "skipped"}}},
			{Name: "limit", Type: T{Kind: descriptor.OneOf, Options: []T{{Kind: descriptor.Const, Text: "none"}, {Kind: descriptor.Integer, Min: descriptor.Bound(1)}, {Kind: descriptor.Duration}}}},
			{Name: "shape", Type: T{Kind: descriptor.OneOf, Options: []T{{Kind: descriptor.Struct, Object: circle}, {Kind: descriptor.Struct, Object: box}}}},
			{Name: "data", Type: T{Kind: descriptor.Any}, Template: true},
			{Name: "fixed", Type: T{Kind: descriptor.Any}},
			{Name: "free", Type: T{Kind: descriptor.Map}},
			{Name: "run", Type: T{Kind: descriptor.String}},
			{Name: "uses", Type: T{Kind: descriptor.String}},
			{Name: "wheels", Type: T{Kind: descriptor.Integer}},
			{Name: "legs", Type: T{Kind: descriptor.Integer}},
			{Name: "child", Type: T{Kind: descriptor.Name}, Later: "child robots"},
			{Name: "paint", Type: T{Kind: descriptor.String}, Ignored: "robots are grey"},
		},
		OneOfGroups: []descriptor.Group{
			{Fields: []string{"run", "uses"}, Needed: true, What: "what it does"},
			{Fields: []string{"wheels", "legs"}},
		},
		Example: "name: r2\nrun: beep\n",
	}
}

// parse reads one YAML document without problems.
func parse(t *testing.T, text string) *yamldoc.Node {
	t.Helper()
	docs, problems := yamldoc.Parse("f.yaml", []byte(text))
	if diag.HasErrors(problems) || len(docs) != 1 {
		t.Fatalf("%d documents, %v in:\n%s", len(docs), problems, text)
	}
	return docs[0]
}

// lines writes diagnostics as the tables have them.
func lines(items []diag.Diagnostic) string {
	var b strings.Builder
	for _, d := range items {
		b.WriteString(strings.TrimPrefix(d.String(), "f.yaml:") + "\n")
	}
	return b.String()
}

func check(n *yamldoc.Node, o *descriptor.Object) []diag.Diagnostic {
	var l diag.List
	descriptor.Check(n, o, &l)
	return l.Sorted()
}

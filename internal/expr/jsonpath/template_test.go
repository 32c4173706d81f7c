package jsonpath

import (
	"errors"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

func TestTemplates(t *testing.T) {
	t.Parallel()
	s := Scope{
		Input: value.MustParse(`{"a": {"b": 1}, "l": [1, 2]}`), Context: value.MustParse(`{"State": {"Name": "S"}}`),
		Variables: map[string]value.Value{"v": value.True},
	}
	tests := []struct{ template, want string }{
		{`{}`, `{}`},
		{`[]`, `[]`},
		{`"$.a"`, `"$.a"`},
		{`{"x": "$.a", "y": "States.UUID()", "z": [{"w": null}]}`, `{"x": "$.a", "y": "States.UUID()", "z": [{"w": null}]}`},
		{`{"x.$": "$.a.b", "y": {"z.$": "$$.State.Name"}, "l": [1, {"v.$": "$v"}, [{"n.$": "States.ArrayLength($.l)"}]]}`,
			`{"x": 1, "y": {"z": "S"}, "l": [1, {"v": true}, [{"n": 2}]]}`},
		{`{"x.$": "$.l[9]", "y.$": "$.none[*]", "z.$": "$"}`, `{"x": null, "y": [], "z": {"a": {"b": 1}, "l": [1, 2]}}`},
	}
	for _, test := range tests {
		template, problems := CompileTemplate(value.MustParse(test.template))
		if problems != nil {
			t.Errorf("%s: %v", test.template, problems)
			continue
		}
		got, err := NewEvaluator(s, Budget{}).Template(template)
		if err != nil || got.String() != value.MustParse(test.want).String() {
			t.Errorf("%s: %s %v, want %s", test.template, got, err, test.want)
		}
	}
}

func TestTemplateErrors(t *testing.T) {
	t.Parallel()
	s := Scope{Input: value.MustParse(`{"other": 1}`), Context: value.MustParse(`{"State":{}}`)}
	tests := []struct{ template, want string }{
		{`{"in": {"x.$": "$.a.b"}}`, "The JSONPath '$.a.b' specified for the field 'x.$' could not be found in the input '{\"other\":1}'"},
		{`{"x.$": "$$.State.Name"}`, "The JSONPath '$.State.Name' specified for the field 'x.$' could not be found in the input '{\"State\":{}}'"},
		{`{"x.$": "$v"}`, "The JSONPath '$v' specified for the field 'x.$' could not be found in the input '{\"other\":1}'"},
		{`{"x.$": "States.MathAdd('a', 1)"}`, "The function 'States.MathAdd('a', 1)' had the following error: Invalid arguments in States.MathAdd: argument 1 must be a number"},
	}
	for _, test := range tests {
		template, problems := CompileTemplate(value.MustParse(test.template))
		if problems != nil {
			t.Fatal(problems)
		}
		_, err := NewEvaluator(s, Budget{}).Template(template)
		var fault *expr.Error
		if !errors.As(err, &fault) || fault.Code != Runtime || fault.Message != test.want {
			t.Errorf("%s: %v, want %s", test.template, err, test.want)
		}
	}
	template, _ := CompileTemplate(value.MustParse(`{"x.$": "$", "y.$": "$"}`))
	if _, err := NewEvaluator(s, Budget{Cost: 3}).Template(template); !expr.IsCostExceeded(err) {
		t.Errorf("a template beyond its budget: %v", err)
	}
}

func TestTemplateProblems(t *testing.T) {
	t.Parallel()
	_, problems := CompileTemplate(value.MustParse(`{"a.$": "oops", "b": [{"c.$": "$.x["}, {"d.$": 5}], "e.$": "$.fine"}`))
	var got []string
	for _, p := range problems {
		if p.Message != NotQuery(p.Field) {
			t.Errorf("message %q", p.Message)
		}
		got = append(got, strings.Join(p.Path, "/")+" "+p.Problem.String())
	}
	want := []string{"a.$ at 0: a path that begins", "b/0/c.$ at 4: an index, a name", "b/1/d.$ at 0: a string is expected"}
	if len(got) != len(want) {
		t.Fatalf("problems: %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

func TestApplyResultPath(t *testing.T) {
	t.Parallel()
	tests := []struct{ path, input, want string }{
		{"$", `{"a": 1}`, `"R"`},
		{"$.r", `{"a": 1}`, `{"a": 1, "r": "R"}`},
		{"$.a", `{"a": {"b": 1}, "c": 2}`, `{"a": "R", "c": 2}`},
		{"$.a.r", `{"a": {"b": 1}}`, `{"a": {"b": 1, "r": "R"}}`},
		{"$.x.y.z", `{}`, `{"x": {"y": {"z": "R"}}}`},
		{"$['odd key'].y", `{}`, `{"odd key": {"y": "R"}}`},
		{"$.l[1]", `{"l": [1, 2, 3]}`, `{"l": [1, "R", 3]}`},
		{"$.l[0].r", `{"l": [{}]}`, `{"l": [{"r": "R"}]}`},
		{"$.l[3]", `{"l": [1, 2, 3]}`, ""},
		{"$.l.r", `{"l": [1]}`, ""},
		{"$.a.r", `{"a": null}`, ""},
		{"$.r", `"text"`, ""},
		{"$.a.r", `{"a": 1}`, ""},
	}
	for _, test := range tests {
		q, problem := ParseResultPath(test.path)
		if problem != nil {
			t.Fatal(problem)
		}
		input := value.MustParse(test.input)
		got, fault := ApplyResultPath(q, input, value.String("R"))
		switch {
		case test.want == "":
			message := "Unable to apply ReferencePath " + test.path + " to input " + input.String()
			if fault == nil || fault.Code != ResultPathMatchFailure || fault.Message != message {
				t.Errorf("%s: %s %v", test.path, got, fault)
			}
		case fault != nil || got.String() != value.MustParse(test.want).String():
			t.Errorf("%s: %s %v, want %s", test.path, got, fault, test.want)
		case input.String() != value.MustParse(test.input).String():
			t.Errorf("%s changed its input", test.path)
		}
	}
	for _, src := range []string{"$v.a", "States.UUID()", "$[*]"} {
		q, _ := Parse(src)
		if _, fault := ApplyResultPath(q, value.MustParse("[1]"), value.Null); fault == nil {
			t.Errorf("%s takes a result", src)
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	lang := New()
	env := &expr.Env{Roots: []expr.Root{{Name: "secrets", Why: "secrets stay where they are"}, {Name: "input"}}}
	if _, problems := lang.Compile("States.Array($.a, $secrets.b)", env); len(problems) != 1 || problems[0].Code != expr.CodeForbidden || problems[0].Offset != 18 || problems[0].Length != 10 {
		t.Errorf("a forbidden variable: %v", problems)
	}
	if _, problems := lang.Compile("$.", nil); len(problems) != 1 || problems[0].Offset != 2 {
		t.Errorf("a syntax error: %v", problems)
	}
	bindings := map[string]value.Value{
		"input": value.MustParse(`{"a": 1}`), "context": value.MustParse(`{"a": 2}`), "v": value.Int(3),
	}
	exact := map[string]value.Value{"$": value.MustParse(`{"a": 4}`), "$$": value.MustParse(`{"a": 5}`), "input": value.Int(6), "context": value.Int(7)}
	tests := []struct {
		src, want string
		bindings  map[string]value.Value
	}{
		{"States.Array($.a, $$.a, $v)", "[1,2,3]", bindings},
		{"States.Array($.a, $$.a, $input, $context)", "[4,5,6,7]", exact},
	}
	for _, test := range tests {
		compiled, problems := lang.Compile(test.src, nil)
		if problems != nil {
			t.Fatal(problems)
		}
		got, err := compiled.Eval(expr.Request{Bindings: test.bindings})
		if err != nil || got.String() != test.want {
			t.Errorf("%s: %s %v, want %s", test.src, got, err, test.want)
		}
		if compiled.Type().Kind != expr.Any || len(compiled.Reads()) == 0 {
			t.Errorf("%s: type %v, reads %v", test.src, compiled.Type(), compiled.Reads())
		}
	}
	if lang.Name() != Name {
		t.Error("the name is wrong")
	}
}

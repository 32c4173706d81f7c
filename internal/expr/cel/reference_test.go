package cel

import (
	"flag"
	"os"
	"strings"
	"testing"

	celgo "cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/expr"
)

const referenceFile = "../../../docs/expressions.md"

// TestExamples runs every example of the table.
func TestExamples(t *testing.T) {
	t.Parallel()
	lang := New()
	for i := range lang.table {
		row := &lang.table[i]
		if (row.doc == "") != (len(row.examples) == 0) {
			t.Errorf("%s needs both doc and examples, or neither", row.name)
		}
		for _, example := range row.examples {
			compiled, problems := lang.Compile(example.source, nil)
			if len(problems) > 0 {
				t.Errorf("%s: %v", example.source, problems)
				continue
			}
			got, err := compiled.Eval(expr.Request{})
			if err != nil || got.String() != example.result {
				t.Errorf("%s = %s, %v; want %s", example.source, got, err, example.result)
			}
			if !strings.Contains(example.source, strings.TrimPrefix(row.name, "@")) {
				t.Errorf("%s does not show %s", example.source, row.name)
			}
		}
	}
}

// TestReference compares the page for users with the table. -update writes it.
func TestReference(t *testing.T) {
	t.Parallel()
	text := New().Reference()
	if flag.Lookup("update").Value.String() == "true" { // declared in problems_test.go
		if err := os.WriteFile(referenceFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(data), text); diff != "" {
		t.Errorf("docs/expressions.md is not what the table says; run go test ./internal/expr/cel -update: %s", diff)
	}
	for i := range New().table {
		row := New().table[i]
		if row.doc != "" && !strings.Contains(text, "#### "+row.name+"\n") {
			t.Errorf("%s is in no group of the page", row.name)
		}
	}
}

// Functions of cel-go that are not offered, with the reason.
var notOffered = map[string]string{
	"cel.@block":             "only optimizers write it",
	"cel.@mapInsert":         "only expanded macros use it",
	"@sortByAssociatedKeys":  "only expanded macros use it",
	"@not_strictly_false":    "only expanded macros use it",
	"__not_strictly_false__": "only expanded macros use it",
	"math.@max":              "math.greatest has it",
	"math.@min":              "math.least has it",
	"yaml.encode":            "data is JSON",
	"yaml.parse":             "data is JSON, and YAML needs its own bounds",
	"base64.encodeUrl":       "rarely needed",
	"base64.decodeUrl":       "rarely needed",
	"hasAll":                 "sets.contains has it",
	"hasAny":                 "sets.intersects has it",
	"hasExactly":             "sets.equivalent has it",
	"hasOnly":                "sets.contains has it",
	"in":                     "the operator in, in an old spelling",
	"_in_":                   "the operator in, in an old spelling",
}

// TestNoFunctionIsForgotten looks at every function of cel-go: it is offered,
// an operator, or left out for a reason.
func TestNoFunctionIsForgotten(t *testing.T) {
	t.Parallel()
	env, err := celgo.NewEnv(celgo.OptionalTypes(), ext.Strings(), ext.Math(), ext.Lists(), ext.Sets(), ext.Encoders(), ext.TwoVarComprehensions(), ext.Bindings(), ext.Regex())
	if err != nil {
		t.Fatal(err)
	}
	lang := New()
	for name := range env.Functions() {
		_, isOperator := operatorNames[name]
		known := isOperator || lang.functions[key{name, true}] != nil || lang.functions[key{name, false}] != nil
		if known == (notOffered[name] != "") {
			t.Errorf("%s is offered: %v; left out because: %q", name, known, notOffered[name])
		}
	}
	for _, m := range env.Macros() {
		name := m.Function()
		if m.IsReceiverStyle() && (name == "least" || name == "greatest") {
			name = "math." + name
		}
		if name == "bind" {
			name = "cel.bind"
		}
		if lang.functions[key{name, true}] == nil && lang.functions[key{name, false}] == nil {
			t.Errorf("macro %s is not offered", m.Function())
		}
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "string -> bool", "(string) bool", "(text) -> bool", "(string) -> text", "(string|text) -> bool"} {
		if s, err := parseSignature(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, s)
		}
	}
	if _, err := newLanguage([]function{{name: "nothing", sigs: []string{"() -> any"}}}); err == nil {
		t.Error("a function without implementation was accepted")
	}
}

package cel

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	celgo "cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	exprpb "cel.dev/expr"
	conformance "cel.dev/expr/conformance/test"
	"google.golang.org/protobuf/encoding/prototext"

	// The messages that the test files mention.
	_ "cel.dev/expr/conformance/proto2"
	_ "cel.dev/expr/conformance/proto3"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Files of the conformance tests that are about what Regie does not have.
var outsideScope = map[string]string{
	"proto2": "protobuf messages", "proto2_ext": "protobuf messages", "proto3": "protobuf messages",
	"enums": "protobuf enums", "dynamic": "protobuf messages", "wrappers": "protobuf messages",
	"network_ext": "addresses of networks", "unknowns": "unknown values", "block_ext": "an optimizer's output", "type_deduction": "the types of CEL's own checker",
}

// Tests whose result differs on purpose.
var deviations = map[string]string{
	"comparisons/lt_literal/not_lt_dyn_int_big_lossy_double":                 "comparisons of integers and floats are exact",
	"comparisons/gt_literal/not_gt_dyn_big_double_int":                       "comparisons of integers and floats are exact",
	"comparisons/lte_literal/lte_dyn_big_double_int":                         "comparisons of integers and floats are exact",
	"comparisons/gte_literal/gte_dyn_int_big_lossy_double":                   "comparisons of integers and floats are exact",
	"comparisons/bound/bytes_gt_left_false":                                  "bindings are JSON, which has no bytes",
	"timestamps/duration_converters/get_milliseconds":                        "bindings are JSON, which has no durations",
	"fields/qualified_identifier_resolution/qualified_ident":                 "roots have simple names",
	"fields/qualified_identifier_resolution/map_field_select":                "roots have simple names",
	"fields/qualified_identifier_resolution/ident_with_longest_prefix_check": "roots have simple names",
	"namespace/qualified/self_eval_qualified_lookup":                         "roots have simple names",
	"math_ext/ceil/dyn_error":                                                "integers are whole already",
	"math_ext/floor/dyn_error":                                               "integers are whole already",
	"math_ext/round/dyn_error":                                               "integers are whole already",
	"math_ext/trunc/dyn_error":                                               "integers are whole already",
	"optionals/optionals/map_null_entry_no_such_key":                         "an optional member of null is empty",
	"string_ext/value_errors/indexof_out_of_range":                           "cel-go has it as -1",
	"string_ext/value_errors/lastindexof_out_of_range":                       "cel-go has it as -1",
}

// TestConformance runs the conformance tests of CEL, from the module with its
// definitions on which cel-go depends. Tests that need protobuf messages, a
// container or an unchecked evaluation are left out.
func TestConformance(t *testing.T) {
	t.Parallel()
	const least = 1400 // tests that must have run, so that none are lost unnoticed
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "cel.dev/expr").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "tests/simple/testdata/*.textproto"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	lang, ran, missed := New(), 0, map[string]bool{}
	for _, file := range files {
		base := strings.TrimSuffix(filepath.Base(file), ".textproto")
		if outsideScope[base] != "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var tests conformance.SimpleTestFile
		if err := prototext.Unmarshal(text, &tests); err != nil {
			t.Fatal(err)
		}
		for _, section := range tests.GetSection() {
			for _, test := range section.GetTest() {
				if needsMore(test) {
					continue
				}
				ran++
				name := base + "/" + section.GetName() + "/" + test.GetName()
				fault := conform(lang, test)
				switch {
				case fault == "" && deviations[name] != "":
					t.Errorf("%s passes now; take it out of the list of deviations", name)
				case fault != "" && deviations[name] == "":
					t.Errorf("%s: %s: %s", name, test.GetExpr(), fault)
				case fault != "":
					missed[name] = true
				}
			}
		}
	}
	for name := range deviations {
		if !missed[name] {
			t.Errorf("deviation %s is no test", name)
		}
	}
	if ran < least {
		t.Errorf("only %d tests ran", ran)
	}
}

func needsMore(test *conformance.SimpleTest) bool {
	source := test.GetExpr()
	message := strings.Contains(source, "TestAllTypes") || strings.Contains(source, "google.protobuf.") && !strings.Contains(source, "type(")
	return message || test.GetContainer() != "" || test.GetDisableCheck()
}

// conform runs a test and says what is wrong, or nothing.
func conform(lang *Language, test *conformance.SimpleTest) string {
	env := &expr.Env{}
	for _, d := range test.GetTypeEnv() {
		env.Roots = append(env.Roots, expr.Root{Name: d.GetName()})
	}
	bindings := map[string]value.Value{}
	m := &machine{left: 1_000_000, memory: maxMemory, bindings: bindings, zone: exampleTime.UTC().Location()}
	for name, bound := range test.GetBindings() {
		v, err := celgo.ProtoAsValue(types.DefaultTypeAdapter, bound.GetValue())
		if err != nil {
			return err.Error()
		}
		json, fault := m.export(v, 0, 0)
		if fault != nil {
			return fault.Message
		}
		bindings[name] = json
		env.Roots = append(env.Roots, expr.Root{Name: name})
	}
	mustFail := test.GetEvalError() != nil
	c, problems := lang.Compile(test.GetExpr(), env)
	if len(problems) > 0 {
		if mustFail {
			return ""
		}
		return problems[0].Message
	}
	m.slots = make([]ref.Val, c.(*compiled).slots)
	got, fault := c.(*compiled).node.eval(m)
	switch {
	case mustFail && fault != nil:
		return ""
	case mustFail:
		return "it does not fail"
	case fault != nil:
		return fault.Message
	}
	wanted := test.GetValue()
	if wanted == nil {
		wanted = &exprpb.Value{Kind: &exprpb.Value_BoolValue{BoolValue: true}}
	}
	want, err := celgo.ProtoAsValue(types.DefaultTypeAdapter, wanted)
	if err != nil {
		return err.Error()
	}
	if isNaN(want) && isNaN(got) || equalVal(want, got) == types.True && want.Type().TypeName() == got.Type().TypeName() {
		return ""
	}
	return "the result is another " + typeName(got)
}

func isNaN(v ref.Val) bool {
	f, ok := v.(types.Double)
	return ok && math.IsNaN(float64(f))
}

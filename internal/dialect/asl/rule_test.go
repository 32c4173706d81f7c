package asl_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/value"
)

func operation(t *testing.T, op string) expr.Compiled {
	t.Helper()
	compiled, problems := asl.NewLanguage(jsonata.New(jsonata.Config{AWS: true})).Compile(op, nil)
	if len(problems) > 0 {
		t.Fatalf("%s: %v", op, problems)
	}
	return compiled
}

func TestComparisons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		operator, literal string
		holds, not        string // lists of values
	}{
		{"StringEquals", `"b"`, `["b"]`, `["a", 1, null, true]`},
		{"StringLessThan", `"b"`, `["a", ""]`, `["b", "c", 1]`},
		{"StringGreaterThan", `"b"`, `["c", "ba"]`, `["b", "a"]`},
		{"StringLessThanEquals", `"b"`, `["a", "b"]`, `["c"]`},
		{"StringGreaterThanEquals", `"b"`, `["c", "b"]`, `["a"]`},
		{"StringMatches", `"a*c*"`, `["ac", "abcd", "a*c"]`, `["bac", "ab", 1]`},
		{"StringMatches", `"a\\*c"`, `["a*c"]`, `["abc"]`},
		{"StringMatches", `"a\\\\c"`, `["a\\c"]`, `["ac"]`},
		{"NumericEquals", `1`, `[1, 1.0]`, `["1", 2, null]`},
		{"NumericLessThan", `9007199254740993`, `[9007199254740992]`, `[9007199254740993]`},
		{"NumericGreaterThan", `1.5`, `[2, 1.6]`, `[1, 1.5]`},
		{"BooleanEquals", `false`, `[false]`, `[true, null, 0]`},
		{"TimestampEquals", `"2016-03-14T01:59:00Z"`, `["2016-03-14T02:59:00+01:00"]`, `["2016-03-14T01:59:01Z", "x"]`},
		{"TimestampLessThan", `"2016-03-14T01:59:00Z"`, `["2016-03-14T01:58:00.5Z"]`, `["2016-03-14T01:59:00Z", "2016-03-14t01:58:00Z"]`},
		{"IsNull", `true`, `[null]`, `[0, "", false]`},
		{"IsNull", `false`, `[0]`, `[null]`},
		{"IsPresent", `true`, `[null, 0]`, `[]`},
		{"IsNumeric", `true`, `[1, 1.5]`, `["1", null]`},
		{"IsString", `true`, `["a"]`, `[1]`},
		{"IsBoolean", `true`, `[true]`, `["true"]`},
		{"IsTimestamp", `true`, `["2016-03-14T01:59:00Z"]`, `["2016-03-14", 1]`},
	} {
		rule := operation(t, fmt.Sprintf(`{"test": {"variable": "$.v", "operator": %q, "literal": %s}}`, c.operator, c.literal))
		for want, list := range map[bool]string{true: c.holds, false: c.not} {
			for _, v := range value.MustParse(list).Items() {
				got, err := rule.Eval(expr.Request{Bindings: map[string]value.Value{"$": value.Object(value.M("v", v))}})
				if b, _ := got.Bool(); err != nil || b != want {
					t.Errorf("%s %s of %s: got %s, %v", c.operator, c.literal, v, got, err)
				}
			}
		}
	}
}

// TestOperations evaluates operations: what they give, or the error with its
// code.
func TestOperations(t *testing.T) {
	t.Parallel()
	bindings := map[string]value.Value{
		"$":      value.MustParse(`{"n": 3, "text": "7", "neg": -1, "half": 1.5, "list": [1], "none": null, "at": "2016-03-14T01:59:00Z"}`),
		"$$":     value.MustParse(`{"State": {"Name": "S"}}`),
		"v":      value.Int(5),
		"states": value.MustParse(`{"input": {"n": 3}, "errorOutput": {"name": "Bad", "message": "prefix: why", "details": {"cause": "why"}}}`),
		"error":  value.MustParse(`{"name": "", "message": "because"}`),
	}
	for op, want := range map[string]string{
		`{"path": "$.n"}`:                                                                 `3`,
		`{"path": "$v"}`:                                                                  `5`,
		`{"path": "$$.State.Name"}`:                                                       `"S"`,
		`{"path": "States.MathAdd($.n, $v)"}`:                                             `8`,
		`{"path": "$.x", "field": "a.$"}`:                                                 `States.Runtime: The JSONPath '$.x' specified for the field 'a.$' could not be found in the input`,
		`{"path": "$.x", "plain": true}`:                                                  `States.Runtime: Invalid path '$.x'`,
		`{"path": "$.n", "field": "SecondsPath", "want": "seconds"}`:                      `3`,
		`{"path": "$.x", "field": "SecondsPath", "want": "seconds"}`:                      `States.Runtime: The SecondsPath parameter does not reference an input value: $.x`,
		`{"path": "$.neg", "field": "SecondsPath", "want": "seconds"}`:                    `States.Runtime: The SecondsPath parameter references a negative value: $.neg == -1`,
		`{"path": "$.half", "field": "SecondsPath", "want": "seconds"}`:                   `States.Runtime: The SecondsPath parameter cannot be parsed as a long value: $.half == 1.5`,
		`{"path": "$.at", "field": "TimestampPath", "want": "timestamp"}`:                 `"2016-03-14T01:59:00Z"`,
		`{"path": "$.text", "field": "TimestampPath", "want": "timestamp"}`:               `States.Runtime: The TimestampPath parameter does not reference a valid ISO-8601`,
		`{"path": "$.x", "field": "TimeoutSecondsPath", "want": "seconds"}`:               `States.Runtime: Invalid path '$.x' : No results for path: $['x']`,
		`{"path": "$.half", "field": "TimeoutSecondsPath", "want": "seconds"}`:            `States.Runtime: The TimeoutSecondsPath field refers to value "1.5" which is not a valid integer: $.half`,
		`{"path": "$.text", "field": "MaxConcurrencyPath", "want": "integer"}`:            `7`,
		`{"path": "$.neg", "field": "MaxItemsPath", "want": "integer"}`:                   `States.ItemReaderFailed: field MaxItems must be positive`,
		`{"path": "$.at", "field": "MaxConcurrencyPath", "want": "integer"}`:              `States.Runtime: The MaxConcurrencyPath field refers to value "2016-03-14T01:59:00Z" which is not a valid integer: $.at`,
		`{"path": "$.neg", "field": "ToleratedFailurePercentagePath", "want": "percent"}`: `States.Runtime: ToleratedFailurePercentage must be between 0 and 100.`,
		`{"path": "$.list", "want": "array", "plain": true}`:                              `[1]`,
		`{"path": "$.none", "want": "array", "plain": true}`:                              `States.Runtime: Map state input must be an array but was: null`,
		`{"jsonata": "$states.input.n + $v", "field": "Output"}`:                          `8`,
		`{"jsonata": "$states.errorOutput", "field": "Output"}`:                           `{"Error":"Bad","Cause":"prefix: why"}`,
		`{"jsonata": "$nothing", "field": "Output/a"}`:                                    `States.QueryEvaluationError: The JSONata expression '$nothing' specified for the field 'Output/a' returned nothing (undefined).`,
		`{"jsonata": "true", "field": "Items", "want": "array"}`:                          `States.QueryEvaluationError: The JSONata expression 'true' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'boolean' for value: true`,
		`{"jsonata": "1", "field": "Items", "want": "array"}`:                             `States.QueryEvaluationError: The JSONata expression '1' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'number' for value: 1`,
		`{"jsonata": "1", "want": "array"}`:                                               `States.QueryEvaluationError: Map state input must be an array but was: 1`,
		`{"jsonata": "'12:00'", "field": "Timestamp", "want": "timestamp"}`:               `States.QueryEvaluationError: The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: 12:00`,
		`{"jsonata": "-1", "field": "Seconds", "want": "seconds"}`:                        `States.QueryEvaluationError: The Seconds field must be a whole number from 0 but was: -1`,
		`{"jsonata": "101", "field": "ToleratedFailurePercentage", "want": "percent"}`:    `States.QueryEvaluationError: ToleratedFailurePercentage must be between 0 and 100.`,
		`{"jsonata": "1 + 'a'", "field": "Output"}`:                                       `States.QueryEvaluationError: The JSONata expression '1 + 'a'' specified for the field 'Output' threw an error during evaluation. T2002`,
		`{"error": true}`: `{"Error":null,"Cause":"because"}`,
		`{"test": {"not": {"or": [{"variable": "$.n", "operator": "NumericEquals", "path": "$v"}, {"variable": "$.x", "operator": "IsPresent", "literal": true}]}}}`: `true`,
		`{"test": {"variable": "$.x", "operator": "IsNull", "literal": true}}`:                                                                                       `States.Runtime: Invalid path '$.x'`,
		`{"test": {"and": [{"variable": "$.n", "operator": "IsNumeric", "literal": true}, {"variable": "$.n", "operator": "NumericEquals", "path": "$.x"}]}}`:        `States.Runtime: Invalid path '$.x'`,
	} {
		v, err := operation(t, op).Eval(expr.Request{Bindings: bindings})
		got := v.String()
		if e, ok := err.(*expr.Error); ok { //nolint:errorlint // evaluations return it as it is
			got = e.Code + ": " + e.Message
		}
		if got != want && (err == nil || !strings.HasPrefix(got, want)) {
			t.Errorf("%s: got %s, want %s", op, got, want)
		}
	}
}

func TestOperationRefuses(t *testing.T) {
	t.Parallel()
	lang := asl.NewLanguage(jsonata.New(jsonata.Config{AWS: true}))
	for _, op := range []string{`x`, `{"path": "x"}`, `{"jsonata": "1 +"}`, `{"test": {"variable": "x"}}`, `{"test": {"and": [{"variable": "$.a", "path": "b"}]}}`} {
		if _, problems := lang.Compile(op, nil); len(problems) == 0 {
			t.Errorf("%s compiles", op)
		}
	}
}

func TestOperationReads(t *testing.T) {
	t.Parallel()
	for op, want := range map[string]string{
		`{"path": "$v.a"}`:               `[["v","a"]]`,
		`{"jsonata": "$states.input.a"}`: `[["states","input","a"]]`,
		`{"error": true}`:                `[["error"]]`,
		`{"test": {"variable": "$.a.b", "operator": "NumericEquals", "path": "$v"}}`: `[["input","a","b"],["v"]]`,
	} {
		got, err := json.Marshal(operation(t, op).Reads())
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, want %s", op, got, want)
		}
	}
}

// TestCompileRefuses lists what cannot be compiled, with its place.
func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	const definition = `StartAt: A
States:
  A:
    Type: Task
    Resource: arn:aws:lambda:eu-west-1:1:function:unmapped
    Next: B
  B:
    Type: Map
    ItemReader: {Resource: "arn:aws:states:::s3:getObject", Parameters: {Bucket: b, Key: k}}
    ItemProcessor: {StartAt: C, States: {C: {Type: Pass, QueryLanguage: JSONata, End: true}}}
    End: true
`
	machine, problems := asl.Read(config(asl.Standard), "x.yaml", []byte(definition))
	if asl.HasErrors(problems) {
		t.Fatal(problems)
	}
	_, problems = asl.Compile(asl.CompileConfig{JSONata: jsonata.New(jsonata.Config{AWS: true}), Target: func(r asl.Resource) (asl.Target, bool) {
		return asl.Target{Uses: "test"}, r.Name != "unmapped" && r.Service != "s3"
	}}, machine)
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d:%d %s %s", p.Pos.Line, p.Pos.Column, p.Code, p.Location))
	}
	want := "5:15 UNMAPPED_RESOURCE /States/A/Resource; 9:28 UNMAPPED_RESOURCE /States/B/ItemReader/Resource"
	if strings.Join(got, "; ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, "; "), want)
	}
}

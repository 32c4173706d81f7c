package jsonpath

import (
	"regexp"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

const arguments = `{
	"s": "a b", "n": 3, "f": 2.5, "yes": true, "nil": null, "list": [3, 1, 3.0, "3", [1], [1.0], {"b": 1, "a": 2}, {"a": 2, "b": 1}],
	"o": {"k": "v", "l": [1, "x"], "m": {}}, "p": {"k": 1, "z": 2}, "template": "<{}> \\{{}\\} it\\'s", "big": 12345678901234567890,
	"csv": ",a,,b,\n", "blank": " ", "long": "`

func TestIntrinsicFunctions(t *testing.T) {
	t.Parallel()
	input := value.MustParse(arguments + strings.Repeat("x", 10_001) + `"}`)
	tests := []struct{ src, want string }{
		{"States.Array()", "[]"},
		{"States.Array( 1 , 'a',true,null, $.n, -1.5e1 )", `[1,"a",true,null,3,-15.0]`},
		{`States.Array('it\'s', 'a\\b', '\{\}', '{"raw": 1}', '')`, `["it's","a\\b","{}","{\"raw\": 1}",""]`},
		{"States.Array($.o.l[*], $.none[*])", `[[1,"x"],[]]`},
		{"States.Array($.o['k'], $.o.l[?(@ == 'x')])", `["v",["x"]]`},
		{"States.ArrayPartition(States.Array(1,2,3,4,5), 2.9)", "[[1,2],[3,4],[5]]"},
		{"States.ArrayPartition(States.Array(), 1)", "[]"},
		{"States.ArrayPartition(States.Array(1,2), $.big)", "out of range"},
		{"States.ArrayPartition(States.Array(1,2), 0.9)", "the size of a part must be at least 1"},
		{"States.ArrayPartition('x', 1)", "Invalid arguments in States.ArrayPartition: argument 1 must be an array"},
		{"States.ArrayContains($.list, 3)", "true"},
		{"States.ArrayContains($.list, $.n)", "true"},
		{"States.ArrayContains($.list, 2)", "false"},
		{"States.ArrayContains(States.Array(States.Array(1, 2)), States.Array(1.0, 2))", "true"},
		{"States.ArrayContains(States.Array('1'), 1)", "false"},
		{"States.ArrayRange(1, 9, 2)", "[1,3,5,7,9]"},
		{"States.ArrayRange(1.9, 3.9, 1.9)", "[1,2,3]"},
		{"States.ArrayRange(5, -0.6, -2.4)", "[5,3,1]"},
		{"States.ArrayRange(3, 3, -1)", "[3]"},
		{"States.ArrayRange(1, 5, -1)", "[]"},
		{"States.ArrayRange(5, 1, 1)", "[]"},
		{"States.ArrayRange(1, 5, 0.5)", "the step cannot be 0"},
		{"States.ArrayLength(States.ArrayRange(1, 1000, 1))", "1000"},
		{"States.ArrayRange(0, 1000, 1)", "more than 1000 items"},
		{"States.ArrayRange(-9223372036854775808, 9223372036854775807, 1)", "more than 1000 items"},
		{"States.ArrayRange('1', 2, 1)", "argument 1 must be a number"},
		{"States.ArrayGetItem($.list, 1.9)", "1"},
		{"States.ArrayGetItem($.list, 8)", "there is no item 8 in an array of 8"},
		{"States.ArrayGetItem($.list, -1)", "there is no item -1"},
		{"States.ArrayGetItem(States.Array(), 7)", "null"},
		{"States.ArrayLength($.list)", "8"},
		{"States.ArrayLength($.s)", "must be an array"},
		{"States.ArrayUnique($.list)", `[3,1,"3",[1],{"b":1,"a":2}]`},
		{"States.ArrayUnique(States.Array(1e3, 1000, 0.5, 1, 0.50))", "[1000.0,0.5,1]"},
		{"States.Base64Encode('Data to encode')", `"RGF0YSB0byBlbmNvZGU="`},
		{"States.Base64Encode('')", `""`},
		{"States.Base64Encode(1)", "argument 1 must be a string"},
		{"States.Base64Encode($.long)", "more than 10000 characters"},
		{"States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", `"Data to encode"`},
		{"States.Base64Decode(' aGV sbG8 ')", `"hello"`},
		{"States.Base64Decode('aGVsbG8')", `"hello"`},
		{"States.Base64Decode('aGk=rest')", `"hi"`},
		{"States.Base64Decode('8J-agA')", `"🚀"`},
		{"States.Base64Decode('a')", `""`},
		{"States.Hash('input', 'MD5')", `"a43c1b0aa53a0c908810c06ab1ff3967"`},
		{"States.Hash('input', 'SHA-1')", `"140f86aae51ab9e1cda9b4254fe98a74eb54c1a1"`},
		{"States.Hash('input', 'SHA-256')", `"c96c6d5be8d08a12e7b5cdc1b207fa6b2430974c86803d8891675e76fd992c20"`},
		{"States.Hash(States.Hash(1, 'SHA-384'), 'SHA-512')", `"`},
		{"States.Hash('x', 'sha-256')", "there is no algorithm 'sha-256'"},
		{"States.Hash('x', 1)", "argument 2 must be a string"},
		{"States.Hash($.long, 'MD5')", "more than 10000 characters"},
		{"States.JsonMerge($.o, $.p, false)", `{"k":1,"l":[1,"x"],"m":{},"z":2}`},
		{"States.JsonMerge($.o, $.p, true)", "only a shallow merge"},
		{"States.JsonMerge($.o, $.list, false)", "argument 2 must be an object"},
		{"States.JsonToString($.o)", `"{\"k\":\"v\",\"l\":[1,\"x\"],\"m\":{}}"`},
		{"States.JsonToString($.nil)", `"null"`},
		{"States.JsonToString($.big)", `"12345678901234567890"`},
		{"States.StringToJson('{\"a\": [1, \"b\"]}')", `{"a":[1,"b"]}`},
		{"States.StringToJson(' ')", "null"},
		{"States.StringToJson('')", "null"},
		{"States.StringToJson('12345678901234567890')", "12345678901234567890"},
		{"States.StringToJson('{bad}')", "Invalid arguments in States.StringToJson: the text is not JSON"},
		{"States.StringToJson($.o)", "argument 1 must be a string"},
		{"States.MathAdd(1, -4)", "-3"},
		{"States.MathAdd(1.49, 1.5)", "3"},
		{"States.MathAdd(-2.5, -2.51)", "-5"},
		{"States.MathAdd(0.49999999999999994, 0)", "0"},
		{"States.MathAdd(2147483646, 1)", "2147483647"},
		{"States.MathAdd(2147483647, 1)", "the sum is out of range"},
		{"States.MathAdd(2147483648, -1)", "argument 1 is out of range"},
		{"States.MathAdd($.big, 1)", "argument 1 is out of range"},
		{"States.MathAdd('1', 1)", "argument 1 must be a number"},
		{"States.MathAdd(States.MathAdd($.n, $.n), $.n)", "9"},
		{"States.MathRandom(4, 5)", "4"},
		{"States.MathRandom(5, 5)", "the end must be greater than the start"},
		{"States.MathRandom(1.4, 1.6)", "the end must be greater than the start"},
		{"States.MathRandom(1, 10, 'x')", "argument 3 must be a number"},
		{"States.StringSplit('1.2+3,4', '.+,')", `["1","2","3","4"]`},
		{"States.StringSplit($.csv, ',')", `["a","b","\n"]`},
		{"States.StringSplit('abc', '')", `["abc"]`},
		{"States.StringSplit('', ',')", "[]"},
		{"States.StringSplit(1, ',')", "argument 1 must be a string"},
		{"States.Format('plain')", `"plain"`},
		{"States.Format('{} {} {} {} {}', $.s, $.n, $.f, $.yes, $.nil)", `"a b 3 2.5 true null"`},
		{"States.Format('{}', $.o)", `"{k=v, l=[1, x], m={}}"`},
		{`States.Format('it\'s \{{}\} \\', 1)`, `"it's {1} \\"`},
		{"States.Format($.template, 'a', 'b')", `"<a> {b} it\\'s"`},
		{"States.Format($.n, 1)", "argument 1 must be a string"},
		{"States.Format('{} {}', 1)", "number of arguments do not match the occurrences of {}."},
		{"States.Format('{}', 1, 2)", "number of arguments do not match the occurrences of {}."},
		{"States.Format('a {', 1)", "Invalid template in States.Format: matching '}' not found for '{'."},
		{"States.Format('}')", "Invalid template in States.Format: matching '{' not found for '}'."},
		// Arguments are counted when it runs, as on AWS.
		{"States.UUID(1)", "it takes 0 arguments, not 1"},
		{"States.Format()", "it takes at least 1 arguments, not 0"},
		{"States.MathRandom(1)", "it takes 2 or 3 arguments, not 1"},
		// An argument must lead somewhere.
		{"States.Format('{}', $.none)", "The function 'States.Format('{}', $.none)' had the following error: The JsonPath argument for the field '$.none' could not be found in the input '{"},
		{"States.Array(1, States.Array($.o.none.x))", "The function 'States.Array(1, States.Array($.o.none.x))' had the following error: The JsonPath argument for the field '$.o.none.x' could"},
		{"States.Array($.list[99])", "The JsonPath argument for the field '$.list[99]' could not be found"},
		{"States.Array($.n[0])", "had the following error: Filter: [0] can only be applied to arrays. Current context is: 3"},
		{"States.Array($$.None)", "The JsonPath argument for the field '$.None' could not be found in the input '{\"s\":"},
	}
	for _, test := range tests {
		got := evaluate(t, test.src, Scope{Input: input, Context: value.MustParse("{}")})
		isValue := strings.IndexByte(`[{"-0123456789`, test.want[0]) >= 0 || test.want == "true" || test.want == "false" || test.want == "null"
		if isValue && test.want != `"` && got != test.want || !strings.Contains(got, test.want) {
			t.Errorf("%s: %s, want %s", test.src, got, test.want)
		}
	}
}

func TestRandomFunctions(t *testing.T) {
	t.Parallel()
	template, problems := CompileTemplate(value.MustParse(`{
		"a.$": "States.UUID()", "b.$": "States.UUID()", "n.$": "States.MathRandom(-3, 3)",
		"s.$": "States.MathRandom(0, 1000000, 7)", "t.$": "States.MathRandom(0, 1000000, 7)"
	}`))
	if problems != nil {
		t.Fatal(problems)
	}
	run := func(seed uint64) value.Value {
		v, err := NewEvaluator(Scope{}, Budget{Seed: seed}).Template(template)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	first := run(1)
	if !value.Equal(first, run(1)) {
		t.Error("the same seed gives something else")
	}
	if value.Equal(first.Get("a"), run(2).Get("a")) || value.Equal(first.Get("a"), first.Get("b")) {
		t.Error("UUIDs repeat")
	}
	if !value.Equal(first.Get("s"), first.Get("t")) || !value.Equal(first.Get("s"), run(2).Get("s")) {
		t.Error("MathRandom with a seed is not the same every time")
	}
	id, _ := first.Get("a").Str()
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("UUID: %s", id)
	}
	seen := map[int64]bool{}
	for seed := range uint64(200) {
		n, _ := run(seed).Get("n").Int()
		seen[n] = true
	}
	for n := range seen {
		if n < -3 || n > 2 {
			t.Errorf("MathRandom(-3, 3) gives %d", n)
		}
	}
	if len(seen) != 6 {
		t.Errorf("MathRandom(-3, 3) gives %d different numbers", len(seen))
	}
}

// Invariant: what costs too much ends with an error, and soon.
func TestBounds(t *testing.T) {
	t.Parallel()
	items := strings.Repeat("1,", 20_000)
	input := value.MustParse(`{"l": [` + items + `1], "s": "` + strings.Repeat("x", 1_000_000) + `"}`)
	nested := value.Int(1)
	for range 400 {
		nested = value.List(nested, nested)
	}
	for _, src := range []string{
		"$.l[*]", "$..*", "$.l[?(@ in [2,3])]", "$.l.append(1)", "$.l.sum()",
		"States.ArrayUnique($.l)", "States.ArrayContains($.l, 2)", "States.JsonToString($)", "States.ArrayPartition($.l, 1)",
		"States.StringSplit(States.JsonToString($.l), ',')",
	} {
		q, problem := Parse(src)
		if problem != nil {
			t.Fatal(problem)
		}
		_, err := NewEvaluator(Scope{Input: input}, Budget{Cost: 1000}).Select(q)
		if !expr.IsCostExceeded(err) {
			t.Errorf("%s: %v", src, err)
		}
	}
	for _, src := range []string{"$..*..*..*", "$[?($..* == $..*)]", "States.JsonToString($)", "States.ArrayContains($, $[0])", "States.Format('{}', $)"} {
		q, problem := Parse(src)
		if problem != nil {
			t.Fatal(problem)
		}
		if _, err := NewEvaluator(Scope{Input: nested}, Budget{}).Select(q); !expr.IsCostExceeded(err) {
			t.Errorf("%s of nested lists: %v", src, err)
		}
	}
	doubling := "$.s"
	for range 10 {
		doubling = "States.Format('{}{}', " + doubling + ", " + doubling + ")"
		if len(doubling) > expr.MaxLength/3 {
			break
		}
	}
	q, problem := Parse(doubling)
	if problem != nil {
		t.Fatal(problem)
	}
	if _, err := NewEvaluator(Scope{Input: input}, Budget{Cost: expr.PoolCost}).Select(q); !expr.IsCostExceeded(err) {
		t.Errorf("doubling a text: %v", err)
	}
}

package transform_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/connectortest"
	"github.com/regie-dev/regie/internal/connector/transform"
	"github.com/regie-dev/regie/internal/value"
	"pgregory.net/rapid"
)

func TestContract(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat(`{"reverse": true},`, transform.MaxOperations+1), ",")
	connectortest.Run(t, connectortest.Suite{
		New: func(*testing.T) connector.Connector { return transform.New() },
		Call: func(t *testing.T) connector.Call {
			return connectortest.Call(t, `{"input": [{"a": 1}], "operations": [{"pick": ["a"]}]}`)
		},
		Bad: []string{
			`{"input": 1, "operations": [{}]}`,
			`{"input": 1, "operations": [{"pick": ["a"], "omit": ["b"]}]}`,
			`{"input": 1, "operations": [{"no_such": 1}]}`,
			`{"input": 1, "operations": [{"parse": "xml"}]}`,
			`{"input": [], "operations": [{"limit": -1}]}`,
			`{"input": [], "operations": [{"flatten": 0}]}`,
			`{"input": [], "operations": [{"flatten": 65}]}`,
			`{"input": {}, "operations": [{"pick": ["a..b"]}]}`,
			`{"input": {}, "operations": [{"set": {"": 1}}]}`,
			`{"input": {"a": 1}, "operations": [{"set": {"a.b": 1}}]}`,
			`{"input": [], "operations": [{"sort_by": ["-"]}]}`,
			`{"input": [], "operations": [` + many + `]}`,
		},
	})
}

// run returns the result as JSON, or the error's name and text.
func run(t testing.TB, input, operations string) string {
	t.Helper()
	call := connectortest.Call(t, fmt.Sprintf(`{"input": %s, "operations": %s}`, input, operations))
	result, err := transform.New().Call(t.Context(), call)
	var e *connector.Error
	if errors.As(err, &e) {
		return e.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	return result.Output.Get("result").String()
}

func TestOperations(t *testing.T) {
	t.Parallel()
	const people = `[{"id": 2, "n": {"first": "Bo"}}, {"id": 1, "n": {"first": "Al"}, "x": null}]`
	for _, c := range []struct{ input, operations, want string }{
		{`{"a": 1}`, `[]`, `{"a":1}`},
		{`{"a": {"b": [1, 2]}}`, `[{"get": "a.b.1"}]`, `2`},
		{`{"a": 1}`, `[{"get": "b.c"}]`, `null`},
		{`{"a": 1}`, `[{"get": "."}]`, `{"a":1}`},
		{`[1]`, `[{"get": "x"}]`, `null`},

		{people, `[{"pick": ["n.first", "x"]}]`, `[{"n":{"first":"Bo"}},{"n":{"first":"Al"},"x":null}]`},
		{`{"b": 1, "a": 2}`, `[{"pick": ["a", "b"]}]`, `{"a":2,"b":1}`},
		{people, `[{"omit": ["n.first", "id"]}]`, `[{"n":{}},{"n":{},"x":null}]`},
		{`{"a": [1, 2, 3]}`, `[{"omit": ["a.1", "a.9", "a.x", "b.c"]}]`, `{"a":[1,3]}`},
		{people, `[{"rename": {"id": "key", "nope": "y"}}, {"omit": ["n"]}]`, `[{"key":2},{"key":1,"x":null}]`},
		{`{"a": 1}`, `[{"set": {"b.c": 12345678901234567890, "a": null}}]`, `{"a":null,"b":{"c":12345678901234567890}}`},
		{`{"a": [1, {"b": 2}]}`, `[{"set": {"a.1.b": 3}}]`, `{"a":[1,{"b":3}]}`},
		{`{"a": 0, "b": null}`, `[{"default": {"a": 1, "b": 2, "c.d": 3}}]`, `{"a":0,"b":2,"c":{"d":3}}`},
		{`{"a": {"x": 1, "y": [1]}, "b": 1}`, `[{"merge": {"a": {"y": [2], "z": 3}, "c": 4}}]`, `{"a":{"x":1,"y":[2],"z":3},"b":1,"c":4}`},

		{`[{"s": "a", "n": 1}, {"s": "b", "n": 1.0}, {"n": 2}]`, `[{"where": {"n": 1}}]`, `[{"s":"a","n":1},{"s":"b","n":1.0}]`},
		{`[{"s": "a"}, {"s": "b"}, {}]`, `[{"where": {"s": ["b", null]}}]`, `[{"s":"b"},{}]`},
		{`[{"a": 1, "b": 1}, {"a": 1, "b": 2}]`, `[{"where": {"a": 1, "b": 2}}]`, `[{"a":1,"b":2}]`},
		{`[]`, `[{"where": {"a": 1}}]`, `[]`},

		{`["b", 10, 9, null, true, "a", false, 9.5, [1]]`, `[{"sort_by": ["."]}]`, `[null,false,true,9,9.5,10,"a","b",[1]]`},
		{`[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 1, "b": "z"}]`, `[{"sort_by": ["a", "-b"]}]`, `[{"a":1,"b":"z"},{"a":1,"b":"x"},{"a":2,"b":"y"}]`},
		{`[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 1, "b": "z"}]`, `[{"sort_by": ["-a"]}]`, `[{"a":2,"b":"y"},{"a":1,"b":"x"},{"a":1,"b":"z"}]`},
		{`[12345678901234567891, 12345678901234567890]`, `[{"sort_by": ["."]}]`, `[12345678901234567890,12345678901234567891]`},
		{`[1, 1.0, "1", {"a": 1, "b": 2}, {"b": 2.0, "a": 1}, null]`, `[{"unique_by": []}]`, `[1,"1",{"a":1,"b":2},null]`},
		{`[{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"b": 3}, {"a": null}]`, `[{"unique_by": ["a"]}]`, `[{"a":1,"b":1},{"b":3}]`},
		{`[{"k": "x", "v": 1}, {"k": "y"}, {"k": "x", "v": 2}, {}]`, `[{"group_by": "k"}]`,
			`[{"key":"x","items":[{"k":"x","v":1},{"k":"x","v":2}]},{"key":"y","items":[{"k":"y"}]},{"key":null,"items":[{}]}]`},
		{`[{"k": "x"}, {"k": 12}]`, `[{"index_by": "k"}]`, `{"x":{"k":"x"},"12":{"k":12}}`},
		{`[{"k": "x"}, {"k": "x"}]`, `[{"index_by": "k"}]`, `json.wrong_kind: operation 1, index_by: wrong kind: two items have the key "x"; use group_by or unique_by`},
		{`[{}]`, `[{"index_by": "k"}]`, `json.wrong_kind: operation 1, index_by: wrong kind: item 0 has nothing where the key should be`},

		{`[{"k": "x", "v": 0.1}, {"k": "y", "v": 1}, {"k": "x", "v": 0.2}, {"k": "x", "v": null}]`,
			`[{"aggregate": {"by": ["k"], "count": "n", "sum": {"total": "v"}, "min": {"low": "v"}, "max": {"high": "v"}}}]`,
			`[{"k":"x","n":3,"total":0.3,"low":0.1,"high":0.2},{"k":"y","n":1,"total":1,"low":1,"high":1}]`},
		{`[{"v": "0.10"}, {"v": "-12.3"}, {"v": 1}, {"v": 0.125}]`, `[{"aggregate": {"sum": {"t": "v"}}}]`, `[{"t":"-11.075"}]`},
		{`[{"v": 9223372036854775807}, {"v": 1}]`, `[{"aggregate": {"sum": {"t": "v"}}}]`, `[{"t":9223372036854775808}]`},
		{`[]`, `[{"aggregate": {"count": "n", "sum": {"t": "v"}, "min": {"low": "v"}}}]`, `[{"n":0,"t":0,"low":null}]`},
		{`[]`, `[{"aggregate": {"by": ["k"], "count": "n"}}]`, `[]`},
		{`[{"a": {"b": 1}}]`, `[{"aggregate": {"by": ["a.b"]}}]`, `[{"b":1}]`},
		{`[{"v": "12,5"}]`, `[{"aggregate": {"sum": {"t": "v"}}}]`, `json.wrong_kind: operation 1, aggregate: sum.t: wrong kind: cannot add the text "12,5"; want a number, or digits such as 12.50`},
		{`[{"v": "1e9"}]`, `[{"aggregate": {"sum": {"t": "v"}}}]`, `json.wrong_kind: operation 1, aggregate: sum.t: wrong kind: cannot add the text "1e9"; want a number, or digits such as 12.50`},
		{`[{"v": true}]`, `[{"aggregate": {"sum": {"t": "v"}}}]`, `json.wrong_kind: operation 1, aggregate: sum.t: wrong kind: cannot add a boolean`},

		{`[1, [2, [3, [4]]], []]`, `[{"flatten": 1}]`, `[1,2,[3,[4]]]`},
		{`[1, [2, [3, [4]]], []]`, `[{"flatten": 2}]`, `[1,2,3,[4]]`},
		{`[1, 2, 3]`, `[{"limit": 2}, {"reverse": true}, {"limit": 9}]`, `[2,1]`},
		{`[1, 2]`, `[{"limit": 0}]`, `[]`},
		{`[1, 2]`, `[{"reverse": false}]`, `[1,2]`},

		{`"{\"b\": 1, \"a\": 12345678901234567890}"`, `[{"parse": "json"}]`, `{"b":1,"a":12345678901234567890}`},
		{`"a\r\nb\n\nc"`, `[{"parse": "lines"}]`, `["a","b","","c"]`},
		{`""`, `[{"parse": "lines"}]`, `[]`},
		{`"{\"a\":1}\n\n[2]\n"`, `[{"parse": "jsonl"}]`, `[{"a":1},[2]]`},
		{`"id,name\n1,\"Bo, Jr\"\n2,\n"`, `[{"parse": "csv"}]`, `[{"id":"1","name":"Bo, Jr"},{"id":"2","name":""}]`},
		{`"\ufeffid\r\n1\r\n"`, `[{"parse": "csv"}]`, `[{"id":"1"}]`},
		{`""`, `[{"parse": "csv"}]`, `[]`},
		{`"a,a\n1,2\n"`, `[{"parse": "csv"}]`, `json.syntax: operation 1, parse: syntax: the column "a" is there twice`},
		{`"a,b\n1\n"`, `[{"parse": "csv"}]`, `json.syntax: operation 1, parse: syntax: record on line 2: wrong number of fields`},
		{`"{"`, `[{"get": "."}, {"parse": "json"}]`, `json.syntax: operation 2, parse: syntax: line 1, column 2: expected a key in quotes`},
		{`"1\nx\n"`, `[{"parse": "jsonl"}]`, `json.syntax: operation 1, parse: syntax: line 2: line 1, column 1: unexpected character 'x'`},
		{`[{"a": "x,y", "b": null}, {"c": [1], "a": 2}]`, `[{"format": "csv"}]`, `"a,b,c\n\"x,y\",,\n2,,[1]\n"`},
		{`[]`, `[{"format": "csv"}]`, `""`},
		{`[1, "x", {"a": null}]`, `[{"format": "lines"}]`, `"1\nx\n{\"a\":null}\n"`},
		{`[1, "x"]`, `[{"format": "jsonl"}]`, `"1\n\"x\"\n"`},
		{`{"a": 1}`, `[{"format": "json"}]`, `"{\"a\":1}"`},

		{`1`, `[{"pick": ["a"]}]`, `json.wrong_kind: operation 1, pick: wrong kind: want an object or a list of objects, found an integer`},
		{`[1]`, `[{"pick": ["a"]}]`, `json.wrong_kind: operation 1, pick: wrong kind: want objects, item 0 is an integer`},
		{`{}`, `[{"limit": 1}]`, `json.wrong_kind: operation 1, limit: wrong kind: want a list, found an object`},
		{`1`, `[{"parse": "json"}]`, `json.wrong_kind: operation 1, parse: wrong kind: want a text, found an integer`},
		{`{}`, `[{"format": "csv"}]`, `json.wrong_kind: operation 1, format: wrong kind: want a list, found an object`},
		{`[1]`, `[{"format": "csv"}]`, `json.wrong_kind: operation 1, format: wrong kind: want objects, item 0 is an integer`},
		{`{"a": [1]}`, `[{"set": {"a.1": 2}}]`, `invalid_input: operation 1, set: the list has no item "1"`},
	} {
		if got := run(t, c.input, c.operations); got != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.input, c.operations, got, c.want)
		}
	}
}

// The input stays as it was: others hold it, too.
func TestInputIsNotChanged(t *testing.T) {
	t.Parallel()
	const text = `[{"b":2,"a":{"x":[3,1]}},{"b":1,"a":{"x":[]}}]`
	for _, operation := range []string{
		`{"sort_by": ["b"]}`, `{"reverse": true}`, `{"set": {"a.x": 1}}`, `{"omit": ["a.x.0", "b"]}`, `{"merge": {"a": {"y": 1}}}`,
		`{"rename": {"a": "c"}}`, `{"default": {"z": 1}}`, `{"flatten": 1}`, `{"unique_by": []}`, `{"group_by": "b"}`,
	} {
		call := connectortest.Call(t, `{"input": `+text+`, "operations": [`+operation+`]}`)
		if _, err := transform.New().Call(t.Context(), call); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
		if got := call.Input.Get("input").String(); got != text {
			t.Errorf("%s changed the input to %s", operation, got)
		}
	}
}

// CSV that is written is read as it was.
func TestCSVRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		field := rapid.StringMatching(`[a-z,"é; ]{0,6}`)
		rows := rapid.SliceOfN(rapid.SliceOfN(field, 2, 2), 1, 5).Draw(rt, "rows")
		var items []value.Value
		for _, row := range rows {
			items = append(items, value.Object(value.M("one", value.String(row[0])), value.M("two", value.String(row[1]))))
		}
		want := value.List(items...).String()
		if got := run(t, want, `[{"format": "csv"}, {"parse": "csv"}]`); got != want {
			rt.Fatalf("got %s, want %s", got, want)
		}
	})
}

// Sums of decimals are exact: cents added up and written as decimals give what
// the integers give.
func TestSumIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cents := rapid.SliceOfN(rapid.Int64Range(-1_000_000_000_000, 1_000_000_000_000), 1, 20).Draw(rt, "cents")
		var items []value.Value
		total := int64(0)
		for _, c := range cents {
			total += c
			items = append(items, value.Object(value.M("v", value.String(euros(c)))))
		}
		got := run(t, value.List(items...).String(), `[{"aggregate": {"sum": {"t": "v"}}}, {"get": "0.t"}]`)
		if want := `"` + euros(total) + `"`; got != want {
			rt.Fatalf("got %s, want %s", got, want)
		}
	})
}

func euros(cents int64) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}

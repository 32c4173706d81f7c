package jsonpath

import (
	"errors"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

const shop = `{
	"name": "corner shop", "open": true, "nothing": null, "my-id": 7, "odd key": "blank", "n": "5",
	"say \"hi\"": 1, "back\\slash": 2, "it's": 3,
	"list": [10, 20, 30, 40, 50], "empty": [], "words": ["b", "a"], "nested": [[1, 2], [3]],
	"goods": [
		{"id": 1, "kind": "pen", "price": 1.5, "tags": ["blue", "thin"]},
		{"id": 2, "kind": "pad", "price": 4, "tags": []},
		{"id": 3, "kind": "pot", "price": 12, "owner": {"kind": "person"}}
	]
}`

func scope() Scope {
	return Scope{
		Input:     value.MustParse(shop),
		Context:   value.MustParse(`{"State": {"Name": "Here"}, "Map": {"Item": {"Index": 2}}}`),
		Variables: map[string]value.Value{"limit": value.Int(4), "größe": value.Int(9), "item": value.MustParse(`{"a": [1, 2]}`)},
	}
}

// evaluate gives a result as JSON, or the error's message.
func evaluate(t *testing.T, src string, s Scope) string {
	t.Helper()
	q, problem := Parse(src)
	if problem != nil {
		t.Fatalf("%s: %v", src, problem)
	}
	v, err := NewEvaluator(s, Budget{Cost: expr.PoolCost, Seed: 1}).Select(q)
	if err != nil {
		var fault *expr.Error
		if !errors.As(err, &fault) || fault.Code != Runtime {
			t.Errorf("%s: error %#v", src, err)
		}
		return err.Error()
	}
	return v.String()
}

func TestPaths(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want string }{
		{"$.name", `"corner shop"`},
		{"$['name']", `"corner shop"`},
		{`$["name"]`, `"corner shop"`},
		{"$[ 'odd key' ]", `"blank"`},
		{"$.my-id", "7"},
		{"$.nothing", "null"},
		{`$['say "hi"']`, "1"},
		{`$["say \"hi\""]`, "1"},
		{`$['back\slash']`, "2"},
		{`$['back\\slash']`, "2"},
		{`$['it\'s']`, "3"},
		{"$.goods[0].kind", `"pen"`},
		{"$.goods[-1].id", "3"},
		{"$.list[9]", "null"},
		{"$.list[-9]", "null"},
		{"$.goods[0]['id','kind','none']", `{"id":1,"kind":"pen"}`},
		// Lists of what there is.
		{"$.list[0,2,9]", "[10,30,null]"},
		{"$.list[1:3]", "[20,30]"},
		{"$.list[3:]", "[40,50]"},
		{"$.list[:2]", "[10,20]"},
		{"$.list[-2:]", "[40,50]"},
		{"$.list[:-4]", "[10]"},
		{"$.list[1:-1]", "[20,30,40]"},
		{"$.list[4:2]", "[]"},
		{"$.list[7:9]", "[]"},
		{"$.goods[*].kind", `["pen","pad","pot"]`},
		{"$.goods[*].owner", `[{"kind":"person"}]`},
		{"$.goods[*].tags[0]", `["blue",null]`},
		{"$.goods[0].*", `[1,"pen",1.5,["blue","thin"]]`},
		{"$.nested[*][*]", "[1,2,3]"},
		{"$.name[*]", "[]"},
		{"$..kind", `["pen","pad","pot","person"]`},
		{"$..owner.kind", `["person"]`},
		{"$..['id','price']", `[{"id":1,"price":1.5},{"id":2,"price":4},{"id":3,"price":12}]`},
		{"$.nested..[0]", "[[1,2],1,3]"},
		{"$.nested..*", "[[1,2],[3],1,2,3]"},
		// Missing on the way of a list is an empty list.
		{"$.none[*]", "[]"},
		{"$.none.deep[1:5]", "[]"},
		{"$.none..deep", "[]"},
		// Filters.
		{"$.goods[?(@.price < 5)].id", "[1,2]"},
		{"$.goods[?(@.price >= 4 && @.kind != 'pot')].id", "[2]"},
		{"$.goods[?(@.id == 1 || @.id == 3)].kind", `["pen","pot"]`},
		{"$.goods[?(@.owner)].id", "[3]"},
		{"$.goods[?(!@.owner)].id", "[1,2]"},
		{"$.goods[?(!(@.id == 1 || @.id == 3))].id", "[2]"},
		{"$.goods[?(@['kind'] =~ /P[AO].*/i)].id", "[2,3]"},
		{"$.goods[?(@.kind =~ /p/)].id", "[]"},
		{"$.goods[?(@.kind in ['pen', 'cup'])].id", "[1]"},
		{"$.goods[?(@.kind nin ['pen', 'cup'])].id", "[2,3]"},
		{"$.goods[?(@.tags contains 'blue')].id", "[1]"},
		{"$.goods[?(@.kind contains 'o')].id", "[3]"},
		{"$.goods[?(@.tags size 2)].id", "[1]"},
		{"$.goods[?(@.tags empty true)].id", "[2]"},
		{"$.goods[?(@.tags all ['thin', 'blue'])].id", "[1]"},
		{"$.goods[?(@.tags subsetof ['thin', 'blue', 'red'])].id", "[1,2]"},
		{"$.goods[?(@.tags anyof ['thin'])].id", "[1]"},
		{"$.goods[?(@.tags noneof ['thin'])].id", "[2,3]"},
		{"$.goods[?(@.price > $limit)].id", "[3]"},
		{"$.goods[?(@.id == $.goods[1].id)].kind", `["pad"]`},
		{"$.goods[?(@.id == $$.Map.Item.Index)].kind", `["pad"]`},
		{"$.goods[?(@.tags.length() == 2)].id", "[1]"},
		{"$.goods[?(@.id == '2')].id", "[2]"},
		{"$.goods[?(@.id === '2')].id", "[]"},
		{"$.goods[?(@.id !== '2')].id", "[1,2,3]"},
		{"$.goods[?(@.none != 1)].id", "[1,2,3]"},
		{"$.goods[?(@.none == null)].id", "[]"},
		{"$.goods[?(@..kind)].id", "[1,2,3]"},
		{"$.list[?(@ > 20)]", "[30,40,50]"},
		{"$.words[?(@ >= 'b')]", `["b"]`},
		{"$.goods[2][?(@.kind)]", `[{"id":3,"kind":"pot","owner":{"kind":"person"},"price":12}]`},
		{"$..[?(@.kind == 'person')]", `[{"kind":"person"}]`},
		// Functions.
		{"$.list.length()", "5"},
		{"$.goods[0].length()", "4"},
		{"$.name.length()", "null"},
		{"$.list.size()", "5"},
		{"$.goods[1].keys()", `["id","kind","price","tags"]`},
		{"$.list.min()", "10.0"},
		{"$.list.max()", "50.0"},
		{"$.list.sum()", "150.0"},
		{"$.list.avg()", "30.0"},
		{"$.list.stddev()", "14.142135623730951"},
		{"$.empty.max()", "null"},
		{"$.list.first()", "10"},
		{"$.list.last()", "50"},
		{"$.list.index(-2)", "40"},
		{"$.words.concat('-', $.name)", `"ba-corner shop"`},
		{"$.words.append('c', $.none)", `["b","a","c",null]`},
		{"$..kind.length()", "4"},
		{"$..price.max()", "12.0"},
		{"$.nested[*].length()", "[2,1]"},
		// Other roots.
		{"$$.State.Name", `"Here"`},
		{"$$.State", `{"Name":"Here"}`},
		{"$limit", "4"},
		{"$größe", "9"},
		{"$item.a[1]", "2"},
		{"$item['a'][*]", "[1,2]"},
	}
	for _, test := range tests {
		got := evaluate(t, test.src, scope())
		if !value.Equal(value.MustParse(got), value.MustParse(test.want)) {
			t.Errorf("%s: %s, want %s", test.src, got, test.want)
		}
	}
	if got := evaluate(t, "$", scope()); !value.Equal(value.MustParse(got), value.MustParse(shop)) {
		t.Errorf("$: %s", got)
	}
}

func TestPathsThatLeadNowhere(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want string }{
		{"$.none", "Invalid path '$.none' : No results for path: $['none']"},
		{"$.goods[0].none", "Invalid path '$.goods[0].none' : No results for path: $['goods'][0]['none']"},
		{"$.none.deep", "Invalid path '$.none.deep' : Missing property in path $['none']"},
		{"$.name.deep", "Invalid path '$.name.deep' : Expected to find an object with property ['deep'] in path $['name'] but found 'string'."},
		{"$.list[9].deep", "Invalid path '$.list[9].deep' : Expected to find an object with property ['deep'] in path $['list'][9] but found 'null'."},
		{"$.name[0]", `Invalid path '$.name[0]' : Filter: [0] can only be applied to arrays. Current context is: "corner shop"`},
		{"$.name['a','b']", "Invalid path '$.name['a','b']' : Expected to find an object with properties ['a','b'] in path $['name'] but found 'string'."},
		{"$$.None", "Invalid path '$$.None' : No results for path: $['None']"},
		{"$none", "Invalid path '$none' : The variable '$none' has no value"},
		{"$item.b", "Invalid path '$item.b' : No results for path: $item['b']"},
	}
	for _, test := range tests {
		if got := evaluate(t, test.src, scope()); got != test.want {
			t.Errorf("%s: %s, want %s", test.src, got, test.want)
		}
		q, _ := Parse(test.src)
		if v, ok, err := NewEvaluator(scope(), Budget{}).Lookup(q); ok || err != nil {
			t.Errorf("%s: lookup gives %s, %v, %v", test.src, v, ok, err)
		}
	}
	if got := evaluate(t, "$", Scope{}); !strings.Contains(got, "null or empty input") {
		t.Errorf("$ without an input: %s", got)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]bool{
		"$.nothing": true, "$.list[4]": true, "$.list[5]": false, "$.list[5].x": false, "$.none": false, "$.none[*]": true,
	} {
		q, _ := Parse(src)
		if _, ok, err := NewEvaluator(scope(), Budget{}).Lookup(q); ok != want || err != nil {
			t.Errorf("%s: %v, %v", src, ok, err)
		}
	}
}

func TestSyntaxProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src     string
		offset  int
		message string
	}{
		{"", 0, "a path that begins with $"},
		{"name", 0, "a path that begins with $"},
		{"@.a", 0, "a path that begins with $"},
		{"$.", 2, "a name is expected after the dot, and this is the end"},
		{"$..", 3, "a name is expected after the dot"},
		{"$.a.", 4, "a name is expected"},
		{"$...a", 3, "a name is expected"},
		{"$.a b", 3, `" " is not expected here`},
		{"$.[0]", 2, "leave the dot out"},
		{"$[", 2, "is expected after ["},
		{"$[a]", 2, "is expected after ["},
		{"$[0", 3, `"]" is expected`},
		{"$[1:2:3]", 5, "no step"},
		{"$[0,]", 4, "an index is expected after the comma"},
		{"$['a',]", 6, "a name in quotes is expected"},
		{"$[99999999999]", 2, "is not an index"},
		{"$['a", 2, "does not end"},
		{"$['a','b'].c", 1, "several names can only end a path"},
		{"$.a)", 3, `")" is not expected here`},
		{"$.a]", 3, `"]" is not expected here`},
		{"$.a.none()", 4, "there is no function none()"},
		{"$.a.length(1)", 11, "takes at most 0 arguments"},
		{"$..length()", 1, "cannot follow '..'"},
		{"$[?(@.a]", 7, `")" is expected`},
		{"$[?@.a]", 3, "( is expected after ?"},
		{"$[?(1)]", 4, "a comparison or a path is expected"},
		{"$[?(@.a == )]", 11, "a path or a value is expected"},
		{"$[?(@.a =~ 'x')]", 11, "a regular expression such as"},
		{"$[?(@.a =~ /(/)]", 11, "cannot be used"},
		{"$[?(@.a =~ /x)]", 11, "does not end"},
		{"$[?(@.a in [@.b])]", 12, "not paths"},
		{"States.None()", 0, "there is no intrinsic function States.None"},
		{"States.Array", 12, `"(" is expected`},
		{"States.Array(", 13, "an argument is expected"},
		{"States.Array($.a,)", 17, "an argument is expected"},
		{"States.Array($.a $.b)", 17, `"," is expected`},
		{"States.Array('a)", 13, "does not end"},
		{`States.Array("a")`, 13, "an argument is expected"},
		{`States.Array('a\n')`, 15, "a backslash in a text"},
		{`States.Format('say \"{}\"', $.a)`, 19, "a backslash in a text"},
		{"States.Array(nothing)", 13, "an argument is expected"},
		{"States.Array(1.2.3)", 13, "is not a number"},
		{"States.Array()[0]", 14, `"[" is not expected here`},
		{"States.Array(States.Nope())", 13, "States.Nope"},
		{"$" + strings.Repeat("x", 81), 1, "at most 80 characters"},
	}
	for _, test := range tests {
		q, problem := Parse(test.src)
		if problem == nil {
			t.Errorf("%s: %v", test.src, q)
			continue
		}
		if problem.Code != expr.CodeSyntax || problem.Offset != test.offset || !strings.Contains(problem.Message, test.message) {
			t.Errorf("%s: %+v, want %q at %d", test.src, problem, test.message, test.offset)
		}
	}
	deep := strings.Repeat("States.Array(", 100) + strings.Repeat(")", 100)
	for _, src := range []string{"$." + strings.Repeat("a", expr.MaxLength), deep, "$[?(" + strings.Repeat("(", 100)} {
		if _, problem := Parse(src); problem == nil || problem.Code != expr.CodeLimit {
			t.Errorf("%.20s…: %+v", src, problem)
		}
	}
}

func TestReferencePaths(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, reference, result string }{
		{"$", "", ""},
		{"$.a.b[0]['c d']", "", ""},
		{"$$.State.Name", "", "the state's input only"},
		{"$v.a", "", "the state's input only"},
		{"$.a[-1]", "", "an index from the end"},
		{"a", "Reference path didn't start with '$'", "Reference path didn't start with '$'"},
		{"States.UUID()", "Reference path didn't start with '$'", "Reference path didn't start with '$'"},
		{"$.a.", "a name is expected", "a name is expected"},
		{"$.a[*]", "which lead to one value", "which lead to one value"},
		{"$.a[1:]", "which lead to one value", "which lead to one value"},
		{"$.a[?(@.b)]", "which lead to one value", "which lead to one value"},
		{"$['a','b']", "which lead to one value", "which lead to one value"},
		{"$..a", "more than one value", "more than one value"},
		{"$.a.length()", "functions are not allowed", "functions are not allowed"},
	}
	check := func(src, want string, problem *expr.Problem) {
		t.Helper()
		switch {
		case want == "" && problem != nil:
			t.Errorf("%s: %v", src, problem)
		case want != "" && (problem == nil || !strings.HasPrefix(problem.Message, NotReference) || !strings.Contains(problem.Message, want)):
			t.Errorf("%s: %v, want %s", src, problem, want)
		}
	}
	for _, test := range tests {
		_, problem := ParseReference(test.src)
		check(test.src, test.reference, problem)
		_, problem = ParseResultPath(test.src)
		check(test.src, test.result, problem)
	}
}

func TestQueryFacts(t *testing.T) {
	t.Parallel()
	q, problem := Parse("States.Format('{}', $.a.b[0].c, $$.State.Name, $x.y, $.l[?(@.z > $w && $.m)], States.Array($x.y, $x))")
	if problem != nil {
		t.Fatal(problem)
	}
	if got := strings.Join(q.Variables(), " "); got != "x w" {
		t.Errorf("variables: %s", got)
	}
	var reads []string
	for _, r := range q.Reads() {
		reads = append(reads, strings.Join(r, "."))
	}
	if got := strings.Join(reads, " "); got != "input.a.b context.State.Name x.y input.l w input.m x" {
		t.Errorf("reads: %s", got)
	}
	if !q.Intrinsic() || q.Root() != NoRoot || !q.Definite() {
		t.Error("an intrinsic function has no root and one result")
	}
	for src, definite := range map[string]bool{"$.a[0]": true, "$..a": false, "$..a.length()": true, "$.a[*].length()": false, "$['a','b']": true} {
		q, _ := ParsePath(src)
		if q.Definite() != definite || q.Root() != Input || q.String() != src {
			t.Errorf("%s: definite is %v", src, q.Definite())
		}
	}
}

package yamldoc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/diag"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       []string // the documents as JSON
	}{
		{"order kept", "b: 1\na: 2\n", []string{`{"b":1,"a":2}`}},
		{"nothing", "", nil},
		{"only comments", "# nothing\n", nil},
		{"several documents", "---\na: 1\n---\n---\nb: 2\n...\n---\n", []string{`{"a":1}`, `{"b":2}`}},
		{"null document", "null\n", []string{`null`}},
		{"empty text document", "''\n", []string{`""`}},
		{"CRLF", "a: |\r\n  x\r\n  y\r\nb: [1,\r\n 2]\r\n", []string{`{"a":"x\ny\n","b":[1,2]}`}},
		{"core schema nulls", "[null, Null, NULL, ~, , nUll]", nil},
		{"nulls", "- null\n- Null\n- ~\n-\n- nUll", []string{`[null,null,null,null,"nUll"]`}},
		{"booleans", "[true, True, FALSE, yes, no, on, off, y, tRue]", []string{`[true,true,false,"yes","no","on","off","y","tRue"]`}},
		{"integers", "[0, -0, +12, -7, 0x1F, 0o17, 9223372036854775808, -9223372036854775809]", []string{`[0,0,12,-7,31,15,9223372036854775808,-9223372036854775809]`}},
		{"floats", "[1e3, 1.5, .5, -2., 1E-2]", []string{`[1000.0,1.5,0.5,-2.0,0.01]`}},
		{"texts that look like numbers", "[22:22, 1_000, 0x, 0b1, 1.2.3, '12', 2026-01-31, 1e, --1, 0xg]", []string{`["22:22","1_000","0x","0b1","1.2.3","12","2026-01-31","1e","--1","0xg"]`}},
		{"explicit tags", "[!!str 12, !!int '12', !!float 1, !!null '', !!bool true, ! 12, !!seq [1], !!map {a: 1}]", []string{`["12",12,1.0,null,true,"12",[1],{"a":1}]`}},
		{"anchors and aliases", "a: &x {k: [1]}\nb: *x\nunused: &y 1\n", []string{`{"a":{"k":[1]},"b":{"k":[1]},"unused":1}`}},
		{"alias as key", "a: &x name\n*x : 1\n", []string{`{"a":"name","name":1}`}},
		{"quoted merge key is a key", `{"<<": 1}`, []string{`{"<<":1}`}},
		{"JSON with tabs", "{\n\t\"a\": [1,\n\t\t2.50, true, null]\n}\n", []string{`{"a":[1,2.5,true,null]}`}},
		{"JSON escapes", `{"a": "\ud83d\ude00\/\u00e9\n", "` + strings.Repeat("k", 2000) + `": "` + "\u2028" + `"}`,
			[]string{`{"a":"😀/é\n","` + strings.Repeat("k", 2000) + `":"` + "\u2028" + `"}`}},
		{"JSON numbers", `[1e3, -0, 18446744073709551616, 0.1]`, []string{`[1000.0,0,18446744073709551616,0.1]`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			docs, problems := Parse("f", []byte(tt.text))
			if tt.want == nil && strings.Contains(tt.text, "[") {
				if !diag.HasErrors(problems) {
					t.Fatal("no error")
				}
				return
			}
			if len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			var got []string
			for _, d := range docs {
				got = append(got, d.ToValue().String())
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestParseRefuses has row B72 of the bad inputs and more: every problem with
// its place and code.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       []string // "line:column code part of the message"
	}{
		{"duplicate keys", "a: 1\nb: {c: 1, c: 2}\na: 3\n", []string{
			`2:11 duplicate_key "c" is already there, in line 2, column 5`, `3:1 duplicate_key "a" is already there, in line 1, column 1`}},
		{"duplicate through quotes and alias", "&k a: 1\n'a': 2\n*k : 3\n", []string{"2:1 duplicate_key", "3:1 duplicate_key in line 1, column 4"}},
		{"duplicate keys in JSON", `{"a": 1, "a": 2}`, []string{`1:10 duplicate_key in line 1, column 2`}},
		{"tab indentation", "a:\n\tb: 1\n", []string{"2:1 yaml_syntax cannot start any token"}},
		{"leading zero", "a: 012\nb: -007\nc: '012'\nd: 08\n", []string{"1:4 yaml_number 012 is read as the number 12", "2:4 yaml_number number -7", "4:4 yaml_number number 8"}},
		{"too large number", "a: 1e999\n", []string{"1:4 yaml_number 1e999 is too large"}},
		{"too large number in JSON", `{"a": 1e999}`, []string{"1:7 yaml_number 1e999 is too large"}},
		{"too many digits", "a: " + strings.Repeat("9", 1001), []string{"1:4 yaml_number longer than 1000 digits"}},
		{"no JSON form", "[.inf, -.INF, .nan]", []string{"1:2 yaml_number .inf", "1:8 yaml_number -.INF", "1:15 yaml_number .nan"}},
		{"python object", "a: !!python/object:os.system [ls]\nb: 1\n", []string{"1:4 yaml_tag !!python/object:os.system"}},
		{"binary", "a: !!binary aGVsbG8=\n", []string{"1:4 yaml_tag !!binary"}},
		{"own tags", "a: !secret x\nb: !<tag:example.org,2026:t> [1]\nc: !foo {a: 1}\n", []string{"1:4 yaml_tag !secret", "2:4 yaml_tag tag:example.org", "3:4 yaml_tag !foo"}},
		{"tag against value", "a: !!int x\nb: !!bool 1\nc: !!seq {a: 1}\nd: !!map [1]\ne: !!str [1]\n", []string{"1:4 yaml_tag !!int", "2:4 yaml_tag", "3:4 yaml_tag", "4:4 yaml_tag", "5:4 yaml_tag"}},
		{"byte order mark", "\xef\xbb\xbfa: 1\n", []string{"1:1 yaml_encoding byte order mark"}},
		{"UTF-16", "\xff\xfea\x00", []string{"1:1 yaml_encoding invalid byte 0xff"}},
		{"invalid UTF-8", "a: 1\nbé: \xc3(\n", []string{"2:5 yaml_encoding invalid byte 0xc3"}},
		{"NUL", "a: 1\nb: \x00\n", []string{"2:4 yaml_encoding NUL"}},
		{"escaped NUL", "a: \"x\\0\"\nb: \"\\u0000\"\n", []string{"1:4 yaml_encoding NUL", "2:4 yaml_encoding NUL"}},
		{"escaped NUL in JSON", `{"a": "\u0000"}`, []string{"1:7 yaml_encoding NUL"}},
		{"half a surrogate pair in JSON", `{"a": "\ud83d"}`, []string{"1:7 yaml_encoding surrogate"}},
		{"control character", "a: 1\nb: \x01\n", []string{"1:1 yaml_syntax control characters"}},
		{"merge key", "a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\n", []string{"3:3 yaml_merge_key <<"}},
		{"cycle", "a: &a {b: [*a]}\n", []string{"1:12 yaml_cycle *a"}},
		{"cycle of itself", "&a [*a, *a]\n", []string{"1:5 yaml_cycle", "1:9 yaml_cycle"}},
		{"alias of a value that is refused", "a: &x !foo 1\nb: *x\nc: *x\n", []string{"1:4 yaml_tag !foo"}},
		{"alias of a key that is no text", "a: &x 1\n*x : 1\n", []string{"2:1 yaml_key an integer"}},
		{"unknown anchor", "a: *b\n", []string{"1:4 yaml_syntax unknown anchor 'b'"}},
		{"anchor of another document", "a: &x 1\n---\nb: *x\n", []string{"3:4 yaml_syntax unknown anchor 'x'"}},
		{"keys that are not texts", "1: a\ntrue: b\n? [x]\n: c\n~: d\n", []string{"1:1 yaml_key an integer", "2:1 yaml_key a boolean", "3:3 yaml_key a list", "5:1 yaml_key null"}},
		{"nested mapping on a line", "a: b: c\n", []string{"1:5 yaml_syntax mapping values are not allowed"}},
		{"unclosed", "a: [1, 2\nb: 3\n", []string{"2:2 yaml_syntax"}},
		{"unclosed quote", "a: 'x\nb: 3\n", []string{"3:1 yaml_syntax quoted scalar"}},
		{"YAML 2 directive", "%YAML 2.0\n---\na: 1\n", []string{"1:1 yaml_syntax incompatible"}},
		{"everything at once", "a: 1\na: 2\nb: !x 1\n7: .inf\n", []string{"2:1 duplicate_key", "3:4 yaml_tag", "4:1 yaml_key", "4:4 yaml_number"}},
		{"problems after a syntax error in a later document", "a: 1\na: 2\n---\nb: [\n", []string{"2:1 duplicate_key", "5:1 yaml_syntax"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, problems := Parse("f.yaml", []byte(tt.text))
			checkProblems(t, problems, tt.want)
		})
	}
}

func TestSyntaxHints(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"a:\n\tb: 1\n", "indent with spaces, not tabs"},
		{"a: {b: ${{ x }}}\n", "put a text with ${{ }} in quotes"},
		{"a: b: c\n", "put a text with a colon and a space in quotes"},
		{"a: ]\n", ""},
	}
	for _, tt := range tests {
		_, problems := Parse("f", []byte(tt.text))
		if len(problems) != 1 || problems[0].Code != CodeSyntax || problems[0].Hint != tt.want {
			t.Errorf("%q: %v, want the hint %q", tt.text, problems, tt.want)
		}
	}
}

// checkProblems compares with lines "line:column code part", regardless of
// order among places that aliases point back to.
func checkProblems(t *testing.T, problems []diag.Diagnostic, want []string) {
	t.Helper()
	var got []string
	for _, p := range problems {
		if p.File != "f.yaml" {
			t.Errorf("file %q", p.File)
		}
		got = append(got, fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Code, p.Message))
	}
	for _, w := range want {
		place, rest, _ := strings.Cut(w, " ")
		code, part, _ := strings.Cut(rest, " ")
		found := false
		for i, g := range got {
			if strings.HasPrefix(g, place+" "+code+" ") && strings.Contains(g, part) {
				got, found = append(got[:i:i], got[i+1:]...), true
				break
			}
		}
		if !found {
			t.Errorf("want %q", w)
		}
	}
	if len(got) > 0 {
		t.Errorf("got also\n\t%s", strings.Join(got, "\n\t"))
	}
}

func TestProblemsAreBounded(t *testing.T) {
	t.Parallel()
	_, problems := Parse("f", []byte(strings.Repeat("a: 1\n", 5000)))
	if len(problems) != MaxProblems {
		t.Errorf("%d problems, want %d", len(problems), MaxProblems)
	}
}

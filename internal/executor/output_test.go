package executor

import (
	"errors"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/value"
)

func TestParseOutput(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                 "undefined",
		" \r\n\t\n":                        "undefined",
		"a=1":                              `{"a":"1"}`,
		"a=1\nb=\nc==x=\n":                 `{"a":"1","b":"","c":"=x="}`,
		"a= 1 \r\n":                        `{"a":" 1 \r"}`,
		"a=<<b":                            `{"a":"<<b"}`,
		"\n\na=1\n \nb=2":                  `{"a":"1","b":"2"}`,
		"a=1\nb=2\na=3":                    `{"a":"3","b":"2"}`,
		"_a-b.c9=é":                        `{"_a-b.c9":"é"}`,
		"a<<END\nEND":                      `{"a":""}`,
		"a<<END\nEND\nb=1":                 `{"a":"","b":"1"}`,
		"a<<END\n\nEND\n":                  `{"a":""}`,
		"a<<END\n\n\nEND\n":                `{"a":"\n"}`,
		"a<<END\none\nb=2\nEND\n":          `{"a":"one\nb=2"}`,
		"a<<END\n END\nx\nEND \ny\nEND":    `{"a":" END\nx\nEND \ny"}`,
		"a<<END\nb<<X\nEND\n":              `{"a":"b<<X"}`,
		"a<< END \nx\n END \nb=1":          `{"a":"x","b":"1"}`,
		"a<<EOF\n{\"j\": 1}\nEOF":          `{"a":"{\"j\": 1}"}`,
		`{"a": {"b": [1, 2.5, null]}}`:     `{"a":{"b":[1,2.5,null]}}`,
		"[1, 2]":                           `[1,2]`,
		`"text"`:                           `"text"`,
		" 1.50\n":                          `1.5`,
		"null\n":                           `null`,
		" \n{\n\"z\": 1, \"a\": true\n}\n": `{"z":1,"a":true}`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, err := ParseOutput([]byte(text))
			if err != nil || got.String() != want {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
		})
	}
}

func TestParseOutputErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]OutputError{
		"hello":                     {1, "expected key=value"},
		"a=1\n\nhello world":        {3, "expected key=value"},
		"=1":                        {1, "expected key=value"},
		"1a=1":                      {1, "expected key=value"},
		"a b=1":                     {1, "expected key=value"},
		" a=1":                      {1, "expected key=value"},
		"a<1":                       {1, "expected key=value"},
		"[1, 2":                     {1, "column"},
		`"text`:                     {1, "column"},
		"True":                      {1, "expected key=value"},
		"\xef\xbb\xbfa=1":           {1, "expected key=value"},
		"x=1\na<<\nb\n":             {2, "needs a delimiter"},
		"x=1\na<<END\nb\nEND x\n":   {2, `"END"`},
		"a=1\nb=\xff\n":             {2, "invalid UTF-8"},
		"a<<E\none\ntwo\x00\nE":     {3, "NUL"},
		"{\n\"a\": 1,\n\"a\": 2\n}": {3, `duplicate key "a"`},
		`{"a": 1} {"a": 2}`:         {1, "after the end"},
		"{\n":                       {2, "expected a key"},
		`{"a": "\ud800"}`:           {1, "surrogate"},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			v, err := ParseOutput([]byte(text))
			var got *OutputError
			if !errors.As(err, &got) || got.Line != want.Line || !strings.Contains(got.Msg, want.Msg) || !v.IsUndefined() {
				t.Errorf("got %v, %v, want line %d: %s", v, err, want.Line, want.Msg)
			}
		})
	}
}

// Whatever a task writes gives an error with a line of the text, or a value
// whose JSON gives the same value again.
func FuzzParseOutput(f *testing.F) {
	for _, seed := range []string{"a=1\nb<<E\nx\nE\n", `{"a": [1, {"b": null}]}`, "a<<\n", "\x00", "a=\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := ParseOutput(text)
		if err != nil {
			var out *OutputError
			if !errors.As(err, &out) || out.Line < 1 || out.Line > strings.Count(string(text), "\n")+1 {
				t.Fatalf("error %v", err)
			}
			return
		}
		if v.IsUndefined() {
			return
		}
		again, err := ParseOutput([]byte(v.String()))
		if err != nil || !value.Equal(v, again) {
			t.Fatalf("%v became %v, %v", v, again, err)
		}
	})
}

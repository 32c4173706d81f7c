package diag_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/diag"
)

func TestListSorts(t *testing.T) {
	t.Parallel()
	var l diag.List
	l.Errorf(diag.Pos{File: "b", Line: 1, Column: 1}, "x", "b1")
	l.Errorf(diag.Pos{File: "a", Line: 2, Column: 1}, "x", "a2")
	l.Errorf(diag.Pos{File: "a", Line: 1, Column: 9}, "x", "a1:9").WithHint("use %s", "this").WithLength(3)
	l.Warnf(diag.Pos{File: "a", Line: 1, Column: 2}, "x", "first of %d", 2)
	l.Errorf(diag.Pos{File: "a", Line: 1, Column: 2}, "x", "second")
	l.Errorf(diag.Pos{File: "a", Line: 2, Column: 1}, "x", "a2")
	l.Add(diag.Diagnostic{File: "a", Severity: diag.Warning, Message: "whole file"})
	var got []string
	for _, d := range l.Sorted() {
		got = append(got, d.Message)
	}
	want := []string{"whole file", "first of 2", "second", "a1:9", "a2", "b1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := l.Sorted()[3]; d.Hint != "use this" || d.Length != 3 || d.Severity != diag.Error {
		t.Errorf("%+v", d)
	}
	if len(l.Sorted()) != 6 {
		t.Error("sorting changed the list")
	}
}

func TestHasErrors(t *testing.T) {
	t.Parallel()
	var l diag.List
	if l.HasErrors() {
		t.Error("empty list has errors")
	}
	l.Warnf(diag.Pos{}, "x", "w")
	if l.HasErrors() {
		t.Error("a warning is no error")
	}
	l.Errorf(diag.Pos{}, "x", "e")
	if !l.HasErrors() {
		t.Error("error not seen")
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	d := diag.Diagnostic{File: "a.yaml", Line: 3, Column: 7, Code: "bad", Severity: diag.Error, Message: "no \x1b[2J", Hint: "line\nend"}
	if got, want := d.String(), `a.yaml:3:7: error[bad]: no \x1b[2J (line\nend)`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	fields := []string{"steps", "graph", "name", "timeout", "max_attempts", "if"}
	tests := []struct{ name, want string }{
		{"step", "steps"}, {"stpes", "steps"}, {"Steps", "steps"}, {"time_out", "timeout"}, {"max_atempts", "max_attempts"},
		{"maxattempts", "max_attempts"}, {"of", "if"}, {"nmae", "name"}, {"foreach", ""}, {"", ""}, {"x", ""}, {"grpah", "graph"},
		{strings.Repeat("a", 100), ""}, {"timeöut", "timeout"},
		{"timer", "timeout"}, {"maximum", ""}, {"graphics", "graph"}, {"ti", ""},
	}
	for _, tt := range tests {
		if got := diag.Suggest(tt.name, fields); got != tt.want {
			t.Errorf("Suggest(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := diag.Suggest("e", []string{"a", "b"}); got != "" {
		t.Errorf("another letter altogether: %q", got)
	}
	if got := diag.Suggest("retires", []string{"return", "retry"}); got != "retry" {
		t.Errorf("retires: %q", got)
	}
	if got := diag.DidYouMean("stpes", fields); got != `did you mean "steps"?` {
		t.Error(got)
	}
	if got := diag.DidYouMean("foreach", fields); got != "" {
		t.Error(got)
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 30)
	tests := []struct {
		name, source string
		d            diag.Diagnostic
		want         string
	}{
		{"plain", "kind: Workflow\nstepz: []\r\n", diag.Diagnostic{File: "eod.yaml", Line: 2, Column: 1, Length: 5, Code: "unknown_field", Severity: diag.Error, Message: `unknown field "stepz"`, Hint: `did you mean "steps"?`}, `
eod.yaml:2:1: error[unknown_field]: unknown field "stepz"
  2 | stepz: []
    | ^^^^^
  hint: did you mean "steps"?
`},
		{"end of line", "ab\n", diag.Diagnostic{File: "f", Line: 1, Column: 3, Code: "c", Severity: diag.Warning, Message: "m"}, `
f:1:3: warning[c]: m
  1 | ab
    |   ^
`},
		{"column behind the line", "ab\n", diag.Diagnostic{File: "f", Line: 1, Column: 30, Code: "c", Severity: diag.Error, Message: "m"}, `
f:1:30: error[c]: m
  1 | ab
    |   ^
`},
		{"tabs", "\ta\tb\n", diag.Diagnostic{File: "f", Line: 1, Column: 4, Code: "c", Severity: diag.Error, Message: "m"}, `
f:1:4: error[c]: m
  1 |     a    b
    |          ^
`},
		{"wide and combining characters", "日e\u0301x😀y\n", diag.Diagnostic{File: "f", Line: 1, Column: 5, Length: 2, Code: "c", Severity: diag.Error, Message: "m"}, `
f:1:5: error[c]: m
  1 | 日e` + "\u0301" + `x😀y
    |     ^^^
`},
		{"terminal escapes", "a\x1b]8;;x\x07\u202e\u009b b\n", diag.Diagnostic{File: "f\x1b", Line: 1, Column: 10, Length: 1, Code: "c", Severity: diag.Error, Message: "m\x1b[2J\n", Hint: "h\r"}, `
f\x1b:1:10: error[c]: m\x1b[2J\n
  1 | a\x1b]8;;x\x07\u202e\x9b b
    |                     ^^^^
  hint: h\r
`},
		{"long line", long, diag.Diagnostic{File: "f", Line: 1, Column: 200, Code: "c", Severity: diag.Error, Message: "m"}, `
f:1:200: error[c]: m
  1 | …` + long[139:259] + `…
    | ` + strings.Repeat(" ", 61) + `^
`},
		{"mark longer than the excerpt", long, diag.Diagnostic{File: "f", Line: 1, Column: 290, Length: 400, Code: "c", Severity: diag.Error, Message: "m"}, `
f:1:290: error[c]: m
  1 | …` + long[180:] + `
    | ` + strings.Repeat(" ", 110) + strings.Repeat("^", 11) + `
`},
		{"line unknown", "ab\n", diag.Diagnostic{File: "f", Code: "c", Severity: diag.Error, Message: "m"}, "\nf: error[c]: m\n"},
		{"column unknown", "ab\n", diag.Diagnostic{File: "f", Line: 1, Code: "c", Severity: diag.Error, Message: "m"}, "\nf:1: error[c]: m\n  1 | ab\n"},
		{"line behind the file", "ab\n", diag.Diagnostic{File: "f", Line: 7, Column: 1, Code: "c", Severity: diag.Error, Message: "m"}, "\nf:7:1: error[c]: m\n"},
		{"no source, no file", "", diag.Diagnostic{Line: 1, Column: 1, Code: "c", Severity: diag.Error, Message: "m"}, "\n1:1: error[c]: m\n"},
		{"nothing known", "", diag.Diagnostic{Code: "c", Severity: diag.Error, Message: "m"}, "\nerror[c]: m\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tt.want, "\n"+diag.Render(tt.d, tt.source, false)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRenderColor(t *testing.T) {
	t.Parallel()
	d := diag.Diagnostic{File: "f", Line: 1, Column: 1, Code: "c", Severity: diag.Warning, Message: "m", Hint: "h"}
	want := "\x1b[1mf:1:1:\x1b[0m \x1b[1;33mwarning[c]:\x1b[0m m\n  \x1b[2m1 |\x1b[0m ab\n  \x1b[2m  |\x1b[0m \x1b[1;33m^\x1b[0m\n  \x1b[36mhint:\x1b[0m h\n"
	if got := diag.Render(d, "ab\n", true); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	d.Severity = diag.Error
	if got := diag.Render(d, "", true); !strings.Contains(got, "\x1b[1;31merror[c]:") {
		t.Errorf("%q has no red error", got)
	}
}

// FuzzRender: nothing of the input reaches the terminal as a control
// character, and the carets stand below the excerpt.
func FuzzRender(f *testing.F) {
	f.Add("a\x1b[2J\nb\xff", 2, 1, 3, "m\x07")
	f.Fuzz(func(t *testing.T, source string, line, column, length int, message string) {
		if length > 1<<16 {
			return
		}
		out := diag.Render(diag.Diagnostic{File: message, Line: line, Column: column, Length: length, Code: message, Message: message, Hint: message}, source, false)
		for _, r := range out {
			if r != '\n' && (r < 0x20 || r >= 0x7f && r < 0xa0) {
				t.Fatalf("control character %U in %q", r, out)
			}
		}
		if strings.Count(out, "\n") > 4 {
			t.Fatalf("more than four lines: %q", out)
		}
	})
}

func ExampleRender() {
	source := "name: eod\nstepz: []\n"
	d := diag.Diagnostic{File: "eod.yaml", Line: 2, Column: 1, Length: 5, Code: "unknown_field", Severity: diag.Error, Message: `unknown field "stepz"`, Hint: diag.DidYouMean("stepz", []string{"name", "steps"})}
	fmt.Print(diag.Render(d, source, false))
	// Output:
	// eod.yaml:2:1: error[unknown_field]: unknown field "stepz"
	//   2 | stepz: []
	//     | ^^^^^
	//   hint: did you mean "steps"?
}

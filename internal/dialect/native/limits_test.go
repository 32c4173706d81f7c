package native

import (
	"fmt"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

func loadText(text string) (*Set, []diag.Diagnostic) {
	return Load(testConfig(), []Source{{Path: "x.yaml", Text: []byte(text)}})
}

func codes(problems []diag.Diagnostic) string {
	var out []string
	for _, p := range problems {
		out = append(out, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Code))
	}
	return strings.Join(out, ", ")
}

// TestLimits are rows B03 and B73 of the bad inputs.
func TestLimits(t *testing.T) {
	t.Parallel()
	const head = "kind: Workflow\nname: x\n"
	chain := func(n int) string {
		var b strings.Builder
		b.WriteString(head + "graph:\n  s0: {run: x}\n")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, "  s%d: {needs: [s%d], run: [x, \"${{ steps.s%d.output }}\"]}\n", i, i-1, i/2)
		}
		return b.String()
	}
	edges := func(n int) string {
		var b strings.Builder
		b.WriteString(head + "graph:\n  a: {needs: &all [")
		for i := range n {
			fmt.Fprintf(&b, "s%d,", i)
		}
		b.WriteString("], run: x}\n")
		for i := range n {
			fmt.Fprintf(&b, "  s%d: {needs: *all, run: x}\n", i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name, text, want string
	}{
		{"10,000 steps in a row", chain(MaxSteps), ""},
		{"10,000 steps in a list", head + "steps:\n" + strings.Repeat("  - run: x\n", MaxSteps), ""},
		{"one more", head + "steps:\n" + strings.Repeat("  - run: x\n", MaxSteps+1), "10004:5 too_many_steps"},
		{"a million edges", edges(1000), "105:17 yaml_limit"},
		{"a long expression", head + "steps:\n  - if: " + strings.Repeat("true && ", expr.MaxLength/8) + "true\n    run: x\n", "4:9 expr_limit"},
		{"a deep expression", head + "steps:\n  - if: " + strings.Repeat("(", 4000) + "true" + strings.Repeat(")", 4000) + "\n    run: x\n", "4:9 expr_limit"},
		{"nested groups", head + "steps: " + strings.Repeat("[{steps: ", 40) + "[{run: x}]" + strings.Repeat("}]", 40), "3:296 yaml_limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, problems := loadText(c.text)
			if got := codes(problems); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestProgramSize bounds what a few lines of a file copy to many places.
func TestProgramSize(t *testing.T) {
	t.Parallel()
	lines := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	const head = "kind: Workflow\nname: x\n"
	for name, c := range map[string]struct{ text, want string }{
		"environment": {
			head + "env:\n" + lines(2000, func(i int) string { return fmt.Sprintf("  V%d: x\n", i) }) +
				"steps:\n" + strings.Repeat("  - run: x\n", 600), "2255:10 program_too_large",
		},
		"types": {
			head + "inputs:\n" + lines(2000, func(i int) string { return fmt.Sprintf("  i%d: {type: any}\n", i) }) +
				"steps:\n" + strings.Repeat("  - run: [x, \"${{ inputs }}\"]\n", 600), "2254:14 program_too_large",
		},
		"assignments that follow each other": {
			head + "steps:\n  - assign:\n      v0: 0\n" +
				lines(2000, func(i int) string { return fmt.Sprintf("      v%d: \"${{ v%d + 1 }}\"\n", i+1, i) }), "505:7 program_too_large",
		},
		"variables in every step": {
			head + "steps:\n" + lines(3000, func(i int) string {
				return fmt.Sprintf("  - assign: {v%d: \"${{ %s + 1 }}\"}\n", i+1, map[bool]string{true: "1", false: fmt.Sprintf("v%d", i)}[i == 0])
			}), "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := loadText(c.text)
			if got := codes(problems); got != c.want {
				t.Errorf("got %.200q, want %q", got, c.want)
			}
		})
	}
}

// TestManyUnknownNames asks for a thousand steps that are not there: that
// similar names are looked for has a bound.
func TestManyUnknownNames(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("kind: Workflow\nname: x\ngraph:\n  step_a: {run: x}\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "  s%d: {needs: [step_b], run: x}\n", i)
	}
	_, problems := loadText(b.String())
	hinted := 0
	for _, p := range problems {
		if strings.Contains(p.Hint, "step_a") {
			hinted++
		}
	}
	if len(problems) != 1000 || hinted != maxHints {
		t.Errorf("%d problems, %d with a hint", len(problems), hinted)
	}
}

// TestOddShapes is row B52: something else in place of every value of a
// workflow gives diagnostics or a program, but never a panic.
func TestOddShapes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"forms", "failures", "later", "settlement", "children"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			docs, problems := yamldoc.Parse("x.yaml", testDocument(t, name))
			if diag.HasErrors(problems) {
				t.Fatal(problems)
			}
			whole := docs[0].ToValue()
			// Twice, so that each value is replaced by two of them; the fuzzer
			// finds the other pairs.
			odd := []string{`null`, `[]`, `{}`, `"${{ x }}"`, `5`, `[{"a": [1]}]`, `"text"`}
			turn := 0
			for range 2 {
				replaced := 0
				replace(whole, func() value.Value {
					turn++
					return value.MustParse(odd[turn%len(odd)])
				}, func(v value.Value) {
					replaced++
					loadText(v.String())
				})
				if replaced < 20 {
					t.Errorf("only %d values were replaced", replaced)
				}
			}
		})
	}
}

// replace calls visit with a copy of v for each value in it, in which that
// value is an odd one.
func replace(v value.Value, odd func() value.Value, visit func(value.Value)) {
	visit(odd())
	for i := range v.Items() {
		replace(v.At(i), odd, func(item value.Value) {
			items := append([]value.Value(nil), v.Items()...)
			items[i] = item
			visit(value.List(items...))
		})
	}
	for _, m := range v.Members() {
		replace(m.Value, odd, func(member value.Value) { visit(v.With(m.Key, member)) })
	}
}

package expr_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/expr"
)

func lit(offset int, text string) expr.Part { return expr.Part{Literal: text, Offset: offset} }

func src(offset int, text string) expr.Part {
	return expr.Part{IsExpr: true, Source: text, Offset: offset}
}

func TestParseTemplate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want []expr.Part
	}{
		{"", nil},
		{"plain", []expr.Part{lit(0, "plain")}},
		{"${{ x }}", []expr.Part{src(4, "x")}},
		{"${{x}}", []expr.Part{src(3, "x")}},
		{"a ${{ x }} b", []expr.Part{lit(0, "a "), src(6, "x"), lit(10, " b")}},
		{"${{ x }}${{ y }}", []expr.Part{src(4, "x"), src(12, "y")}},
		{"${{ {'a': {'b': 1}} }}", []expr.Part{src(4, "{'a': {'b': 1}}")}},
		{"${{ {'a': {'b': 1}}}}", []expr.Part{src(4, "{'a': {'b': 1}}")}},
		{`${{ "}}" + '${{' }}!`, []expr.Part{src(4, `"}}" + '${{'`), lit(19, "!")}},
		{`${{ "a\"}}" }}`, []expr.Part{src(4, `"a\"}}"`)}},
		{`${{ r'\' + x }}`, []expr.Part{src(4, `r'\' + x`)}},
		{`${{ bar'\'}}' }}`, []expr.Part{src(4, `bar'\'}}'`)}},
		{`${{ '''it's }}''' }}`, []expr.Part{src(4, `'''it's }}'''`)}},
		{`${{ '' + x }}`, []expr.Part{src(4, `'' + x`)}},
		{"${{ a.`b}}c` }}", []expr.Part{src(4, "a.`b}}c`")}},
		{"$${{ x }}", []expr.Part{lit(0, "${{ x }}")}},
		{"$$${{ x }}", []expr.Part{lit(0, "$${{ x }}")}},
		{"a$${{b${{ c }}", []expr.Part{lit(0, "a${{b"), src(10, "c")}},
		{"${ x } $x {{ .Foo.Bar }}{{ call .F }}", []expr.Part{lit(0, "${ x } $x {{ .Foo.Bar }}{{ call .F }}")}},
		{"é ${{ é }}", []expr.Part{lit(0, "é "), src(7, "é")}},
		{"${{\n  x\n}}", []expr.Part{src(6, "x")}},
	}
	for _, test := range tests {
		got, problems := expr.ParseTemplate(test.text)
		if len(problems) > 0 {
			t.Errorf("%q: %v", test.text, problems)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.text, diff)
		}
		if expr.HasTemplate(test.text) != (strings.Contains(test.text, "${{")) {
			t.Errorf("%q: HasTemplate is wrong", test.text)
		}
	}
}

func TestParseTemplateProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text           string
		offset, length int
		message        string
	}{
		{"ab ${{ x", 3, 3, "does not end"},
		{"${{ x }", 0, 3, "does not end"},
		{"${{ {'a': 1 }}", 0, 3, "does not end"},
		{"${{ 'x }}", 4, 1, "quoted text"},
		{"a ${{  }}", 2, 7, "no expression"},
	}
	for _, test := range tests {
		_, problems := expr.ParseTemplate(test.text)
		if len(problems) != 1 {
			t.Errorf("%q: %v", test.text, problems)
			continue
		}
		p := problems[0]
		if p.Offset != test.offset || p.Length != test.length || p.Code != expr.CodeSyntax || !strings.Contains(p.Message, test.message) {
			t.Errorf("%q: %+v", test.text, p)
		}
	}
}

// Property: parsing never panics, parts lie in the text in order without
// overlap, expressions stand there literally, and escaping a text keeps it.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"a ${{ x }} b", "$${{", `${{ "}}" }}`, "${{ {'a': {}} }}", "${{ '''", "${{ r'\\' }}", "${{`}}`}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parts, problems := expr.ParseTemplate(text)
		at := 0
		for _, p := range parts {
			if p.Offset < at {
				t.Fatalf("part %+v begins before %d", p, at)
			}
			at = p.Offset
			if p.IsExpr {
				if !strings.HasPrefix(text[p.Offset:], p.Source) {
					t.Fatalf("%q does not stand at %d", p.Source, p.Offset)
				}
				at += len(p.Source)
			}
		}
		for _, p := range problems {
			if p.Offset < 0 || p.Length < 1 || p.Offset+p.Length > len(text) {
				t.Fatalf("problem %+v lies outside the text", p)
			}
		}
		escaped := strings.ReplaceAll(text, "${{", "$${{")
		parts, problems = expr.ParseTemplate(escaped)
		if len(problems) > 0 || len(parts) > 1 || len(parts) == 1 && (parts[0].IsExpr || parts[0].Literal != text) {
			t.Fatalf("%q does not give back %q: %+v %v", escaped, text, parts, problems)
		}
	})
}

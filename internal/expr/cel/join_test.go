package cel_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr/cel"
)

// draw writes a join with all parentheses and the places of its needs.
func draw(j *cel.Join) string {
	if j.Op == cel.JoinNeed {
		return fmt.Sprintf("%s.%s@%d", j.Need, j.State, j.Offset)
	}
	parts := make([]string, len(j.Args))
	for i, arg := range j.Args {
		parts[i] = draw(arg)
	}
	return string(j.Op) + "(" + strings.Join(parts, " ") + ")"
}

func TestParseJoin(t *testing.T) {
	t.Parallel()
	lang := cel.New()
	for source, want := range map[string]string{
		"needs.a.succeeded":                                    "a.succeeded@6",
		"needs.a.succeeded || needs.b.failed":                  "or(a.succeeded@6 b.failed@27)",
		"!needs.a.ended && (needs.b.not_run)":                  "and(not(a.ended@7) b.not_run@25)",
		"needs.a.failed && needs.b.failed || !needs.c.skipped": "or(and(a.failed@6 b.failed@24) not(c.skipped@43))",
		"needs.a.failed && (needs.b.failed || needs.c.failed)": "and(a.failed@6 or(b.failed@25 c.failed@43))",
		"!(needs.a.failed || needs.a.canceled)":                "not(or(a.failed@8 a.canceled@26))",
		"needs.needs.succeeded":                                "needs.succeeded@6",
	} {
		tree, problems := lang.ParseJoin(source)
		if len(problems) > 0 {
			t.Errorf("%s: %v", source, problems)
			continue
		}
		if got := draw(tree); got != want {
			t.Errorf("%s is %s, want %s", source, got, want)
		}
		checkPlaces(t, source, tree)
	}
}

// checkPlaces checks that names stand where the tree says.
func checkPlaces(t *testing.T, source string, j *cel.Join) {
	t.Helper()
	for _, arg := range j.Args {
		checkPlaces(t, source, arg)
	}
	if j.Op == cel.JoinNeed && (source[j.Offset:j.Offset+j.Length] != j.Need || !strings.HasPrefix(source[j.StateOffset:], j.State)) {
		t.Errorf("%s: %s.%s does not stand at %d and %d", source, j.Need, j.State, j.Offset, j.StateOffset)
	}
}

func TestParseJoinProblems(t *testing.T) {
	t.Parallel()
	lang := cel.New()
	for source, want := range map[string]string{
		"true":                               "0: this cannot stand in a join",
		"needs.a":                            "0: this cannot stand in a join (add the state: succeeded",
		"needs.a.suceeded":                   `8: a need has no state "suceeded" (did you mean "succeeded"?)`,
		"needs.a.state == 'failed'":          "0: this cannot stand in a join (a join is made of needs.NAME.STATE",
		"needs.a.output.ok":                  "0: this cannot stand in a join",
		"inputs.a.failed":                    "0: this cannot stand in a join",
		"needs.a.failed && size(inputs) > 1": "18: this cannot stand in a join",
		"needs.a.failed ? true : false":      "0: this cannot stand in a join",
		"needs.exists(n, n.failed)":          "0: this cannot stand in a join",
		"has(needs.a.failed)":                "0: this cannot stand in a join",
		"needs.a.failed &&":                  "17: the expression ends too early",
		"needs.a.failed and needs.b.failed":  `15: unexpected "and" (and is written &&)`,
		"1 || inputs.x || needs.a.done":      "0: this",
	} {
		tree, problems := lang.ParseJoin(source)
		if tree != nil || len(problems) == 0 {
			t.Errorf("%s was read as %v", source, tree)
			continue
		}
		p := problems[0]
		text := fmt.Sprintf("%d: %s", p.Offset, p.Message)
		if p.Hint != "" {
			text += " (" + p.Hint + ")"
		}
		if !strings.HasPrefix(text, want) {
			t.Errorf("%s: %s, want %s", source, text, want)
		}
	}
	if _, problems := lang.ParseJoin("1 || inputs.x || needs.a.done"); len(problems) != 3 {
		t.Errorf("not all problems were found: %v", problems)
	}
}

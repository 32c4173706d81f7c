package cel_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
)

var update = flag.Bool("update", false, "write what the tests find into testdata and docs")

// explain shows an expression with carets below its problems.
func explain(lang *cel.Language, source string) string {
	compiled, problems := lang.Compile(source, typedEnv())
	if len(problems) == 0 {
		return fmt.Sprintf("%s\nok, reads %v\n", source, compiled.Reads())
	}
	out := source + "\n"
	for _, p := range problems {
		indent := utf8.RuneCountInString(source[:p.Offset])
		width := utf8.RuneCountInString(source[p.Offset:min(p.Offset+p.Length, len(source))])
		out += strings.Repeat(" ", indent) + strings.Repeat("^", max(1, width)) + "\n"
		out += fmt.Sprintf("%s: %s", p.Code, p.Message)
		if p.Hint != "" {
			out += " (" + p.Hint + ")"
		}
		out += "\n"
	}
	return out
}

// TestProblems compares what is said about each expression of the file, and
// where, with what stands below it. -update writes it anew.
func TestProblems(t *testing.T) {
	t.Parallel()
	const file = "testdata/problems.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lang := cel.New()
	var got []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n\n") {
		source, _, _ := strings.Cut(block, "\n")
		got = append(got, explain(lang, source))
	}
	text := strings.Join(got, "\n")
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(data), text); diff != "" && !*update {
		t.Error(diff)
	}
}

func TestType(t *testing.T) {
	t.Parallel()
	lang := cel.New()
	str := kind(expr.String)
	number := kind(expr.Int)
	for source, want := range map[string]expr.Type{
		`inputs.total > 1`:                      kind(expr.Bool),
		`inputs.total + 1`:                      kind(expr.Int),
		`inputs.total + 1.5`:                    kind(expr.Number),
		`inputs.amount * 2`:                     kind(expr.Decimal),
		`inputs.tags`:                           list(str),
		`inputs.tags.map(x, x.size())`:          list(number),
		`inputs.tags.filter(x, x != "")`:        list(str),
		`inputs.tags[0]`:                        str,
		`inputs.day + duration("1d")`:           kind(expr.Date),
		`inputs.day - inputs.day`:               kind(expr.Duration),
		`date.at(inputs.day, "06:00")`:          kind(expr.DateTime),
		`calendar("weekdays").next(inputs.day)`: kind(expr.Date),
		`inputs.note`:                           {Kind: expr.String, Nullable: true},
		`inputs.?note.orValue("")`:              str,
		`inputs.?total`:                         {Kind: expr.Int, Nullable: true},
		`true ? 1 : null`:                       {Kind: expr.Int, Nullable: true},
		`true ? 1 : "a"`:                        {},
		`null`:                                  kind(expr.NullType),
		`steps.b.output`:                        {Nullable: true},
		`{"a": 1, "b": ["x"]}`:                  {Kind: expr.ObjectOf, Fields: []expr.Field{field("a", number), field("b", list(str))}},
		`rows.transformMap(i, r, r.amount)`:     {Kind: expr.ObjectOf, Elem: &expr.Type{Kind: expr.Decimal}},
		`rows.map(r, r.amount).sum()`:           kind(expr.Decimal),
		`json.parse("1")`:                       {},
		`duration("1h")`:                        kind(expr.Duration),
	} {
		compiled, problems := lang.Compile(source, typedEnv())
		if len(problems) > 0 {
			t.Errorf("%s: %v", source, problems)
			continue
		}
		if diff := cmp.Diff(want, compiled.Type()); diff != "" {
			t.Errorf("%s: %s", source, diff)
		}
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	lang := cel.New()
	for source, want := range map[string]string{
		`1 + 2`:                                `[]`,
		`inputs`:                               `[[inputs]]`,
		`inputs.total > 1 && inputs.total < 5`: `[[inputs total]]`,
		`steps.a.output.?x.orValue(run.business_date)`:        `[[steps a output x] [run business_date]]`,
		`steps["a"].output != null`:                           `[[steps a output]]`,
		`has(steps.a.output.x)`:                               `[[steps a output x]]`,
		`rows[0].id == "a"`:                                   `[[rows]]`,
		`inputs[inputs.name] == 1`:                            `[[inputs] [inputs name]]`,
		`rows.map(inputs, inputs.id)`:                         `[[rows]]`,
		`rows.map(r, r.n + inputs.total)`:                     `[[rows] [inputs total]]`,
		`inputs.tags.size()`:                                  `[[inputs tags]]`,
		`inputs.day == date("2026-03-06") || inputs.rate > 1`: `[[inputs day] [inputs rate]]`,
	} {
		compiled, problems := lang.Compile(source, typedEnv())
		if len(problems) > 0 {
			t.Errorf("%s: %v", source, problems)
			continue
		}
		if got := fmt.Sprint(compiled.Reads()); got != want {
			t.Errorf("%s reads %s, want %s", source, got, want)
		}
	}
}

func TestUnknownZone(t *testing.T) {
	t.Parallel()
	lang := cel.New()
	for _, zone := range []string{"Europe/Amsterdan", "Local"} {
		_, problems := lang.Compile(`date.at("2026-03-06", "06:00")`, &expr.Env{Zone: zone})
		if len(problems) != 1 || !strings.Contains(problems[0].Message, zone) {
			t.Errorf("%s: %v", zone, problems)
		}
	}
	if _, problems := lang.Compile("1", nil); len(problems) > 0 {
		t.Errorf("without an environment: %v", problems)
	}
}

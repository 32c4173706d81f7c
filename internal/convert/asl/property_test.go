package asl_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	convert "github.com/regie-dev/regie/internal/convert/asl"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// TestConvertedMachinesRunAlike: a machine without loops, whatever its jumps,
// handlers and nesting, makes the same calls and ends alike in both forms, or
// the report says that it cannot be converted.
func TestConvertedMachinesRunAlike(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// Branches that fail race with others: what has no failures has two.
		g := &generator{t: t, calm: rapid.Bool().Draw(t, "calm")}
		text := g.flow(2, "")
		m, problems := asl.Read(aslConfig(asl.Standard), "machine.asl.yaml", []byte(text))
		if asl.HasErrors(problems) {
			t.Fatalf("%v\n%s", problems, text)
		}
		r := convert.Convert(convert.Config{Name: "machine", Target: target}, m)
		if r.YAML == nil {
			if r.Report.Count(convert.Lost) == 0 {
				t.Fatal("nothing says why it is not converted")
			}
			return
		}
		source, err := asIs(m)
		if err != nil {
			t.Fatal(err)
		}
		linked, err := prepare(r.YAML)
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, text, r.YAML)
		}
		// A function fails by its name and the sum of what it gets.
		seed := rapid.IntRange(0, 1<<20).Draw(t, "seed")
		respond := func(resource string, input value.Value, attempt int) (value.Value, *engine.Error, time.Duration) {
			sum := seed + attempt
			for _, c := range resource + input.String() {
				sum = (sum*31 + int(c)) % 1_000_003
			}
			if sum%3 == 0 && !g.calm {
				return value.Null, &engine.Error{Name: []string{"E1", "E2"}[sum%2], Message: "it failed"}, 0
			}
			return value.Object(value.M("n", value.Int(int64(sum%5)))), nil, 0
		}
		a, b := &driver{machine: source, answer: respond}, &driver{machine: linked, answer: respond}
		input := value.Object(value.M("n", value.Int(int64(seed%5))), value.M("list", value.List(value.Int(1), value.Int(3))))
		if err := a.drive(input); err != nil {
			t.Fatal(err)
		}
		if err := b.drive(wrapped(r, input)); err != nil {
			t.Fatalf("%v\n%s\n%s", err, text, r.YAML)
		}
		slices.Sort(a.calls)
		slices.Sort(b.calls)
		alike := a.ended.State == b.ended.State && slices.Equal(a.calls, b.calls)
		if a.ended.State == engine.Succeeded {
			alike = alike && value.Equal(a.ended.Output, b.ended.Output)
		} else if alike {
			alike = a.ended.Error.Name == b.ended.Error.Name || strings.HasPrefix(a.ended.Error.Name, "States.")
		}
		if !alike {
			t.Fatalf("as it is %s %s %v\n%v\nconverted %s %s %v\n%v\n%s\n%s", a.ended.State, a.ended.Output, a.ended.Error.Value(), a.calls,
				b.ended.State, b.ended.Output, b.ended.Error.Value(), b.calls, text, r.YAML)
		}
	})
}

// generator writes state machines without loops whose paths lead somewhere:
// every value has a member n.
type generator struct {
	t     *rapid.T
	count int
	calm  bool
	ends  string // a state that ends the flow though another follows
}

func (g *generator) pick(label string, options ...string) string {
	return rapid.SampledFrom(options).Draw(g.t, label)
}

// flow writes StartAt and States; every state is reached, as AWS asks.
func (g *generator) flow(depth int, indent string) string {
	n := rapid.IntRange(1, 6).Draw(g.t, "states")
	names := make([]string, n)
	for i := range names {
		g.count++
		names[i] = fmt.Sprintf("S%d", g.count)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%sStartAt: %s\n%sStates:\n", indent, names[0], indent)
	for i, name := range names {
		fmt.Fprintf(&b, "%s  %s:\n", indent, name)
		b.WriteString(g.state(name, names[i+1:], depth, indent+"    "))
	}
	return b.String()
}

func (g *generator) state(name string, later []string, depth int, indent string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, indent+format+"\n", args...) }
	if len(later) == 0 || name == g.ends {
		last := g.pick("last", "Succeed", "Succeed", "Pass\n"+indent+"End: true", "Fail\n"+indent+"Error: F")
		if g.calm {
			last = "Succeed"
		}
		line("Type: %s", last)
		return b.String()
	}
	// The next state follows somehow, so that every one is reached.
	other := g.pick("other", later...)
	kinds := []string{"Choice", "Pass", "Task", "Task", "Catch", "Wait"}
	if depth > 0 {
		kinds = append(kinds, "Parallel", "Map")
	}
	kind := g.pick("kind", kinds...)
	ends := len(later) == 2 && rapid.Bool().Draw(g.t, "ends")
	if ends { // the states that are left are two ends
		kind, other = g.pick("fork", "Choice", "Catch"), later[1]
		g.ends = later[0]
	}
	put := g.pick("path", "", "ResultPath: $.r", "ResultPath: $.r.s", "ResultPath: null", "ResultPath: $.q")
	if put != "" && kind != "Choice" && kind != "Wait" {
		line("%s", put)
	}
	switch kind {
	case "Choice":
		line("Type: Choice")
		first, second := later[0], other
		if rapid.Bool().Draw(g.t, "swap") {
			first, second = second, first
		}
		line("Choices: [{Variable: $.n, NumericGreaterThan: %d, Next: %s}]", rapid.IntRange(0, 4).Draw(g.t, "than"), first)
		line("Default: %s", second)
		return b.String()
	case "Pass":
		line("Type: Pass")
		line("%s", g.pick("data", "Result: {n: 3}", "Parameters: {n.$: $.n, all.$: $}", "Parameters: {n: 1, m.$: $.n}", "Comment: nothing"))
	case "Wait":
		line("Type: Wait\n%sSeconds: 1", indent)
	case "Parallel":
		line("Type: Parallel\n%sResultSelector: {n: 2, all.$: $}\n%sBranches:", indent, indent)
		branches := 1
		if g.calm {
			branches = 2
		}
		for range branches {
			flow := g.flow(depth-1, indent+"  ")
			b.WriteString(indent + "- " + strings.TrimPrefix(flow, indent+"  "))
		}
	case "Map":
		line("Type: Map\n%sParameters: {n.$: $$.Map.Item.Value, outer.$: $.n, at.$: $$.Map.Item.Index}", indent)
		line("InputPath: $\n%sMaxConcurrency: 1\n%sResultSelector: {n: 2, all.$: $}", indent, indent)
		line("ItemsPath: $$.Execution.Input.list")
		line("ItemProcessor:\n%s", strings.TrimSuffix(g.flow(depth-1, indent+"  "), "\n"))
	default:
		line("Type: Task\n%sResource: arn:aws:lambda:eu-west-1:1:function:%s", indent, g.pick("function", "f", "g"))
		line("%s", g.pick("arguments", "Parameters: {n.$: $.n}", "InputPath: $"))
		if g.pick("retried", "no", "yes") == "yes" {
			line("Retry: [{ErrorEquals: [E1], MaxAttempts: 1}]")
		}
	}
	if kind == "Catch" || kind == "Parallel" || kind == "Map" {
		line("Catch: [{ErrorEquals: [%s], ResultPath: %s, Next: %s}]", g.pick("error", "E1", "E2", "F"), g.pick("into", "$.e", "$.r"), other)
	}
	line("Next: %s", later[0])
	return b.String()
}

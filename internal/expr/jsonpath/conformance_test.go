package jsonpath

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

var update = flag.Bool("update", false, "write testdata/known-misses.txt anew")

const (
	missesFile = "testdata/known-misses.txt"
	// Values that must have been judged, so that none are lost unnoticed.
	leastStates, leastInspected, leastQueries, leastReferences = 150, 40, 840, 9
)

// tally counts what was judged by area and keeps what was wrong.
type tally struct {
	passed, total map[string]int
	misses        map[string]string
	kinds         map[string]int
}

func (c *tally) add(area, kind, id, fault string) {
	c.kinds[kind]++
	c.total[area]++
	if fault == "" {
		c.passed[area]++
	} else {
		c.misses[strings.ReplaceAll(id, " ", "_")] = fault
	}
}

// TestConformance judges what Step Functions was recorded to do where one
// state can be judged by itself: the outputs, variables and failures of Pass
// and Fail states, the data that TestState shows on its way through a state,
// every path and template of every accepted definition, the refused ones, and
// the variables that states refer to. The recordings are in the folder asl
// below REGIE_CONFORMANCE. What is wrong is listed in a file, which must be
// exact.
func TestConformance(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("REGIE_CONFORMANCE")
	if dir == "" {
		t.Skip("REGIE_CONFORMANCE is not set: it names the folder with the conformance cases") //nolint:forbidigo // the cases are not part of Regie
	}
	files, err := filepath.Glob(filepath.Join(dir, "asl", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no cases in %s: %v", dir, err)
	}
	c := &tally{passed: map[string]int{}, total: map[string]int{}, misses: map[string]string{}, kinds: map[string]int{}}
	for _, file := range files {
		area := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		for _, v := range readCases(t, file) {
			judge(c, area, conformanceCase{v})
		}
	}
	c.report(t)
	for kind, least := range map[string]int{"state": leastStates, "inspected": leastInspected, "query": leastQueries, "references": leastReferences} {
		if c.kinds[kind] < least {
			t.Errorf("%d of kind %q were judged, expected at least %d", c.kinds[kind], kind, least)
		}
	}
}

func readCases(t *testing.T, file string) []value.Value {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	var out []value.Value
	for lines.Scan() {
		v, err := value.Parse(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return out
}

func (c *tally) report(t *testing.T) {
	t.Helper()
	var table strings.Builder
	for _, area := range slices.Sorted(maps.Keys(c.total)) {
		fmt.Fprintf(&table, "%-22s %4d of %4d\n", area, c.passed[area], c.total[area])
	}
	all := 0
	for _, kind := range slices.Sorted(maps.Keys(c.kinds)) {
		fmt.Fprintf(&table, "kind %-17s %4d\n", kind, c.kinds[kind])
		all += c.kinds[kind]
	}
	t.Logf("%d of %d pass\n%s", all-len(c.misses), all, table.String())
	ids := slices.Sorted(maps.Keys(c.misses))
	if *update {
		if err := os.WriteFile(missesFile, []byte(strings.Join(append(ids, ""), "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(missesFile)
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(string(text))
	for _, id := range ids {
		if slices.Contains(known, id) {
			t.Logf("known miss %s: %s", id, c.misses[id])
		} else {
			t.Errorf("%s: %s", id, c.misses[id])
		}
	}
	for _, id := range known {
		if c.misses[id] == "" {
			t.Errorf("%s passes now; take it out of %s", id, missesFile)
		}
	}
}

// conformanceCase is one recording.
type conformanceCase struct{ value.Value }

func (c conformanceCase) str(key string) string { return text(c.Get(key)) }

func text(v value.Value) string {
	s, _ := v.Str()
	return s
}

func judge(c *tally, area string, k conformanceCase) {
	definition := k.Get("definition")
	switch kind := k.str("kind"); {
	case kind == "execution":
		judgeQueries(c, area, k, definition)
		judgeStates(c, area, k)
	case kind == "test_state":
		request := k.Get("request")
		if k.Get("expect").Get("error_code").IsUndefined() {
			judgeQueries(c, area, k, request.Get("definition"))
		}
		judgeInspected(c, area, k)
	case kind == "variable_references":
		judgeQueries(c, area, k, definition)
		judgeReferences(c, area, k)
	case strings.Contains(text(k.Get("expect").Get("message")), "valid JSONPath"):
		judgeRefused(c, area, k)
	case kind == "validate" && k.Get("expect").Get("valid").String() == "true":
		judgeQueries(c, area, k, definition)
	}
}

// states visits the states of a definition, nested ones too, with whether
// they are in JSONPath mode.
func states(definition value.Value, jsonPath bool, visit func(name string, state value.Value, jsonPath bool)) {
	mode := func(v value.Value, outer bool) bool {
		if language := text(v.Get("QueryLanguage")); language != "" {
			return language == "JSONPath"
		}
		return outer
	}
	jsonPath = mode(definition, jsonPath)
	for _, m := range definition.Get("States").Members() {
		visit(m.Key, m.Value, mode(m.Value, jsonPath))
		for _, inner := range append([]value.Value{m.Value.Get("ItemProcessor"), m.Value.Get("Iterator")}, m.Value.Get("Branches").Items()...) {
			states(inner, jsonPath, visit)
		}
	}
}

// templateFields are the fields that hold payload templates.
var templateFields = []string{"Parameters", "ResultSelector", "ItemSelector", "Assign", "BatchInput", "Arguments"}

// queries visits the paths and templates of a state, not those of states within.
func queries(v value.Value, path func(field, src string), template func(field string, v value.Value)) {
	for _, item := range v.Items() {
		queries(item, path, template)
	}
	for _, m := range v.Members() {
		src, isText := m.Value.Str()
		switch {
		case slices.Contains([]string{"ItemProcessor", "Iterator", "Branches", "Result"}, m.Key):
		case slices.Contains(templateFields, m.Key):
			template(m.Key, m.Value)
		case isText && (m.Key == "Variable" || strings.HasSuffix(m.Key, "Path")):
			path(m.Key, src)
		default:
			queries(m.Value, path, template)
		}
	}
}

// judgeQueries parses all paths and templates of a definition that AWS took.
func judgeQueries(c *tally, area string, k conformanceCase, definition value.Value) {
	if definition.Get("States").IsUndefined() && !definition.Get("Type").IsUndefined() {
		definition = value.Object(value.M("States", value.Object(value.M("State", definition))))
	}
	states(definition, true, func(name string, state value.Value, jsonPath bool) {
		if !jsonPath {
			return
		}
		add := func(field, fault string) { c.add(area, "query", k.str("id")+" "+name+" "+field, fault) }
		queries(state, func(field, src string) {
			read := Parse
			switch field {
			case "ErrorPath", "CausePath":
			case "ResultPath":
				read = ParseResultPath
			case "InputPath", "OutputPath", "ItemsPath":
				read = ParsePath
			default:
				read = ParseReference
			}
			_, problem := read(src)
			add(field, faultOf(src, problem))
		}, func(field string, v value.Value) {
			_, problems := CompileTemplate(v)
			for _, p := range problems {
				add(field, faultOf(p.Field, &p.Problem))
			}
			if len(problems) == 0 {
				add(field, "")
			}
		})
	})
}

func faultOf(src string, problem *expr.Problem) string {
	if problem == nil {
		return ""
	}
	return src + ": " + problem.String()
}

// judgeRefused looks for the template that AWS refuses.
func judgeRefused(c *tally, area string, k conformanceCase) {
	var got []string
	states(k.Get("definition"), true, func(name string, state value.Value, _ bool) {
		queries(state, func(string, string) {}, func(field string, v value.Value) {
			_, problems := CompileTemplate(v)
			for _, p := range problems {
				got = append(got, p.Message+" at /States/"+name+"/"+field)
			}
		})
	})
	want, fault := text(k.Get("expect").Get("message")), ""
	if len(got) != 1 || !strings.Contains(want, got[0]) {
		fault = fmt.Sprintf("%q, expected %q", got, want)
	}
	c.add(area, "refused", k.str("id"), fault)
}

// judgeReferences compares the variables that each state refers to.
func judgeReferences(c *tally, area string, k conformanceCase) {
	got := map[string][]string{}
	states(k.Get("definition"), true, func(name string, state value.Value, _ bool) {
		add := func(names []string) {
			for _, n := range names {
				if !slices.Contains(got[name], n) {
					got[name] = append(got[name], n)
				}
			}
		}
		queries(state, func(_, src string) {
			if q, problem := Parse(src); problem == nil {
				add(q.Variables())
			}
		}, func(_ string, v value.Value) {
			if template, problems := CompileTemplate(v); problems == nil {
				add(template.Variables())
			}
		})
		sort.Strings(got[name])
	})
	var members []value.Member
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if len(got[name]) > 0 {
			list, _ := value.From(got[name])
			members = append(members, value.M(name, list))
		}
	}
	c.add(area, "references", k.str("id"), difference(k, value.Object(members...), k.Get("expect").Get("variable_references")))
}

// judgeStates judges the Pass and Fail states of an execution whose input is
// known: the input of the execution, or the output of the state before.
func judgeStates(c *tally, area string, k conformanceCase) {
	definition, exits := k.Get("definition"), k.Get("expect").Get("exits").Items()
	if text(definition.Get("QueryLanguage")) == "JSONata" {
		return
	}
	r := &run{k: k, states: definition.Get("States"), input: k.Get("input"), variables: map[string]value.Value{}}
	if r.input.IsUndefined() {
		r.input = value.Object()
	}
	next := text(definition.Get("StartAt"))
	for i, exit := range exits {
		name := text(exit.Get("name"))
		state := r.states.Get(name)
		if name != next || state.IsUndefined() {
			return // within a Map or Parallel, or behind one
		}
		if text(state.Get("Type")) == "Pass" && text(state.Get("QueryLanguage")) != "JSONata" {
			output, assigned, err := r.pass(name, state)
			fault := outcome(k, output, exit.Get("output"), err)
			if want := exit.Get("assigned"); fault == "" && !want.IsUndefined() {
				fault = difference(k, assigned, want)
			}
			c.add(area, "state", fmt.Sprintf("%s %s %d", k.str("id"), name, i), fault)
		}
		r.input = exit.Get("output")
		for _, m := range exit.Get("assigned").Members() {
			r.variables[m.Key] = m.Value
		}
		next = text(state.Get("Next"))
	}
	r.judgeFailure(c, area, next)
}

// run is the walk along the states of an execution.
type run struct {
	k         conformanceCase
	states    value.Value
	input     value.Value
	variables map[string]value.Value
}

func (r *run) scope(name string, input value.Value) Scope {
	id := value.String("arn")
	return Scope{
		Input: input, Variables: r.variables,
		Context: value.Object(
			value.M("Execution", value.Object(
				value.M("Id", id), value.M("Input", r.k.Get("input")), value.M("StartTime", id), value.M("Name", id),
				value.M("RoleArn", value.String("snf_role_arn")), value.M("RedriveCount", value.Int(0)))),
			value.M("StateMachine", value.Object(value.M("Id", id), value.M("Name", id))),
			value.M("State", value.Object(value.M("Name", value.String(name)), value.M("EnteredTime", id))),
		),
	}
}

// selected applies a field such as InputPath, whose absence is $ and whose
// null is an empty object.
func selected(e *Evaluator, field value.Value) (value.Value, error) {
	if field.Kind() == value.KindNull {
		return value.Object(), nil
	}
	src, ok := field.Str()
	if !ok {
		src = "$"
	}
	q, problem := ParsePath(src)
	if problem != nil {
		return value.Undefined, fmt.Errorf("%s: %s", src, problem)
	}
	return e.Select(q)
}

// filled evaluates a template; its absence is what comes in.
func filled(e *Evaluator, field, in value.Value) (value.Value, error) {
	if field.IsUndefined() {
		return in, nil
	}
	template, problems := CompileTemplate(field)
	if problems != nil {
		return value.Undefined, fmt.Errorf("%v", problems)
	}
	return e.Template(template)
}

// placed applies ResultPath.
func placed(field, input, result value.Value) (value.Value, error) {
	if field.Kind() == value.KindNull {
		return input, nil
	}
	src, ok := field.Str()
	if !ok {
		src = "$"
	}
	q, problem := ParseResultPath(src)
	if problem != nil {
		return value.Undefined, fmt.Errorf("%s: %s", src, problem)
	}
	out, fault := ApplyResultPath(q, input, result)
	if fault != nil {
		return value.Undefined, fault
	}
	return out, nil
}

// pass does what a Pass state does.
func (r *run) pass(name string, state value.Value) (output, assigned value.Value, err error) {
	e := NewEvaluator(r.scope(name, r.input), Budget{Cost: expr.PoolCost, Seed: 1})
	in, err := selected(e, state.Get("InputPath"))
	if err != nil {
		return in, in, err
	}
	e.Rescope(r.scope(name, in))
	result, err := filled(e, state.Get("Parameters"), in)
	if err != nil {
		return in, in, err
	}
	if fixed, ok := state.Lookup("Result"); ok {
		result = fixed
	}
	e.Rescope(r.scope(name, result))
	if assigned, err = filled(e, state.Get("Assign"), value.Object()); err != nil {
		return in, in, err
	}
	if output, err = placed(state.Get("ResultPath"), r.input, result); err != nil {
		return in, in, err
	}
	e.Rescope(r.scope(name, output))
	output, err = selected(e, state.Get("OutputPath"))
	return output, assigned, err
}

// judgeFailure judges the state that ended an execution, if it is a Pass or
// Fail state that failed.
func (r *run) judgeFailure(c *tally, area, name string) {
	state, expect := r.states.Get(name), r.k.Get("expect")
	kind := text(state.Get("Type"))
	if text(expect.Get("status")) != "FAILED" || kind != "Pass" && kind != "Fail" || text(state.Get("QueryLanguage")) == "JSONata" {
		return
	}
	gotError, gotCause := r.failure(name, state)
	fault := ""
	wantError, wantCause := text(expect.Get("error")), text(expect.Get("cause"))
	if !r.k.alike(gotError, wantError) || !r.k.ends(wantCause, gotCause) {
		fault = fmt.Sprintf("%s %q, expected %s %q", gotError, gotCause, wantError, wantCause)
	}
	c.add(area, "state", r.k.str("id")+" "+name, fault)
}

// failure is the error and the cause with which a state ends.
func (r *run) failure(name string, state value.Value) (code, cause string) {
	if text(state.Get("Type")) == "Pass" {
		_, _, err := r.pass(name, state)
		return split(err)
	}
	e := NewEvaluator(r.scope(name, r.input), Budget{Seed: 1})
	field := func(field string) (string, error) {
		src, ok := state.Get(field + "Path").Str()
		if !ok {
			return text(state.Get(field)), nil
		}
		q, problem := Parse(src)
		if problem != nil {
			return "", errors.New(problem.String())
		}
		v, err := e.Field(q, field+"Path")
		return v.Text(), err
	}
	code, err := field("Error")
	if err != nil {
		return split(err)
	}
	cause, err = field("Cause")
	if err != nil {
		return split(err)
	}
	return code, cause
}

func split(err error) (code, cause string) {
	var fault *expr.Error
	if errors.As(err, &fault) {
		return fault.Code, fault.Message
	}
	return "", fmt.Sprint(err)
}

// judgeInspected judges what TestState shows of the way through a state.
func judgeInspected(c *tally, area string, k conformanceCase) {
	request, data := k.Get("request"), k.Get("expect").Get("inspectionData")
	state := request.Get("definition")
	if state.Get("Type").IsUndefined() || text(state.Get("QueryLanguage")) == "JSONata" || data.IsUndefined() {
		return
	}
	input, context := data.Get("input"), request.Get("context")
	scope := func(v value.Value) Scope { return Scope{Input: v, Context: context} }
	check := func(stage string, got value.Value, err error) {
		want := data.Get(stage)
		if stage == "output" {
			want = k.Get("expect").Get(stage)
		}
		if want.IsUndefined() {
			return
		}
		c.add(area, "inspected", k.str("id")+" "+stage, outcome(k, got, want, err))
	}
	e := NewEvaluator(scope(input), Budget{Cost: expr.PoolCost, Seed: 1})
	in, err := selected(e, state.Get("InputPath"))
	check("afterInputPath", in, err)
	if text(state.Get("Type")) != "Map" {
		e.Rescope(scope(in))
		got, err := filled(e, state.Get("Parameters"), in)
		check("afterParameters", got, err)
	}
	result := request.Get("mock").Get("result")
	if result.IsUndefined() || text(k.Get("expect").Get("status")) != "SUCCEEDED" {
		return
	}
	e.Rescope(scope(result))
	result, err = filled(e, state.Get("ResultSelector"), result)
	check("afterResultSelector", result, err)
	out, err := placed(state.Get("ResultPath"), input, result)
	check("afterResultPath", out, err)
	e.Rescope(scope(out))
	out, err = selected(e, state.Get("OutputPath"))
	check("output", out, err)
}

// outcome says what is wrong with a value or its error.
func outcome(k conformanceCase, got, want value.Value, err error) string {
	if err != nil {
		return err.Error()
	}
	return difference(k, got, want)
}

// difference says how a value differs from the one expected, by the rules of
// the recordings.
func difference(k conformanceCase, got, want value.Value) string {
	if k.equal(got, want) {
		return ""
	}
	return fmt.Sprintf("%s, expected %s", got, want)
}

func (c conformanceCase) equal(got, want value.Value) bool {
	if s, ok := got.Str(); ok {
		if expected, ok := want.Str(); ok {
			return c.alike(s, expected)
		}
		parsed, err := value.Parse([]byte(s)) // the recorder parsed texts with JSON objects
		return err == nil && want.Kind() == value.KindObject && c.equal(parsed, want)
	}
	if expected, ok := want.Str(); ok {
		if c.random() && got.Kind() == value.KindInt {
			return true
		}
		parsed, err := value.Parse([]byte(expected)) // TestState writes lists as texts
		return c.wild(expected) || err == nil && parsed.Kind() == value.KindList && c.equal(got, parsed)
	}
	switch {
	case got.Kind() == value.KindList && want.Kind() == value.KindList && got.Len() == want.Len():
		for i := range got.Items() {
			if !c.equal(got.At(i), want.At(i)) {
				return false
			}
		}
		return true
	case got.Kind() == value.KindObject && want.Kind() == value.KindObject && got.Len() == want.Len():
		for _, m := range got.Members() {
			other, ok := want.Lookup(m.Key)
			if !ok || !c.equal(m.Value, other) {
				return false
			}
		}
		return true
	}
	return value.Equal(got, want)
}

// random reports whether a result cannot be compared.
func (c conformanceCase) random() bool { return c.Get("nondeterministic").Len() > 0 }

// wild reports whether an expected text stands for any.
func (c conformanceCase) wild(want string) bool {
	for _, v := range c.Get("wildcard_values").Items() {
		if want == text(v) {
			return true
		}
	}
	for _, v := range c.Get("wildcards").Items() {
		if strings.Contains(want, text(v)) {
			return true
		}
	}
	return false
}

func (c conformanceCase) alike(got, want string) bool {
	return got == want || c.wild(want) && got != ""
}

// ends reports whether an expected cause ends with the one that was given,
// which says nothing of the state; tokens stand for any text.
func (c conformanceCase) ends(want, got string) bool {
	for _, v := range c.Get("wildcards").Items() {
		before, after, ok := strings.Cut(want, text(v))
		if !ok {
			continue
		}
		// The part of the cause behind what is said of the state.
		if _, own, ok := strings.Cut(before, "). "); ok {
			before = own
		}
		return strings.HasPrefix(got, before) && strings.HasSuffix(got, after)
	}
	return want == "" && got == "" || got != "" && strings.HasSuffix(want, got)
}

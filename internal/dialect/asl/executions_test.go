package asl_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/asl/asltest"
	"github.com/regie-dev/regie/internal/dialect/asl/history"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// level is one of the three in which the executions are judged: their ends,
// their exits and histories, and the texts of their causes.
type level struct {
	name  string
	cases int // that have something to judge
	most  int // misses; may only shrink
}

var levels = []level{
	{name: "end", cases: 636, most: 2},
	{name: "history", cases: 352, most: 1},
	{name: "cause", cases: 74, most: 0},
}

// TestExecutions runs the executions of the conformance cases that need nothing
// outside or only what is played here, and judges each in three levels. The
// cases that fail are listed in a file for each level, which must be exact.
func TestExecutions(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("REGIE_CONFORMANCE")
	if dir == "" {
		t.Skip("REGIE_CONFORMANCE is not set: it names the folder with the conformance cases") //nolint:forbidigo // the cases are not part of Regie
	}
	tally := newTally()
	for _, c := range asltest.ReadCases(t, filepath.Join(dir, "asl")) {
		if c.Get("kind").Text() != "execution" {
			continue
		}
		if need := missing(c); need != "" {
			tally.skipped[need]++
			continue
		}
		tally.add(c, judgeExecution(c))
	}
	t.Log(tally.table())
	for i, l := range levels {
		if n := tally.judged[i]; n != l.cases {
			t.Errorf("level %d (%s): %d cases were judged, want %d", i+1, l.name, n, l.cases)
		}
		if n := len(tally.misses[i]); n != l.most {
			t.Errorf("level %d (%s): %d misses; write %d into this test if it is less than %d", i+1, l.name, n, n, l.most)
		}
		asltest.CompareMisses(t, tally.misses[i], fmt.Sprintf("testdata/known-misses-%s.txt", l.name), *update)
	}
	if !maps.Equal(tally.skipped, skipped) {
		t.Errorf("skipped for what they need: %v, want %v", tally.skipped, skipped)
	}
}

// skipped counts the executions that are not run, by what they need.
var skipped = map[string]int{"deleted activity": 1}

// tally counts verdicts by file and level.
type tally struct {
	files   []string
	counts  map[string]*[3]struct{ passed, judged int }
	judged  [3]int
	misses  [3]map[string]string
	skipped map[string]int
}

func newTally() *tally {
	return &tally{
		counts: map[string]*[3]struct{ passed, judged int }{}, skipped: map[string]int{},
		misses: [3]map[string]string{{}, {}, {}},
	}
}

func (s *tally) add(c value.Value, verdicts [3]verdict) {
	id := c.Get("id").Text()
	file, _, found := strings.Cut(id, "/")
	if !found {
		file = "api"
	}
	if s.counts[file] == nil {
		s.counts[file] = &[3]struct{ passed, judged int }{}
		s.files = append(s.files, file)
	}
	for i, v := range verdicts {
		if !v.judged {
			continue
		}
		s.judged[i]++
		s.counts[file][i].judged++
		if v.fault != "" {
			s.misses[i][id] = v.fault
		} else {
			s.counts[file][i].passed++
		}
	}
}

func (s *tally) table() string {
	var b strings.Builder
	row := func(name string, cell func(int) (passed, judged int)) {
		fmt.Fprintf(&b, "\n%-22s", name)
		for i := range levels {
			passed, judged := cell(i)
			fmt.Fprintf(&b, "%5d of %3d", passed, judged)
		}
	}
	for _, f := range s.files {
		row(f, func(i int) (int, int) { return s.counts[f][i].passed, s.counts[f][i].judged })
	}
	row("all", func(i int) (int, int) { return s.judged[i] - len(s.misses[i]), s.judged[i] })
	return b.String()
}

// verdict is that of one level: nothing to judge, right, or a fault.
type verdict struct {
	judged bool
	fault  string
}

// judgeExecution runs a case. One that does not end has missed every level.
func judgeExecution(c value.Value) [3]verdict {
	expect := c.Get("expect")
	failed := expect.Get("status").Text() != "SUCCEEDED"
	out := [3]verdict{{judged: true}, {judged: c.Get("history").Len() > 0 || !expect.Get("exits").IsUndefined()}, {judged: failed}}
	all := func(fault string) [3]verdict {
		for i := range out {
			out[i].fault = fault
		}
		return out
	}
	definition, problems := read(c)
	if asl.HasErrors(problems) {
		return all(asl.InvalidDefinition(problems))
	}
	linked, err := compile(definition, asl.CompileConfig{
		Type:     asl.MachineType(c.Get("type").Text()),
		Place:    asl.Place{Region: "us-east-1", Account: "111111111111", Role: roleIn(expect)},
		Machines: otherMachines(c),
	})
	if err != nil {
		return all(err.Error())
	}
	d := &driver{machine: linked, answer: func(resource string, input value.Value, _ int) (value.Value, *engine.Error, time.Duration) {
		return service(c, resource, input)
	}}
	d.messages = func(t engine.Task) []engine.Callback { return messages(c, t) }
	if err := d.drive(c.Get("input")); err != nil {
		return all(err.Error())
	}
	events, err := d.history(definition)
	if err != nil {
		return all(err.Error())
	}
	j := &judge{c: c, expect: expect, compare: asltest.NewComparer(c), events: events}
	out[0].fault = j.end(d.ended)
	if out[1].judged {
		out[1].fault = j.history()
	}
	if failed {
		out[2].fault = j.cause()
	}
	return out
}

// otherMachines are the machines that the case starts.
func otherMachines(c value.Value) []asl.Other {
	var out []asl.Other
	for _, o := range c.Get("machines").Items() {
		name, definition := o.Get("name").Text(), o.Get("definition")
		if m, problems := asl.Read(config(asl.Standard), name, []byte(definition.Indent())); !asl.HasErrors(problems) {
			out = append(out, asl.Other{ARN: "*:stateMachine:" + name, Name: name, Machine: m})
		}
	}
	return out
}

// roleIn is the role that the record names, empty for none.
func roleIn(v value.Value) string {
	if role, ok := v.Get("RoleArn").Str(); ok {
		return role
	}
	for _, m := range v.Members() {
		if role := roleIn(m.Value); role != "" {
			return role
		}
	}
	for _, item := range v.Items() {
		if role := roleIn(item); role != "" {
			return role
		}
	}
	return ""
}

// history is that of the run's events as they are stored.
func (d *driver) history(m *asl.Machine) ([]history.Event, error) {
	control, payload, err := engine.EncodeEvents(d.events)
	if err != nil {
		return nil, err
	}
	stored, err := engine.DecodeEvents(control, payload)
	if err != nil {
		return nil, err
	}
	return history.Of(m, d.machine.Program(), stored)
}

// judge compares one execution with its record.
type judge struct {
	c, expect value.Value
	compare   *asltest.Comparer
	events    []history.Event
}

func (j *judge) end(ended *engine.RunEnded) string {
	last := j.events[len(j.events)-1]
	status := map[string]string{"ExecutionSucceeded": "SUCCEEDED", "ExecutionFailed": "FAILED", "ExecutionAborted": "ABORTED"}[last.Type]
	if want := j.expect.Get("status").Text(); want != status {
		return fmt.Sprintf("status %s (%s), want %s", status, ended.Error.Value(), want)
	}
	if status == "SUCCEEDED" {
		if want := j.expect.Get("output"); !j.compare.Same(ended.Output, want) {
			return fmt.Sprintf("output %s, want %s", ended.Output, want)
		}
		return ""
	}
	if got, want := ended.Error.Name, j.expect.Get("error").Text(); got != want {
		return fmt.Sprintf("error %q (%s), want %q (%s)", got, ended.Error.Message, want, j.expect.Get("cause"))
	}
	return ""
}

func (j *judge) cause() string {
	_, got := history.Failure(j.events)
	want, told := j.expect.Lookup("cause")
	if !told && got == "" || told && j.compare.Same(value.String(got), want) {
		return ""
	}
	return fmt.Sprintf("cause %q, want %s", got, want)
}

func (j *judge) history() string {
	for i, e := range j.events {
		if e.ID != i+1 || e.Previous < 0 || e.Previous >= e.ID || i > 0 && e.At.Before(j.events[i-1].At) {
			return fmt.Sprintf("event %d: %+v", i+1, e)
		}
	}
	exact := j.c.Get("history_order").Text() == "exact"
	if fault := j.exits(exact); fault != "" {
		return fault
	}
	var want []string
	for _, v := range j.c.Get("history").Items() {
		want = append(want, v.Text())
	}
	if len(want) == 0 {
		return ""
	}
	got := shown(j.events)
	if exact && slices.Equal(got, want) || !exact && (sameMembers(got, want) || sameMembers(recorded(got), want)) {
		return ""
	}
	return fmt.Sprintf("history\n%s, want\n%s", strings.Join(got, " "), strings.Join(want, " "))
}

// exits compares what left each state.
func (j *judge) exits(exact bool) string {
	want := slices.Clone(j.expect.Get("exits").Items())
	if j.expect.Get("exits").IsUndefined() {
		return ""
	}
	for _, e := range j.events {
		if e.DetailsKey() != "stateExitedEventDetails" {
			continue
		}
		got := exitOf(e)
		i := slices.IndexFunc(want, func(w value.Value) bool { return j.compare.Same(got, w) })
		switch {
		case i < 0 && !exact && e.Type == "ParallelStateExited":
			continue // the record can have lost it, see recorded
		case i < 0 || exact && i > 0:
			return fmt.Sprintf("exit %s, want one of %s", got, want)
		}
		want = slices.Delete(want, i, i+1)
	}
	if len(want) > 0 {
		return fmt.Sprintf("no exit %s", want)
	}
	return ""
}

// exitOf is an exit in the form of the cases.
func exitOf(e history.Event) value.Value {
	out := value.Object(value.M("name", e.Details.Get("name")), value.M("output", value.MustParse(e.Details.Get("output").Text())))
	if assigned := e.Details.Get("assignedVariables"); !assigned.IsUndefined() {
		var members []value.Member
		for _, m := range assigned.Members() {
			members = append(members, value.M(m.Key, value.MustParse(m.Value.Text())))
		}
		out = out.With("assigned", value.Object(members...))
	}
	return out
}

// shown are the events in the form of the cases.
func shown(events []history.Event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.Type
		if name := e.Details.Get("name").Text(); name != "" {
			out[i] += ":" + name
		}
		if n := e.Details.Get("index"); !n.IsUndefined() {
			out[i] += "#" + n.Text()
		}
	}
	return out
}

func sameMembers(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// recorded leaves out what the recorder lost when it put the events of a
// Parallel in an order of their own: of the events that end a Parallel and
// follow each other without another Parallel between, all but the last.
func recorded(events []string) []string {
	var out []string
	begin := -1 // in out, behind the last start
	for _, e := range events {
		kind, _, _ := strings.Cut(e, ":")
		switch kind {
		case "ParallelStateStarted":
			begin = len(out) + 1
		case "ParallelStateSucceeded", "ParallelStateAborted", "ParallelStateFailed", "ParallelStateExited":
			if begin >= 0 {
				inside := slices.DeleteFunc(slices.Clone(out[begin:]), ofParallelEnd)
				out = append(out[:begin], inside...)
			}
		}
		out = append(out, e)
	}
	return out
}

func ofParallelEnd(e string) bool {
	kind, _, _ := strings.Cut(e, ":")
	return slices.Contains([]string{"ParallelStateSucceeded", "ParallelStateAborted", "ParallelStateFailed", "ParallelStateExited"}, kind)
}

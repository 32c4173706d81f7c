package asl_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/asl/asltest"
	"github.com/regie-dev/regie/internal/dialect/asl/history"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// TestHistory compares whole histories of the definitions of
// testdata/history.yaml: number, number of the event before, seconds since the
// start, type, details.
func TestHistory(t *testing.T) {
	t.Parallel()
	for _, c := range asltest.Documents(t, "testdata/history.yaml") {
		name := c.Get("case").Text
		kind := asl.Standard
		if n := c.Get("type"); n != nil {
			kind = asl.MachineType(n.Text)
		}
		machine, problems := asl.Read(config(kind), "x.asl.yaml", []byte(c.Get("definition").Text))
		if asl.HasErrors(problems) {
			t.Errorf("%s: %v", name, problems)
			continue
		}
		linked, err := compile(machine, asl.CompileConfig{Type: kind, Machines: others(t, c.Get("machines"))})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		answers := c.Get("answers").ToValue()
		d := &driver{machine: linked, answer: func(resource string, _ value.Value, attempt int) (value.Value, *engine.Error, time.Duration) {
			list := answers.Get(resource)
			return played(list.At(min(attempt, list.Len()) - 1))
		}}
		if n := c.Get("messages"); n != nil {
			said := n.ToValue()
			d.early = c.Get("early") != nil
			d.messages = func(t engine.Task) []engine.Callback { return callbacks(said.Get(resourceOf(t))) }
		}
		if n := c.Get("cancel"); n != nil {
			d.cancel = n.Text
		}
		input := value.Object()
		if n := c.Get("input"); n != nil {
			input = n.ToValue()
		}
		if err := d.drive(input); err != nil {
			t.Errorf("%s: %v\n%s", name, err, &d.trace)
			continue
		}
		if c.Get("redrive") != nil {
			if err := d.proceed(engine.Retry{}); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
		}
		events, err := d.history(machine)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d.erased(t, name, machine, events)
		if got, want := lines(events), c.Get("history").Text; got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// others are the machines of a test, by name.
func others(t *testing.T, n *yamldoc.Node) []asl.Other {
	t.Helper()
	var out []asl.Other
	for _, name := range n.Keys() {
		m, problems := asl.Read(config(asl.Standard), name, []byte(n.Get(name).Text))
		if asl.HasErrors(problems) {
			t.Fatal(name, problems)
		}
		out = append(out, asl.Other{ARN: "*:stateMachine:" + name, Name: name, Machine: m})
	}
	return out
}

// erased checks that the same events are told of a run whose values were erased.
func (d *driver) erased(t *testing.T, name string, m *asl.Machine, whole []history.Event) {
	t.Helper()
	control, _, err := engine.EncodeEvents(d.events)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := engine.DecodeEvents(control, nil)
	if err != nil {
		t.Fatal(err)
	}
	events, err := history.Of(m, d.machine.Program(), stored)
	if err != nil {
		t.Errorf("%s, erased: %v", name, err)
	}
	for i := range events {
		if v := events[i].Details.Get("input"); !v.IsUndefined() {
			t.Errorf("%s, erased: event %d has the input %s", name, i+1, v)
		}
	}
	if len(events) < len(whole)-1 { // which expression failed is not known
		t.Errorf("%s, erased: %d events, want about %d", name, len(events), len(whole))
	}
}

// callbacks takes messages of a test: who takes the work, beats, outputs and
// errors.
func callbacks(list value.Value) []engine.Callback {
	var out []engine.Callback
	for _, m := range list.Items() {
		c := engine.Callback{Output: m.Get("output"), Beat: !m.Get("beat").IsUndefined(), Taker: m.Get("take").Text()}
		if e := m.Get("error"); !e.IsUndefined() {
			c.Error = &engine.Error{Name: e.Text(), Message: "it said " + e.Text()}
		}
		out = append(out, c)
	}
	return out
}

// played takes an answer of a test: an error, a time that it takes, or a value.
func played(a value.Value) (value.Value, *engine.Error, time.Duration) {
	if e := a.Get("error"); !e.IsUndefined() {
		return value.Null, &engine.Error{Name: e.Text(), Message: "it said " + e.Text()}, 0
	}
	if !a.Get("lost").IsUndefined() {
		return value.Null, &engine.Error{Engine: engine.ErrAttemptLost}, 0
	}
	if takes, ok := a.Get("takes").Int(); ok {
		return a, nil, time.Duration(takes) * time.Second
	}
	return a, nil, 0
}

func lines(events []history.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%d<%d %s", e.ID, e.Previous, e.Type)
		if at := e.At.Sub(events[0].At); at > 0 {
			fmt.Fprintf(&b, " +%s", at)
		}
		for _, m := range e.Details.Members() {
			if !strings.HasSuffix(m.Key, "Details") { // truncated: false
				fmt.Fprintf(&b, " %s=%s", m.Key, m.Value.Text())
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

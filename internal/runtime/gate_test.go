package runtime_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/runtime"
)

func closed(date string) gate.Fact {
	return gate.Fact{Namespace: "n", Name: "ledger-closed", Date: date}
}

func (b *bench) facts() []gate.Fact {
	b.t.Helper()
	var facts []gate.Fact
	b.reactor.Handle([]runtime.Message{runtime.LookGate{Look: func(s *gate.State, _ time.Time) any {
		facts = s.Facts()
		return nil
	}}}, b.now)
	return facts
}

func TestConditionsAreDurable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i, date := range []string{"2026-03-02", "2026-03-01", "", "2026-03-03"} {
		b.tell(runtime.SetCondition{Fact: closed(date), Holds: true, Caller: runtime.Caller(i + 1)})
	}
	b.settle()
	b.tell(runtime.SetCondition{Fact: closed("2026-03-02"), Caller: 9}, runtime.SetCondition{Fact: closed("2026-03-03"), Caller: 10})
	b.settle()
	want := []gate.Fact{closed(""), closed("2026-03-01")}
	if diff := cmp.Diff(want, b.facts()); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	b.restart()
	if diff := cmp.Diff(want, b.facts()); diff != "" {
		t.Errorf("conditions after a restart (-want +got):\n%s", diff)
	}
	b.tell(runtime.SetCondition{Fact: closed("2026-03-01"), Caller: 11}) // the next revision
	b.settle()
	b.restart()
	if diff := cmp.Diff(want[:1], b.facts()); diff != "" {
		t.Errorf("conditions after a second restart (-want +got):\n%s", diff)
	}
}

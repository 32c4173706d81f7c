package kill

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// goodBooks are those of two runs of which everything happened once.
func goodBooks() *books {
	b := &books{acked: map[string]string{}, began: map[string]int{}, booked: map[string]int{}, events: map[string][]*regiev1.Event{}}
	for i := 1; i <= 2; i++ {
		id := fmt.Sprintf("r%d", i)
		b.acked[fmt.Sprintf("run-%d", i)] = id
		b.booked[id] = 1
		b.events[id] = []*regiev1.Event{{Number: 1, Type: "accepted"}}
		for _, step := range append([]string{"book"}, steps...) {
			b.event(id, &regiev1.Event{Type: "attempt_ended", Path: step, Text: "attempt 1, succeeded"})
			if step != "book" {
				b.began[id+" "+step+" 1"] = 1
			}
		}
		b.runs = append(b.runs, &regiev1.Run{Id: id, State: "succeeded", Events: uint64(len(b.events[id]))})
	}
	return b
}

func (b *books) event(run string, e *regiev1.Event) {
	e.Number = uint64(len(b.events[run])) + 1
	b.events[run] = append(b.events[run], e)
}

// TestCheck makes the books disagree in one way at a time, and wants that to be
// found and counted.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		damage  func(b *books)
		lost    int
		doubled int
		gaps    int
		audit   bool
		says    string
	}{
		{name: "all is well", damage: func(*books) {}},
		{"an acknowledged run is not there", func(b *books) { b.acked["run-3"] = "r3" }, 1, 0, 0, false, "run r3 of run-3 was acknowledged and is not there"},
		{"a run that nobody was told of is fine", func(b *books) { delete(b.acked, "run-2") }, 0, 0, 0, false, ""},
		{"a run failed", func(b *books) { b.runs[1].State, b.runs[1].Reason = "failed", "attempt_lost" }, 1, 0, 0, false, "run r2 of run-2 ended failed (attempt_lost)"},
		{"a run has not ended", func(b *books) { b.runs[0].State = "running" }, 1, 0, 0, false, "ended running"},
		{"two keys have one run", func(b *books) { b.acked["run-2"] = "r1" }, 0, 1, 0, false, "run r1 was given for run-1 and run-2"},
		{"an attempt was started twice", func(b *books) { b.began["r1 fan[0] 1"] = 2 }, 0, 1, 0, false, "attempt r1 fan[0] 1 was started 2 times"},
		{"a step was started by two attempts", func(b *books) { b.began["r2 last 2"] = 1 }, 0, 1, 0, false, "step r2 last happened 2 times"},
		{"a step was not started", func(b *books) { delete(b.began, "r2 first 1") }, 1, 0, 0, false, "step r2 first happened 0 times"},
		{"a step of a run that is not there", func(b *books) { b.began["r9 first 1"] = 1 }, 0, 1, 0, false, "r9 first happened, and nobody knows it"},
		{"a line that is none", func(b *books) { b.strays = []string{"noise"} }, 0, 1, 0, false, `a line "noise"`},
		{"an effect was lost", func(b *books) { delete(b.booked, "r1") }, 1, 0, 0, false, "run r1: its effect happened 0 times"},
		{"an effect happened three times", func(b *books) { b.booked["r1"] = 3 }, 0, 2, 0, false, "run r1: its effect happened 3 times"},
		{"a result was accepted twice", func(b *books) {
			b.event("r1", &regiev1.Event{Type: "attempt_ended", Path: "last", Text: "attempt 2, succeeded"})
			b.runs[0].Events++
		}, 0, 1, 0, false, "run r1: step last has 2 accepted results"},
		{"a lost attempt is no result", func(b *books) {
			b.event("r1", &regiev1.Event{Type: "attempt_ended", Path: "last", Text: "attempt 1, lost"})
			b.runs[0].Events++
		}, 0, 0, 0, false, ""},
		{"a result was not accepted", func(b *books) { b.events["r2"][1].Text = "attempt 1, failed" }, 1, 0, 0, false, "run r2: step book has 0 accepted results"},
		{"an event is missing", func(b *books) { b.events["r2"][2].Number = 9 }, 0, 0, 1, false, "are not numbered 1 to"},
		{"the last event is missing", func(b *books) { b.runs[1].Events++ }, 0, 0, 1, false, "are not numbered 1 to"},
		{"the audit log is not whole", func(b *books) { b.audit = errors.New("leaf 7 is wrong") }, 0, 0, 0, true, "audit: leaf 7 is wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, r := goodBooks(), &Report{}
			c.damage(b)
			r.check(b)
			if r.Runs != 2 || r.Lost != c.lost || r.Doubled != c.doubled || r.Gaps != c.gaps || (r.Audit != nil) != c.audit {
				t.Errorf("got %s, %v", r, r.Faults)
			}
			if fine := c.lost+c.doubled+c.gaps == 0 && !c.audit; r.OK() != fine || (len(r.Faults) == 0) != fine {
				t.Errorf("it is fine: %t, with faults %v", r.OK(), r.Faults)
			}
			if !strings.Contains(strings.Join(r.Faults, "\n"), c.says) {
				t.Errorf("no fault says %q: %v", c.says, r.Faults)
			}
		})
	}
}

// TestManyFaults: all are counted, some are described.
func TestManyFaults(t *testing.T) {
	t.Parallel()
	b, r := goodBooks(), &Report{}
	for i := range 100 {
		b.acked[fmt.Sprintf("more-%d", i)] = fmt.Sprintf("none-%d", i)
	}
	r.check(b)
	if r.Lost != 100 || len(r.Faults) != maxFaults {
		t.Errorf("%d lost, %d described", r.Lost, len(r.Faults))
	}
}

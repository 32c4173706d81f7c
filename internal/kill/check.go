package kill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// maxFaults is how many faults are described.
const maxFaults = 20

// books are what is compared: the client's, the world's, and what the server says.
type books struct {
	acked  map[string]string // key to run
	began  map[string]int    // "run step attempt" to how often
	strays []string          // lines of the world's book that are none
	booked map[string]int    // run to how often its SQL step had its effect
	runs   []*regiev1.Run
	events map[string][]*regiev1.Event // by run
	audit  error                       // what is wrong with the audit log
}

// collect reads the books.
func (h *harness) collect(ctx context.Context, acked map[string]string) (b *books, err error) {
	b = &books{acked: acked, events: map[string][]*regiev1.Event{}}
	if b.began, b.strays, err = h.world.beginnings(); err != nil {
		return nil, err
	}
	if b.booked, err = h.world.booked(ctx); err != nil {
		return nil, err
	}
	if b.runs, err = h.client.all(ctx); err != nil {
		return nil, err
	}
	for _, r := range b.runs {
		if b.events[r.GetId()], err = h.client.events(ctx, r.GetId()); err != nil {
			return nil, err
		}
	}
	verified, err := h.client.system.Verify(ctx, &regiev1.VerifyRequest{})
	if err != nil {
		return nil, fmt.Errorf("verify the audit log: %w", err)
	}
	if !verified.GetOk() {
		b.audit = errors.New(verified.GetFault())
	}
	return b, nil
}

func (r *Report) faultf(format string, args ...any) {
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// times counts what must have happened once.
func (r *Report) times(n int) {
	r.Doubled += max(n-1, 0)
	r.Lost += max(1-n, 0)
}

// check compares the books.
func (r *Report) check(b *books) {
	r.Runs = len(b.runs)
	r.checkAcked(b)
	r.checkWorld(b)
	for _, run := range b.runs {
		if n := b.booked[run.GetId()]; n != 1 {
			r.times(n)
			r.faultf("run %s: its effect happened %d times", run.GetId(), n)
		}
		r.checkEvents(run, b.events[run.GetId()])
	}
	if b.audit != nil {
		r.Audit = b.audit
		r.faultf("audit: %v", b.audit)
	}
}

// checkAcked: every run that was acknowledged is there and ended well, and no two
// keys have the same.
func (r *Report) checkAcked(b *books) {
	runs, seen := map[string]*regiev1.Run{}, map[string]string{}
	for _, run := range b.runs {
		runs[run.GetId()] = run
	}
	for _, key := range slices.Sorted(maps.Keys(b.acked)) {
		id := b.acked[key]
		if other, again := seen[id]; again {
			r.Doubled++
			r.faultf("run %s was given for %s and %s", id, other, key)
		}
		seen[id] = key
		run := runs[id]
		if run == nil {
			r.Lost++
			r.faultf("run %s of %s was acknowledged and is not there", id, key)
		} else if run.GetState() != "succeeded" {
			r.Lost++
			r.faultf("run %s of %s ended %s (%s)", id, key, run.GetState(), run.GetReason())
		}
	}
}

// checkWorld: every step of every run happened once, as its first attempt.
func (r *Report) checkWorld(b *books) {
	for _, text := range b.strays {
		r.Doubled++
		r.faultf("the world's book has a line %q", text)
	}
	perStep := map[string]int{}
	for what, n := range b.began {
		perStep[what[:strings.LastIndexByte(what, ' ')]] += n
		if n > 1 {
			r.faultf("attempt %s was started %d times", what, n)
		}
	}
	for _, run := range b.runs {
		for _, step := range steps {
			what := run.GetId() + " " + step
			if n := perStep[what]; n != 1 {
				r.times(n)
				r.faultf("step %s happened %d times", what, n)
			}
			delete(perStep, what)
		}
	}
	for what := range perStep {
		r.Doubled++
		r.faultf("%s happened, and nobody knows it", what)
	}
}

// checkEvents: events are numbered without gaps, and each step has one accepted
// end.
func (r *Report) checkEvents(run *regiev1.Run, events []*regiev1.Event) {
	gap := uint64(len(events)) != run.GetEvents()
	ends := map[string]int{}
	for i, e := range events {
		gap = gap || e.GetNumber() != uint64(i)+1
		if e.GetType() == "attempt_ended" && strings.Contains(e.GetText(), "succeeded") {
			ends[e.GetPath()]++
		}
	}
	if gap {
		r.Gaps++
		r.faultf("run %s: its %d events are not numbered 1 to %d", run.GetId(), len(events), run.GetEvents())
	}
	for _, step := range append([]string{"book"}, steps...) {
		if n := ends[step]; n != 1 {
			r.times(n)
			r.faultf("run %s: step %s has %d accepted results", run.GetId(), step, n)
		}
	}
}

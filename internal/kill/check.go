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

func (h *harness) faultf(format string, args ...any) {
	if len(h.report.Faults) < maxFaults {
		h.report.Faults = append(h.report.Faults, fmt.Sprintf(format, args...))
	}
}

// check compares the books.
func (h *harness) check(ctx context.Context, acked map[string]string) error {
	if err := h.world.read(); err != nil {
		return err
	}
	all, err := h.client.all(ctx)
	if err != nil {
		return err
	}
	h.report.Runs = len(all)
	byID := map[string]*regiev1.Run{}
	for _, r := range all {
		byID[r.GetId()] = r
	}
	h.checkAcked(acked, byID)
	h.checkWorld(byID)
	booked, err := h.world.booked(ctx)
	if err != nil {
		return err
	}
	for _, r := range all {
		if n := booked[r.GetId()]; n != 1 {
			h.report.Doubled += max(n-1, 0)
			h.report.Lost += max(1-n, 0)
			h.faultf("run %s: its effect happened %d times", r.GetId(), n)
		}
		if err := h.checkEvents(ctx, r); err != nil {
			return err
		}
	}
	verified, err := h.client.system.Verify(ctx, &regiev1.VerifyRequest{})
	if err != nil {
		return fmt.Errorf("verify the audit log: %w", err)
	}
	if !verified.GetOk() {
		h.report.Audit = errors.New(verified.GetFault())
		h.faultf("audit: %s", verified.GetFault())
	}
	return nil
}

// checkAcked: every run that was acknowledged is there and ended well, and no two
// keys have the same.
func (h *harness) checkAcked(acked map[string]string, runs map[string]*regiev1.Run) {
	seen := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(acked)) {
		id := acked[key]
		if other, again := seen[id]; again {
			h.report.Doubled++
			h.faultf("run %s was given for %s and %s", id, other, key)
		}
		seen[id] = key
		r := runs[id]
		if r == nil {
			h.report.Lost++
			h.faultf("run %s of %s was acknowledged and is not there", id, key)
		} else if r.GetState() != "succeeded" {
			h.report.Lost++
			h.faultf("run %s of %s ended %s (%s)", id, key, r.GetState(), r.GetReason())
		}
	}
}

// checkWorld: every step of every run happened once, as its first attempt.
func (h *harness) checkWorld(runs map[string]*regiev1.Run) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	for _, text := range h.world.strays {
		h.report.Doubled++
		h.faultf("the world's book has a line %q", text)
	}
	perStep := map[string]int{}
	for what, n := range h.world.began {
		step := what[:strings.LastIndexByte(what, ' ')]
		perStep[step] += n
		if n > 1 {
			h.faultf("attempt %s was started %d times", what, n)
		}
	}
	for id := range runs {
		for _, step := range steps {
			what := id + " " + step
			if n := perStep[what]; n != 1 {
				h.report.Doubled += max(n-1, 0)
				h.report.Lost += max(1-n, 0)
				h.faultf("step %s happened %d times", what, n)
			}
			delete(perStep, what)
		}
	}
	for what := range perStep {
		h.report.Doubled++
		h.faultf("%s happened, and nobody knows it", what)
	}
}

// checkEvents: events are numbered without gaps, and each step has one accepted
// end.
func (h *harness) checkEvents(ctx context.Context, r *regiev1.Run) error {
	events, err := h.client.events(ctx, r.GetId())
	if err != nil {
		return err
	}
	gap := uint64(len(events)) != r.GetEvents()
	ends := map[string]int{}
	for i, e := range events {
		gap = gap || e.GetNumber() != uint64(i)+1
		if e.GetType() == "attempt_ended" && strings.Contains(e.GetText(), "succeeded") {
			ends[e.GetPath()]++
		}
	}
	if gap {
		h.report.Gaps++
		h.faultf("run %s: its %d events are not numbered 1 to %d", r.GetId(), len(events), r.GetEvents())
	}
	for _, step := range append([]string{"book"}, steps...) {
		if n := ends[step]; n != 1 {
			h.report.Doubled += max(n-1, 0)
			h.report.Lost += max(1-n, 0)
			h.faultf("run %s: step %s has %d accepted results", r.GetId(), step, n)
		}
	}
	return nil
}

package breaker_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/breaker"
)

var (
	t0     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	policy = breaker.Policy{Failures: 3, Within: time.Minute, OpenFor: 30 * time.Second, Probes: 2}
)

func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

func opened(t *testing.T) *breaker.Breaker {
	t.Helper()
	b := breaker.New(policy)
	for i := range 3 {
		if got := b.Failed(0, "refused", at(i)); got != (i == 2) {
			t.Fatalf("failure %d: opened %v", i+1, got)
		}
	}
	return b
}

func TestOpensOnFailuresInARowWithinTheTime(t *testing.T) {
	t.Parallel()
	b := breaker.New(policy)
	b.Failed(0, "refused", at(0))
	b.Failed(0, "refused", at(1))
	b.Reached(0, at(2))
	if b.Failed(0, "refused", at(3)) || b.Failed(0, "refused", at(4)) {
		t.Error("it opened although a call between reached the place")
	}
	if b.Failed(0, "refused", at(63)) {
		t.Error("a failure of a minute ago counts")
	}
	if !b.Failed(0, "reset", at(63)) {
		t.Error("three within a minute do not open it")
	}
	if v := b.View(); v.State != breaker.Open || v.Last != "reset" || !v.Since.Equal(at(63)) || !v.ProbeAt.Equal(at(93)) || v.Failures != 3 {
		t.Errorf("%+v", v)
	}
}

func TestZeroPolicyNeverOpens(t *testing.T) {
	t.Parallel()
	b := breaker.New(breaker.Policy{})
	for i := range 100 {
		if b.Failed(0, "refused", at(i)) {
			t.Fatal("it opened")
		}
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	b := opened(t)
	if _, ok := b.Probe(at(31)); ok || b.Tick(at(31)) {
		t.Fatal("a probe goes before its time")
	}
	if !b.Tick(at(32)) || b.Tick(at(32)) {
		t.Fatal("it is not half open, once, when the time is over")
	}
	first, ok := b.Probe(at(32))
	second, also := b.Probe(at(32))
	if _, third := b.Probe(at(32)); !ok || !also || third {
		t.Fatal("not two probes")
	}
	if b.Failed(0, "refused", at(33)) || b.Reached(0, at(33)) {
		t.Error("a call of before counts")
	}
	b.Gone(first)
	if _, ok := b.Probe(at(33)); !ok {
		t.Error("no probe for the one that told nothing")
	}
	if !b.Failed(second, "refused", at(34)) || b.View().ProbeAt != at(64) {
		t.Error("a failed probe does not open it again")
	}
	b.Tick(at(64))
	third, _ := b.Probe(at(64))
	if b.Reached(second, at(65)) || b.Failed(second, "refused", at(65)) {
		t.Error("a probe of the round before counts")
	}
	if !b.Reached(third, at(66)) || b.State() != breaker.Closed {
		t.Error("a probe that reached the place does not close it")
	}
}

func TestAProbeThatHangsKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	b := opened(t)
	b.Tick(at(32))
	b.Probe(at(32))
	b.Probe(at(32))
	if b.Tick(at(61)); b.View().State != breaker.HalfOpen {
		t.Fatal("not half open")
	}
	if _, ok := b.Probe(at(61)); ok {
		t.Error("a third probe goes at once")
	}
	b.Tick(at(62))
	if round, ok := b.Probe(at(62)); !ok || !b.Reached(round, at(63)) {
		t.Error("no probe goes after as long as it was open")
	}
}

func TestByHand(t *testing.T) {
	t.Parallel()
	b := breaker.New(policy)
	b.Hold("ann", "they migrate", at(0))
	if b.Tick(at(100000)) {
		t.Error("it closes by itself")
	}
	if v := b.View(); v.State != breaker.Open || v.By != "ann" || v.Reason != "they migrate" || !v.ProbeAt.IsZero() {
		t.Errorf("%+v", v)
	}
	b.Close(at(5))
	if v := b.View(); v.State != breaker.Closed || v.By != "" || v.Failures != 0 {
		t.Errorf("%+v", v)
	}
}

// However calls end: at most the policy's probes are out at once, an open one
// lets none through, and it is never open for longer than it should without a
// person's word.
func TestInvariants(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := breaker.Policy{Failures: 1 + r.IntN(4), Within: time.Minute, OpenFor: 10 * time.Second, Probes: 1 + r.IntN(3)}
		b, now := breaker.New(p), t0
		out := map[int]int{}
		for range 200 {
			now = now.Add(time.Duration(r.IntN(4000)) * time.Millisecond)
			if due := b.View().ProbeAt; !due.IsZero() && !due.After(now) {
				clear(out) // those that went and hang are not counted
			}
			b.Tick(now)
			v := b.View()
			if v.State == breaker.Open && !v.ProbeAt.After(now) {
				t.Fatalf("seed %d: open beyond its time: %+v at %v", seed, v, now)
			}
			round, ok := b.Probe(now)
			if ok && v.State != breaker.HalfOpen {
				t.Fatalf("seed %d: a probe goes while %s", seed, v.State)
			}
			if ok {
				if out[round]++; out[round] > p.Probes {
					t.Fatalf("seed %d: %d probes at once", seed, out[round])
				}
			}
			which := 0
			if round > 0 && r.IntN(2) == 0 {
				which = round
				out[round]--
			}
			switch r.IntN(4) {
			case 0:
				b.Reached(which, now)
			case 1:
				if which > 0 {
					b.Gone(which)
				}
			default:
				b.Failed(which, "refused", now)
			}
		}
	}
}

func TestOpenedIsWhenItWasClosedBefore(t *testing.T) {
	t.Parallel()
	b := opened(t)
	b.Tick(at(32))
	round, _ := b.Probe(at(32))
	b.Failed(round, "refused", at(33))
	if v := b.View(); !v.Opened.Equal(at(2)) || !v.Since.Equal(at(33)) {
		t.Errorf("after a failed probe: %+v", v)
	}
	b = breaker.New(policy)
	b.Reopen(at(2), "refused", at(100))
	b.Reopen(at(3), "reset", at(101))
	if v := b.View(); v.State != breaker.Open || !v.Opened.Equal(at(2)) || v.Last != "refused" || !b.Tick(at(100)) {
		t.Errorf("after a restart: %+v", v)
	}
}

// TestAnIdleBreakerCloses: one that is half open closes when nobody asked for long;
// probes that are under way, or that went since, keep it.
func TestAnIdleBreakerCloses(t *testing.T) {
	t.Parallel()
	b := opened(t)
	b.Tick(at(32))
	half := at(32)
	if b.Tick(half.Add(breaker.IdleFor - time.Second)) {
		t.Fatalf("it is something else before its time: %+v", b.View())
	}
	round, _ := b.Probe(half.Add(breaker.IdleFor - time.Second))
	if b.Tick(half.Add(breaker.IdleFor + time.Minute)) {
		t.Fatalf("it has closed in spite of a probe: %+v", b.View())
	}
	b.Gone(round)
	end := half.Add(2*breaker.IdleFor - time.Second)
	if b.Tick(end.Add(-time.Minute)) || !b.Tick(end) || b.View().State != breaker.Closed || b.Tick(end.Add(time.Hour)) {
		t.Errorf("it has not closed, once: %+v", b.View())
	}
	b = breaker.New(policy)
	b.Hold("user/ada", "", at(0))
	if b.Tick(at(0).Add(10 * breaker.IdleFor)) {
		t.Errorf("one that a person opened has closed: %+v", b.View())
	}
}

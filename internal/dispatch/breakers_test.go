package dispatch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
)

var ledger = dispatch.Via{
	Connection: "n/ledger",
	Breaker:    breaker.Policy{Failures: 2, Within: time.Minute, OpenFor: 10 * time.Second, Probes: 1},
}

// asks is attempt n of an activation that uses the connection.
func asks(act engine.ActID, n int) dispatch.Ready {
	return dispatch.Ready{Task: task(act, n), Via: ledger}
}

func reach(act engine.ActID, r engine.Reach) dispatch.Ended {
	e := ended("w", act, 1, engine.OutcomeFailed)
	if r == engine.ReachReached {
		e.Outcome.Kind = engine.OutcomeSucceeded
	}
	e.Outcome.Reach, e.Outcome.Error = r, &engine.Error{Name: "sql.connect"}
	return e
}

func (b *bench) later(d time.Duration) { b.now = b.now.Add(d) }

// trip opens the breaker by two failures of other activations, with as many
// slots as are asked for.
func trip(t *testing.T, slots int) *bench {
	t.Helper()
	b := newBench(t, dispatch.Config{})
	b.want(up("w", slots))
	for act := engine.ActID(101); act <= 102; act++ {
		b.want(asks(act, 1), fmt.Sprintf("assign w %d.1", act))
	}
	b.want(reach(101, engine.ReachFailed), "report 101.1 failed")
	b.want(reach(102, engine.ReachFailed), "report 102.1 failed", "tripped n/ledger open", "wake in 10s")
	return b
}

func TestAnOpenBreakerKeepsItsAttempts(t *testing.T) {
	t.Parallel()
	b := trip(t, 4)
	b.want(asks(1, 1))
	b.want(asks(2, 1))
	urgent := asks(3, 1)
	urgent.Priority = 5
	b.want(urgent)
	b.want(dispatch.Ready{Task: task(4, 1)}, "assign w 4.1") // uses another
	b.later(10 * time.Second)
	b.want(dispatch.Heartbeat{Worker: "w"}, "tripped n/ledger half_open", "assign w 3.1", "wake in 20s")
	b.want(reach(3, engine.ReachFailed), "report 3.1 failed", "tripped n/ledger open")
	b.later(10 * time.Second)
	b.want(dispatch.Heartbeat{Worker: "w"}, "tripped n/ledger half_open", "assign w 1.1", "wake in 30s")
	b.want(ended("w", 1, 1, engine.OutcomeNotStarted), "report 1.1 not_started", "assign w 2.1") // it told nothing: another goes
	b.want(asks(5, 1))
	b.want(reach(2, engine.ReachReached), "report 2.1 succeeded", "tripped n/ledger closed", "assign w 5.1", "wake never")
}

func TestWhatWaitsForASlotWaitsForTheBreaker(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{})
	b.want(up("w", 2))
	b.want(asks(1, 1), "assign w 1.1")
	b.want(asks(2, 1), "assign w 2.1")
	b.want(asks(3, 1))
	b.want(dispatch.Ready{Task: task(4, 1)})
	b.want(reach(1, engine.ReachFailed), "report 1.1 failed", "assign w 3.1")
	b.want(asks(5, 1))
	b.want(reach(2, engine.ReachFailed), "report 2.1 failed", "tripped n/ledger open", "assign w 4.1", "wake in 10s")
	b.want(reach(3, engine.ReachReached), "report 3.1 succeeded") // it went before the breaker opened
	b.want(dispatch.SetBreaker{Connection: "n/ledger"}, "tripped n/ledger closed", "assign w 5.1", "wake never")
}

func TestCancelAndReplaceWhatTheBreakerKeeps(t *testing.T) {
	t.Parallel()
	b := trip(t, 4)
	b.want(asks(1, 1))
	b.want(asks(2, 1))
	b.want(dispatch.Cancel{Run: "r", Act: 1, Attempt: 1}, "report 1.1 canceled")
	b.want(asks(2, 2)) // takes the place of the first
	b.want(dispatch.Settled{Ref: ref(1, 1)})
	b.want(asks(3, 1))
	b.later(10 * time.Second)
	b.want(dispatch.Heartbeat{Worker: "w"}, "tripped n/ledger half_open", "assign w 2.2", "wake in 20s")
	// The probe is stopped: the next goes.
	b.want(dispatch.Cancel{Run: "r", Act: 2, Attempt: 2}, "kill w 2.2")
	b.want(ended("w", 2, 2, engine.OutcomeCanceled), "report 2.2 canceled", "assign w 3.1")
	b.want(dispatch.WorkerDown{Worker: "w", Dead: true}, "report 3.1 lost")
	if n := b.reactor.Attempts(); n != 4 {
		t.Errorf("%d attempts are known, want 4", n)
	}
}

func TestAPersonOpensABreaker(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{})
	b.want(up("w", 1))
	none := asks(1, 1)
	none.Via.Breaker = breaker.Policy{}
	b.want(dispatch.SetBreaker{Connection: "n/ledger", Open: true, By: "ann", Reason: "they migrate"}, "tripped n/ledger open")
	b.want(none)
	b.later(time.Hour)
	b.want(dispatch.Heartbeat{Worker: "w"})
	b.want(dispatch.SetBreaker{Connection: "n/ledger"}, "tripped n/ledger closed", "assign w 1.1")
	b.want(dispatch.SetBreaker{Connection: "n/ledger"})
}

func TestABreakerThatIsTakenAwayKeepsNothing(t *testing.T) {
	t.Parallel()
	b := trip(t, 4)
	b.want(asks(1, 1))
	none := asks(2, 1)
	none.Via.Breaker = breaker.Policy{}
	b.want(none, "tripped n/ledger closed", "assign w 1.1", "assign w 2.1", "wake never")
}

// One that was open before a restart lets a probe through first.
func TestABreakerIsOpenedAgainAfterARestart(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{})
	reopen := dispatch.ReopenBreaker{Via: ledger, Opened: b.now, Last: "sql.connect"}
	b.want(up("w", 4))
	b.want(reopen, "tripped n/ledger open", "tripped n/ledger half_open", "wake in 10s")
	b.want(asks(1, 1), "assign w 1.1")
	b.want(asks(2, 1))
	b.want(reopen)
	b.want(reach(1, engine.ReachReached), "report 1.1 succeeded", "tripped n/ledger closed", "assign w 2.1", "wake never")
}

// One that nothing uses for long closes.
func TestAnIdleBreakerCloses(t *testing.T) {
	t.Parallel()
	b := trip(t, 2)
	b.later(10 * time.Second)
	b.want(dispatch.Heartbeat{Worker: "w"}, "tripped n/ledger half_open", "wake in 20s")
	b.later(breaker.IdleFor)
	b.want(up("w", 2), "tripped n/ledger closed", "wake never")
	b.want(asks(1, 1), "assign w 1.1")
}

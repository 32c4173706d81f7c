package notify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/notify"
)

// trip has the world's breakers be these.
func (w *world) trip(list ...notify.Breaker) {
	w.mail.mu.Lock()
	w.breakers = list
	w.mail.mu.Unlock()
	w.service.BreakersChanged()
	w.pass(time.Second)
}

// connections are all alerts, oldest first: "connection cause state count".
func (w *world) connections() string {
	list := w.service.List(notify.Query{States: []notify.State{notify.Open, notify.Acknowledged, notify.Closed}})
	out := make([]string, len(list))
	for i, a := range list {
		out[len(list)-1-i] = fmt.Sprintf("%s%s %s %s %d", a.Workflow, a.Connection, a.Cause, a.State, a.Count)
	}
	return strings.Join(out, ", ")
}

// TestBreaker: a breaker that opens by itself has one alert for each opening,
// which closes with it.
func TestBreaker(t *testing.T) {
	inWorld(t, func(w *world) {
		bank := notify.Breaker{Namespace: "n", Connection: "bank", OpenedAt: time.Now(), Failures: 5, Last: "http.timeout"}
		held := notify.Breaker{Namespace: "n", Connection: "held", OpenedAt: time.Now(), Held: true}
		w.trip(bank, held)
		w.want("opened", w.connections(), "bank breaker_open open 1")
		a := w.only()
		if !strings.HasPrefix(a.Text, "the circuit breaker of connection bank opened at ") || !strings.Contains(a.Text, "5 failures in a row, the last: http.timeout") ||
			a.Run != "" || len(a.Runs) > 0 || a.Owner != "" {
			t.Errorf("%+v", a)
		}
		sent := w.mail.sent[0]
		w.want("title", sent.Title, "n/bank does not answer: its circuit breaker is open")
		w.want("message", w.mail.take(), "ops opened  breaker_open")
		bank.Failures++ // a probe failed
		w.trip(bank, held)
		w.run(row("1", "failed"), row("2", "succeeded")) // what runs do is nothing to it
		w.want("a failed probe", w.connections(), "bank breaker_open open 1, w failed closed 1")
		w.mail.take()

		w.stop()
		w.start()
		w.pass(time.Second)
		w.want("after a restart", w.connections(), "bank breaker_open open 1, w failed closed 1")
		w.trip(held)
		w.want("closed", w.connections(), "bank breaker_open closed 1, w failed closed 1")
		w.want("messages", w.mail.take(), "ops closed  breaker_open")
		bank.OpenedAt = time.Now()
		w.trip(bank, held)
		w.want("opened again", w.connections(), "bank breaker_open closed 1, w failed closed 1, bank breaker_open open 1")
		w.want("messages", w.mail.take(), "ops opened  breaker_open")
	})
}

// TestBreakerIsHandled: an alert about a breaker is acknowledged, closed and
// silenced as any other; who has closed it hears no more of this opening.
func TestBreakerIsHandled(t *testing.T) {
	inWorld(t, func(w *world) {
		silence := func(workflow string, c notify.Cause) {
			t.Helper()
			_, _, err := w.service.CreateSilence(t.Context(), ada, notify.Silence{
				Namespace: "n", Workflow: workflow, Cause: c, Until: time.Now().Add(time.Hour),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		silence("*", "") // of workflows
		bank := notify.Breaker{Namespace: "n", Connection: "bank", OpenedAt: time.Now(), Failures: 5, Last: "http.timeout"}
		w.trip(bank)
		w.want("a silence of workflows", w.mail.take(), "ops opened  breaker_open")
		id := w.only().ID
		yes := true
		if a, _, err := w.service.Update(t.Context(), ada, "n", id, notify.Edit{Acknowledged: &yes}); err != nil || a.State != notify.Acknowledged {
			t.Errorf("%+v, %v", a, err)
		}
		if _, _, err := w.service.Update(t.Context(), ada, "n", id, notify.Edit{Close: true}); err != nil {
			t.Fatal(err)
		}
		w.trip(bank)
		w.want("closed by hand", w.connections(), "bank breaker_open closed 1")
		w.mail.take()

		silence("", notify.CauseBreaker)
		w.trip()
		bank.OpenedAt = time.Now()
		w.trip(bank)
		if a := w.only(); !a.Silenced {
			t.Errorf("%+v", a)
		}
		w.want("silenced", w.mail.take(), "")
	})
}

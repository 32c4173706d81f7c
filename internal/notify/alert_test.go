package notify_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

func TestFailed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(row("1", "running"))
		w.run(row("1", "failed"), row("2", "failed"), row("3", "canceled"))
		w.want("after two failures", w.alerts(), "w failed open 2 2")
		w.run(row("0", "succeeded")) // accepted before
		w.want("after an earlier run", w.alerts(), "w failed open 2 2")
		w.want("messages", w.mail.take(), "ops opened w failed")
		a := w.only()
		if a.Owner != "owner-of-w" || a.Runs[0].Run != "2" || a.Runs[1].Run != "1" || !strings.HasPrefix(a.Text, "run 2 failed at ") {
			t.Errorf("%+v", a)
		}
		w.run(row("4", "succeeded"))
		w.want("after a success", w.alerts(), "w failed closed 2 2")
		w.run(row("5", "failed"))
		w.want("after another failure", w.alerts(), "w failed closed 2 2, w failed open 1 5")
		w.want("messages", w.mail.take(), "ops closed w failed, ops opened w failed")
		w.want("audit log", w.actions(), "system/alerts alert.open, system/alerts alert.close, system/alerts alert.open")
	})
}

// TestRetried: a run that was retried fails anew, or makes good; a row that says
// nothing new does not count.
func TestRetried(t *testing.T) {
	inWorld(t, func(w *world) {
		failed := row("1", "failed")
		w.run(failed)
		failed.Held = true
		w.run(failed)
		w.want("same end again", w.alerts(), "w failed open 1 1")
		w.run(row("1", "running"))
		w.run(row("1", "failed"))
		w.want("failed again", w.alerts(), "w failed open 2 1")
		w.run(row("1", "running"))
		w.run(row("1", "succeeded"))
		w.want("succeeded", w.alerts(), "w failed closed 2 1")
		w.run(failed)
		w.want("an end that was seen", w.alerts(), "w failed closed 2 1")
	})
}

// TestFailureHeld: a run that waits until somebody decides about a failure has
// an alert, once, and makes good when it succeeds.
func TestFailureHeld(t *testing.T) {
	inWorld(t, func(w *world) {
		waits := row("1", "waiting")
		waits.Reason, waits.StartedAt = "timer", time.Now()
		w.run(waits)
		w.want("a run that waits for an instant", w.alerts(), "")
		waits.Reason = "failure_held"
		w.run(waits)
		w.want("held", w.alerts(), "w failed open 1 1")
		w.want("message", w.mail.take(), "ops opened w failed")
		waits.Held = true
		w.run(waits)
		w.want("still held", w.alerts(), "w failed open 1 1")
		w.run(row("1", "succeeded"))
		w.want("succeeded", w.alerts(), "w failed closed 1 1")
	})
}

// TestAsked: a run that asks people has an alert, once, which is closed when it
// has ended.
func TestAsked(t *testing.T) {
	inWorld(t, func(w *world) {
		asks := row("1", "running")
		asks.Reason, asks.StartedAt = "approval", time.Now()
		w.run(asks)
		w.want("asks", w.alerts(), "w approval open 1 1")
		w.want("message", w.mail.take(), "ops opened w approval")
		asks.Held = true
		w.run(asks)
		w.want("still asks", w.alerts(), "w approval open 1 1")
		w.run(row("1", "failed"))
		w.want("failed", w.alerts(), "w approval closed 1 1, w failed open 1 1")
	})
}

// TestAsksAgain: a run that asks once more counts again, and the alert is closed
// by the answer to the last question, also if nothing else changes, and after a
// restart.
func TestAsksAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		asks := func(id, reason string) store.RunRow {
			r := row(id, "running")
			r.Reason, r.StartedAt = reason, time.Now()
			return r
		}
		first := asks("1", "approval")
		w.run(first)
		w.run(asks("2", "approval"))
		w.want("both ask", w.alerts(), "w approval open 2 2")
		w.run(asks("2", ""))
		w.want("the first still asks", w.alerts(), "w approval open 2 2")
		w.run(asks("1", ""))
		w.want("nobody asks", w.alerts(), "w approval closed 2 2")
		w.mail.take()
		w.run(asks("1", "approval"))
		w.want("asks again", w.alerts(), "w approval closed 2 2, w approval open 1 1")
		w.want("message", w.mail.take(), "ops opened w approval")
		w.stop()
		w.start()
		held := asks("1", "approval")
		held.Held = true
		w.run(held)
		w.want("the same question", w.alerts(), "w approval closed 2 2, w approval open 1 1")
		w.run(asks("1", ""))
		w.want("answered after a restart", w.alerts(), "w approval closed 2 2, w approval closed 1 1")
	})
}

// TestSubjects: each workflow and cause has an alert of its own.
func TestSubjects(t *testing.T) {
	inWorld(t, func(w *world) {
		other, elsewhere, missed := row("2", "failed"), row("3", "failed"), row("4", "skipped")
		other.Workflow, elsewhere.Namespace, missed.Reason = "v", "m", "missed"
		w.run(row("1", "failed"), other, elsewhere, missed, row("5", "skipped"))
		list := w.service.List(notify.Query{Namespaces: []string{"n"}, Workflow: "w"})
		if len(list) != 2 || len(w.service.List(notify.Query{})) != 4 {
			t.Error(w.alerts())
		}
		if stats := w.service.Stats(); stats.Open["failed"] != 3 || stats.Open["missed"] != 1 || stats.Open["late"] != 0 || stats.Outcomes["sent"] != 4 || stats.Pending != 0 {
			t.Errorf("%+v", stats)
		}
		w.run(row("6", "succeeded"))
		if got := w.service.List(notify.Query{Namespaces: []string{"n"}, Workflow: "w", States: []notify.State{notify.Closed}}); len(got) != 2 {
			t.Error(w.alerts())
		}
	})
}

func TestLate(t *testing.T) {
	inWorld(t, func(w *world) {
		due := time.Now().Add(time.Hour)
		slow := func(id, state string) store.RunRow {
			r := row(id, state)
			r.Due = due
			return r
		}
		w.run(slow("1", "running"))
		w.pass(time.Hour - 2*time.Second) // now is one second before
		w.want("before it was due", w.alerts(), "")
		w.pass(time.Second + notify.LateGrace)
		w.want("after it was due", w.alerts(), "w late open 1 1")
		w.run(slow("1", "waiting"))
		w.run(slow("1", "succeeded"))
		w.want("after its end", w.alerts(), "w late open 1 1")
		w.want("text", w.only().Text, "run 1 ended at 2000-01-01T01:00:02Z; it was due at 2000-01-01T01:00:00Z")
		w.run(slow("2", "failed")) // nobody saw it live
		w.want("after another", w.alerts(), "w late open 2 2, w failed open 1 2")
		due = time.Now().Add(time.Hour)
		w.run(slow("3", "succeeded"))
		w.want("after one in time", w.alerts(), "w late closed 2 2, w failed closed 1 2")
		if got := w.service.List(notify.Query{States: []notify.State{notify.Closed}})[1].ClosedWhy; got != "run 3 ended in time" {
			t.Error(got)
		}
	})
}

// TestInTimeAfterAll: the end of a run was in time, but its commit took long.
func TestInTimeAfterAll(t *testing.T) {
	inWorld(t, func(w *world) {
		r := row("1", "running")
		r.Due = time.Now().Add(time.Minute)
		w.run(r)
		w.pass(2 * time.Minute)
		w.want("late", w.alerts(), "w late open 1 1")
		r.State, r.EndedAt = "canceled", r.Due
		w.run(r)
		w.want("in time", w.alerts(), "w late closed 1 1")
	})
}

// TestDueChanges: a run that is due at another time, or not at all, is looked at
// then.
func TestDueChanges(t *testing.T) {
	inWorld(t, func(w *world) {
		start := time.Now()
		r := row("1", "running")
		for _, due := range []time.Duration{time.Minute, time.Hour, 0, time.Minute, 2 * time.Hour} {
			r.Due = time.Time{}
			if due > 0 {
				r.Due = start.Add(due)
			}
			w.run(r)
		}
		w.pass(time.Hour + time.Minute)
		w.want("at the times before", w.alerts(), "")
		w.pass(time.Hour)
		w.want("at the last", w.alerts(), "w late open 1 1")
		r.Due = start.Add(3 * time.Hour)
		w.run(r)
		w.want("moved", w.alerts(), "w late closed 1 1")
		w.pass(time.Hour)
		w.want("at yet another", w.alerts(), "w late closed 1 1, w late open 1 1")
		r.Due = time.Time{}
		w.run(r)
		w.want("taken away", w.alerts(), "w late closed 1 1, w late closed 1 1")
	})
}

func TestUpdate(t *testing.T) {
	inWorld(t, func(w *world) {
		yes, no, bob := true, false, "bob"
		w.run(row("1", "failed"))
		a := w.only()
		edit := func(e notify.Edit) (notify.Alert, uint64) {
			t.Helper()
			got, position, err := w.service.Update(t.Context(), ada, "n", a.ID, e)
			if err != nil {
				t.Fatal(err)
			}
			return got, position
		}
		if got, position := edit(notify.Edit{Acknowledged: &yes, Owner: &bob, Note: "on it"}); got.State != notify.Acknowledged ||
			got.AcknowledgedBy != "user/ada" || got.Owner != "bob" || len(got.Notes) != 1 || got.Notes[0].Actor != "user/ada" || position != w.disk.batch {
			t.Errorf("%+v, %d", got, position)
		}
		if _, position := edit(notify.Edit{Acknowledged: &yes, Owner: &bob}); position != 0 {
			t.Error("what was so already was written")
		}
		w.pass(2 * notify.RepeatAfter)
		w.run(row("2", "failed"))
		w.want("no reminder", w.mail.take(), "ops opened w failed")
		edit(notify.Edit{Acknowledged: &no})
		w.run(row("3", "failed"))
		w.want("a reminder", w.mail.take(), "ops repeated w failed")
		by := ada
		by.Reason = "not worth it"
		got, _, err := w.service.Update(t.Context(), by, "n", a.ID, notify.Edit{Close: true})
		if err != nil || got.State != notify.Closed || got.ClosedBy != "user/ada" || got.ClosedWhy != "not worth it" || got.Count != 3 {
			t.Errorf("%+v, %v", got, err)
		}
		w.pass(time.Second)
		w.want("closed", w.mail.take(), "ops closed w failed")
		edit(notify.Edit{Note: "later", Close: true})
		for name, c := range map[string]struct {
			id   string
			edit notify.Edit
			want error
		}{
			"closed":  {a.ID, notify.Edit{Acknowledged: &yes}, notify.ErrClosed},
			"unknown": {"al-x", notify.Edit{Close: true}, notify.ErrNotFound},
			"nothing": {a.ID, notify.Edit{}, notify.ErrInvalid},
			"long":    {a.ID, notify.Edit{Note: strings.Repeat("x", notify.MaxNote+1)}, notify.ErrInvalid},
		} {
			if _, _, err := w.service.Update(t.Context(), ada, "n", c.id, c.edit); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.want("audit log", w.actions(), "system/alerts alert.open, user/ada alert.note, user/ada alert.own, user/ada alert.acknowledge, "+
			"user/ada alert.unacknowledge, user/ada alert.close, user/ada alert.note")
		for _, e := range w.disk.entries[1:] {
			if e.Namespace != "n" || e.Object != "alert/"+a.ID || e.Outcome != "done" || e.Request != "r1" {
				t.Errorf("%+v", e)
			}
		}
	})
}

// TestAlso: what the caller adds to its transactions is in them.
func TestAlso(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(row("1", "failed"))
		var names []string
		ctx := registry.Also(t.Context(), func(tx *registry.Tx) error {
			names = tx.Names()
			return nil
		})
		silence, _, err := w.service.CreateSilence(ctx, ada, notify.Silence{Namespace: "n", Until: time.Now().Add(time.Hour)})
		if err != nil || len(names) == 0 || names[0] != silence.ID {
			t.Errorf("%v, %v, %v", silence.ID, names, err)
		}
	})
}

func TestNotesAreBounded(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(row("1", "failed"))
		id := w.only().ID
		for range notify.MaxNotes {
			if _, _, err := w.service.Update(t.Context(), ada, "n", id, notify.Edit{Note: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := w.service.Update(t.Context(), ada, "n", id, notify.Edit{Note: "x"}); !errors.Is(err, notify.ErrFull) {
			t.Error(err)
		}
	})
}

// TestCopies: what is read can be changed without harm.
func TestCopies(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(row("1", "failed"))
		a := w.only()
		a.Runs[0].Run, a.Deliveries[0].Channel, a.Announced[0] = "x", "x", "x"
		if b := w.only(); b.Runs[0].Run != "1" || b.Deliveries[0].Channel != "ops" || b.Announced[0] != "ops" {
			t.Errorf("%+v", b)
		}
		b, err := w.service.Get("n", a.ID)
		if err != nil || b.Runs[0].Run != "1" {
			t.Errorf("%+v, %v", b, err)
		}
		if _, err := w.service.Get("m", a.ID); !errors.Is(err, notify.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestPages: every alert is in one page, the newest in the first.
func TestPages(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, workflow := range []string{"a", "b", "c", "d", "e"} {
			r := row("1"+workflow, "failed")
			r.Workflow = workflow
			if workflow == "c" {
				w.disk.commit(r) // opened together with the next
				continue
			}
			w.run(r)
		}
		got := ""
		q := notify.Query{Limit: 2}
		for {
			page := w.service.List(q)
			if len(page) == 0 {
				break
			}
			for _, a := range page {
				got += a.Workflow
			}
			after := page[len(page)-1].Place()
			q.After = &after
		}
		if got != "ecdba" && got != "edcba" {
			t.Error(got)
		}
	})
}

// TestBounds: an alert lists the latest runs, and counts all.
func TestBounds(t *testing.T) {
	inWorld(t, func(w *world) {
		const more = notify.MaxRuns + 30
		for n := range more {
			if r := row(fmt.Sprintf("%04d", n), "failed"); n < more-notify.MaxDeliveries-2 {
				w.disk.commit(r)
			} else {
				w.pass(notify.RepeatAfter)
				w.run(r)
			}
		}
		a := w.only()
		if a.Count != more || len(a.Runs) != notify.MaxRuns || a.Runs[0].Run != a.Run || len(a.Deliveries) != notify.MaxDeliveries {
			t.Errorf("count %d, %d runs, %d deliveries", a.Count, len(a.Runs), len(a.Deliveries))
		}
	})
}

func TestPrune(t *testing.T) {
	inWorld(t, func(w *world) {
		failed := row("1", "failed")
		w.run(failed)
		w.run(row("2", "succeeded"))
		w.run(row("3", "failed"))
		if _, _, err := w.service.CreateSilence(t.Context(), ada, notify.Silence{Namespace: "n", Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		w.stop()
		w.pass(notify.Retention - time.Hour)
		w.start()
		w.want("before", w.alerts(), "w failed closed 1 1, w failed open 1 3")
		w.pass(2 * time.Hour)
		w.want("after", w.alerts(), "w failed open 1 3")
		for id, o := range w.disk.objects {
			if id.Kind == "silence" && !o.Deleted {
				t.Errorf("left: %v", id)
			}
		}
		if !strings.HasSuffix(w.actions(), "system/alerts alert.prune") {
			t.Error(w.actions())
		}
	})
}

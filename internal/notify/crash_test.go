package notify_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/store"
)

// TestFirstStart: what ended before the service ran for the first time is past;
// what ends while it does not run later on is not.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: newDisk(), mail: &mailman{}, channels: []string{"ops"}}
		due := row("2", "running")
		due.Due = time.Now().Add(time.Hour)
		w.disk.commit(due)
		w.disk.commit(row("1", "failed"))
		w.start()
		w.stop()
		w.want("at the first start", w.alerts(), "")
		w.disk.commit(row("3", "failed"))
		w.pass(2 * time.Hour)
		w.start()
		w.want("at the second", w.alerts(), "w late open 1 2, w failed open 1 3")
		w.stop()
	})
}

// TestCursor: how far runs were read is kept at the end, and now and then also
// where no alert follows.
func TestCursor(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.disk.writes
		for range 1100 {
			w.disk.commit(row("1", "succeeded"))
		}
		w.run(row("2", "succeeded"))
		if got := w.disk.writes - before; got != 1 {
			t.Errorf("%d writes", got)
		}
		w.run(row("3", "succeeded"))
		if got := w.disk.writes - before; got != 1 {
			t.Errorf("%d writes", got)
		}
		w.run(row("4", "failed"))
		cursor := string(w.disk.objects[store.ObjectID{Kind: "alert-cursor", Name: "runs"}].Data)
		w.want("cursor", cursor, fmt.Sprintf(`{"batch":%d,"run":"4"}`, w.disk.rows["4"].Batch))
	})
}

// TestStoreFails: while the store fails nothing is lost, and nothing sent twice.
func TestStoreFails(t *testing.T) {
	inWorld(t, func(w *world) {
		fails := true
		w.disk.fault = func(int) (bool, error) {
			if fails {
				return false, errDisk
			}
			return true, nil
		}
		late := row("0", "running")
		late.Due = time.Now().Add(time.Second)
		w.run(late)
		w.pass(2 * notify.RetryDelay)
		w.want("while it fails", w.alerts(), "")
		fails = false
		w.pass(notify.RetryDelay)
		w.want("after it", w.alerts()+": "+w.mail.take(), "w late open 1 0: ops opened w late")
		fails = true
		w.run(row("1", "failed"))
		w.want("while it fails again", w.alerts(), "w late open 1 0")
		fails = false
		w.pass(notify.RetryDelay)
		w.want("after it", w.alerts()+": "+w.mail.take(), "w late open 1 0, w failed open 1 1: ops opened w failed")
		w.mail.answer = func(context.Context, string, notify.Message) error { fails = true; return nil }
		w.pass(2 * notify.RepeatAfter)
		w.run(row("2", "failed"))
		w.pass(10 * notify.RetryDelay)
		w.want("while it fails", w.mail.take(), "ops repeated w failed")
		fails = false
		w.pass(notify.RetryDelay)
		if d := w.service.List(notify.Query{})[0].Deliveries[1]; d.State != notify.Sent || d.Attempts != 1 || w.mail.take() != "" {
			t.Errorf("%+v", d)
		}
	})
}

// TestOutcomeUnknown: a write that was made though it failed counts, and what
// follows from it goes on.
func TestOutcomeUnknown(t *testing.T) {
	inWorld(t, func(w *world) {
		fails := true
		w.disk.fault = func(int) (bool, error) {
			if fails {
				fails = false
				return true, errDisk
			}
			return true, nil
		}
		w.run(row("1", "failed"))
		w.pass(notify.RetryDelay)
		w.want("after a failure", w.alerts()+": "+w.mail.take(), "w failed open 1 1: ops opened w failed")
		fails = true
		if _, _, err := w.service.Update(t.Context(), ada, "n", w.only().ID, notify.Edit{Close: true}); !errors.Is(err, errDisk) {
			t.Error(err)
		}
		w.pass(notify.RetryDelay)
		w.want("after closing", w.alerts()+": "+w.mail.take(), "w failed closed 1 1: ops closed w failed")
		w.mail.answer = func(context.Context, string, notify.Message) error { fails = true; return nil }
		w.run(row("2", "failed"))
		w.pass(10 * notify.RetryDelay)
		w.mail.answer = nil
		w.want("after sending", w.alerts()+": "+w.mail.take(), "w failed closed 1 1, w failed open 1 2: ops opened w failed")
		if d := w.only().Deliveries[0]; d.State != notify.Sent || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
	})
}

// TestStopCuts: a message that is on its way at the end is sent by the next
// start, under the same ID.
func TestStopCuts(t *testing.T) {
	inWorld(t, func(w *world) {
		var ids []string
		w.mail.answer = func(ctx context.Context, _ string, m notify.Message) error {
			if ids = append(ids, m.ID); len(ids) > 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		w.run(row("1", "failed"))
		w.stop()
		w.stop()
		w.start()
		w.want("sent", w.mail.take(), "ops opened w failed")
		if len(ids) != 2 || ids[0] != ids[1] || w.only().Deliveries[0].Attempts != 1 {
			t.Errorf("%v, %+v", ids, w.only())
		}
	})
}

// TestCrashes: wherever the process is stopped, before or after any write, every
// failed, missed and late run is counted once, and every message is sent, with as
// many IDs as there are messages.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { crashes(t, seed) })
		})
	}
}

func crashes(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	w := &world{t: t, disk: newDisk(), mail: &mailman{}, channels: []string{"ops", "mail"}}
	var mu sync.Mutex
	tries, ids := map[string]int{}, map[string]bool{} // accepted
	w.mail.answer = func(_ context.Context, channel string, m notify.Message) error {
		mu.Lock()
		defer mu.Unlock()
		tries[m.ID]++
		if crc32.ChecksumIEEE(fmt.Append(nil, seed, m.ID, tries[m.ID]))%3 == 0 {
			return errMail
		}
		ids[channel+" "+m.ID] = true
		return nil
	}
	w.start()
	// From here on a write may be the last of the process: nothing is written
	// after it until the next start.
	dead, calm := false, false
	fates := rand.New(rand.NewPCG(seed, 2)) // under the lock of the disk
	w.disk.fault = func(int) (bool, error) {
		switch {
		case calm:
			return true, nil
		case dead:
			return false, errDisk
		}
		fate := fates.IntN(8)
		dead = fate < 2
		if dead {
			return fate == 0, errDisk
		}
		return true, nil
	}
	restart := func() {
		w.stop()
		for dead = false; w.tryStart() != nil; dead = false {
			continue
		}
		synctest.Wait()
	}
	failed, missed, late := 0, 0, 0
	for n := range 40 {
		r := row(fmt.Sprintf("%04d", n), "running")
		r.Workflow = fmt.Sprintf("w%d", random.IntN(3))
		if random.IntN(3) == 0 {
			r.Due = time.Now().Add(time.Minute)
		}
		w.service.Runs(w.disk.commit(r))
		w.pass(time.Duration(random.IntN(120)) * time.Second)
		r.State, r.EndedAt = []string{"failed", "succeeded", "canceled", "skipped"}[random.IntN(4)], time.Now()
		switch {
		case r.State == "failed":
			failed++
		case r.State == "skipped" && r.Due.IsZero():
			r.Reason = "missed"
			missed++
		case r.State == "skipped":
			r.State = "canceled"
		}
		if !r.Due.IsZero() && r.EndedAt.After(r.Due) {
			late++
		}
		// The service need not be told: it reads what has changed at the next
		// occasion.
		if rows := w.disk.commit(r); random.IntN(3) > 0 {
			w.service.Runs(rows)
		}
		w.pass(time.Duration(random.IntN(2000)) * time.Millisecond)
		if dead || random.IntN(10) == 0 {
			restart()
		}
	}
	calm = true
	restart()
	w.pass(notify.GiveUpAfter)
	check(t, w, ids, map[notify.Cause]int{notify.CauseFailed: failed, notify.CauseMissed: missed, notify.CauseLate: late})
	w.stop()
}

func check(t *testing.T, w *world, ids map[string]bool, want map[notify.Cause]int) {
	t.Helper()
	got, opened, messages := map[notify.Cause]int{}, map[string]int{}, 0
	seen := map[string]bool{}
	for _, a := range w.service.List(notify.Query{States: []notify.State{notify.Open, notify.Acknowledged, notify.Closed}, Limit: store.MaxLimit}) {
		got[a.Cause] += int(a.Count)
		if int(a.Count) != len(a.Runs) {
			t.Errorf("%s: count %d, %d runs", a.ID, a.Count, len(a.Runs))
		}
		for _, o := range a.Runs {
			if key := string(a.Cause) + string(o.Run); seen[key] {
				t.Errorf("%s twice", key)
			} else {
				seen[key] = true
			}
		}
		if a.State != notify.Closed {
			opened[a.Workflow+string(a.Cause)]++
		}
		for _, d := range a.Deliveries {
			messages++
			if d.State != notify.Sent || !ids[d.Channel+" "+d.ID] {
				t.Errorf("%+v", d)
			}
		}
	}
	for cause, n := range want {
		if got[cause] != n {
			t.Errorf("%s: %d counted, %d came", cause, got[cause], n)
		}
	}
	for key, n := range opened {
		if n != 1 {
			t.Errorf("%s: %d alerts are open", key, n)
		}
	}
	if len(ids) != messages {
		t.Errorf("%d messages have %d IDs", messages, len(ids))
	}
	for _, e := range w.disk.entries {
		if !strings.HasPrefix(e.Action, "alert.") || e.Actor != "system/alerts" {
			t.Errorf("%+v", e)
		}
	}
}

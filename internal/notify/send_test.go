package notify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

var errMail = errors.New("mail server\nis down")

// TestMessage shows what is sent.
func TestMessage(t *testing.T) {
	inWorld(t, func(w *world) {
		r := row("1", "failed")
		r.Reason, r.Workflow = "attempts_exhausted", "settle\x1b[31m"
		w.run(r)
		r = row("2", "succeeded")
		r.Workflow = "settle\x1b[31m"
		w.run(r)
		if len(w.mail.sent) != 2 {
			t.Fatal(w.mail.take())
		}
		opened, closed := w.mail.sent[0], w.mail.sent[1]
		w.want("title", opened.Title, "n/settle [31m failed")
		w.want("text", opened.Text, "n/settle [31m failed\n\nRun 1 failed at 2000-01-01T00:00:00Z: attempts_exhausted.\nOwner: owner-of-settle [31m")
		w.want("data", string(opened.Data().Append(nil)), fmt.Sprintf(`{"alert":%q,"about":"opened","namespace":"n","workflow":"settle\u001b[31m","connection":"","cause":"failed",`+
			`"run":"1","state":"open","owner":"owner-of-settle\u001b[31m","count":1,"opened_at":"2000-01-01T00:00:00Z"}`, opened.Alert))
		w.want("closed", closed.Text, "Closed: n/settle [31m failed\n\nRun 1 failed at 2000-01-01T00:00:00Z: attempts_exhausted.\n"+
			"Closed at 2000-01-01T00:00:01Z by system/alerts: run 2 succeeded.\nOwner: owner-of-settle [31m")
		if opened.ID == closed.ID || opened.Severity != "error" || closed.Severity != "info" {
			t.Errorf("%+v, %+v", opened, closed)
		}
	})
}

// TestRetries: a message is tried again, later each time, with the same ID, until
// a day has passed; what it waits for can be seen.
func TestRetries(t *testing.T) {
	inWorld(t, func(w *world) {
		var at []time.Duration
		ids := map[string]bool{}
		w.pass(notify.FeedInterval)
		start := time.Now()
		w.mail.answer = func(_ context.Context, _ string, m notify.Message) error {
			at, ids[m.ID] = append(at, time.Since(start)), true
			return errMail
		}
		w.run(row("1", "failed"))
		if d := w.only().Deliveries[0]; d.State != notify.Pending || d.Attempts != 1 || d.Error != "mail server is down" ||
			!d.LastAt.Equal(start) || !d.NextAt.Equal(start.Add(notify.FirstRetry)) {
			t.Errorf("%+v", d)
		}
		w.pass(2 * notify.GiveUpAfter)
		want := []time.Duration{0, 5 * time.Second, 15 * time.Second, 35 * time.Second, 75 * time.Second, 155 * time.Second}
		if !slices.Equal(at[:6], want) || len(ids) != 1 || at[len(at)-1] > notify.GiveUpAfter || at[len(at)-1] < notify.GiveUpAfter-notify.MaxRetry {
			t.Errorf("%v", at)
		}
		if d := w.only().Deliveries[0]; d.State != notify.DeliveryFailed || !d.NextAt.IsZero() || int(d.Attempts) != len(at) {
			t.Errorf("%+v", d)
		}
		if got := w.service.Stats().Outcomes; got["failed"] != 1 || int(got["retried"]) != len(at)-1 || got["sent"] != 0 {
			t.Errorf("%v", got)
		}
	})
}

// TestChannels: a channel that hangs, fails or panics does not stop the others,
// and is sent one message at a time.
func TestChannels(t *testing.T) {
	inWorld(t, func(w *world) {
		w.channels = []string{"good", "hangs", "panics", "good"}
		hanging, most := 0, 0
		w.mail.answer = func(ctx context.Context, channel string, _ notify.Message) error {
			switch channel {
			case "hangs":
				hanging++
				most = max(most, hanging)
				<-ctx.Done()
				hanging--
				return ctx.Err()
			case "panics":
				panic("out of paper")
			}
			return nil
		}
		for _, workflow := range []string{"a", "b", "c"} {
			r := row(workflow, "failed")
			r.Workflow = workflow
			w.run(r)
		}
		w.want("sent", w.mail.take(), "good opened a failed, good opened b failed, good opened c failed")
		w.pass(2 * notify.SendTimeout)
		if most != 1 {
			t.Errorf("%d at once", most)
		}
		var states []string
		for _, d := range w.service.List(notify.Query{Workflow: "a"})[0].Deliveries {
			states = append(states, d.Channel+" "+string(d.State)+" "+d.Error)
		}
		w.want("deliveries", strings.Join(states, ", "), "good sent , hangs pending context deadline exceeded, panics pending defect in the channel panics: out of paper")
		w.mail.answer = nil
		w.pass(10 * time.Minute)
		if got := w.service.Stats(); got.Pending != 0 || got.Outcomes["sent"] != 9 {
			t.Errorf("%+v", got)
		}
	})
}

// TestOrder: what is told about an alert comes in order, and reminders do not
// pile up where a channel is down.
func TestOrder(t *testing.T) {
	inWorld(t, func(w *world) {
		down := true
		w.mail.answer = func(context.Context, string, notify.Message) error {
			if down {
				return errMail
			}
			return nil
		}
		for id := range 5 {
			w.run(row(fmt.Sprint(id), "failed"))
			w.pass(2 * notify.RepeatAfter)
		}
		if got := w.service.Stats().Pending; got != 1 {
			t.Errorf("%d messages wait", got)
		}
		w.run(row("7", "succeeded"))
		down = false
		w.pass(notify.MaxRetry + time.Minute)
		w.want("sent", w.mail.take(), "ops opened w failed, ops closed w failed")
	})
}

func TestRepeats(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(row("1", "failed"))
		for id := 2; id < 12; id++ {
			w.pass(notify.RepeatAfter / 4)
			w.run(row(fmt.Sprint(10+id), "failed"))
		}
		w.want("sent", w.mail.take(), "ops opened w failed, ops repeated w failed, ops repeated w failed")
		w.channels = []string{"more", "ops"}
		w.pass(notify.RepeatAfter)
		w.run(row("30", "failed"))
		got := strings.Split(w.mail.take(), ", ")
		slices.Sort(got)
		w.want("a new channel", strings.Join(got, ", "), "more opened w failed, ops repeated w failed")
	})
}

func TestSilence(t *testing.T) {
	inWorld(t, func(w *world) {
		silence := func(workflow string, cause notify.Cause, d time.Duration) notify.Silence {
			t.Helper()
			s, position, err := w.service.CreateSilence(t.Context(), ada, notify.Silence{
				Namespace: "n", Workflow: workflow, Cause: cause, Until: time.Now().Add(d), Reason: "works",
			})
			if err != nil || position == 0 || s.CreatedBy != "user/ada" {
				t.Fatalf("%+v, %v", s, err)
			}
			return s
		}
		silence("other", "", 4*time.Hour)
		silence("", "late", 4*time.Hour)
		silence("w*", "failed", time.Hour)
		silence("*", "", 2*time.Hour)
		w.run(row("1", "failed"))
		if a := w.only(); !a.Silenced || len(a.Deliveries) != 0 {
			t.Errorf("%+v", a)
		}
		w.pass(time.Hour)
		w.want("one silence has ended", w.mail.take(), "")
		w.pass(time.Hour)
		w.want("both have ended", w.mail.take(), "ops opened w failed")
		if a := w.only(); a.Silenced || len(w.service.Silences("n")) != 2 {
			t.Errorf("%+v", a)
		}
		if _, err := w.service.DeleteSilence(t.Context(), ada, "n", "si-x"); !errors.Is(err, notify.ErrNotFound) {
			t.Error(err)
		}
		// Announced before, and silent now: nothing waits, so nothing is sent.
		long := silence("", "", 2*time.Hour)
		if !w.only().Silenced {
			t.Error("not silenced")
		}
		if _, err := w.service.DeleteSilence(t.Context(), ada, "n", long.ID); err != nil || w.only().Silenced {
			t.Error(err)
		}
		w.pass(2 * time.Hour)
		w.want("nothing was withheld", w.mail.take(), "")
		// A reminder is withheld until the silence is taken away.
		long = silence("", "", 2*time.Hour)
		w.run(row("2", "failed"))
		w.want("silence", w.mail.take(), "")
		if _, err := w.service.DeleteSilence(t.Context(), ada, "n", long.ID); err != nil {
			t.Error(err)
		}
		w.pass(time.Second)
		w.want("after it", w.mail.take(), "ops repeated w failed")
		// That it was closed is told in spite of a silence.
		silence("", "", time.Hour)
		w.run(row("3", "succeeded"))
		w.want("closed", w.mail.take(), "ops closed w failed")
		// What opens and closes within a silence is never heard of.
		w.run(row("4", "failed"))
		w.run(row("5", "succeeded"))
		w.pass(time.Hour)
		w.want("all in silence", w.mail.take(), "")
	})
}

// TestSilenceDrops: a silence drops what waits to be sent, until it ends.
func TestSilenceDrops(t *testing.T) {
	inWorld(t, func(w *world) {
		down := true
		w.mail.answer = func(context.Context, string, notify.Message) error {
			if down {
				return errMail
			}
			return nil
		}
		w.run(row("1", "failed"))
		if _, _, err := w.service.CreateSilence(t.Context(), ada, notify.Silence{Namespace: "n", Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		down = false
		w.pass(time.Minute)
		w.want("in silence", w.mail.take(), "")
		a := w.only()
		if d := a.Deliveries[0]; d.State != notify.DeliveryFailed || d.Error != "silenced by user/ada" || w.service.Stats().Outcomes["silenced"] != 1 {
			t.Errorf("%+v", a)
		}
		w.pass(time.Hour)
		w.want("after it", w.mail.take(), "ops opened w failed")
	})
}

func TestSilenceErrors(t *testing.T) {
	inWorld(t, func(w *world) {
		later := time.Now().Add(time.Hour)
		for name, s := range map[string]notify.Silence{
			"past":    {Namespace: "n", Until: time.Now()},
			"never":   {Namespace: "n"},
			"forever": {Namespace: "n", Until: later.Add(notify.MaxSilence)},
			"cause":   {Namespace: "n", Until: later, Cause: "slow"},
			"pattern": {Namespace: "n", Until: later, Workflow: `a\`},
			"reason":  {Namespace: "n", Until: later, Reason: "a\x00"},
		} {
			if _, _, err := w.service.CreateSilence(t.Context(), ada, s); !errors.Is(err, notify.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestVirtualTime: on a virtual clock a day of retries takes no time, and then
// nothing is left to wait for.
func TestVirtualTime(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	virtual := clock.NewVirtual(start)
	accepted := make(chan time.Duration, 1)
	w := &world{t: t, disk: newDisk(), mail: &mailman{}, channels: []string{"ops"}, clock: virtual}
	tries := 0
	w.mail.answer = func(context.Context, string, notify.Message) error {
		if tries++; tries < 4 {
			return errMail
		}
		accepted <- virtual.Now().Sub(start)
		return nil
	}
	virtual.Begin()
	if err := w.tryStart(); err != nil {
		t.Fatal(err)
	}
	w.service.Runs(w.disk.commit(row("1", "failed")))
	virtual.End()
	if got := <-accepted; got != 35*time.Second && got != 35*time.Second+notify.FeedInterval {
		t.Errorf("accepted after %s", got)
	}
	w.stop()
}

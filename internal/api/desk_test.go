package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// offering is a run in memory that offers work to an activity since an instant.
func offering(t *testing.T, run store.RunID, namespace, activity string, since time.Time) runtime.View {
	t.Helper()
	m, err := engine.Prepare(&workflow.Program{Format: workflow.Format, Name: "p", Bodies: []workflow.Body{{Nodes: []workflow.Node{{
		ID: "ask", Kind: workflow.KindTask, Task: &workflow.Task{Uses: "activity.offer", Finish: workflow.FinishOffer, With: &workflow.Data{
			Object: []workflow.DataMember{{Key: "activity", Data: *workflow.Constant(value.String(activity))}},
		}},
	}}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := runtime.View{Row: store.RunRow{ID: run, Namespace: namespace}, Machine: m, Run: engine.NewRun(string(run))}
	for _, in := range []engine.Input{
		engine.Accept{}, engine.TaskEnded{Act: 1, Attempt: 1, Outcome: engine.TaskOutcome{Kind: engine.OutcomeSucceeded}},
	} {
		if _, err := m.Decide(v.Run, in, engine.Context{Now: since}); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// TestDesk: work is handed out once, the oldest first, by name or ARN; and the
// runs are looked at only for who has asked since, if there is nothing else.
func TestDesk(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2026, 3, 2, 8, 0, second, 0, time.UTC) }
	views := []runtime.View{
		{Row: store.RunRow{ID: "r0", Namespace: "n"}}, // in quarantine
		offering(t, "r1", "n", "eu:pack", at(3)), offering(t, "r2", "n", "us:pack", at(2)), offering(t, "r3", "n", "pack", at(1)),
		offering(t, "r4", "n", "eu:pack", at(0)), offering(t, "r5", "other", "pack", at(0)), offering(t, "r6", "n", "backpack", at(0)),
	}
	looks := 0
	var fault error
	look := func(_ context.Context, see func(runtime.View) bool) error {
		looks++
		for _, v := range views {
			see(v)
		}
		return fault
	}
	var d desk
	next := func(question uint64, activity string) store.RunID {
		t.Helper()
		o, ok, err := d.next(t.Context(), question, look, "n", activity)
		if err != nil || ok != (o.run != "") {
			t.Fatal(o, ok, err)
		}
		return o.run
	}
	want := func(got, run store.RunID, after int) {
		t.Helper()
		if got != run || looks != after {
			t.Errorf("got %q after %d looks, want %q after %d", got, looks, run, after)
		}
	}
	first, second := d.ask(), d.ask()
	want(next(first, "pack"), "r4", 1)
	want(next(second, "us:pack"), "r2", 1)
	want(next(d.ask(), "pack"), "r3", 1)
	want(next(d.ask(), "eu:pack"), "r1", 1)
	want(next(second, "pack"), "", 1) // it was looked for since
	views = views[:2]
	want(next(d.ask(), "us:pack"), "", 2)
	want(next(d.ask(), "pack"), "r1", 2)
	fault = errors.New("no")
	question := d.ask()
	if _, _, err := d.next(t.Context(), question, look, "n", "pack"); !errors.Is(err, fault) {
		t.Errorf("error %v", err)
	}
	fault = nil
	want(next(question, "pack"), "r1", 4) // what failed was no look
}

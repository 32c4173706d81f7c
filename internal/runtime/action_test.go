package runtime_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

func orderOf(steps ...string) engine.Action {
	return engine.Action{Actor: "user/ada", Reason: "because", Steps: steps}
}

func noted(action string) []store.Entry {
	return []store.Entry{{Actor: "user/ada", Action: action, Outcome: "done"}}
}

// reload answers the Reload of r1 as the service does.
func (b *bench) reload() {
	b.t.Helper()
	b.tell(runtime.Reloaded{Incarnation: b.disk.incarnation, Loaded: runtime.LoadEnded(context.Background(), b.disk, b.machines, runtime.Reload{Run: "r1"})})
}

// TestHold: a held run hands out nothing until it is released; entries are
// committed with what is done, and not with what changes nothing.
func TestHold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := submit("r1", prepare(program("chain", task("a"), task("b", 0))), 0)
	m.Accept.Held, m.Due, m.Accept.Actor, m.Accept.Trigger = true, start.Add(time.Hour), "user/ada", "manual"
	m.Entries = noted("run.start")
	b.tell(m)
	if n := len(b.batch.Entries); n != 1 {
		t.Errorf("%d entries", n)
	}
	b.commit()
	if row := b.disk.rows["r1"]; row.State != "pending" || row.Reason != "held" || !row.Held || !row.StartedAt.IsZero() ||
		row.Actor != "user/ada" || row.Trigger != "manual" || !row.Due.Equal(m.Due) {
		t.Errorf("row %+v", row)
	}
	b.effects = nil
	b.tell(runtime.Act{Run: "r1", Action: engine.Hold{Action: orderOf()}, Entries: noted("run.hold"), Caller: 1})
	b.want("reply 1 r1 existing=false err=<nil> seen=<nil>")
	b.tell(runtime.Act{Run: "r1", Action: engine.Release{Action: orderOf()}, DryRun: true, Entries: noted("run.release"), Caller: 2})
	b.want("reply 2 r1 existing=false err=<nil> seen=<nil>")
	b.tell(runtime.Act{Run: "r1", Action: engine.Release{Action: orderOf()}, Entries: noted("run.release"), Caller: 3})
	if n := len(b.batch.Entries); n != 1 {
		t.Errorf("%d entries", n)
	}
	b.want("commit 2: r1 goes on, r1 running")
	b.commit()
	b.want("dispatch r1 a #1", "reply 3 r1 existing=false err=<nil> seen=<nil>", "publish r1 goes on ended=false")
	if row := b.disk.rows["r1"]; row.Held || row.Attempts != 1 || row.StartedAt.IsZero() {
		t.Errorf("row %+v", row)
	}
	b.tell(runtime.Act{Run: "none", Action: engine.Hold{}, Caller: 4})
	b.want("reply 4 none existing=false err=run does not exist or has ended seen=<nil>")
	b.tell(runtime.Act{Run: "r1", Action: engine.Hold{Action: orderOf("x")}, Caller: 5})
	b.want("reply 5 r1 existing=false err=workflow chain has no step x seen=<nil>")
}

// TestRetryOfAnEndedRun: it is read once however many ask, reopened, and ends
// again; its events go on.
func TestRetryOfAnEndedRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("chain", task("a"), task("b", 0))), 0))
	b.settle()
	b.tell(b.end("a", engine.OutcomeFailed))
	b.settle()
	before := b.disk.rows["r1"]
	b.effects = nil
	retry := runtime.Act{Run: "r1", Action: engine.Retry{Action: orderOf()}, Entries: noted("run.retry")}
	first, second := retry, retry
	first.Caller, second.Caller = 1, 2
	b.tell(first, second)
	b.want("reload r1")
	b.reload()
	b.want("commit 3: r1 goes on, r1 running")
	if n := len(b.batch.Entries); n != 1 {
		t.Errorf("%d entries", n)
	}
	b.reload() // an answer that nobody waits for
	b.commit()
	b.want("dispatch r1 a #2", "reply 1 r1 existing=false err=<nil> seen=<nil>",
		"reply 2 r1 existing=false err=run r1 has no failed step seen=<nil>", "publish r1 goes on ended=false")
	if row := b.disk.rows["r1"]; before.State != "failed" || !row.EndedAt.IsZero() || row.State != "running" || row.Attempts != 2 {
		t.Errorf("row %+v, before %+v", row, before)
	}
	b.restart()
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.settle()
	b.tell(b.end("b", engine.OutcomeSucceeded))
	b.settle()
	if row := b.disk.rows["r1"]; row.State != "succeeded" || b.reactor.Live() != 0 {
		t.Errorf("row %+v, %d live", row, b.reactor.Live())
	}
	var next uint64 = 1
	for _, r := range b.disk.records["r1"] {
		if r.First != next {
			t.Errorf("record begins at %d, want %d", r.First, next)
		}
		next = r.First + r.Count
	}
	b.effects = nil
	b.tell(runtime.Act{Run: "r1", Action: engine.Retry{Action: orderOf()}, Caller: 3})
	b.reload()
	b.want("reload r1", "reply 3 r1 existing=false err=run r1 has succeeded: there is nothing to retry seen=<nil>")
	if b.reactor.Live() != 0 {
		t.Error("a run that was refused stays in memory")
	}
}

// TestRetryOfAnEndInFlight: a retry that comes while the end is being written
// waits for it.
func TestRetryOfAnEndInFlight(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("one", task("a"))), 0))
	b.settle()
	b.effects = nil
	b.tell(b.end("a", engine.OutcomeFailed))
	b.tell(runtime.Act{Run: "r1", Action: engine.Retry{Action: orderOf()}, Caller: 1})
	b.want("commit 2: r1 goes on, r1 failed")
	b.commit()
	b.want("settled r1 act 1 #1 refused=false", "publish r1 goes on ended=true", "reload r1")
	b.reload()
	b.commit()
	b.want("commit 3: r1 goes on, r1 running", "dispatch r1 a #2", "reply 1 r1 existing=false err=<nil> seen=<nil>", "publish r1 goes on ended=false")
	// One that waits when the reactor stops is told so.
	b.tell(b.end("a", engine.OutcomeFailed))
	b.effects = nil
	b.tell(runtime.Act{Run: "r1", Action: engine.Retry{Action: orderOf()}, Caller: 2}, runtime.Stop{})
	b.settle()
	b.want("reply 2  existing=false err=stopping, or no longer in charge seen=<nil>",
		"settled r1 act 1 #2 refused=false", "publish r1 goes on ended=true", "halt <nil> again=false")
}

func TestServiceActions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		fails := true
		s, _ := serve(t, runtime.ServiceConfig{Store: disk}, func(engine.Task) (engine.TaskOutcome, bool) {
			if fails {
				return engine.TaskOutcome{Kind: engine.OutcomeFailed}, true
			}
			return engine.TaskOutcome{Kind: engine.OutcomeSucceeded}, true
		})
		q := request(t, s, program("one", task("a")))
		q.Held, q.HoldReason, q.Entries = true, "not yet", noted("run.start")
		accepted, err := s.Submit(t.Context(), q)
		if err != nil || accepted.Position != 1 || disk.batches[0].Entries[0].Object != "run/"+string(accepted.Run) {
			t.Fatalf("accepted %+v, error %v, entries %+v", accepted, err, disk.batches[0].Entries)
		}
		run := accepted.Run
		w := s.Watch(run, 1)
		defer w.Close()
		seen := 0
		if err := s.Survey(t.Context(), func(v runtime.View) bool {
			if v.Row.ID == run && v.Run.Held() && v.Quarantine == nil {
				seen++
			}
			return true
		}); err != nil || seen != 1 {
			t.Errorf("saw %d held runs, error %v", seen, err)
		}
		done, err := s.Release(t.Context(), runtime.Order{Run: run, Action: orderOf()})
		if err != nil || len(done.Affected) != 1 || done.Position < 2 {
			t.Errorf("release: %+v, error %v", done, err)
		}
		if result, err := s.Wait(t.Context(), run); err != nil || result.State != engine.Failed {
			t.Fatalf("result %+v, error %v", result, err)
		}
		fails = false
		plan, err := s.Retry(t.Context(), runtime.Order{Run: run, Action: orderOf(), DryRun: true})
		if err != nil || len(plan.Affected) != 1 {
			t.Errorf("dry run: %+v, error %v", plan, err)
		}
		if _, err := s.Hold(t.Context(), runtime.Order{Run: run, Action: orderOf()}); !errors.Is(err, runtime.ErrNotLive) {
			t.Errorf("hold of an ended run: %v", err)
		}
		if done, err = s.Retry(t.Context(), runtime.Order{Run: run, Action: orderOf(), Entries: noted("run.retry")}); err != nil || done.Affected[0].Attempt != 2 {
			t.Errorf("retry: %+v, error %v", done, err)
		}
		if result, err := s.Wait(t.Context(), run); err != nil || result.State != engine.Succeeded {
			t.Fatalf("result %+v, error %v", result, err)
		}
		var refusal *engine.Refusal
		if _, err := s.Retry(t.Context(), runtime.Order{Run: run, Action: orderOf()}); !errors.As(err, &refusal) {
			t.Errorf("retry of a run that succeeded: %v", err)
		}
		if _, err := s.Retry(t.Context(), runtime.Order{Run: "nobody"}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("retry of no run: %v", err)
		}
		if _, err := s.Cancel(t.Context(), runtime.Order{Run: run, Entries: []store.Entry{{}}}); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("an entry without actor: %v", err)
		}
		stats := s.Stats()
		if stats.Live != 0 || stats.Commits.Count == 0 || stats.Commits.Failed != 0 || stats.Commits.Quantile(0.5) == 0 {
			t.Errorf("stats %+v", stats)
		}
		// The run that went on is shown to its end by a watcher of both halves.
		events := 0
		for {
			more, err := w.Next(t.Context())
			if err != nil {
				break
			}
			events += len(more)
		}
		if want := int(lastEvent(disk, run)); events != want {
			t.Errorf("watched %d events of %d", events, want)
		}
	})
}

func lastEvent(disk *memory, run store.RunID) uint64 {
	records := disk.records[run]
	last := records[len(records)-1]
	return last.First + last.Count - 1
}

// TestErasedRunsStay: what was erased cannot go on.
func TestErasedRunsStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		s, _ := serve(t, runtime.ServiceConfig{Store: disk}, func(engine.Task) (engine.TaskOutcome, bool) {
			return engine.TaskOutcome{Kind: engine.OutcomeFailed}, true
		})
		run := start1(t, s, program("one", task("a")))
		if _, err := s.Wait(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Remove(t.Context(), runtime.Removal{Erase: []store.RunID{run}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Retry(t.Context(), runtime.Order{Run: run, Action: orderOf()}); !errors.Is(err, runtime.ErrErased) {
			t.Errorf("error %v", err)
		}
	})
}

func TestSkippedRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		s, _ := serve(t, runtime.ServiceConfig{Store: disk}, succeed)
		q := request(t, s, program("one", task("a")))
		q.Skip, q.BusinessDate = engine.ReasonMissed, "2026-03-02"
		accepted, err := s.Submit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		row := disk.rows[accepted.Run]
		if row.State != "skipped" || row.Reason != "missed" || row.BusinessDate != q.BusinessDate || row.EndedAt.IsZero() || !row.StartedAt.IsZero() {
			t.Errorf("row %+v", row)
		}
		if result, err := s.Wait(t.Context(), accepted.Run); err != nil || result.State != engine.Skipped {
			t.Errorf("result %+v, error %v", result, err)
		}
	})
}

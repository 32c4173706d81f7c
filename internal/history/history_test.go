package history_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// program is a list: load, which fails once, then a wait, then a step that is
// skipped because load's retry is all there is to see.
func program() *workflow.Program {
	after := func(n workflow.NodeID) *workflow.Join {
		return &workflow.Join{Needs: []workflow.NodeID{n}, When: workflow.Cond{
			Op: workflow.OpAnd, Args: []workflow.Cond{{Op: workflow.OpEnd, Ends: workflow.EndOK}},
		}}
	}
	return &workflow.Program{
		Format: workflow.Format, Name: "demo", Bodies: []workflow.Body{{Nodes: []workflow.Node{
			{
				ID: "load", Kind: workflow.KindTask, Origin: workflow.Origin{Kind: "run"}, Task: &workflow.Task{Uses: "t"},
				Retry: []workflow.Retry{{MaxAttempts: workflow.Constant(value.Int(2)), Backoff: workflow.Backoff{Initial: workflow.Constant(value.String("5s"))}}},
			},
			{ID: "check", Kind: workflow.KindTask, Join: after(0), Task: &workflow.Task{Uses: "t"}},
			{ID: "tell", Kind: workflow.KindTask, Join: after(1), Task: &workflow.Task{Uses: "t"}},
		}}},
	}
}

// TestOnly wants a builder to number all steps and to keep those that are wanted.
func TestOnly(t *testing.T) {
	t.Parallel()
	m, err := engine.Prepare(program(), nil)
	if err != nil {
		t.Fatal(err)
	}
	run, b := engine.NewRun("r1"), history.NewBuilder("r1", m)
	b.Only(func(number int, path string) bool { return number == 0 || path == "tell" })
	fail := engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{Name: "exit.1"}}
	good := engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: value.Int(7)}
	for _, in := range []engine.Input{
		engine.Accept{}, engine.TaskEnded{Act: 1, Attempt: 1, Outcome: good}, engine.TaskEnded{Act: 2, Attempt: 1, Outcome: fail},
	} {
		d, err := m.Decide(run, in, engine.Context{Now: time.Unix(0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Events {
			if _, err := b.Add(&d.Events[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	steps := b.Run().Steps
	if len(steps) != 2 || steps[0].Path != "load" || steps[0].State != engine.Succeeded || steps[1].Path != "tell" || b.Began() != 3 {
		t.Errorf("%d steps are kept of %d: %+v", len(steps), b.Began(), steps)
	}
	if b.Run().State != engine.Failed || b.Step(2) != nil {
		t.Errorf("the run is %s, and a step that is not kept is there: %+v", b.Run().State, b.Step(2))
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	m, err := engine.Prepare(program(), nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	run, b := engine.NewRun("r1"), history.NewBuilder("r1", m)
	feed := func(in engine.Input) {
		t.Helper()
		d, err := m.Decide(run, in, engine.Context{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Events {
			if _, err := b.Add(&d.Events[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	fail := engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{Name: "exit.1", Message: "exit code 1"}}
	feed(engine.Accept{BusinessDate: "2026-03-02"})
	feed(engine.TaskEnded{Act: 1, Attempt: 1, Outcome: fail})
	if s := b.Step(1); s.State != engine.Waiting || !s.WaitsUntil.Equal(now.Add(5*time.Second)) || s.Error == nil {
		t.Errorf("a step between attempts is %s until %v with error %v", s.State, s.WaitsUntil, s.Error)
	}
	now = now.Add(5 * time.Second)
	feed(engine.TimerDue{Timer: 1})
	if !b.Started(1, now) || b.Step(1).State != engine.Running || b.Started(1, now) {
		t.Error("an attempt starts once")
	}
	feed(engine.TaskEnded{Act: 1, Attempt: 2, Outcome: engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: value.Int(7), Warning: "slow"}})
	feed(engine.TaskEnded{Act: 2, Attempt: 1, Outcome: fail})
	const want = `{"run":{"id":"r1","workflow":"demo","state":"failed","reason":"error","business_date":"2026-03-02","input":null,"output":null,` +
		`"error":{"name":"exit.1","message":"exit code 1","details":null},"started_at":"2026-03-02T08:00:00Z","ended_at":"2026-03-02T08:00:05Z"},` +
		`"steps":[` +
		`{"path":"load","kind":"run","state":"succeeded","reason":null,"attempts":2,"input":null,"output":7,"error":null,"warning":"slow","started_at":"2026-03-02T08:00:00Z","ended_at":"2026-03-02T08:00:05Z"},` +
		`{"path":"check","kind":"task","state":"failed","reason":"error","attempts":1,"input":null,"output":null,"error":{"name":"exit.1","message":"exit code 1","details":null},"warning":null,"started_at":"2026-03-02T08:00:05Z","ended_at":"2026-03-02T08:00:05Z"},` +
		`{"path":"tell","kind":"task","state":"skipped","reason":"upstream_failed","attempts":0,"input":null,"output":null,"error":null,"warning":null,"started_at":"2026-03-02T08:00:05Z","ended_at":"2026-03-02T08:00:05Z"}]}`
	if diff := cmp.Diff(value.MustParse(want).Indent(), b.Run().Document().Indent()); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
}

// TestOffered shows work that is offered, taken, and ended by a message: what the
// message says is the step's, be the attempt still out or not.
func TestOffered(t *testing.T) {
	t.Parallel()
	p := program()
	for i := range p.Bodies[0].Nodes {
		p.Bodies[0].Nodes[i].Task.Finish = workflow.FinishOffer
		p.Bodies[0].Nodes[i].Task.Heartbeat = workflow.Constant(value.String("30s"))
		p.Bodies[0].Nodes[i].Task.With = &workflow.Data{Object: []workflow.DataMember{{Key: "activity", Data: *workflow.Constant(value.String("pack"))}}}
	}
	m, err := engine.Prepare(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	run, b := engine.NewRun("r1"), history.NewBuilder("r1", m)
	feed := func(in engine.Input) *history.Step {
		t.Helper()
		d, err := m.Decide(run, in, engine.Context{Now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		var last *history.Step
		for i := range d.Events {
			steps, err := b.Add(&d.Events[i])
			if err != nil {
				t.Fatal(err)
			}
			if len(steps) > 0 && last == nil {
				last = steps[0]
			}
		}
		return last
	}
	token := func(act engine.ActID) string { return engine.Token(run, run.Acts[act], 1) }
	sent := engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: value.String("sent")}
	feed(engine.Accept{})
	if s := feed(engine.TaskEnded{Act: 1, Attempt: 1, Outcome: sent}); s.Activity != "pack" || s.Taker != "" || s.Reason != engine.ReasonMessage || !s.Output.IsUndefined() {
		t.Errorf("offered: %+v", s)
	}
	if s := feed(engine.Callback{Token: token(1), Taker: "w1"}); s.Taker != "w1" || !s.WaitsUntil.IsZero() {
		t.Errorf("taken: %+v", s)
	}
	if s := feed(engine.Callback{Token: token(1), Output: value.Int(7)}); s.State != engine.Succeeded || s.Output.String() != "7" {
		t.Errorf("completed: %+v", s)
	}
	feed(engine.Callback{Token: token(2), Error: &engine.Error{Name: "Broken"}})
	if s := feed(engine.TaskEnded{Act: 2, Attempt: 1, Outcome: sent}); s.State != engine.Failed || s.Error == nil || s.Error.Name != "Broken" {
		t.Errorf("failed while the attempt was out: %+v", s)
	}
}

// TestHeld shows that holds are marks of steps, also of those that were held
// before anybody reached them.
func TestHeld(t *testing.T) {
	t.Parallel()
	m, err := engine.Prepare(program(), nil)
	if err != nil {
		t.Fatal(err)
	}
	run, b := engine.NewRun("r1"), history.NewBuilder("r1", m)
	feed := func(in engine.Input) (changed []string) {
		t.Helper()
		d, err := m.Decide(run, in, engine.Context{Now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Events {
			steps, err := b.Add(&d.Events[i])
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range steps {
				if s.Held {
					changed = append(changed, s.Path)
				}
			}
		}
		return changed
	}
	hold := engine.Action{Actor: "user/ada", Steps: []string{"check"}}
	feed(engine.Accept{})
	if held := feed(engine.Hold{Action: hold}); len(held) > 0 {
		t.Errorf("held before it is reached: %v", held)
	}
	feed(engine.TaskEnded{Act: 1, Attempt: 1, Outcome: engine.TaskOutcome{Kind: engine.OutcomeSucceeded}})
	if s := b.Step(2); s == nil || !s.Held {
		t.Errorf("a held step is reached: %+v", s)
	}
	feed(engine.Release{Action: hold})
	if s := b.Step(2); s.Held {
		t.Errorf("a released step: %+v", s)
	}
	if held := feed(engine.Hold{Action: engine.Action{}}); len(held) > 0 || b.Step(2).Held {
		t.Errorf("a hold of the run is none of its steps: %v", held)
	}
}

// TestRerunNotEntered reruns a step that then fails: what was behind it is shown
// once, as not run, and has nothing left of its first time. A run that is undone
// keeps the reason for which it was canceled.
func TestRerunNotEntered(t *testing.T) {
	t.Parallel()
	p := program()
	p.Bodies[0].Nodes[0].Compensate = &workflow.Compensate{Body: 1}
	p.Bodies = append(p.Bodies, workflow.Body{Name: "undo", Nodes: []workflow.Node{{Kind: workflow.KindTask, Task: &workflow.Task{Uses: "t"}}}})
	m, err := engine.Prepare(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	var run *engine.Run
	var b *history.Builder
	feed := func(inputs ...engine.Input) {
		t.Helper()
		for _, in := range inputs {
			d, err := m.Decide(run, in, engine.Context{Now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			for i := range d.Events {
				if _, err := b.Add(&d.Events[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	done := engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Artifacts: []engine.Artifact{{Path: "report"}}}
	ended := func(act engine.ActID, attempt int, outcome engine.TaskOutcome) engine.TaskEnded {
		return engine.TaskEnded{Act: act, Attempt: attempt, Outcome: outcome}
	}

	run, b = engine.NewRun("r1"), history.NewBuilder("r1", m)
	feed(engine.Accept{}, ended(1, 1, done), ended(2, 1, done), ended(3, 1, done))
	feed(engine.Rerun{Action: engine.Action{Actor: "ada", Steps: []string{"check"}}})
	if s := b.Step(3); s.State != engine.Pending || len(s.Artifacts) != 0 {
		t.Errorf("a step that is to run again: %+v", s)
	}
	feed(ended(2, 2, engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{Name: "worse"}}))
	var got []string
	for _, s := range b.Run().Steps {
		got = append(got, s.Path+" "+string(s.State)+" "+string(s.Reason))
	}
	if diff := cmp.Diff([]string{"load succeeded ", "check failed error", "tell skipped upstream_failed"}, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}

	run, b = engine.NewRun("r2"), history.NewBuilder("r2", m)
	feed(engine.Accept{}, ended(1, 1, done), engine.Cancel{Reason: "too late"}, ended(2, 1, engine.TaskOutcome{Kind: engine.OutcomeCanceled}))
	feed(engine.Compensate{Action: engine.Action{Actor: "ada"}})
	if want := run.CancelReason; b.Run().CancelReason != want || want == "" {
		t.Errorf("the reason of the cancel is %q, want %q", b.Run().CancelReason, want)
	}
}

package view_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// stage drives a run of a program through the engine and shows it.
type stage struct {
	t       *testing.T
	machine *engine.Machine
	run     *engine.Run
	tree    *view.Tree
	plain   *view.Plain
	lines   string
	now     time.Time
	tasks   map[string]engine.Task
}

func newStage(t *testing.T, p *workflow.Program) *stage {
	t.Helper()
	p.Format, p.Name = workflow.Format, "eod"
	m, err := engine.Prepare(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &stage{
		t: t, machine: m, run: engine.NewRun("r1"), tree: view.NewTree(history.NewBuilder("r1", m), p), plain: view.NewPlain(time.UTC),
		now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), tasks: map[string]engine.Task{},
	}
}

func (s *stage) feed(in engine.Input) {
	s.t.Helper()
	d, err := s.machine.Decide(s.run, in, engine.Context{Now: s.now})
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range d.Events {
		steps, err := s.tree.Add(&d.Events[i])
		if err != nil {
			s.t.Fatal(err)
		}
		for _, step := range steps {
			s.lines += s.plain.Step(step, s.now)
		}
	}
	for _, c := range d.Commands {
		if c, ok := c.(engine.Dispatch); ok {
			s.tasks[c.Task.Path] = c.Task
		}
	}
}

// play does what each line of a script says.
func (s *stage) play(script string) {
	s.t.Helper()
	for text := range strings.Lines(script) {
		verb, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
		path, rest, _ := strings.Cut(rest, " ")
		switch verb {
		case "":
		case "accept":
			s.feed(engine.Accept{BusinessDate: path})
		case "cancel":
			s.feed(engine.Cancel{Reason: "enough"})
		case "begin":
			t := s.task(path)
			for _, step := range s.tree.Run().Steps {
				if step.Act == t.Act && s.tree.Started(t.Act, s.now) {
					s.lines += s.plain.Step(step, s.now)
				}
			}
		case "ok":
			s.end(path, engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Warning: rest})
		case "retry":
			s.feed(engine.Retry{Action: engine.Action{Actor: "user/ada"}})
		case "canceled":
			s.end(path, engine.TaskOutcome{Kind: engine.OutcomeCanceled})
		case "fail":
			name, message, _ := strings.Cut(rest, " ")
			s.end(path, engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{Name: name, Message: message}})
		case "after":
			d, err := time.ParseDuration(path)
			if err != nil {
				s.t.Fatal(err)
			}
			s.now = s.now.Add(d)
			for id, timer := range s.run.Timers {
				if !timer.At.After(s.now) {
					s.feed(engine.TimerDue{Timer: id})
				}
			}
		default:
			s.t.Fatalf("unknown verb %q", verb)
		}
	}
}

func (s *stage) task(path string) engine.Task {
	s.t.Helper()
	t, ok := s.tasks[path]
	if !ok {
		s.t.Fatalf("no task %q", path)
	}
	return t
}

func (s *stage) end(path string, o engine.TaskOutcome) {
	s.t.Helper()
	t := s.task(path)
	s.feed(engine.TaskEnded{Act: t.Act, Attempt: t.Attempt, Outcome: o})
}

// want compares the picture of a size with the one wanted.
func (s *stage) want(columns, rows int, want string) {
	s.t.Helper()
	got := strings.Join(s.tree.Lines(view.Frame{Now: s.now, Columns: columns, Rows: rows}), "\n") + "\n"
	if d := cmp.Diff(strings.TrimPrefix(want, "\n"), got); d != "" {
		s.t.Errorf("picture (-want +got):\n%s", d)
	}
}

func task(id string, needs ...workflow.NodeID) workflow.Node {
	n := workflow.Node{ID: id, Kind: workflow.KindTask, Task: &workflow.Task{Uses: "t"}, Origin: workflow.Origin{Kind: "run"}}
	return after(n, needs...)
}

func after(n workflow.Node, needs ...workflow.NodeID) workflow.Node {
	if len(needs) == 0 {
		return n
	}
	n.Join = &workflow.Join{When: workflow.Cond{Op: workflow.OpAnd}}
	for i, need := range needs {
		n.Join.Needs = append(n.Join.Needs, need)
		n.Join.When.Args = append(n.Join.When.Args, workflow.Cond{Op: workflow.OpEnd, Need: i, Ends: workflow.EndOK})
	}
	return n
}

// settlement is a list: fetch, then a loop over n items with two at a time,
// then a group of two steps, then publish.
func settlement(items int) *workflow.Program {
	list := make([]value.Value, items)
	for i := range list {
		list[i] = value.Int(int64(i))
	}
	fetch := task("fetch")
	fetch.Retry = []workflow.Retry{{
		MaxAttempts: workflow.Constant(value.Int(2)), Backoff: workflow.Backoff{Initial: workflow.Constant(value.String("5s"))},
	}}
	loop := workflow.Node{
		ID: "settle", Kind: workflow.KindMap, Origin: workflow.Origin{Kind: "foreach"},
		Map: &workflow.Map{
			Body: 1, Items: workflow.Constant(value.List(list...)), MaxParallel: workflow.Constant(value.Int(2)), Gather: workflow.GatherList,
			Rule: workflow.Rule{MaxFailures: workflow.Constant(value.Int(100))},
		},
	}
	group := workflow.Node{
		ID: "checks", Kind: workflow.KindFork, Origin: workflow.Origin{Kind: "group"},
		Fork: &workflow.Fork{Branches: []workflow.Branch{{Body: 2}}, Gather: workflow.GatherSingle},
	}
	return &workflow.Program{Bodies: []workflow.Body{
		{Nodes: []workflow.Node{fetch, after(loop, 0), after(group, 1), task("publish", 2)}},
		{Nodes: []workflow.Node{task("")}},
		{Nodes: []workflow.Node{task("books"), task("limits", 0)}},
	}}
}

func TestTree(t *testing.T) {
	t.Parallel()
	s := newStage(t, settlement(3))
	s.play("accept 2026-03-02")
	s.want(80, 24, `
eod  run r1  for 2026-03-02
◌ fetch    0ms  queued
· settle
· checks
· publish
`)
	s.play(`
		begin fetch
		after 1500ms`)
	s.want(80, 24, `
eod  run r1  for 2026-03-02
⠴ fetch    1.5s
· settle
· checks
· publish
`)
	s.play(`fail fetch exit.75 try later`)
	s.want(80, 24, `
eod  run r1  for 2026-03-02
◷ fetch    1.5s  retry in 5.0s  exit.75: try later
· settle
· checks
· publish
`)
	s.play(`
		after 5s
		begin fetch
		ok fetch
		begin settle[0]
		after 2s
		ok settle[0]`)
	s.want(80, 24, `
eod  run r1  for 2026-03-02
✓ fetch        6.5s  attempt 2
⠴ settle       2.0s  1/3
  ✓ settle[0]  2.0s
  ◌ settle[1]  2.0s  queued
  ◌ settle[2]  0ms  queued
· checks
· publish
`)
	s.play(`
		fail settle[1] exit.1 bank said no
		ok settle[2] slow
		ok checks/books
		begin checks/limits`)
	s.want(80, 24, `
eod  run r1  for 2026-03-02
✓ fetch        6.5s  attempt 2
✓ settle       2.0s  3 items  1 failed
  ✓ settle[0]  2.0s
  ✗ settle[1]  2.0s  exit.1: bank said no
  ✓ settle[2]  0ms  warning: slow
⠴ checks       0ms
  ✓ books      0ms
  ⠴ limits     0ms
· publish
`)
	s.play(`
		cancel
		canceled checks/limits`)
	s.want(80, 24, `
eod  run r1  for 2026-03-02
✓ fetch        6.5s  attempt 2
✓ settle       2.0s  3 items  1 failed
  ✓ settle[0]  2.0s
  ✗ settle[1]  2.0s  exit.1: bank said no
  ✓ settle[2]  0ms  warning: slow
⊘ checks       0ms
  ✓ books      0ms
  ⊘ limits     0ms
○ publish      a step before it was canceled
`)
	const plain = `
08:00:00.000 fetch: started
08:00:01.500 fetch: waits 5.0s for the next attempt, after exit.75: try later
08:00:06.500 fetch: attempt 2
08:00:06.500 fetch: succeeded in 6.5s, attempt 2
08:00:06.500 settle: started
08:00:06.500 settle[0]: started
08:00:08.500 settle[0]: succeeded in 2.0s
08:00:08.500 settle[1]: failed in 2.0s: exit.1: bank said no
08:00:08.500 settle[2]: succeeded in 0ms, warning: slow
08:00:08.500 settle: succeeded in 2.0s, 3 items, 1 failed
08:00:08.500 checks: started
08:00:08.500 checks/books: succeeded in 0ms
08:00:08.500 checks/limits: started
08:00:08.500 publish: skipped, a step before it was canceled
08:00:08.500 checks/limits: canceled in 0ms
08:00:08.500 checks: canceled in 0ms
`
	if d := cmp.Diff(strings.TrimPrefix(plain, "\n"), s.lines); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
}

// The turns of a repeat that have ended are counted once there are more than a
// few; the wait for the next one is shown.
func TestTreeRepeat(t *testing.T) {
	t.Parallel()
	loop := workflow.Node{ID: "poll", Kind: workflow.KindLoop, Origin: workflow.Origin{Kind: "repeat"}, Loop: &workflow.Loop{
		Body: 1, Max: workflow.Constant(value.Int(7)), Delay: workflow.Constant(value.String("10s")),
	}}
	s := newStage(t, &workflow.Program{Bodies: []workflow.Body{{Nodes: []workflow.Node{loop}}, {Nodes: []workflow.Node{task("")}}}})
	s.play(`
		accept 2026-03-02
		ok poll[1]
		after 4s`)
	s.want(80, 24, `
eod  run r1  for 2026-03-02
◷ poll       4.0s  1 turn  6.0s to go
  ✓ poll[1]  0ms
`)
	s.play(`
		after 6s
		ok poll[2]
		after 10s
		fail poll[3] exit.1
		after 10s
		ok poll[4]
		after 10s
		ok poll[5]
		after 10s
		begin poll[6]`)
	s.want(80, 24, `
eod  run r1  for 2026-03-02
⠋ poll       50s  5 turns  1 failed
  ✗ poll[3]  0ms  exit.1
  ⠋ poll[6]  0ms
  … 4 done
`)
	s.play(`
		ok poll[6]
		after 10s
		ok poll[7]`)
	s.want(80, 24, `
eod  run r1  for 2026-03-02
✓ poll       1m00s  7 turns  1 failed
  ✗ poll[3]  0ms  exit.1
`)
	if n := strings.Count(s.lines, " poll: waits 10s\n"); n != 6 {
		t.Errorf("%d waits between 7 turns in:\n%s", n, s.lines)
	}
}

func TestTreeFolds(t *testing.T) {
	t.Parallel()
	s := newStage(t, settlement(40))
	s.play("accept\nok fetch")
	for i := range 20 {
		if i%3 == 1 {
			s.play(fmt.Sprintf("fail settle[%d] exit.1 no %d", i, i))
		} else {
			s.play(fmt.Sprintf("ok settle[%d]", i))
		}
	}
	s.want(80, 0, `
eod  run r1
✓ fetch         0ms
⠋ settle        0ms  20/40  7 failed
  ✗ settle[1]   0ms  exit.1: no 1
  ✗ settle[4]   0ms  exit.1: no 4
  ✗ settle[7]   0ms  exit.1: no 7
  ✗ settle[10]  0ms  exit.1: no 10
  ✗ settle[13]  0ms  exit.1: no 13
  ◌ settle[20]  0ms  queued
  ◌ settle[21]  0ms  queued
  … 2 failed, 13 done
· checks
· publish
`)
	s.want(80, 9, `
eod  run r1
… 1 done
⠋ settle        0ms  20/40  7 failed
  … 4 failed
  ✗ settle[13]  0ms  exit.1: no 13
  ◌ settle[20]  0ms  queued
  ◌ settle[21]  0ms  queued
  … 2 failed, 13 done, 2 to come
`)
	s.want(20, 5, `
eod  run r1
… 1 done
⠋ settle     0ms  …
  … 2 in progress,…
`)
	s.want(3, 3, `
e…
……
`)
}

// TestLinesFit: whatever the size, no line is wider than the terminal and there
// are no more lines than rows; hostile names do not change that.
func TestLinesFit(t *testing.T) {
	t.Parallel()
	p := settlement(30)
	p.Bodies[0].Nodes[3].ID = "pub\x1b[2J\u202e日本語" + strings.Repeat("x", 200)
	s := newStage(t, p)
	s.play("accept\nok fetch")
	for i := range 13 {
		s.play(fmt.Sprintf("fail settle[%d] exit.1 \x1b]0;title\x07 日本語 %s", i, strings.Repeat("long ", 50)))
	}
	for columns := 1; columns < 120; columns += 3 {
		for rows := 2; rows < 30; rows++ {
			lines := s.tree.Lines(view.Frame{Now: s.now, Columns: columns, Rows: rows})
			if len(lines) >= max(rows, 3) {
				t.Fatalf("%d lines on %d rows", len(lines), rows)
			}
			for _, l := range lines {
				if strings.ContainsAny(l, "\x1b\x07\n\u202e") {
					t.Fatalf("control character in %q", l)
				}
				if w := view.Width(l); w > max(columns-1, 1) {
					t.Fatalf("%q is %d wide on %d columns", l, w, columns)
				}
			}
		}
	}
}

func TestScreen(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	columns := 80
	s := view.NewScreen(&out, func() (int, int) { return columns, 24 })
	s.Draw([]string{"\x1b[1mhead\x1b[0m", strings.Repeat("x", 70)})
	s.Draw([]string{"head", "two"})
	s.Above("log line\n", []string{"head"})
	s.Keep()
	s.Draw([]string{"next", strings.Repeat("y", 70)})
	columns = 30 // the second line now takes three rows
	s.Draw([]string{"narrow"})
	const end, below = "\x1b[K\n", "\x1b[J"
	want := "\x1b[1mhead\x1b[0m" + end + strings.Repeat("x", 70) + end + below +
		"\r\x1b[2A" + "head" + end + "two" + end + below +
		"\r\x1b[2A" + below + "log line\n" + "head" + end + below +
		"next" + end + strings.Repeat("y", 70) + end + below +
		"\r\x1b[4A" + "narrow" + end + below
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("terminal (-want +got):\n%s", d)
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0ms", 320 * time.Millisecond: "320ms", 1290 * time.Millisecond: "1.2s", 9999 * time.Millisecond: "9.9s",
		59*time.Second + 900*time.Millisecond: "59s", 65 * time.Second: "1m05s", 2*time.Hour + 3*time.Minute: "2h03m", 76 * time.Hour: "3d04h",
	} {
		if got := view.Duration(d); got != want {
			t.Errorf("Duration(%s) = %s, want %s", d, got, want)
		}
	}
}

// TestSummary: the step that is named is the innermost that failed, not the
// group around it, nor one whose failure was tolerated.
func TestSummary(t *testing.T) {
	t.Parallel()
	s := newStage(t, settlement(2))
	s.play(`
		accept 2026-03-02
		ok fetch
		fail settle[0] exit.1 tolerated
		after 1s
		ok settle[1] slow
		ok checks/books
		after 2s`)
	s.play("fail checks/limits exit.2 over the limit\x1b[2J")
	run := s.tree.Run()
	if got := view.FailedStep(run); got == nil || got.Path != "checks/limits" {
		t.Errorf("failed step: %+v", got)
	}
	const want = `
✗ eod failed in 3.0s
  step    checks/limits
  error   exit.2: over the limit\x1b[2J
  log     | one
          | two
  note    1 step has a warning
  logs    regie logs r1 checks/limits
`
	got := view.Summary(run, view.SummaryOptions{Log: []string{"| one", "| two"}})
	if d := cmp.Diff(strings.TrimPrefix(want, "\n"), got); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
}

func TestSummaryOutput(t *testing.T) {
	t.Parallel()
	p := settlement(1)
	p.Bodies[0] = workflow.Body{Nodes: []workflow.Node{task("only")}, Output: workflow.Constant(value.String(strings.Repeat("x\n", 60)))}
	s := newStage(t, p)
	s.play("accept\nok only")
	got := view.Summary(s.tree.Run(), view.SummaryOptions{Color: true, Shown: true})
	for _, part := range []string{"\x1b[32m✓ eod succeeded\x1b[0m in 0ms\n", `output `, `x\nx\n`} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is not in %q", part, got)
		}
	}
	if strings.Contains(got, "regie show") {
		t.Error("says how to show what is shown")
	}
}

package view_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
)

// TestTreeJudgesAgain shows that what a retry judges again stands in the tree
// once, before and after it begins.
func TestTreeJudgesAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, settlement(1))
	s.play("accept\nfail fetch no\nafter 5s\nfail fetch no")
	s.want(0, 0, `
eod  run r1
✗ fetch    5.0s  attempt 2  no
○ settle   a step before it failed
○ checks   a step before it failed
○ publish  a step before it failed
`)
	s.play("retry")
	s.want(0, 0, `
eod  run r1
◌ fetch    5.0s  attempt 3  queued
· settle
· checks
· publish
`)
	s.play("ok fetch")
	s.want(0, 0, `
eod  run r1
✓ fetch        5.0s  attempt 3
⠋ settle       0ms  0/1
  ◌ settle[0]  0ms  queued
· checks
· publish
`)
	seen := map[string]int{}
	for _, step := range s.tree.Run().Steps {
		if seen[step.Path]++; seen[step.Path] > 1 {
			t.Errorf("step %s is there twice", step.Path)
		}
	}
}

func TestOutline(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	run := &history.Run{ID: "r1", Workflow: "eod", State: engine.Running, StartedAt: start}
	o := view.NewOutline(run)
	want := func(picture string) {
		t.Helper()
		got := strings.Join(o.Lines(view.Frame{Now: start.Add(5 * time.Second)}), "\n") + "\n"
		if d := cmp.Diff(strings.TrimPrefix(picture, "\n"), got); d != "" {
			t.Errorf("picture (-want +got):\n%s", d)
		}
	}
	settle := history.Step{Act: 2, Path: "settle", State: engine.Running, StartedAt: start, Items: 11, Done: 1}
	o.Put(history.Step{Act: 1, Path: "fetch", State: engine.Succeeded, StartedAt: start, EndedAt: start.Add(time.Second)})
	first := o.Put(settle)
	o.Put(history.Step{Act: 13, Path: "settle[10]", Parent: "settle", State: engine.Queued, StartedAt: start})
	o.Put(history.Step{Act: 5, Path: "settle[2]/book", Parent: "settle", State: engine.Running, StartedAt: start})
	o.Put(history.Step{Act: 6, Path: "checks", State: engine.Pending, Held: true})
	skipped := history.Step{Path: "publish", State: engine.Skipped, Reason: engine.ReasonUpstreamFailed}
	o.Put(skipped)
	want(`
eod  run r1
✓ fetch             1.0s
⠋ settle            5.0s  1/11
  ⠋ settle[2]/book  5.0s
  ◌ settle[10]      5.0s  queued
· checks            held
○ publish           a step before it failed
`)
	settle.Done = 2
	if again := o.Put(settle); again != first || again.Done != 2 {
		t.Errorf("the same activation is another step: %+v", again)
	}
	if o.Put(skipped); len(run.Steps) != 6 {
		t.Errorf("a step that was not run stands %d times", len(run.Steps)-5)
	}
	began := o.Put(history.Step{Act: 20, Path: "publish", State: engine.Running, StartedAt: start})
	o.Remove(first)
	want(`
eod  run r1
✓ fetch             1.0s
· checks            held
⠋ publish           5.0s
`)
	if d := cmp.Diff([]string{"fetch", "settle[10]", "settle[2]/book", "checks", "publish"}, paths(run)); d != "" || run.Steps[4] != began {
		t.Errorf("steps (-want +got):\n%s", d)
	}
}

func paths(run *history.Run) []string {
	var out []string
	for _, s := range run.Steps {
		out = append(out, s.Path)
	}
	return out
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := view.Table{Head: []string{"", "NAME", "ABOUT"}}
	table.Add("", "", "a\x1b[31m", "one")
	table.Add(view.StyleBad, "*", "bé", "two words")
	for columns, want := range map[int]string{
		0:  "   NAME       ABOUT\n   a\\x1b[31m  one\n*  bé         two words\n",
		12: "   NAME   …\n   a\\x1b[3…\n*  bé     …\n",
	} {
		if got := strings.Join(table.Lines(columns, view.Painter(false)), "\n") + "\n"; got != want {
			t.Errorf("%d columns:\n%s\nwant\n%s", columns, got, want)
		}
	}
	if got := table.Lines(0, view.Painter(true))[2]; got != "\x1b[31m*  bé         two words\x1b[0m" {
		t.Errorf("painted row %q", got)
	}
}

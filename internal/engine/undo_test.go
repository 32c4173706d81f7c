package engine_test

import (
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// TestTooMuchToUndo begins a map with one item more than can be undone: what runs
// counts, not only what has ended.
func TestTooMuchToUndo(t *testing.T) {
	t.Parallel()
	items := make([]value.Value, engine.MaxUndoable+1)
	for i := range items {
		items[i] = value.Null
	}
	task := workflow.Node{ID: "y", Kind: workflow.KindTask, Task: &workflow.Task{Uses: "t"}}
	task.Compensate = &workflow.Compensate{Body: 2}
	m, err := engine.Prepare(&workflow.Program{Format: workflow.Format, Name: "demo", Bodies: []workflow.Body{
		{Nodes: []workflow.Node{{
			ID: "m", Kind: workflow.KindMap, Map: &workflow.Map{
				Items: workflow.Constant(value.List(items...)), Body: 1, MaxParallel: workflow.Constant(value.Int(int64(len(items)))),
			},
		}}},
		{Nodes: []workflow.Node{task}},
		{Nodes: []workflow.Node{{ID: "u", Kind: workflow.KindTask, Task: &workflow.Task{Uses: "t"}}}},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	run, attempts, refused := engine.NewRun("r"), 0, 0
	for queue := []engine.Input{engine.Accept{}}; len(queue) > 0; queue = queue[1:] {
		d, err := m.Decide(run, queue[0], engine.Context{Now: time.Unix(0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Events {
			switch d.Events[i].Kind {
			case engine.EvAttempt:
				attempts++
			case engine.EvError:
				refused++
			default:
			}
		}
		for _, c := range d.Commands {
			if eval, ok := c.(engine.NeedEval); ok {
				queue = append(queue, eval.Eval.Evaluate(nil))
			}
		}
	}
	if attempts != engine.MaxUndoable || refused == 0 {
		t.Errorf("%d of %d items began, %d were refused", attempts, len(items), refused)
	}
}

package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// wide is a map over the numbers below n, at most parallel of which are open at
// once (0: it does not say). What the task of an item leaves is the item's output.
func wide(n, parallel int) *workflow.Program {
	items := make([]value.Value, n)
	for i := range items {
		items[i] = value.Int(int64(i))
	}
	output := &workflow.Data{Expr: &workflow.Expr{Language: "test", Source: "left", Bind: []workflow.Binding{{
		Path: []string{"left"}, From: workflow.Source{Root: workflow.RootNode, Name: "output"},
	}}}}
	return &workflow.Program{Format: workflow.Format, Name: "wide", Bodies: []workflow.Body{
		{Nodes: []workflow.Node{{ID: "each", Kind: workflow.KindMap, Map: &workflow.Map{
			Body: 1, Items: workflow.Constant(value.List(items...)), Gather: workflow.GatherList,
			MaxParallel: workflow.Constant(value.Int(int64(parallel))),
		}}}},
		{Nodes: []workflow.Node{{Kind: workflow.KindTask, Task: &workflow.Task{Uses: "t"}}}, Output: output},
	}}
}

// left is the output of an item: 1 kB.
func left(item int) value.Value { return value.String(fmt.Sprintf("%06d%01000d", item, 0)) }

// mapWorld runs a map whose items end in any order, and forgets what is in memory
// now and then.
type mapWorld struct {
	t      *testing.T
	m      *engine.Machine
	run    *engine.Run
	shelf  *shelf
	draw   *rand.Rand
	events []engine.Event
	out    []engine.TaskEnded
	evals  []*engine.Evaluation

	frames, bytes int // the most there were
}

func (w *mapWorld) tell(in engine.Input) {
	w.t.Helper()
	d, err := w.m.Decide(w.run, in, engine.Context{Now: time.Unix(0, 0)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.events = append(w.events, d.Events...)
	for _, c := range d.Commands {
		switch c := c.(type) {
		case engine.Dispatch:
			var item int
			if _, err := fmt.Sscanf(c.Task.Path, "each[%d]", &item); err != nil {
				w.t.Fatal(err)
			}
			w.out = append(w.out, engine.TaskEnded{Act: c.Task.Act, Attempt: c.Task.Attempt, Outcome: engine.TaskOutcome{
				Kind: engine.OutcomeSucceeded, Output: left(item),
			}})
		case engine.NeedEval:
			w.evals = append(w.evals, c.Eval)
		}
	}
	w.frames = max(w.frames, len(w.run.Frames))
	for _, a := range w.run.Acts {
		if a.Map != nil {
			w.bytes = max(w.bytes, a.Map.Outputs.Bytes)
		}
	}
}

// crash folds the events again; what was being evaluated is gone.
func (w *mapWorld) crash() {
	w.t.Helper()
	w.run, w.evals = engine.NewRun("r"), nil
	for i := range w.events {
		if err := w.m.Apply(w.run, &w.events[i]); err != nil {
			w.t.Fatal(err)
		}
	}
	w.tell(engine.Recover{})
}

func (w *mapWorld) drive() {
	for n := 1; len(w.out) > 0 || len(w.evals) > 0; n++ {
		switch {
		case n%700 == 0:
			w.crash()
		case len(w.evals) > 0 && (len(w.out) == 0 || w.draw.IntN(20) == 0):
			e := w.evals[0]
			w.evals = w.evals[1:]
			w.tell(e.Evaluate(w.shelf))
		case len(w.out) > 0:
			i := w.draw.IntN(len(w.out))
			ended := w.out[i]
			w.out[i] = w.out[len(w.out)-1]
			w.out = w.out[:len(w.out)-1]
			w.tell(ended)
		}
	}
}

// TestWideMap wants a map of many items to have few of them open and little of
// what they left in memory, and all of it in order in the end.
func TestWideMap(t *testing.T) {
	t.Parallel()
	for _, parallel := range []int{0, 50, 1500} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) {
			t.Parallel()
			const items = 2000
			m, err := engine.Prepare(wide(items, parallel), map[string]expr.Language{"test": testLanguage{}})
			if err != nil {
				t.Fatal(err)
			}
			w := &mapWorld{t: t, m: m, run: engine.NewRun("r"), shelf: newShelf(), draw: rand.New(rand.NewPCG(1, 2))}
			w.tell(engine.Accept{})
			w.drive()
			open := parallel
			if open == 0 {
				open = engine.MapParallel
			}
			if w.run.State != engine.Succeeded || w.frames != open+1 {
				t.Errorf("run %s, %d frames at once, want %d", w.run.State, w.frames, open+1)
			}
			const total = items * 1046
			if w.bytes > 2*engine.MapBytes || w.shelf.lists < total/engine.MapBytes/2 {
				t.Errorf("%d of %d bytes were in memory, %d lists were put away", w.bytes, total, w.shelf.lists)
			}
			var gathered value.Value
			for _, ev := range w.events {
				if ev.Kind == engine.EvResult {
					gathered = ev.Output
				}
			}
			r, large := gathered.Ref()
			if !large || len(r.Path) > 0 {
				t.Fatalf("the result is %.200s", gathered)
			}
			list, err := w.shelf.Load("r", r)
			if err != nil || list.Len() != items {
				t.Fatalf("%d items, %v", list.Len(), err)
			}
			for i, v := range list.Items() {
				if !value.Equal(v, left(i)) {
					t.Fatalf("item %d left %.20s", i, v)
				}
			}
		})
	}
}

// TestMapWithoutStore: where nothing keeps values all of them stay.
func TestMapWithoutStore(t *testing.T) {
	t.Parallel()
	m, err := engine.Prepare(wide(600, 0), map[string]expr.Language{"test": testLanguage{}})
	if err != nil {
		t.Fatal(err)
	}
	w := &mapWorld{t: t, m: m, run: engine.NewRun("r"), draw: rand.New(rand.NewPCG(1, 2))}
	w.tell(engine.Accept{})
	for len(w.out) > 0 || len(w.evals) > 0 {
		if len(w.evals) > 0 {
			w.tell(w.evals[0].Evaluate(nil))
			w.evals = w.evals[1:]
			continue
		}
		w.tell(w.out[0])
		w.out = w.out[1:]
	}
	last := w.events[len(w.events)-1]
	if w.run.State != engine.Succeeded || strings.Count(fmt.Sprint(w.events), string(engine.EvOutputsKept)) > 0 {
		t.Errorf("run %s, last event %v", w.run.State, last.Kind)
	}
}

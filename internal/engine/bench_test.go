package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// chain is a list of n tasks, one after the other.
func chain(n int) *workflow.Program {
	b := workflow.Body{}
	for i := range n {
		node := workflow.Node{ID: fmt.Sprintf("s%d", i), Kind: workflow.KindTask, Task: &workflow.Task{Uses: "t"}}
		if i > 0 {
			node.Join = &workflow.Join{Needs: []workflow.NodeID{workflow.NodeID(i - 1)}, When: workflow.Cond{
				Op: workflow.OpAnd, Args: []workflow.Cond{{Op: workflow.OpEnd, Ends: workflow.EndOK}},
			}}
		}
		b.Nodes = append(b.Nodes, node)
	}
	return &workflow.Program{Format: workflow.Format, Name: "chain", Bodies: []workflow.Body{b}}
}

// fan is n tasks at once and one that needs them all.
func fan(n int) *workflow.Program {
	p := chain(0)
	b := &p.Bodies[0]
	join := &workflow.Join{When: workflow.Cond{Op: workflow.OpAnd}}
	for i := range n {
		b.Nodes = append(b.Nodes, workflow.Node{ID: fmt.Sprintf("s%d", i), Kind: workflow.KindTask, Task: &workflow.Task{Uses: "t"}})
		join.Needs = append(join.Needs, workflow.NodeID(i))
		join.When.Args = append(join.When.Args, workflow.Cond{Op: workflow.OpEnd, Need: i, Ends: workflow.EndOK})
	}
	b.Nodes = append(b.Nodes, workflow.Node{ID: "join", Kind: workflow.KindTask, Join: join, Task: &workflow.Task{Uses: "t"}})
	return p
}

// each is a map over n items, all at once.
func each(n int) *workflow.Program {
	items := make([]value.Value, n)
	for i := range items {
		items[i] = value.Int(int64(i))
	}
	return &workflow.Program{Format: workflow.Format, Name: "each", Bodies: []workflow.Body{
		{Nodes: []workflow.Node{{ID: "each", Kind: workflow.KindMap, Map: &workflow.Map{
			Body: 1, Items: workflow.Constant(value.List(items...)), Gather: workflow.GatherList,
		}}}},
		{Nodes: []workflow.Node{{Kind: workflow.KindTask, Task: &workflow.Task{Uses: "t"}}}},
	}}
}

// loop is a loop of n turns without tasks.
func loop(n int) *workflow.Program {
	return &workflow.Program{Format: workflow.Format, Name: "loop", Bodies: []workflow.Body{
		{Nodes: []workflow.Node{{ID: "loop", Kind: workflow.KindLoop, Loop: &workflow.Loop{Body: 1, Max: workflow.Constant(value.Int(int64(n)))}}}},
		{Nodes: []workflow.Node{{Kind: workflow.KindPass}}},
	}}
}

// drive runs the program to its end, every task succeeding at once, and
// returns the events.
func drive(b testing.TB, m *engine.Machine) (events int) {
	run := engine.NewRun("r")
	now := time.Unix(0, 0)
	queue := []engine.Input{engine.Accept{}}
	for len(queue) > 0 {
		in := queue[0]
		queue = queue[1:]
		d, err := m.Decide(run, in, engine.Context{Now: now})
		if err != nil {
			b.Fatal(err)
		}
		events += len(d.Events)
		if _, _, err := engine.EncodeEvents(d.Events); err != nil {
			b.Fatal(err)
		}
		for _, c := range d.Commands {
			switch c := c.(type) {
			case engine.Dispatch:
				queue = append(queue, engine.TaskEnded{Act: c.Task.Act, Attempt: c.Task.Attempt, Outcome: engine.TaskOutcome{
					Kind: engine.OutcomeSucceeded, StartedAt: now, EndedAt: now,
				}})
			case engine.NeedEval:
				queue = append(queue, c.Eval.Evaluate(nil))
			}
		}
	}
	if run.State != engine.Succeeded {
		b.Fatalf("run %s", run.State)
	}
	return events
}

// BenchmarkRun shows the cost of a step or turn, events encoded; it must not grow
// with their number.
func BenchmarkRun(b *testing.B) {
	for name, program := range map[string]func(int) *workflow.Program{"chain": chain, "fan": fan, "each": each, "loop": loop} {
		for _, n := range []int{1, 1000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				m, err := engine.Prepare(program(n), map[string]expr.Language{})
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					drive(b, m)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/step")
			})
		}
	}
}

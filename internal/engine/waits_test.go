package engine_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/workflow"
)

// TestChangedWaitsAreBounded: conditions that are added and dropped again do not
// make a run grow for ever.
func TestChangedWaitsAreBounded(t *testing.T) {
	t.Parallel()
	m, err := engine.Prepare(&workflow.Program{Format: workflow.Format, Name: "demo", Bodies: []workflow.Body{{Nodes: []workflow.Node{
		{ID: "a", Kind: workflow.KindTask, Task: &workflow.Task{Uses: "t"}},
		{ID: "b", Kind: workflow.KindTask, Task: &workflow.Task{Uses: "t"}, Join: &workflow.Join{
			Needs: []workflow.NodeID{0}, When: workflow.Cond{Op: workflow.OpEnd, Ends: workflow.EndOK},
		}},
	}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	run := engine.NewRun("r")
	decide := func(in engine.Input) error {
		_, err := m.Decide(run, in, engine.Context{Now: time.Unix(0, 0)})
		return err
	}
	if err := decide(engine.Accept{}); err != nil {
		t.Fatal(err)
	}
	by := engine.Action{Actor: "user/ada", Reason: "so", Steps: []string{"b"}}
	for i := range gate.MaxNeeds {
		fact := []gate.Fact{{Name: "c" + strconv.Itoa(i)}}
		if err := errors.Join(decide(engine.AddWait{Action: by, Conditions: fact}), decide(engine.DropWait{Action: by, Conditions: fact})); err != nil {
			t.Fatal(err)
		}
	}
	if err := decide(engine.AddWait{Action: by, Conditions: []gate.Fact{{Name: "more"}}}); !errors.Is(err, engine.ErrRefused) {
		t.Errorf("one more: %v", err)
	}
	if err := decide(engine.AddWait{Action: by, Conditions: []gate.Fact{{Name: "c0"}}}); err != nil {
		t.Errorf("one of them again: %v", err)
	}
}

package local

import (
	"fmt"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/workflow"
)

// NobodyError says that a step waits for what nobody can give here.
type NobodyError struct {
	// Step is the path of the step in the definition, Kind what it waits for.
	Step, Kind string
}

func (e *NobodyError) Error() string {
	return fmt.Sprintf("step %s waits for %s, which only a server takes: apply the workflow and start it there, or mock the step", e.Step, e.what())
}

func (e *NobodyError) what() string {
	if e.Kind == workflow.EventSignal {
		return "a signal"
	}
	return "an approval"
}

// standIn returns the program with a task in place of each wait for a signal, an
// approval or a condition that a mock stands for. Other signals and approvals are
// refused with a [*NobodyError]; a condition may become true by another step.
func standIn(p *workflow.Program, mocks *mock.Set) (*workflow.Program, error) {
	out := p
	for b := range p.Bodies {
		for n := range p.Bodies[b].Nodes {
			node := &p.Bodies[b].Nodes[n]
			if node.Wait == nil || node.Wait.Event == nil {
				continue
			}
			event := node.Wait.Event
			if !slices.Contains([]string{workflow.EventSignal, workflow.EventApproval, workflow.EventCondition}, event.Kind) {
				continue
			}
			if name := nameOf(node); mocks == nil || !mocks.Answers(name) {
				if event.Kind == workflow.EventCondition {
					continue
				}
				return nil, &NobodyError{Step: node.Origin.Path, Kind: event.Kind}
			}
			if out == p {
				copied := *p
				copied.Bodies = slices.Clone(p.Bodies)
				for i := range copied.Bodies {
					copied.Bodies[i].Nodes = slices.Clone(copied.Bodies[i].Nodes)
				}
				out = &copied
			}
			mocked := &out.Bodies[b].Nodes[n]
			mocked.Kind, mocked.Wait, mocked.Task = workflow.KindTask, nil, &workflow.Task{Uses: "wait." + event.Kind, With: event.With}
		}
	}
	return out, nil
}

// nameOf is the last part of the step's path; within foreach and repeat a node
// has no ID of its own.
func nameOf(n *workflow.Node) string {
	if n.ID != "" {
		return n.ID
	}
	name := n.Origin.Path[strings.LastIndexByte(n.Origin.Path, '/')+1:]
	name, _, _ = strings.Cut(name, "[")
	return name
}

package view

import (
	"maps"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/workflow"
)

// Tree is a run as steps within steps, in the order of the definition. Not
// safe for concurrent use.
type Tree struct {
	forest

	builder *history.Builder
	program *workflow.Program
	known   map[*history.Step]bool
}

// NewTree returns the tree of what the builder has and will get; program is
// that of the run.
func NewTree(b *history.Builder, program *workflow.Program) *Tree {
	return &Tree{forest: newForest(), builder: b, program: program, known: map[*history.Step]bool{}}
}

// Run is the run as folded so far.
func (t *Tree) Run() *history.Run { return t.builder.Run() }

// Add folds one event, and returns the steps that it changed.
func (t *Tree) Add(ev *engine.Event) ([]*history.Step, error) {
	steps, err := t.builder.Add(ev)
	if err != nil {
		return nil, err
	}
	if ev.Kind == engine.EvFrameReopened || ev.Kind == engine.EvRestored {
		t.judgeAgain()
	}
	for _, s := range steps {
		if t.known[s] {
			continue
		}
		t.known[s] = true
		n := &node{step: s}
		frame, id, visit := t.builder.State().Frames[ev.Frame], workflow.NodeID(-1), 0
		if a := t.builder.State().Acts[s.Act]; a != nil {
			frame, id, visit = t.builder.State().Frames[a.Frame], a.Node, a.Visit
		} else if frame != nil {
			id = t.nodeNamed(frame, s.Name)
		}
		if frame != nil {
			n.place = place(frame, id, visit)
		}
		t.put(n)
	}
	return steps, nil
}

// judgeAgain takes out what was not run and is judged again: the builder does
// not have it any more.
func (t *Tree) judgeAgain() {
	kept := map[*history.Step]bool{}
	for _, s := range t.Run().Steps {
		kept[s] = true
	}
	t.drop(func(s *history.Step) bool { return !kept[s] })
	maps.DeleteFunc(t.known, func(s *history.Step, _ bool) bool { return !kept[s] })
}

// Lines draws the tree: a head, then a line for each step that matters most,
// no more than the rows allow.
func (t *Tree) Lines(f Frame) []string { return t.draw(t.Run(), f, t.pending()) }

// Started notes that an attempt has begun to run, see [history.Builder.Started].
func (t *Tree) Started(id engine.ActID, at time.Time) bool { return t.builder.Started(id, at) }

// Step is the step of an activation, or nil.
func (t *Tree) Step(id engine.ActID) *history.Step { return t.builder.Step(id) }

// place orders siblings: by role, so that handlers and finally parts come
// last, then by branch and index, by node, by visit.
func place(f *engine.Frame, id workflow.NodeID, visit int) [4]int {
	role := 0
	switch f.Role {
	case engine.RoleCatch, engine.RolePredicate:
		role = 1
	case engine.RoleCompensate:
		role = 2
	case engine.RoleFinally:
		role = 3
	case engine.RoleMain, engine.RoleBody:
	}
	return [4]int{role, max(f.Branch, 0)<<32 | max(f.Index, 0), int(id), visit}
}

func (t *Tree) nodeNamed(f *engine.Frame, name string) workflow.NodeID {
	for i := range t.program.Bodies[f.Body].Nodes {
		if t.program.Bodies[f.Body].Nodes[i].ID == name {
			return workflow.NodeID(i)
		}
	}
	return -1
}

// pending makes nodes of what is still to come in the frames that are open, by
// the path of the step around them.
func (t *Tree) pending() map[string][]*node {
	out := map[string][]*node{}
	for _, f := range t.builder.State().Frames {
		body := &t.program.Bodies[f.Body]
		if f.Phase != engine.FrameOpen || len(body.Start) > 0 {
			continue // in a body of jumps nobody knows what is to come
		}
		parent, known := t.frameOwner(f)
		if !known {
			continue
		}
		for i := range f.Nodes {
			if f.Nodes[i].Act != 0 || f.Nodes[i].Ends != 0 {
				continue
			}
			id := workflow.NodeID(i)
			s := &history.Step{
				Path: engine.StepPath(f, &body.Nodes[i]), Parent: parent, Name: body.Nodes[i].ID, State: engine.Pending,
			}
			out[parent] = append(out[parent], &node{step: s, place: place(f, id, 0)})
		}
	}
	return out
}

// frameOwner is the path of the step that opened the frame.
func (t *Tree) frameOwner(f *engine.Frame) (path string, known bool) {
	for f != nil && f.Owner == 0 && f.Of != 0 {
		f = t.builder.State().Frames[f.Of]
	}
	switch {
	case f == nil:
		return "", false
	case f.Owner == 0:
		return "", true
	}
	s := t.builder.Step(f.Owner)
	if s == nil {
		return "", false
	}
	return s.Path, true
}

package view

import (
	"slices"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
)

// Outline is a run as steps within steps, of which nothing is known but the
// steps that were seen so far: neither the definition nor the events. It is how
// the run of a server is drawn. Not safe for concurrent use.
type Outline struct {
	forest

	run   *history.Run
	acts  map[engine.ActID]*history.Step
	count int
}

// NewOutline returns the outline of a run without steps. What is set in the run
// later is drawn.
func NewOutline(run *history.Run) *Outline {
	run.Steps = nil
	return &Outline{forest: newForest(), run: run, acts: map[engine.ActID]*history.Step{}}
}

// Run is the run with the steps so far.
func (o *Outline) Run() *history.Run { return o.run }

// Put notes a step as it stands now, and returns it: always the same one for an
// activation. The steps around it must be known. A step that was not run and now
// begins takes its place.
func (o *Outline) Put(s history.Step) *history.Step {
	known := o.acts[s.Act]
	if s.Act == 0 {
		known = o.byPath[s.Path]
	} else if not := o.byPath[s.Path]; known == nil && not != nil && not.Act == 0 {
		o.Remove(not)
	}
	if known != nil {
		*known = s
		return known
	}
	step := &s
	o.count++
	o.run.Steps = append(o.run.Steps, step)
	if s.Act != 0 {
		o.acts[s.Act] = step
	}
	o.put(&node{step: step, place: [4]int{item(s.Path, s.Parent), o.count}})
	return step
}

// Remove takes out a step.
func (o *Outline) Remove(s *history.Step) {
	o.run.Steps = slices.DeleteFunc(o.run.Steps, func(t *history.Step) bool { return t == s })
	delete(o.acts, s.Act)
	o.drop(func(t *history.Step) bool { return t == s })
}

// Lines draws the outline as [Tree.Lines] draws a tree.
func (o *Outline) Lines(f Frame) []string { return o.draw(o.run, f, nil) }

// item is the index of the item that a step within another one is about, so that
// items stand in order.
func item(path, parent string) int {
	rest, ok := strings.CutPrefix(path, parent+"[")
	if !ok {
		return 0
	}
	digits, _, _ := strings.Cut(rest, "]")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

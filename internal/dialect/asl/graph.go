package asl

import (
	"github.com/regie-dev/regie/internal/diag"
)

// target is a place that names the state to go on with.
type target struct {
	Text
	at string
}

// targets lists where a state can go on.
func (s *State) targets() []target {
	var out []target
	add := func(t Text, at string) {
		if t.Pos.Line > 0 {
			out = append(out, target{t, at})
		}
	}
	add(s.Next, place(s.Location, "Next"))
	if s.Choice != nil {
		for i := range s.Choice.Rules {
			add(s.Choice.Rules[i].Next, place(s.Choice.Rules[i].Location, "Next"))
		}
		add(s.Choice.Default, place(s.Location, "Default"))
	}
	for i := range s.Catch {
		add(s.Catch[i].Next, place(s.Catch[i].Location, "Next"))
	}
	return out
}

// graph checks that every target exists, every state is reachable, and the
// machine can end; that last only of the machine itself, as AWS does.
func (r *reader) graph(f *Flow, whole bool) {
	if len(f.States) == 0 || f.StartAt.Pos.Line == 0 {
		return
	}
	states := make(map[string]*State, len(f.States))
	for _, s := range f.States {
		states[s.Name] = s
	}
	r.missing(f, states, target{f.StartAt, place(f.Location, "StartAt")})
	ends := false
	for _, s := range f.States {
		ends = ends || s.End || s.Type == Succeed || s.Type == Fail || len(fieldsOf(s.Type).all()) == 0
		for _, t := range s.targets() {
			r.missing(f, states, t)
		}
	}
	if whole && !ends {
		r.add(Error, CodeMissingEnd, f.Pos, 1, "", "Workflow has no terminal state").
			Hint = "give a state `End: true`, or add one of type Succeed or Fail"
	} else {
		r.unreachable(f, states)
	}
	for _, s := range f.States {
		if s.Parallel != nil {
			for _, b := range s.Parallel.Branches {
				r.graph(b, false)
			}
		}
		if s.Map != nil && s.Map.Processor != nil {
			r.graph(s.Map.Processor, false)
		}
	}
}

func (r *reader) missing(f *Flow, states map[string]*State, t target) {
	if states[t.Text.Text] != nil {
		return
	}
	names := make([]string, 0, len(f.States))
	for _, s := range f.States {
		names = append(names, s.Name)
	}
	r.add(Error, CodeMissingTarget, t.Pos, len(t.Text.Text)+2, t.at, "Missing 'Next' target: "+t.Text.Text).
		Hint = diag.DidYouMean(t.Text.Text, names)
}

func (r *reader) unreachable(f *Flow, states map[string]*State) {
	reached := map[string]bool{f.StartAt.Text: true}
	queue := []*State{states[f.StartAt.Text]}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if s == nil {
			continue
		}
		for _, t := range s.targets() {
			if !reached[t.Text.Text] {
				reached[t.Text.Text] = true
				queue = append(queue, states[t.Text.Text])
			}
		}
	}
	for _, s := range f.States {
		if !reached[s.Name] {
			r.add(Error, CodeMissingTarget, s.Pos, len(s.Name)+2, s.Location, "State \""+s.Name+"\" is not reachable.").
				Hint = "name it in the Next of a state, or remove it"
		}
	}
}

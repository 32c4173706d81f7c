package asl

import (
	"github.com/regie-dev/regie/internal/dialect/asl"
)

// exit is what follows the last state.
const exit = ""

// edge is a jump from one state to another.
type edge struct{ from, to string }

// graph is what is known of the jumps of a flow.
type graph struct {
	// states are those of the flow, by name.
	states map[string]*asl.State
	// back are the jumps that go back to a state that led here.
	back map[edge]bool
	// live are the states from which the flow can end well: without a Fail.
	live map[string]bool
	// join is the state that every way from a live state to the end goes
	// through next; exit if there is none.
	join  map[string]string
	depth map[string]int
}

func newGraph(f *asl.Flow) *graph {
	g := &graph{states: make(map[string]*asl.State, len(f.States)), back: map[edge]bool{}, live: map[string]bool{exit: true}, join: map[string]string{}, depth: map[string]int{}}
	for _, s := range f.States {
		g.states[s.Name] = s
	}
	var order []string // each state behind those that it leads to
	state := map[string]int{}
	var visit func(name string)
	visit = func(name string) {
		state[name] = 1
		for _, to := range g.next(name) {
			switch {
			case to == exit || state[to] == 2:
			case state[to] == 1:
				g.back[edge{name, to}] = true
			default:
				visit(to)
			}
		}
		state[name] = 2
		order = append(order, name)
	}
	visit(f.StartAt.Text)
	for _, name := range order {
		g.meet(name)
	}
	return g
}

// next lists where a state can go on, handlers of errors included.
func (g *graph) next(name string) []string {
	s := g.states[name]
	var out []string
	switch {
	case s.Choice != nil:
		for i := range s.Choice.Rules {
			out = append(out, s.Choice.Rules[i].Next.Text)
		}
		if d := s.Choice.Default; d.Pos.Line > 0 {
			out = append(out, d.Text)
		}
	case s.Type == asl.Fail:
	case s.End || s.Type == asl.Succeed:
		out = append(out, exit)
	default:
		out = append(out, s.Next.Text)
	}
	for i := range s.Catch {
		out = append(out, s.Catch[i].Next.Text)
	}
	return out
}

// meet finds where the ways from a state come together.
func (g *graph) meet(name string) {
	found := false
	at := exit
	for _, to := range g.next(name) {
		switch {
		case g.back[edge{name, to}] || !g.live[to]:
		case !found:
			at, found = to, true
		default:
			at = g.common(at, to)
		}
	}
	if found {
		g.live[name] = true
		g.join[name] = at
		g.depth[name] = g.depth[at] + 1
	}
}

func (g *graph) common(a, b string) string {
	for a != b {
		if g.depth[a] < g.depth[b] {
			a, b = b, a
		}
		a = g.join[a]
	}
	return a
}

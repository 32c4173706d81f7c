package engine

import (
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/workflow"
)

// around is the path of what lies around a path: settle[0]/x, settle[0],
// settle, "".
func around(path string) string {
	i := strings.LastIndexAny(path, "/[~#")
	if i < 0 {
		return ""
	}
	return path[:i]
}

// itemOf is the index of the item of a map, or the number of the turn of a loop,
// that a path inside it lies in.
func itemOf(path, of string) (int, bool) {
	rest, ok := strings.CutPrefix(path, of+"[")
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, "]")
	i, err := strconv.Atoi(digits)
	return i, ok && err == nil && i >= 0
}

// hasPath reports whether the program could ever have a step at the path,
// whatever the items, tries and visits.
func (m *Machine) hasPath(path string) bool {
	return path != "" && m.leads(m.prog.Main, strings.Split(path, "/"), workflow.DefaultMaxDepth)
}

// leads reports whether the segments lead from a body to a step, at most depth
// bodies further on.
func (m *Machine) leads(id workflow.BodyID, segments []string, depth int) bool {
	if depth--; depth < 0 {
		return false
	}
	b := &m.bodies[id]
	name, indexed := plainSegment(segments[0])
	rest := segments[1:]
	for i := range b.Nodes {
		n := &b.Nodes[i]
		switch {
		case n.ID == "" && m.leadsFrom(n, segments, depth):
			return true
		case n.ID == "" || workflow.Segment(n.ID) != name || indexed && n.Map == nil && n.Loop == nil:
			continue
		case len(rest) == 0 || m.leadsFrom(n, rest, depth):
			return true
		}
	}
	return b.Finally != nil && name == "finally" && len(rest) > 0 && m.leads(*b.Finally, rest, depth)
}

// leadsFrom reports whether the segments lead from a node to a step inside it.
func (m *Machine) leadsFrom(n *workflow.Node, segments []string, depth int) bool {
	name, _ := plainSegment(segments[0])
	if c := n.Compensate; c != nil && name == "compensate" {
		rest := segments[1:]
		return len(rest) == 0 && m.bodies[c.Body].Nodes[0].ID == "" || len(rest) > 0 && m.leads(c.Body, rest, depth)
	}
	if rest := segments[1:]; len(rest) > 0 {
		for i := range n.Catch {
			if b := n.Catch[i].Body; b != nil && name == "on_error" && m.leads(*b, rest, depth) {
				return true
			}
		}
		for i := range n.Retry {
			if b := n.Retry[i].Call; b != nil && name == "retry" && m.leads(*b, rest, depth) {
				return true
			}
		}
	}
	switch {
	case n.Map != nil:
		return m.leads(n.Map.Body, segments, depth)
	case n.Loop != nil:
		return m.leads(n.Loop.Body, segments, depth)
	case n.Call != nil:
		return m.leads(n.Call.Body, segments, depth)
	case n.Choice != nil:
		for i := range n.Choice.Cases {
			if b := n.Choice.Cases[i].Body; b != nil && m.leads(*b, segments, depth) {
				return true
			}
		}
	case n.Fork != nil:
		for _, branch := range n.Fork.Branches {
			switch {
			case branch.Name == "" && m.leads(branch.Body, segments, depth):
				return true
			case branch.Name == "" || workflow.Segment(branch.Name) != name:
				continue
			case len(segments) == 1 || m.leads(branch.Body, segments[1:], depth):
				return true
			}
		}
	}
	return false
}

// plainSegment is a segment without item or turn, try and visit.
func plainSegment(s string) (name string, indexed bool) {
	if i := strings.IndexAny(s, "[~#"); i >= 0 {
		return s[:i], s[i] == '['
	}
	return s, false
}

// again is the end of the path of a handler or finally part that stood there
// before, so many times: nothing in it is what was in the earlier ones.
func again(before int) string {
	if before == 0 {
		return ""
	}
	return "#" + strconv.Itoa(before+1)
}

// tried is the path of the activation's current try.
func tried(a *Activation) string {
	if a.Attempt > 1 {
		return a.Path + "~" + strconv.Itoa(a.Attempt)
	}
	return a.Path
}

func join(path, step string) string {
	if path == "" {
		return step
	}
	return path + "/" + step
}

// StepPath is the path of a node in a frame, as the path of its first
// activation there would be.
func StepPath(f *Frame, n *workflow.Node) string {
	if n.ID == "" {
		return f.Path
	}
	return join(f.Path, workflow.Segment(n.ID))
}

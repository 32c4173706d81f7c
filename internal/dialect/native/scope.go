package native

import (
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// A scope is a body being compiled: at run time a frame. Scopes nest as frames
// do, so the distance of two scopes is workflow.Source.Up.
type scope struct {
	body  workflow.BodyID
	depth int   // frames around it
	outer *view // the place in the enclosing scope where it opens; nil for the main body
	steps []*step
	byID  map[string]*step

	role    role
	isGraph bool
	// Of an item scope: the names of the loop variable and its type; of one that
	// undoes a step, the type of the step's output.
	itemName string
	itemType expr.Type
	// Of an item scope and the main scope: variables that live in it.
	vars map[string]*variable
	// Of a turn scope: the variables that a turn sets, and whether the step may end
	// without a turn that succeeds.
	carries map[string]bool
	maySkip bool
	// env are the variables for run steps, from the outermost inwards.
	env []envEntry
}

// role says why a scope opens.
type role uint8

const (
	roleMain role = iota
	roleGroup
	roleItem
	roleCase
	roleCatch
	roleFinally
	roleParallel
	roleTurn
	roleUndo
)

// A step is a node of a scope.
type step struct {
	id    string
	named bool // the id was written, so others may read it
	index int  // also the NodeID
	node  *yamldoc.Node
	key   *yamldoc.Node // where the id stands; the step itself if it has none
	scope *scope

	needs []need
	join  *workflow.Join // nil: at once
	// before are the steps of the scope that may have ended when this one
	// starts, because it needs them; sure are those of them that have an
	// output then for certain.
	before, sure bitset
	// starts says whether the step starts in every run of the scope that
	// succeeds.
	starts bool

	out expr.Type // of its output; nullable if it may have none
}

// need is a predecessor with the ends that satisfy it.
type need struct {
	step *step
	ends workflow.Ends
	node *yamldoc.Node
}

// A view is a place in a scope from which names are read.
type view struct {
	scope  *scope
	at     *step  // the step whose field it is, nil at the start or end of the scope
	before bitset // steps that have ended
	sure   bitset // steps that have an output for certain

	ownError bool       // `error` is that of the step itself
	attempt  bool       // `attempt` can be read
	result   *expr.Type // of `result`, nil where it cannot be read
	// turnEnded: the place is behind the turn that its scope is, and `result` is
	// the output of that.
	turnEnded bool
	noInputs  bool // nothing of the run is known but its facts
	noSteps   bool // nothing has run yet
	// set are variables that the same assign step set already.
	set []string
}

// end is the view when the scope has succeeded.
func (s *scope) end() *view {
	v := &view{scope: s, before: newBitset(len(s.steps)), sure: newBitset(len(s.steps))}
	for _, st := range s.steps {
		v.before.add(st.index)
		if st.starts && !st.maySkip() {
			v.sure.add(st.index)
		}
	}
	return v
}

// ended is the view when the scope has ended, whatever how.
func (s *scope) ended() *view {
	v := s.end()
	v.sure = newBitset(len(s.steps))
	return v
}

// view is the place of a step's own fields.
func (st *step) view() *view {
	return &view{scope: st.scope, at: st, before: st.before, sure: st.sure}
}

// maySkip reports whether the step may end without its output although it
// started: skipped by its own condition, or failed and gone on.
func (st *step) maySkip() bool {
	return st.node.Get("if") != nil && isNull(st.node.Get("default")) || st.continues()
}

func isNull(n *yamldoc.Node) bool { return n == nil || n.Kind == yamldoc.Null }

func (st *step) continues() bool {
	n := st.node.Get("continue_on_error")
	if n == nil {
		return false
	}
	b, _ := n.Value.Bool()
	return b
}

// enclosing finds the innermost scope of a role around the place, itself too.
func (v *view) enclosing(r role) *scope {
	for ; v != nil; v = v.scope.outer {
		if v.scope.role == r {
			return v.scope
		}
	}
	return nil
}

// findStep looks a step up from the innermost scope outwards, with the view of
// the scope in which it is.
func (v *view) findStep(id string) (*step, *view) {
	for ; v != nil; v = v.scope.outer {
		if st := v.scope.byID[id]; st != nil {
			return st, v
		}
	}
	return nil, nil
}

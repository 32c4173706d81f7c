package native

import (
	"fmt"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// MaxSteps bounds the steps of a workflow, all groups together. The edges
// between them are bounded by the size of a document (yamldoc.MaxNodes).
const MaxSteps = 10_000

// reservedSegments are the words that paths of steps use themselves.
var reservedSegments = []string{"finally", "on_error", "retry", "compensate"}

// collectList makes the steps of a list; with chain each needs the one before.
func (c *compiler) collectList(s *scope, n *yamldoc.Node, chain bool) {
	if n == nil {
		return
	}
	for i, item := range n.Items {
		st := &step{id: fmt.Sprintf("step%d", i+1), node: item, key: item}
		if id := item.Get("id"); id != nil && id.Kind == yamldoc.String {
			st.id, st.named, st.key = id.Text, true, id
		}
		if !c.addStep(s, st) {
			return
		}
		for _, field := range []string{"needs", "join"} {
			if e := item.Entry(field); e != nil {
				order := "the steps of a list have their order from the list"
				if !chain {
					order = "the steps of `parallel` wait for nothing"
				}
				c.errorAt(e.Key, codeNeedsUnderSteps, "`%s` cannot stand here: %s", field, order).
					WithHint("remove it, or write the steps as `graph:`, a mapping by ID")
			}
		}
	}
	for i, st := range s.steps {
		if chain && i > 0 {
			st.needs = []need{{step: s.steps[i-1], ends: workflow.EndOK, node: st.node}}
			st.join = joinAll(st.needs)
		}
	}
	for _, st := range s.steps {
		s.settle(st)
	}
}

// addStep gives a step its place, unless there are too many.
func (c *compiler) addStep(s *scope, st *step) bool {
	if c.steps++; c.steps > MaxSteps {
		if c.steps == MaxSteps+1 {
			c.errorAt(st.node, codeTooManySteps, "the workflow has more than %d steps", MaxSteps).
				WithHint("do the same for each item of a list with `foreach`, or split the workflow")
		}
		return false
	}
	st.scope, st.index = s, len(s.steps)
	if slices.Contains(reservedSegments, st.id) {
		c.errorAt(st.key, codeReserved, "%q cannot be the ID of a step: paths use the word", st.id).WithHint("choose another ID")
	}
	if first := s.byID[st.id]; first != nil {
		d := c.errorAt(st.key, codeDuplicateStep, "the step ID %q is already taken, in line %d", st.id, first.key.Pos.Line)
		if !first.named || !st.named {
			d.WithHint("steps without `id` are called step1, step2, … by their place; choose another ID")
		} else {
			d.WithHint("choose another ID")
		}
	} else {
		s.byID[st.id] = st
	}
	s.steps = append(s.steps, st)
	return true
}

// collectGraph makes the steps of a graph and returns them in an order in
// which each comes after those it needs.
func (c *compiler) collectGraph(s *scope, n *yamldoc.Node) []*step {
	if n == nil {
		return nil
	}
	for _, e := range n.Entries {
		if !c.addStep(s, &step{id: e.Key.Text, named: true, node: e.Value, key: e.Key}) {
			break
		}
		if id := e.Value.Entry("id"); id != nil {
			c.errorAt(id.Key, codeMisplaced, "`id` cannot stand here: the key is the ID of the step").WithHint("remove it")
		}
	}
	written := false
	for _, st := range s.steps {
		c.readNeeds(st)
		written = written || st.node.Get("needs") != nil && len(st.node.Get("needs").Items)+len(st.node.Get("needs").Entries) > 0
	}
	if len(s.steps) > 1 && !written {
		c.errorAt(n, codeGraphNoNeeds, "none of the %d steps of the graph has `needs`", len(s.steps)).
			WithHint("write `parallel:` with a list for steps that all start at once, `steps:` for steps in order, or add `needs`")
	}
	order := c.sortGraph(s)
	for _, st := range order {
		c.readJoin(st)
		s.settle(st)
	}
	return order
}

// ends are the words for the ways in which a need can end.
var ends = []struct {
	word string
	end  workflow.Ends
}{
	{"succeeded", workflow.EndSucceeded},
	{"skipped", workflow.EndSkipped},
	{"failed", workflow.EndFailed},
	{"canceled", workflow.EndCanceled},
	{"not_run", workflow.EndNotRun},
}

func endWords() []string {
	words := make([]string, len(ends))
	for i, e := range ends {
		words[i] = e.word
	}
	return words
}

// readNeeds resolves `needs`.
func (c *compiler) readNeeds(st *step) {
	n := st.node.Get("needs")
	if n == nil {
		return
	}
	for _, item := range n.Items {
		c.addNeed(st, item, workflow.EndOK)
	}
	for _, e := range n.Entries {
		c.addNeed(st, e.Key, c.readEnds(e.Value))
	}
}

func (c *compiler) readEnds(n *yamldoc.Node) workflow.Ends {
	items := n.Items
	if n.IsScalar() {
		items = []*yamldoc.Node{n}
	}
	var set workflow.Ends
	for _, item := range items {
		found := false
		for _, e := range ends {
			if item.Kind == yamldoc.String && item.Text == e.word {
				set |= e.end
				found = true
			}
		}
		if !found && item.Kind == yamldoc.String {
			d := c.errorAt(item, codeJoin, "%q is not a way to end", item.Text)
			if d.Hint = diag.DidYouMean(item.Text, endWords()); d.Hint == "" {
				d.WithHint("a step ends as %s", strings.Join(endWords(), ", "))
			}
		}
	}
	return set
}

func (c *compiler) addNeed(st *step, n *yamldoc.Node, set workflow.Ends) {
	if n.Kind != yamldoc.String {
		return
	}
	target := st.scope.byID[n.Text]
	if target == nil {
		d := c.errorAt(n, codeUnknownStep, "there is no step %q in this graph", n.Text)
		if d.Hint = c.didYouMean(n.Text, st.siblings); d.Hint == "" && st.scope.outer != nil {
			d.WithHint("a step needs steps of its own graph; let the group around it need others")
		}
		return
	}
	for _, other := range st.needs {
		if other.step == target {
			c.errorAt(n, codeDuplicateNeed, "the step %q is already needed", n.Text).WithHint("remove one of the two")
			return
		}
	}
	st.needs = append(st.needs, need{step: target, ends: set, node: n})
}

// siblings are the IDs of the other steps of the scope.
func (st *step) siblings() []string {
	var names []string
	for _, other := range st.scope.steps {
		if other != st {
			names = append(names, other.id)
		}
	}
	return names
}

// sortGraph orders the steps so that each comes after those it needs. A need
// that closes a circle is reported and dropped.
func (c *compiler) sortGraph(s *scope) []*step {
	const (
		unseen = iota
		open
		done
	)
	state := make([]int, len(s.steps))
	order := make([]*step, 0, len(s.steps))
	var path []*step
	var visit func(st *step)
	visit = func(st *step) {
		state[st.index] = open
		path = append(path, st)
		kept := st.needs[:0]
		for _, n := range st.needs {
			if state[n.step.index] == open {
				c.circle(path, n)
				continue
			}
			kept = append(kept, n)
			if state[n.step.index] == unseen {
				visit(n.step)
			}
		}
		st.needs = kept
		path = path[:len(path)-1]
		state[st.index] = done
		order = append(order, st)
	}
	for _, st := range s.steps {
		if state[st.index] == unseen {
			visit(st)
		}
	}
	return order
}

// maxCircle bounds the steps that a message about a circle names.
const maxCircle = 20

// circle reports that the last step of the path needs an earlier one.
func (c *compiler) circle(path []*step, closing need) {
	from := slices.Index(path, closing.step)
	path = path[from:]
	names := make([]string, 0, maxCircle+2)
	for i, st := range path {
		if rest := len(path) - maxCircle; rest > 0 && i >= maxCircle/2 && i < maxCircle/2+rest {
			if i == maxCircle/2 {
				names = append(names, fmt.Sprintf("… %d more …", rest))
			}
			continue
		}
		names = append(names, st.id)
	}
	names = append(names, closing.step.id)
	d := c.errorAt(closing.node, codeCycle, "the needs go in a circle: %s", strings.Join(names, " → "))
	if closing.step == path[len(path)-1] {
		d.WithHint("a step cannot need itself")
	} else {
		d.WithHint("remove one of these needs")
	}
}

// joinAll demands all needs.
func joinAll(needs []need) *workflow.Join {
	return combine(needs, workflow.OpAnd)
}

// combine joins the atoms of the needs with an operator.
func combine(needs []need, op workflow.Op) *workflow.Join {
	j := &workflow.Join{When: workflow.Cond{Op: op}}
	for i, n := range needs {
		j.Needs = append(j.Needs, workflow.NodeID(n.step.index))
		j.When.Args = append(j.When.Args, workflow.Cond{Op: workflow.OpEnd, Need: i, Ends: n.ends})
	}
	return j
}

// settle computes what is known when the step starts. The steps that it needs
// are settled.
func (s *scope) settle(st *step) {
	st.before = newBitset(len(s.steps))
	for _, n := range st.needs {
		st.before.union(n.step.before)
		st.before.add(n.step.index)
	}
	if st.join == nil {
		st.sure, st.starts = newBitset(len(s.steps)), true
		return
	}
	st.sure = st.certain(st.join.When)
	st.starts = st.holds(st.join.When) == yes
}

// certain are the steps that have an output when the condition holds.
func (st *step) certain(cond workflow.Cond) bitset {
	set := newBitset(len(st.scope.steps))
	switch cond.Op {
	case workflow.OpEnd:
		const started = workflow.EndSucceeded | workflow.EndSkipped | workflow.EndFailed
		n := st.needs[cond.Need].step
		if cond.Ends&^started != 0 || cond.Ends == 0 {
			return set
		}
		set.union(n.sure)
		failed := cond.Ends&workflow.EndFailed != 0 || n.continues()
		skipped := cond.Ends&workflow.EndSkipped != 0 && n.maySkip()
		if !failed && !skipped {
			set.add(n.index)
		}
	case workflow.OpAnd:
		for _, arg := range cond.Args {
			set.union(st.certain(arg))
		}
	case workflow.OpOr:
		for i, arg := range cond.Args {
			if i == 0 {
				set.union(st.certain(arg))
			} else {
				set.intersect(st.certain(arg))
			}
		}
	case workflow.OpNot, workflow.OpExpr:
	}
	return set
}

// truth is a value of three-valued logic.
type truth int8

const (
	no    truth = -1
	maybe truth = 0
	yes   truth = 1
)

// holds says whether the condition holds in a scope that succeeds.
func (st *step) holds(cond workflow.Cond) truth {
	switch cond.Op {
	case workflow.OpEnd:
		return st.needs[cond.Need].step.endsIn(cond.Ends)
	case workflow.OpNot:
		if len(cond.Args) == 1 {
			return -st.holds(cond.Args[0])
		}
	case workflow.OpAnd:
		all := yes
		for _, arg := range cond.Args {
			all = min(all, st.holds(arg))
		}
		return all
	case workflow.OpOr:
		some := no
		for _, arg := range cond.Args {
			some = max(some, st.holds(arg))
		}
		return some
	case workflow.OpExpr:
	}
	return maybe
}

// endsIn says whether the step ends in one of the ways, in a scope that
// succeeds: nothing fails there without being handled.
func (st *step) endsIn(set workflow.Ends) truth {
	possible := workflow.EndSucceeded
	if st.node.Get("if") != nil {
		possible |= workflow.EndSkipped
	}
	if !st.starts {
		possible |= workflow.EndNotRun | workflow.EndCanceled
	}
	switch {
	case possible&^set == 0:
		return yes
	case possible&set == 0 && (!st.continues() || set&workflow.EndFailed == 0):
		return no
	}
	return maybe
}

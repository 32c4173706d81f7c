package sim

import (
	"fmt"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Behaviours of tasks, drawn when the program is made and found in the task's
// input.
const (
	steady  = "steady"  // succeeds unless its worker is unlucky
	flaky   = "flaky"   // fails half of the time
	failing = "failing" // always fails
	slow    = "slow"    // takes long
	stuck   = "stuck"   // ends only when it is told to
)

// specimen is a generated program and what the simulator must know of it.
type specimen struct {
	program *workflow.Program
	// stuck: it has a task that ends only when the run is canceled.
	stuck bool
}

// generator makes small programs of every mechanism that the engine has.
type generator struct {
	r     random
	p     *workflow.Program
	stuck bool
	depth int
	nodes int
	// last is above 0 in finally parts, which no cancel reaches: nothing there
	// may wait for one.
	last int
	// loops is how many loops lie around; what is waited for inside is short, so
	// that everything ends while it is calm.
	loops int
	// before is how many programs were drawn before, which it may start.
	before int
}

// maxNodes bounds the nodes of a program; maxNesting its bodies in bodies.
const (
	maxNodes   = 12
	maxNesting = 3
)

// generate draws a program.
func generate(r random, n int) specimen {
	g := &generator{r: r, before: n, p: &workflow.Program{
		Format: workflow.Format, Language: languageName, Name: fmt.Sprintf("p%d", n), Pipelined: r.chance(0.25),
		Inputs: []workflow.Input{{Name: "yes"}, {Name: "no"}, {Name: "tag"}},
	}}
	g.p.Main = g.body("m", 2+r.IntN(4))
	g.concurrency()
	main := &g.p.Bodies[g.p.Main]
	main.Vars = []workflow.Assignment{assign(workflow.AssignSet, counter, *workflow.Constant(value.Int(0)))}
	if r.chance(0.5) {
		main.Output = &workflow.Data{Expr: g.expr(counter, workflow.Source{Root: workflow.RootVar, Name: counter})}
	}
	if r.chance(0.15) {
		g.p.OnFailure = workflow.OnFailureHold
	}
	return specimen{program: g.p, stuck: g.stuck}
}

// counter is the variable of the run that nodes count up.
const counter = "x"

func assign(op workflow.AssignKind, name string, v workflow.Data) workflow.Assignment {
	return workflow.Assignment{Ops: []workflow.AssignOp{{Var: name, Op: op, Value: v}}}
}

// expr reads one thing from a source. Some expressions are too costly to be
// evaluated while deciding.
func (g *generator) expr(name string, from workflow.Source) *workflow.Expr {
	src := name
	if g.r.chance(0.3) {
		src = "costly " + name
	}
	return &workflow.Expr{Language: languageName, Source: src, Bind: []workflow.Binding{{Path: []string{name}, From: from}}}
}

// body adds a joined body of about n nodes.
func (g *generator) body(prefix string, n int) workflow.BodyID {
	g.depth++
	defer func() { g.depth-- }()
	id := workflow.BodyID(len(g.p.Bodies))
	g.p.Bodies = append(g.p.Bodies, workflow.Body{})
	b := workflow.Body{}
	sequence := g.r.chance(0.3)
	for i := range n {
		node := g.node(fmt.Sprintf("%s%d", prefix, i))
		if i > 0 {
			node.Join = g.join(i, sequence)
		}
		b.Nodes = append(b.Nodes, node)
	}
	b.Rule.OnFailure = pick(g.r, workflow.GoOn, workflow.GoOn, workflow.StartNoMore, workflow.CancelRest)
	b.Rule.SkippedLeaves = g.r.chance(0.1)
	if g.r.chance(0.25) && g.depth <= maxNesting {
		b.Rule.IgnoreFinally = g.r.chance(0.3)
		g.last++
		finally := g.body(prefix+"f", 1)
		g.last--
		b.Finally = &finally
	}
	if g.r.chance(0.3) {
		b.Output = workflow.Constant(value.String("done " + prefix))
	}
	g.p.Bodies[id] = b
	return id
}

// jumps adds a body of jumps that goes round twice: a task, a choice that goes
// back while a variable of the frame says so, and the end.
func (g *generator) jumps(prefix string) workflow.BodyID {
	g.depth++
	defer func() { g.depth-- }()
	first, last := workflow.NodeID(0), workflow.NodeID(2)
	choose := workflow.NodeID(1)
	work := workflow.Node{ID: prefix + "0", Next: &choose}
	g.task(&work)
	if g.r.chance(0.5) {
		work.Catch = []workflow.Catch{{Next: &last}}
	}
	back := assign(workflow.AssignSet, "again", *workflow.Constant(value.Bool(false)))
	id := workflow.BodyID(len(g.p.Bodies))
	g.p.Bodies = append(g.p.Bodies, workflow.Body{
		Start: []workflow.NodeID{first}, Scope: workflow.ScopeRead,
		Vars: []workflow.Assignment{assign(workflow.AssignSet, "again", *workflow.Constant(value.Bool(true)))},
		Nodes: []workflow.Node{
			work,
			{ID: prefix + "1", Kind: workflow.KindChoice, Choice: &workflow.Choice{Cases: []workflow.Case{
				{If: g.expr("again", workflow.Source{Root: workflow.RootVar, Name: "again"}), Next: &first, Assign: &back},
				{Next: &last},
			}}},
			{ID: prefix + "2", Kind: workflow.KindPass},
		},
	})
	return id
}

// join is a predicate over some of the nodes before node i.
func (g *generator) join(i int, sequence bool) *workflow.Join {
	if sequence {
		return &workflow.Join{Needs: []workflow.NodeID{workflow.NodeID(i - 1)}, When: ends(0, workflow.EndOK)}
	}
	if g.r.chance(0.2) {
		return nil
	}
	j := &workflow.Join{}
	for before := range i {
		if before == i-1 && len(j.Needs) == 0 || g.r.chance(0.4) {
			j.Needs = append(j.Needs, workflow.NodeID(before))
		}
	}
	of := func(set workflow.Ends) []workflow.Cond {
		var atoms []workflow.Cond
		for n := range j.Needs {
			atoms = append(atoms, ends(n, set))
		}
		return atoms
	}
	switch g.r.IntN(6) {
	case 0: // any
		j.When = workflow.Cond{Op: workflow.OpOr, Args: of(workflow.EndOK)}
	case 1: // done
		j.When, j.Settled = workflow.Cond{Op: workflow.OpAnd, Args: of(workflow.EndAny)}, true
	case 2: // one failed
		j.When = workflow.Cond{Op: workflow.OpOr, Args: of(workflow.EndFailed)}
	case 3: // not all failed
		j.When = workflow.Cond{Op: workflow.OpNot, Args: []workflow.Cond{{Op: workflow.OpAnd, Args: of(workflow.EndFailed | workflow.EndNotRun)}}}
	default: // all
		j.When = workflow.Cond{Op: workflow.OpAnd, Args: of(workflow.EndOK)}
	}
	return j
}

func ends(need int, set workflow.Ends) workflow.Cond {
	return workflow.Cond{Op: workflow.OpEnd, Need: need, Ends: set}
}

// node draws a node of any kind, and what it carries.
func (g *generator) node(id string) workflow.Node {
	g.nodes++
	n := workflow.Node{ID: id}
	nested := g.depth <= maxNesting && g.nodes < maxNodes
	kind := g.r.IntN(18)
	switch {
	case g.before > 0 && g.loops == 0 && g.r.chance(0.14):
		g.child(&n, g.before)
	case kind < 8 || !nested:
		g.task(&n)
	case kind == 8:
		if g.r.chance(0.6) {
			g.awaited(&n)
		} else {
			n.Kind, n.Wait = workflow.KindWait, &workflow.Wait{For: g.length()}
		}
	case kind == 9:
		g.fork(&n, 1)
	case kind == 10:
		g.fork(&n, 2+g.r.IntN(2))
	case kind == 11, kind == 12:
		g.mapping(&n)
	case kind == 13:
		g.choice(&n)
	case kind == 14:
		n.Kind, n.Call = workflow.KindCall, &workflow.Call{Body: g.body(id+"c", 1+g.r.IntN(2))}
	case kind == 15, kind == 16:
		g.loop(&n)
	default:
		g.other(&n)
	}
	switch g.r.IntN(12) {
	case 0:
		n.If = g.truth(true)
	case 1:
		n.If = g.truth(false)
	}
	g.handlers(&n)
	switch g.r.IntN(10) {
	case 0, 1:
		count := assign(workflow.AssignAdd, counter, *workflow.Constant(value.Int(1)))
		n.Assign = &count
	case 2:
		note := assign(workflow.AssignSet, "seen", workflow.Data{Expr: g.expr(counter, workflow.Source{Root: workflow.RootVar, Name: counter})})
		n.Assign = &note
	}
	return n
}

// length is a constant of some seconds to hours; in loops, to minutes.
func (g *generator) length() *workflow.Data {
	if g.loops > 0 {
		return workflow.Constant(value.String(pick(g.r, "1s", "5s", "20s", "90s")))
	}
	return workflow.Constant(value.String(pick(g.r, "1s", "5s", "20s", "45s", "90s", "5m", "20m", "2h")))
}

// truth is an expression with that value, read from the run's input.
func (g *generator) truth(v bool) *workflow.Expr {
	name := "no"
	if v {
		name = "yes"
	}
	return g.expr(name, workflow.Source{Root: workflow.RootInput, Name: name})
}

func (g *generator) task(n *workflow.Node) {
	behaviour := pick(g.r, steady, steady, steady, steady, flaky, flaky, failing, slow)
	if g.r.chance(0.02) && g.last == 0 {
		behaviour, g.stuck = stuck, true
	}
	n.Kind = workflow.KindTask
	n.Task = &workflow.Task{
		Uses: pick(g.r, "process", "process", "http.request"),
		With: workflow.Constant(value.Object(value.M("behaviour", value.String(behaviour)))),
	}
	if g.r.chance(0.2) {
		n.Task.With = &workflow.Data{Object: []workflow.DataMember{
			{Key: "behaviour", Data: *workflow.Constant(value.String(behaviour))},
			{Key: "counted", Data: workflow.Data{Expr: g.expr(counter, workflow.Source{Root: workflow.RootVar, Name: counter})}},
		}}
	}
	switch g.r.IntN(10) {
	case 0:
		n.Task.AtMostOnce = g.last == 0
	case 1, 2:
		n.Task.Idempotent = true
	case 3:
		lost := g.r.IntN(3)
		n.Task.MaxLost = &lost
	}
	if g.r.chance(0.12) {
		n.Task.Finish = workflow.FinishMessage
	}
	if g.r.chance(0.1) {
		n.Task.Heartbeat = workflow.Constant(value.String(pick(g.r, "40s", "5m")))
	}
	if g.r.chance(0.2) {
		n.Timeout = workflow.Constant(value.String(pick(g.r, "30s", "2m", "10m")))
	}
	if !n.Task.AtMostOnce && g.r.chance(0.4) {
		n.Retry = []workflow.Retry{g.retry()}
	}
	g.gate(n)
}

func (g *generator) retry() workflow.Retry {
	r := workflow.Retry{MaxAttempts: workflow.Constant(value.Int(int64(2 + g.r.IntN(3))))}
	if g.r.chance(0.7) {
		r.Backoff.Initial = workflow.Constant(value.String(pick(g.r, "1s", "10s", "80s")))
		r.Backoff.Factor = workflow.Constant(value.Int(2))
		if g.r.chance(0.3) {
			r.Backoff.Max = workflow.Constant(value.String("30s"))
		}
		if g.r.chance(0.3) {
			r.Backoff.Jitter = workflow.JitterFull
		}
	}
	switch g.r.IntN(8) {
	case 0:
		r.When = g.truth(g.r.chance(0.7))
	case 1:
		if g.depth <= maxNesting && g.nodes < maxNodes {
			call := g.body("q", 1)
			g.p.Bodies[call].Output = &workflow.Data{Expr: g.truth(g.r.chance(0.7))}
			r.Call = &call
		}
	}
	return r
}

func (g *generator) fork(n *workflow.Node, branches int) {
	n.Kind, n.Fork = workflow.KindFork, &workflow.Fork{Gather: workflow.GatherSingle}
	for i := range branches {
		prefix := fmt.Sprintf("%sb%d", n.ID, i)
		b := workflow.Branch{}
		if g.r.chance(0.2) {
			b.Body = g.jumps(prefix)
		} else {
			b.Body = g.body(prefix, 1+g.r.IntN(2))
		}
		if branches > 1 {
			b.Name = fmt.Sprintf("b%d", i)
		}
		n.Fork.Branches = append(n.Fork.Branches, b)
	}
	if branches > 1 {
		n.Fork.Gather = pick(g.r, workflow.GatherObject, workflow.GatherList)
		n.Fork.Rule.OnFailure = pick(g.r, workflow.GoOn, workflow.StartNoMore, workflow.CancelRest)
		n.Fork.Rule.FirstSuccess = g.r.chance(0.2)
	}
	g.around(n)
}

func (g *generator) mapping(n *workflow.Node) {
	items := make([]value.Value, g.r.IntN(7))
	for i := range items {
		items[i] = value.Int(int64(i))
	}
	n.Kind = workflow.KindMap
	n.Map = &workflow.Map{
		Body: g.body(n.ID+"i", 1), Items: workflow.Constant(value.List(items...)),
		Gather: pick(g.r, workflow.GatherList, workflow.GatherPresent),
	}
	if g.r.chance(0.2) {
		n.Map.Select = &workflow.Data{Expr: g.expr("item", workflow.Source{Root: workflow.RootItem})}
	}
	if g.r.chance(0.6) {
		n.Map.MaxParallel = workflow.Constant(value.Int(int64(1 + g.r.IntN(3))))
	}
	n.Map.Rule.OnFailure = pick(g.r, workflow.GoOn, workflow.StartNoMore, workflow.CancelRest)
	if g.r.chance(0.4) {
		n.Map.Rule.MaxFailures = workflow.Constant(value.Int(int64(g.r.IntN(3))))
	}
	g.around(n)
}

// loop draws a loop that ends: of its own, or by its bound.
func (g *generator) loop(n *workflow.Node) {
	g.loops++
	defer func() { g.loops-- }()
	l := &workflow.Loop{
		Body: g.body(n.ID+"t", 1+g.r.IntN(2)), FailedTurn: pick(g.r, workflow.GoOn, workflow.GoOn, workflow.StartNoMore, workflow.CancelRest),
	}
	bounded := true
	switch g.r.IntN(7) {
	case 0:
		l.Until, bounded = g.truth(true), g.r.chance(0.5)
	case 1:
		l.While, bounded = g.truth(false), g.r.chance(0.5)
	case 2:
		l.Until = g.truth(false)
	case 3:
		l.While = g.truth(true)
	}
	if bounded {
		l.Max = workflow.Constant(value.Int(int64(1 + g.r.IntN(3))))
	}
	switch g.r.IntN(5) {
	case 0, 1:
		l.Delay = g.length()
	case 2:
		l.Grid = workflow.Constant(value.String(pick(g.r, "30s", "4m")))
	}
	n.Kind, n.Loop = workflow.KindLoop, l
	g.around(n)
}

// around lets a frame have a timeout and a retry of its own.
func (g *generator) around(n *workflow.Node) {
	if g.r.chance(0.15) {
		n.Timeout = workflow.Constant(value.String(pick(g.r, "2m", "20m")))
	}
	if g.r.chance(0.15) {
		n.Retry = []workflow.Retry{g.retry()}
	}
}

func (g *generator) choice(n *workflow.Node) {
	n.Kind, n.Choice = workflow.KindChoice, &workflow.Choice{MustMatch: g.r.chance(0.3)}
	for i := range 1 + g.r.IntN(2) {
		body := g.body(fmt.Sprintf("%sk%d", n.ID, i), 1)
		n.Choice.Cases = append(n.Choice.Cases, workflow.Case{If: g.truth(g.r.chance(0.5)), Body: &body})
	}
}

// other draws one of the nodes that do nothing outside.
func (g *generator) other(n *workflow.Node) {
	switch g.r.IntN(4) {
	case 0:
		n.Kind, n.Raise = workflow.KindRaise, &workflow.Raise{Name: workflow.Constant(value.String("raised"))}
	case 1:
		n.Kind, n.Exit = workflow.KindExit, &workflow.Exit{
			Up: g.r.IntN(min(g.depth, 2)), Run: g.r.chance(0.2), Value: workflow.Constant(value.String("exited")),
		}
	default:
		n.Kind = workflow.KindPass
	}
}

// handlers draws what becomes of a node's failure.
func (g *generator) handlers(n *workflow.Node) {
	if g.r.chance(0.12) && g.depth <= maxNesting && g.nodes < maxNodes {
		body := g.body(n.ID+"e", 1)
		n.Catch = []workflow.Catch{{Body: &body}}
	}
	n.ContinueOnError = g.r.chance(0.1)
	if g.r.chance(0.03) {
		n.Held = &workflow.Held{}
	}
}

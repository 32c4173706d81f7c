package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/workflow"
)

// Prepare links a program: it compiles every expression once. It refuses, with
// all reasons in one error, programs that do not hold together or use a
// mechanism that is declared but not built.
func Prepare(p *workflow.Program, languages map[string]expr.Language) (*Machine, error) {
	l := &linker{languages: languages, m: &Machine{
		prog: p, exprs: map[*workflow.Expr]*linked{}, errs: map[errorKey]*workflow.ErrorMapping{},
		contents: map[*workflow.Node]string{},
	}}
	if p.Format != workflow.Format {
		return nil, fmt.Errorf("prepare %s: program format %d is not known here", p.Name, p.Format)
	}
	// Deadlines that only flag a run are judged beside the engine.
	l.refuse(slices.ContainsFunc(p.Deadlines, func(d workflow.Deadline) bool { return d.Then != workflow.ThenFlag }),
		"deadlines of the run that do more than flag it")
	if int(p.Main) >= len(p.Bodies) || p.Main < 0 {
		return nil, fmt.Errorf("prepare %s: there is no body %d", p.Name, p.Main)
	}
	l.concurrency(p.Concurrency)
	for i := range p.Inputs {
		l.data(p.Inputs[i].Default)
	}
	for i := range p.Errors {
		e := &p.Errors[i]
		l.m.errs[errorKey{e.Engine, e.Code}] = e
	}
	for i := range p.Bodies {
		l.where = fmt.Sprintf("body %d", i)
		l.m.bodies = append(l.m.bodies, l.body(&p.Bodies[i]))
	}
	if len(l.faults) > 0 {
		return nil, fmt.Errorf("prepare %s: %w", p.Name, errors.Join(l.faults...))
	}
	return l.m, nil
}

type linker struct {
	m         *Machine
	languages map[string]expr.Language
	where     string
	faults    []error
}

func (l *linker) faultf(format string, args ...any) {
	l.faults = append(l.faults, fmt.Errorf("%s: %s", l.where, fmt.Sprintf(format, args...)))
}

func (l *linker) refuse(used bool, what string) {
	if used {
		l.faultf("%s: this engine cannot run it yet", what)
	}
}

func (l *linker) body(src *workflow.Body) body {
	b := body{Body: src, jumps: len(src.Start) > 0}
	b.dependents = make([][]workflow.NodeID, len(src.Nodes))
	b.all = make([][]workflow.Ends, len(src.Nodes))
	for _, s := range src.Start {
		l.nodeRef(src, &s)
	}
	l.rule(&src.Rule, true)
	l.data(src.Output)
	l.bodyRef(src.Finally)
	for i := range src.Vars {
		l.assignment(&src.Vars[i])
	}
	for i := range src.Nodes {
		n := &src.Nodes[i]
		l.where = "node " + n.ID
		if n.Origin.Path != "" {
			l.where = n.Origin.Path
		}
		l.node(src, &b, workflow.NodeID(i), n)
	}
	b.chain = chains(&b)
	return b
}

func (l *linker) node(src *workflow.Body, b *body, id workflow.NodeID, n *workflow.Node) {
	if n.Join != nil {
		if b.jumps {
			l.faultf("a node of a body of jumps has no join")
			return
		}
		seen := map[workflow.NodeID]bool{}
		for _, need := range n.Join.Needs {
			if need < 0 || int(need) >= len(src.Nodes) {
				l.faultf("join names node %d, which is not there", need)
				return
			}
			if !seen[need] {
				seen[need] = true
				b.dependents[need] = append(b.dependents[need], id)
			}
		}
		b.all[id] = conjunction(n.Join)
		l.cond(&n.Join.When, len(n.Join.Needs))
	}
	l.refuse(b.jumps && n.If != nil, "if in a body of jumps")
	l.expr(n.If)
	l.stages(n.Input)
	l.stages(n.Result)
	l.assignment(n.Assign)
	l.data(n.Default)
	l.refuse(n.Default != nil && n.Default.Const.IsUndefined(), "a computed default")
	l.nodeRef(src, n.Next)
	l.data(n.Timeout)
	l.kind(src, n)
	for i := range n.Retry {
		r := &n.Retry[i]
		l.expr(r.When)
		l.bodyRef(r.Call)
		l.data(r.MaxAttempts)
		l.data(r.Backoff.Initial)
		l.data(r.Backoff.Factor)
		l.data(r.Backoff.Max)
	}
	for i := range n.Catch {
		c := &n.Catch[i]
		l.expr(c.When)
		l.bodyRef(c.Body)
		l.nodeRef(src, c.Next)
		l.stages(c.Result)
		l.assignment(c.Assign)
	}
	l.policies(&n.Policies)
	if n.Cache != nil {
		l.data(n.Cache.Key)
		l.data(n.Cache.For)
		content, err := contentOf(l.m.prog, n)
		if err != nil {
			l.faultf("%s", err)
		}
		l.m.contents[n] = content
	}
}

func (l *linker) policies(p *workflow.Policies) {
	l.gate(p)
	l.refuse(len(p.Deadlines) > 0, "deadlines")
	l.refuse(len(p.Hooks) > 0, "hooks")
	l.compensate(p.Compensate)
	l.refuse(p.Allocation != nil, "allocation")
	l.refuse(p.Daemon, "daemon")
}

// compensate checks what undoes a node: a body without data of its own, so that
// nothing but a node of it can fail.
func (l *linker) compensate(c *workflow.Compensate) {
	if c == nil {
		return
	}
	l.bodyRef(&c.Body)
	if c.OnUnknown != "" && c.OnUnknown != workflow.OnUnknownAsk && c.OnUnknown != workflow.OnUnknownRun {
		l.faultf("on_unknown %q is not known here", c.OnUnknown)
	}
	if int(c.Body) < len(l.m.prog.Bodies) && c.Body >= 0 {
		b := &l.m.prog.Bodies[c.Body]
		l.refuse(len(b.Start) > 0 || len(b.Vars) > 0 || b.Output != nil || b.Finally != nil, "a compensation with jumps, variables, output or finally part")
	}
}

func (l *linker) kind(src *workflow.Body, n *workflow.Node) {
	has := map[workflow.Kind]bool{
		workflow.KindTask: n.Task != nil, workflow.KindFork: n.Fork != nil, workflow.KindMap: n.Map != nil,
		workflow.KindChoice: n.Choice != nil, workflow.KindLoop: n.Loop != nil, workflow.KindWait: n.Wait != nil,
		workflow.KindAssign: true, workflow.KindPass: true, workflow.KindRaise: n.Raise != nil,
		workflow.KindExit: n.Exit != nil, workflow.KindCall: n.Call != nil, workflow.KindChild: n.Child != nil,
	}
	if !has[n.Kind] {
		l.faultf("kind %q has no description of what it does", n.Kind)
		return
	}
	switch n.Kind {
	case workflow.KindTask:
		l.task(n.Task)
	case workflow.KindFork:
		l.rule(&n.Fork.Rule, false)
		if len(n.Fork.Branches) == 0 {
			l.faultf("a fork needs a branch")
		}
		for i := range n.Fork.Branches {
			l.bodyRef(&n.Fork.Branches[i].Body)
		}
	case workflow.KindMap:
		l.mapNode(n.Map)
	case workflow.KindChoice:
		for i := range n.Choice.Cases {
			c := &n.Choice.Cases[i]
			l.expr(c.If)
			l.bodyRef(c.Body)
			l.nodeRef(src, c.Next)
			l.stages(c.Result)
			l.assignment(c.Assign)
		}
	case workflow.KindWait:
		l.eventWait(n.Wait.Event)
		l.data(n.Wait.For)
		l.data(n.Wait.Until)
	case workflow.KindRaise:
		l.raise(n.Raise)
	case workflow.KindExit:
		l.refuse(n.Exit.Next != nil, "an exit that goes on")
		l.data(n.Exit.Value)
		l.raise(n.Exit.Error)
	case workflow.KindCall:
		l.bodyRef(&n.Call.Body)
		l.data(n.Call.With)
	case workflow.KindLoop:
		l.loop(n.Loop)
	case workflow.KindChild:
		l.child(n.Child)
	case workflow.KindAssign, workflow.KindPass:
	}
}

func (l *linker) child(c *workflow.Child) {
	l.data(c.With)
	l.data(c.Date)
	if c.Workflow == "" {
		l.faultf("a child names no workflow")
	}
	if c.Cancel != workflow.ChildCancel && c.Cancel != workflow.ChildAbandon {
		l.faultf("cancel policy %q of a child is not known", c.Cancel)
	}
}

func (l *linker) eventWait(e *workflow.EventWait) {
	if e == nil {
		return
	}
	switch e.Kind {
	case workflow.EventSignal, workflow.EventApproval, workflow.EventRun, workflow.EventCondition:
	default:
		l.refuse(true, "waits for "+e.Kind)
	}
	l.data(e.With)
	if e.With == nil {
		l.faultf("a wait for a %s does not say which", e.Kind)
	}
}

func (l *linker) task(t *workflow.Task) {
	if t.Uses == "" {
		l.faultf("a task names no executor or connector")
	}
	l.data(t.With)
	l.data(t.Heartbeat)
	l.refuse(t.RunsOn != nil, "placement")
}

func (l *linker) mapNode(m *workflow.Map) {
	l.bodyRef(&m.Body)
	l.data(m.Items)
	l.data(m.Select)
	l.data(m.MaxParallel)
	l.rule(&m.Rule, false)
	l.refuse(m.Items == nil || m.Reader != nil, "a reader of items")
	l.refuse(m.ChildRuns, "items as runs")
}

func (l *linker) loop(loop *workflow.Loop) {
	l.bodyRef(&loop.Body)
	l.expr(loop.While)
	l.expr(loop.Until)
	l.data(loop.Max)
	l.data(loop.Delay)
	l.data(loop.Grid)
	if loop.While == nil && loop.Until == nil && loop.Max == nil {
		l.faultf("a loop needs one of while, until and max")
	}
	if loop.Delay != nil && loop.Grid != nil {
		l.faultf("delay and grid exclude each other")
	}
}

func (l *linker) rule(r *workflow.Rule, ofBody bool) {
	l.data(r.MaxFailures)
	l.data(r.MaxFailedPercent)
	l.refuse(r.Abandon, "abandoned children")
	l.refuse(ofBody && r.FirstSuccess, "first success among nodes")
	l.refuse(ofBody && (r.MaxFailures != nil || r.MaxFailedPercent != nil), "tolerance among nodes")
}

func (l *linker) raise(r *workflow.Raise) {
	if r != nil {
		l.data(r.Name)
		l.data(r.Message)
		l.data(r.Details)
		l.data(r.Error)
	}
}

func (l *linker) stages(stages []workflow.Stage) {
	for i := range stages {
		l.data(stages[i].Data)
		l.expr(stages[i].Check)
	}
}

func (l *linker) path(steps []workflow.PathStep) {
	for i := range steps {
		l.data(steps[i].Index)
		l.data(steps[i].Name)
	}
}

func (l *linker) assignment(a *workflow.Assignment) {
	if a != nil {
		for i := range a.Ops {
			l.path(a.Ops[i].Path)
			l.data(&a.Ops[i].Value)
		}
	}
}

func (l *linker) data(d *workflow.Data) {
	if d == nil {
		return
	}
	l.expr(d.Expr)
	for i := range d.Text {
		l.expr(d.Text[i].Expr)
	}
	for i := range d.List {
		l.data(&d.List[i])
	}
	for i := range d.Object {
		l.data(&d.Object[i].Data)
	}
}

func (l *linker) cond(c *workflow.Cond, needs int) {
	if c.Op == workflow.OpEnd && (c.Need < 0 || c.Need >= needs) {
		l.faultf("an atom of the join names need %d of %d", c.Need, needs)
	}
	l.expr(c.Expr)
	for i := range c.Args {
		l.cond(&c.Args[i], needs)
	}
}

func (l *linker) bodyRef(id *workflow.BodyID) {
	if id != nil && (*id < 0 || int(*id) >= len(l.m.prog.Bodies)) {
		l.faultf("there is no body %d", *id)
	}
}

func (l *linker) nodeRef(src *workflow.Body, id *workflow.NodeID) {
	if id != nil && (*id < 0 || int(*id) >= len(src.Nodes)) {
		l.faultf("there is no node %d", *id)
	}
}

// expr compiles an expression against the names that its bindings give.
func (l *linker) expr(e *workflow.Expr) {
	if e == nil || l.m.exprs[e] != nil {
		return
	}
	lang := l.languages[e.Language]
	if lang == nil {
		l.faultf("expression language %q is not known here", e.Language)
		return
	}
	link := &linked{src: e, index: len(l.m.exprs) + 1}
	for i := range e.Bind {
		bind := &e.Bind[i]
		link.roots = insert(link.roots, bind.Path, bind)
		switch bind.From.Root {
		case workflow.RootVar, workflow.RootVars:
			link.readsVar = true
		default:
		}
	}
	env := &expr.Env{Zone: e.Zone}
	for _, r := range link.roots {
		env.Roots = append(env.Roots, expr.Root{Name: r.name, Type: r.exprType()})
	}
	compiled, problems := lang.Compile(e.Source, env)
	if len(problems) > 0 {
		l.faultf("expression %q: %s", e.Source, problems[0])
		return
	}
	link.compiled = compiled
	if p, ok := compiled.(expr.Path); ok {
		link.path = p.Path()
	}
	l.m.exprs[e] = link
}

// insert puts a binding into the tree of names.
func insert(nodes []bindNode, path []string, bind *workflow.Binding) []bindNode {
	i := 0
	for i < len(nodes) && nodes[i].name != path[0] {
		i++
	}
	if i == len(nodes) {
		nodes = append(nodes, bindNode{name: path[0]})
	}
	if len(path) == 1 {
		nodes[i].bind, nodes[i].typ, nodes[i].members = bind, bind.Type, nil
	} else if nodes[i].bind == nil {
		nodes[i].members = insert(nodes[i].members, path[1:], bind)
	}
	return nodes
}

func (n *bindNode) exprType() expr.Type {
	if n.bind != nil {
		return n.typ
	}
	t := expr.Type{Kind: expr.ObjectOf, Closed: true}
	for i := range n.members {
		t.Fields = append(t.Fields, expr.Field{Name: n.members[i].name, Type: n.members[i].exprType()})
	}
	return t
}

// conjunction returns the wanted ends of each need if the join is an And of
// one atom for each, else nil.
func conjunction(j *workflow.Join) []workflow.Ends {
	if j.Settled || j.When.Op != workflow.OpAnd || len(j.When.Args) != len(j.Needs) {
		return nil
	}
	ends := make([]workflow.Ends, len(j.Needs))
	for _, a := range j.When.Args {
		if a.Op != workflow.OpEnd || a.Need < 0 || a.Need >= len(ends) || ends[a.Need] != 0 {
			return nil
		}
		ends[a.Need] = a.Ends
	}
	return ends
}

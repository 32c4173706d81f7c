package native

import (
	"slices"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// group compiles steps or a graph into a fork with one branch.
func (c *compiler) group(n *yamldoc.Node, v *view, node *workflow.Node) expr.Type {
	s := c.scope(v, roleGroup)
	s.env = c.env(n, c.lang.step, v, v.scope.env)
	out := c.body(s, n)
	node.Kind = workflow.KindFork
	node.Fork = &workflow.Fork{Branches: []workflow.Branch{{Body: s.body}}, Gather: workflow.GatherSingle}
	return out
}

// parallel compiles a list into a fork with one branch, whose nodes wait for
// nothing.
func (c *compiler) parallel(n *yamldoc.Node, v *view, node *workflow.Node) expr.Type {
	s := c.scope(v, roleParallel)
	s.env = c.env(n, c.lang.step, v, v.scope.env)
	c.collectList(s, n.Get("parallel"), false)
	c.compileSteps(s, s.steps)
	out := closed()
	var members []workflow.DataMember
	end := s.end()
	for _, st := range s.steps {
		t := end.outputType(st)
		out.Fields = append(out.Fields, expr.Field{Name: st.id, Type: t})
		from := workflow.Source{Root: workflow.RootNode, Node: workflow.NodeID(st.index), Name: "output"}
		members = append(members, workflow.DataMember{Key: st.id, Data: *c.reference(from, t)})
	}
	body := &c.prog.Bodies[s.body]
	body.Output = &workflow.Data{Object: members}
	if fast, _ := boolean(n.Get("fail_fast")); fast && n.Get("foreach") == nil {
		body.Rule.OnFailure = workflow.CancelRest
	}
	node.Kind = workflow.KindFork
	node.Fork = &workflow.Fork{Branches: []workflow.Branch{{Body: s.body}}, Gather: workflow.GatherSingle}
	return out
}

// choice compiles a switch.
func (c *compiler) choice(n *yamldoc.Node, v *view, node *workflow.Node) expr.Type {
	node.Kind = workflow.KindChoice
	node.Choice = &workflow.Choice{}
	env := c.env(n, c.lang.step, v, v.scope.env)
	var out expr.Type
	cases := n.Get("switch").Items
	otherwise := false
	for i, item := range cases {
		one := workflow.Case{If: c.condition(item.Get("if"), v)}
		s := c.scope(v, roleCase)
		s.env = env
		var t expr.Type
		if last := item.Get("else"); last != nil {
			if i < len(cases)-1 {
				c.errorAt(item.Entry("else").Key, codeMisplaced, "`else` must be the last case").WithHint("cases after it would never be taken")
			}
			otherwise = true
			c.collectList(s, last, true)
			c.compileSteps(s, s.steps)
			t = c.lastOutput(s)
		} else {
			t = c.body(s, item)
		}
		one.Body = &s.body
		node.Choice.Cases = append(node.Choice.Cases, one)
		out = common(out, t, i == 0)
	}
	if !otherwise {
		out = nullable(out)
	}
	return out
}

// foreach compiles a step with foreach.
func (c *compiler) foreach(st *step, v *view, node *workflow.Node) expr.Type {
	n := st.node
	s := c.scope(v, roleItem)
	s.itemName = "item"
	if as := n.Get("as"); as != nil && as.Kind == yamldoc.String {
		if c.isVar[as.Text] {
			c.errorAt(as, codeReserved, "%q is also the name of a variable that `assign` sets", as.Text).WithHint("choose another name")
		} else if c.localName(as, "loop variable") {
			s.itemName = as.Text
		}
	}
	items, t := c.items(n.Get("foreach"), n, v)
	if t.Kind == expr.ListOf && t.Elem != nil {
		s.itemType = *t.Elem
	}
	s.vars = c.declareVars(s, assigned(n))
	inner := &step{node: n, key: st.key, scope: s, starts: true}
	s.steps = []*step{inner}
	m := &workflow.Map{Body: s.body, Items: items, Gather: workflow.GatherList}
	m.MaxParallel, _ = c.field(n, c.lang.step, "max_parallel", v)
	m.Rule.MaxFailures, _ = c.field(n, c.lang.step, "max_failures", v)
	m.Rule.MaxFailedPercent, _ = c.field(n, c.lang.step, "max_failed_percent", v)
	if fast, given := boolean(n.Get("fail_fast")); fast || !given {
		m.Rule.OnFailure = workflow.CancelRest
	}
	node.Kind, node.Map = workflow.KindMap, m

	item := workflow.Node{Origin: c.origin(st)}
	item.Origin.Kind = repeatedForm(n)
	out := c.turns(inner, inner.view(), &item)
	body := &c.prog.Bodies[s.body]
	body.Nodes = []workflow.Node{item}
	body.Output = c.reference(workflow.Source{Root: workflow.RootNode, Name: "output"}, out)
	if m.Rule.MaxFailures != nil || m.Rule.MaxFailedPercent != nil {
		out = nullable(out)
	}
	return expr.Type{Kind: expr.ListOf, Elem: &out}
}

// items compiles the list of foreach.
func (c *compiler) items(list, n *yamldoc.Node, v *view) (*workflow.Data, expr.Type) {
	if list.Kind == yamldoc.List {
		return c.field(n, c.lang.step, "foreach", v)
	}
	if list.Kind == yamldoc.String && expr.HasTemplate(list.Text) {
		c.errorAt(list, descriptor.CodeTemplate, "`foreach` is an expression by itself").WithHint("write it without ${{ and }}")
	}
	e, t := c.bare(list, v)
	if e != nil && t.Kind != expr.Any && t.Kind != expr.ListOf {
		d := c.errorAt(list, codeType, "`foreach` must give a list, this is %s", typeWords(t))
		if t.Kind == expr.ObjectOf {
			d.WithHint("an object has no order of its own; make a list of it")
		}
	}
	return exprData(e), t
}

// localName checks the name of a loop variable or assigned variable: the roots
// of expressions are taken, and the expression language must take it for a
// name.
func (c *compiler) localName(n *yamldoc.Node, what string) bool {
	if slices.Contains(reservedRoots, n.Text) {
		c.errorAt(n, codeReserved, "%q cannot be the name of a %s: expressions call something else so", n.Text, what).WithHint("choose another name")
		return false
	}
	compiled, problems := c.cfg.Expr.Compile(n.Text, &expr.Env{Roots: []expr.Root{{Name: n.Text}}})
	if len(problems) > 0 || compiled == nil || len(compiled.Reads()) != 1 || len(compiled.Reads()[0]) != 1 || compiled.Reads()[0][0] != n.Text {
		c.errorAt(n, codeReserved, "%q cannot be the name of a %s: it is a word of the expression language", n.Text, what).WithHint("choose another name")
		return false
	}
	return true
}

// assign compiles assignments. Each sees what those before it set, and each
// is evaluated once: stages make the object of all values, which is the output
// too, and the variables are set from it.
func (c *compiler) assign(n *yamldoc.Node, v *view, node *workflow.Node) expr.Type {
	node.Kind, node.Assign = workflow.KindAssign, &workflow.Assignment{}
	w := *v
	out := closed()
	var stage []workflow.DataMember
	p := placesIn(only(n, "assign"), c.lang.step)
	for _, e := range entries(n.Get("assign")) {
		name := e.Key.Text
		x := v.findVar(name)
		if !c.localName(e.Key, "variable") || x == nil {
			continue
		}
		d, t := c.data(e.Value, p, &w)
		if readsStage(d) {
			if !c.grow(carryWeight*len(stage), e.Key) {
				break
			}
			node.Input = append(node.Input, workflow.Stage{Data: &workflow.Data{Object: stage}})
			stage = c.carry(out)
		}
		stage = append(stage, workflow.DataMember{Key: name, Data: *d})
		from := workflow.Source{Root: workflow.RootResult, Name: name}
		node.Assign.Ops = append(node.Assign.Ops, workflow.AssignOp{Var: name, Value: *c.reference(from, t)})
		x.sets = append(x.sets, setting{step: v.at, typ: t})
		w.set = append(w.set, name)
		out.Fields = append(out.Fields, expr.Field{Name: name, Type: t})
	}
	node.Input = append(node.Input, workflow.Stage{Data: &workflow.Data{Object: stage}})
	return out
}

// carryWeight is what a value that is carried over counts: it is an expression
// with a binding.
const carryWeight = 4

// carry takes the values of the stage before over into the next one.
func (c *compiler) carry(values expr.Type) []workflow.DataMember {
	var out []workflow.DataMember
	for _, f := range values.Fields {
		from := workflow.Source{Root: workflow.RootStage, Name: f.Name}
		out = append(out, workflow.DataMember{Key: f.Name, Data: *c.reference(from, f.Type)})
	}
	return out
}

// readsStage reports whether the data reads the value of the stage before.
func readsStage(d *workflow.Data) bool {
	found := false
	each(d, func(e *workflow.Expr) {
		for _, b := range e.Bind {
			found = found || b.From.Root == workflow.RootStage
		}
	})
	return found
}

func (c *compiler) wait(n *yamldoc.Node, v *view, node *workflow.Node) expr.Type {
	node.Kind, node.Wait = workflow.KindWait, &workflow.Wait{}
	w := n.Get("wait")
	if w.Kind != yamldoc.Map {
		return expr.Type{}
	}
	c.besideWait(w)
	if w.Get("file") != nil {
		return c.waitFile(w, v, node)
	}
	p := placesIn(w, c.lang.wait)
	for _, e := range w.Entries {
		if c.lang.wait.Field(e.Key.Text) == nil {
			continue
		}
		d, _ := c.data(e.Value, p, v)
		switch e.Key.Text {
		case "for":
			node.Wait.For = d
		case "until":
			node.Wait.Until = d
		case "signal":
			node.Wait.Event = &workflow.EventWait{Kind: workflow.EventSignal, With: d}
			if e.Value.Kind == yamldoc.String && !expr.HasTemplate(e.Value.Text) {
				if err := workflow.CheckSignalName(e.Value.Text); err != nil {
					c.errorAt(e.Value, descriptor.CodeInvalidValue, "%v", err)
				}
			}
		case "condition":
			c.gateName(e.Value)
			date, _ := c.field(w, c.lang.wait, "date", v)
			node.Wait.Event = conditionWait(d, date)
		}
	}
	if w.Entry("workflow") != nil {
		return c.waitRun(w, v, node)
	}
	if node.Wait.Event != nil {
		node.Timeout = c.bound(w, c.lang.wait, v)
		if node.Wait.Event.Kind == workflow.EventCondition {
			return typ(expr.NullType)
		}
		return expr.Type{}
	}
	return typ(expr.NullType)
}

// besideWait refuses what has no meaning beside what is waited for.
func (c *compiler) besideWait(w *yamldoc.Node) {
	for _, form := range []struct {
		name   string
		fields []string
	}{
		{"for", nil}, {"until", nil}, {"signal", []string{"timeout"}}, {"file", []string{"timeout", "every"}},
		{"condition", []string{"timeout", "date"}}, {"workflow", []string{"timeout", "date", "state", "which"}},
	} {
		if w.Entry(form.name) == nil {
			continue
		}
		for _, name := range []string{"timeout", "date", "state", "which", "every"} {
			if e := w.Entry(name); e != nil && !slices.Contains(form.fields, name) {
				c.errorAt(e.Key, codeMisplaced, "`%s` has no meaning with `%s`", name, form.name).WithHint("remove it")
			}
		}
		return // two of them were reported
	}
}

func (c *compiler) fail(n *yamldoc.Node, v *view, node *workflow.Node) {
	node.Kind, node.Raise = workflow.KindRaise, &workflow.Raise{Name: constant(value.String("failed"))}
	f := n.Get("fail")
	if f.Kind != yamldoc.Map {
		node.Raise.Message, _ = c.field(n, c.lang.step, "fail", v)
		return
	}
	if d, _ := c.field(f, c.lang.fail, "name", v); d != nil {
		node.Raise.Name = d
	}
	node.Raise.Message, _ = c.field(f, c.lang.fail, "message", v)
	node.Raise.Details, _ = c.field(f, c.lang.fail, "details", v)
}

func (c *compiler) returns(n *yamldoc.Node, v *view, node *workflow.Node) {
	if v.enclosing(roleFinally) != nil {
		c.errorAt(n.Entry("return").Key, codeReturnFinally, "`return` cannot stand in `finally`: the outcome is decided").WithHint("remove it")
	}
	if v.enclosing(roleUndo) != nil {
		c.errorAt(n.Entry("return").Key, codeReturnFinally, "`return` cannot stand in `compensate`: the outcome is decided").WithHint("remove it")
	}
	d, _ := c.field(n, c.lang.step, "return", v)
	node.Kind, node.Exit = workflow.KindExit, &workflow.Exit{Run: true, Value: d}
}

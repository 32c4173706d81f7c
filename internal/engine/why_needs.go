package engine

import (
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/workflow"
)

// notEntered explains a node that has not begun, or will not run.
func (w *whyer) notEntered(f *Frame, id workflow.NodeID) Explanation {
	n, ns := w.m.node(f, id), &f.Nodes[id]
	e := Explanation{Path: StepPath(f, n), State: Pending, Reason: ReasonNone}
	if ns.Ends != 0 {
		e.State, e.Reason = Skipped, ns.Why
		e.Conditions = []Condition{w.skipped(f, id)}
		if ns.By != nil {
			e.Conditions = append(e.Conditions, saidBy(ns.By))
		}
		return e
	}
	e.Conditions = append(w.needs(f, id), w.changedWaits(e.Path)...)
	if h := w.run.HoldOf(e.Path); h != nil {
		e.Reason = ReasonHeld
		e.Conditions = append(e.Conditions, heldBy(h))
	}
	if w.evaluates(task{kind: taskJoin, frame: f.ID, node: id}) {
		e.Reason = ReasonEvaluation
		e.Conditions = append(e.Conditions, evaluation())
	}
	return e
}

func evaluation() Condition {
	return Condition{Kind: ConditionEvaluation, Text: "An expression of it is being evaluated."}
}

// evaluates reports whether the work waits for an evaluation.
func (w *whyer) evaluates(t task) bool {
	return w.evaluating[t]
}

// needs explains the join of a node.
func (w *whyer) needs(f *Frame, id workflow.NodeID) []Condition {
	n := w.m.node(f, id)
	if n.Join == nil {
		return nil
	}
	var out []Condition
	for i, need := range n.Join.Needs {
		c := w.need(f, need)
		c.Met = satisfies(&n.Join.When, i, f.Nodes[need].Ends)
		if g := f.Nodes[id].Forgone; g.gives(need) {
			c.Met = true
			c.Text = strings.TrimSuffix(c.Text, ".") + "; " + by("that is given up", g.Actor, "") + "."
		}
		out = append(out, c)
	}
	if len(n.Join.Needs) > 1 && n.Join.When.Op != workflow.OpAnd {
		out = append(out, Condition{Kind: ConditionJoin, Text: joinText(n.Join), Expression: joinExpression(&n.Join.When)})
	}
	return out
}

// satisfies reports whether a need has ended as some atom of the join wants.
func satisfies(c *workflow.Cond, need int, ends workflow.Ends) bool {
	if c.Op == workflow.OpEnd {
		return c.Need == need && ends&c.Ends != 0
	}
	for i := range c.Args {
		if satisfies(&c.Args[i], need, ends) {
			return true
		}
	}
	return c.Op == workflow.OpExpr && ends != 0
}

func joinText(j *workflow.Join) string {
	switch {
	case j.When.Op == workflow.OpOr && !j.Settled:
		return "One of its needs must end so that it may begin."
	case j.When.Op == workflow.OpExpr:
		return "Its join is judged when all its needs have ended."
	}
	return "Its needs must end so that its join holds."
}

func joinExpression(c *workflow.Cond) string {
	if c.Expr != nil {
		return c.Expr.Source
	}
	return ""
}

func (w *whyer) need(f *Frame, id workflow.NodeID) Condition {
	ns, path := &f.Nodes[id], StepPath(f, w.m.node(f, id))
	c := Condition{Kind: ConditionNeed, Subject: path, State: Pending}
	a := w.run.Acts[ns.Act]
	if a != nil {
		c.State, c.Reason, c.Since, c.Subject = a.State, a.Reason, a.Since, a.Path
	} else if ns.Ends != 0 {
		c.State, c.Reason = Skipped, ns.Why
	}
	switch {
	case a != nil && a.Phase == PhaseAttempt: // whether it has begun, the worker knows
		c.Text = fmt.Sprintf("It needs %s, whose attempt %d was handed out and has not ended.", c.Subject, a.Attempt)
	case ns.Ends == 0:
		c.Text = fmt.Sprintf("It needs %s, which is %s.", c.Subject, word(c.State, c.Reason))
	default:
		c.Text = fmt.Sprintf("It needs %s, which has ended: %s.", c.Subject, word(c.State, c.Reason))
	}
	return c
}

func word(s State, r Reason) string {
	if r == ReasonNone {
		return string(s)
	}
	return string(s) + " (" + string(r) + ")"
}

// skipped explains a node that did not run.
func (w *whyer) skipped(f *Frame, id workflow.NodeID) Condition {
	n, ns := w.m.node(f, id), &f.Nodes[id]
	c := Condition{Kind: ConditionEnded, Met: true, State: Skipped, Reason: ns.Why}
	switch ns.Why {
	case ReasonConditionFalse:
		c.Kind, c.Text = ConditionIf, "Its condition was false."
		if n.If != nil {
			c.Expression = n.If.Source
			c.Text = "Its condition was false: " + n.If.Source + "."
		}
	case ReasonUpstreamFailed, ReasonUpstreamCanceled:
		c.Kind = ConditionUpstream
		c.Text = "It was not run: " + string(ns.Why) + "."
		if a := w.upstream(f, id); a != nil {
			c.Subject, c.Since, c.Error = a.Path, a.EndedAt, a.Err
			c.Text = fmt.Sprintf("It was not run because step %s %s.", a.Path, ended(a.State, a.Reason, a.Err))
		}
	case ReasonJoinFalse:
		c.Kind, c.Text = ConditionJoin, "It was skipped because its needs ended another way than it asks for."
	case ReasonOperator:
		c.Text = "It was skipped by an operator."
	default:
		c.Text = "It was not run: " + string(ns.Why) + "."
	}
	return c
}

// upstream is the step that failed or was canceled first among those before a
// node; if none was, among those of the frame.
func (w *whyer) upstream(f *Frame, id workflow.NodeID) *Activation {
	b := &w.m.bodies[f.Body]
	var first *Activation
	look := func(n workflow.NodeID) {
		a := w.run.Acts[f.Nodes[n].Act]
		if a == nil || a.Phase != PhaseEnded || a.State != Failed && a.State != Canceled || a.Handled {
			return
		}
		if first == nil || first.State == Canceled && a.State == Failed || first.State == a.State && a.EndedAt.Before(first.EndedAt) {
			first = a
		}
	}
	seen, queue := make([]bool, len(f.Nodes)), []workflow.NodeID{id}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		if seen[n] {
			continue
		}
		seen[n] = true
		look(n)
		if b.Nodes[n].Join != nil {
			queue = append(queue, b.Nodes[n].Join.Needs...)
		}
	}
	if first == nil {
		for n := range f.Nodes {
			look(workflow.NodeID(n))
		}
	}
	return first
}

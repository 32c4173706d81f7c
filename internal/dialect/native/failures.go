package native

import (
	"slices"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// defaults compiles what holds for tasks that say nothing else.
func (c *compiler) defaults(v *view) {
	n := c.doc.Get("defaults")
	if n == nil || n.Kind != yamldoc.Map {
		return
	}
	c.defaultRetry, c.defaultMaxLost = c.rules(n.Get("retry"), v)
	c.defaultTimeout = c.bound(n, c.lang.step, v)
	c.defaultShell = c.shell(n.Get("shell"))
}

// retries compiles `retry`. Tasks without it have the workflow's default.
func (c *compiler) retries(n *yamldoc.Node, v *view, node *workflow.Node, what string) {
	task := what == "run" || what == "uses"
	r := n.Get("retry")
	once, _ := boolean(n.Get("at_most_once"))
	if once && r != nil && scalarText(r) != "none" {
		c.errorAt(n.Entry("retry").Key, descriptor.CodeConflict, "`retry` and `at_most_once` exclude each other").
			WithHint("a step that runs at most once has one attempt")
	}
	var maxLost *int
	if r != nil {
		node.Retry, maxLost = c.rules(r, v)
	} else if task && !once {
		maxLost = c.defaultMaxLost
		for _, rule := range c.defaultRetry {
			if !c.grow(1, n) {
				break
			}
			node.Retry = append(node.Retry, shiftRetry(rule, v.scope.depth))
		}
	}
	if node.Task != nil {
		node.Task.MaxLost = maxLost
	} else if lost := firstMaxLost(r); lost != nil && !task {
		c.errorAt(lost, codeMisplaced, "`max_lost` belongs to `run` and `uses` steps").WithHint("remove it")
	}
}

func firstMaxLost(r *yamldoc.Node) *yamldoc.Node {
	if r == nil {
		return nil
	}
	for _, rule := range ruleNodes(r) {
		if e := rule.Entry("max_lost"); e != nil {
			return e.Key
		}
	}
	return nil
}

// ruleNodes are the mappings of a field that takes one or a list of them.
func ruleNodes(n *yamldoc.Node) []*yamldoc.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == yamldoc.Map:
		return []*yamldoc.Node{n}
	}
	var out []*yamldoc.Node
	for _, item := range n.Items {
		if item.Kind == yamldoc.Map {
			out = append(out, item)
		}
	}
	return out
}

// rules compiles the rules of `retry`.
func (c *compiler) rules(n *yamldoc.Node, v *view) ([]workflow.Retry, *int) {
	w := *v
	w.ownError, w.attempt = true, true
	var out []workflow.Retry
	var maxLost *int
	nodes := ruleNodes(n)
	for i, r := range nodes {
		rule := workflow.Retry{Match: c.match(r.Get("match")), When: c.condition(r.Get("if"), &w)}
		if i > 0 && len(nodes[i-1].Entries) > 0 && nodes[i-1].Get("match") == nil && nodes[i-1].Get("if") == nil {
			c.list.Warnf(r.Pos, codeUnreachable, "this rule is never used: the one before it takes every error").WithLength(r.Length()).
				WithHint("put it first, or give the other one `match`")
		}
		rule.MaxAttempts = c.fieldOr(r, c.lang.retry, "max_attempts", &w, value.Int(defaultMaxAttempts))
		b := r.Get("backoff")
		if b == nil || b.Kind != yamldoc.Map {
			b = &yamldoc.Node{Kind: yamldoc.Map, Pos: r.Pos}
		}
		rule.Backoff = workflow.Backoff{
			Initial:          c.fieldOr(b, c.lang.backoff, "initial", &w, value.String(defaultInitial)),
			Factor:           c.fieldOr(b, c.lang.backoff, "factor", &w, value.Int(defaultFactor)),
			Max:              c.fieldOr(b, c.lang.backoff, "max", &w, value.String(defaultMax)),
			HonourRetryAfter: true,
		}
		if scalarText(b.Get("jitter")) == "full" {
			rule.Backoff.Jitter = workflow.JitterFull
		}
		if lost := r.Get("max_lost"); lost != nil {
			if i, ok := lost.Value.Int(); ok {
				count := int(i)
				maxLost = &count
			}
		}
		out = append(out, rule)
	}
	return out, maxLost
}

// fieldOr compiles a field that has a default.
func (c *compiler) fieldOr(n *yamldoc.Node, o *descriptor.Object, name string, v *view, otherwise value.Value) *workflow.Data {
	if d, _ := c.field(n, o, name, v); d != nil {
		return d
	}
	return constant(otherwise)
}

// match reads names of errors; nil matches all.
func (c *compiler) match(n *yamldoc.Node) []string {
	if n == nil {
		return nil
	}
	if n.Kind == yamldoc.String {
		return []string{n.Text}
	}
	var out []string
	for _, item := range n.Items {
		if item.Kind == yamldoc.String && !slices.Contains(out, item.Text) {
			out = append(out, item.Text)
		}
	}
	return out
}

func shiftRetry(r workflow.Retry, frames int) workflow.Retry {
	if r.When != nil {
		r.When = shiftRetryWhen(r.When, frames)
	}
	r.MaxAttempts = shift(r.MaxAttempts, frames)
	r.Backoff.Initial = shift(r.Backoff.Initial, frames)
	r.Backoff.Factor = shift(r.Backoff.Factor, frames)
	r.Backoff.Max = shift(r.Backoff.Max, frames)
	return r
}

// shiftRetryWhen leaves the error alone: it is that of the step itself.
func shiftRetryWhen(e *workflow.Expr, frames int) *workflow.Expr {
	out := shiftExpr(e, frames)
	for i := range out.Bind {
		if out.Bind[i].From.Root == workflow.RootError {
			out.Bind[i].From.Up = 0
		}
	}
	return out
}

// catches compiles `on_error`. It widens the type of the step's output by
// those of the handlers.
func (c *compiler) catches(n *yamldoc.Node, v *view, node *workflow.Node, out *expr.Type) {
	w := *v
	w.ownError = true
	nodes := ruleNodes(n.Get("on_error"))
	for i, h := range nodes {
		if i > 0 && nodes[i-1].Get("match") == nil && nodes[i-1].Get("if") == nil {
			c.list.Warnf(h.Pos, codeUnreachable, "this handler is never used: the one before it takes every error").WithLength(h.Length()).
				WithHint("put it first, or give the other one `match`")
		}
		rule := workflow.Catch{Match: c.match(h.Get("match")), When: c.condition(h.Get("if"), &w)}
		s := c.scope(v, roleCatch)
		c.prog.Bodies[s.body].Name = "on_error"
		t := c.body(s, h)
		rule.Body = &s.body
		node.Catch = append(node.Catch, rule)
		*out = common(*out, t, false)
	}
}

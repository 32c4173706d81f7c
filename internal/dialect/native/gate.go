package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// gateFields are what a step may say of when it may begin.
func (d *language) gateFields() []descriptor.Field {
	return []descriptor.Field{
		{Name: "limits", Type: ranged(list(oneOf(text(), object(d.limitUse))), 1, gate.MaxUses-1), Template: true,
			Doc: "Limits of which it takes a share: a script or call for each of its attempts, anything else from its begin to its end; with `foreach` and `repeat`, each item and turn. " +
				"It begins when it has all of them at once. `kind: Limit` defines one; one that nobody has defined is refused by a server, or counts as a lock where its name is computed. Its `timeout` does not run while it waits.",
			Example: "limits: [tapes, {name: bank-api, weight: 2}]"},
		{Name: "priority", Type: ranged(kind(descriptor.Integer), -gate.MaxPriority, gate.MaxPriority), Template: true,
			Doc: "Of the steps that wait for the same limit, those with a higher number begin first. Who waits comes up by one each minute, so that nobody waits for good. Default: 0."},
		{Name: "conditions", Type: object(d.conditions), Doc: "Named facts with a date that the step as a whole needs before it begins, or changes when it has succeeded.",
			Example: "conditions:\n  needs: [ledger-closed]\n  add: [{name: booked, date: \"${{ run.business_date }}\"}]"},
	}
}

// named is a list of names, or of objects that have a name.
func (c *compiler) named(n *yamldoc.Node, p places, v *view, each func(name, other *workflow.Data), other string) {
	if n == nil || n.Kind != yamldoc.List {
		return
	}
	for _, item := range n.Items {
		if item.Kind != yamldoc.Map {
			c.gateName(item)
			d, _ := c.data(item, p, v)
			each(d, nil)
			continue
		}
		var name, more *workflow.Data
		if e := item.Entry("name"); e != nil {
			c.gateName(e.Value)
			name, _ = c.data(e.Value, p, v)
		}
		if e := item.Entry(other); e != nil {
			more, _ = c.data(e.Value, p, v)
		}
		if name != nil { // else it was reported
			each(name, more)
		}
	}
}

// gateName checks the name of a limit or condition that is no expression.
func (c *compiler) gateName(n *yamldoc.Node) {
	if n.Kind != yamldoc.String || expr.HasTemplate(n.Text) {
		return
	}
	if err := gate.CheckName(n.Text); err != nil {
		c.errorAt(n, descriptor.CodeInvalidValue, "the name %v", err).WithHint("write a name of at most %d bytes", gate.MaxName)
	}
}

// shares compiles what each attempt, item or turn takes of limits.
func (c *compiler) shares(n *yamldoc.Node, v *view, node *workflow.Node) {
	node.Priority, _ = c.field(n, c.lang.step, "priority", v)
	c.limitsThere(n.Get("limits"))
	c.heldAround(n, v)
	c.named(n.Get("limits"), placesIn(only(n, "limits"), c.lang.step), v, func(name, weight *workflow.Data) {
		node.Limits = append(node.Limits, workflow.LimitUse{Name: name, Weight: weight})
	}, "weight")
	if len(node.Limits) > 0 {
		c.canBeHad(n.Entry("limits"), node.Limits)
	}
}

// limitsThere notes the limits that are named, and reports those that nobody has
// defined, as far as that is known.
func (c *compiler) limitsThere(n *yamldoc.Node) {
	if n == nil || n.Kind != yamldoc.List {
		return
	}
	for _, item := range n.Items {
		if item.Kind == yamldoc.Map {
			item = item.Get("name")
		}
		if item != nil && item.Text != "" {
			c.useObject(kindLimit, item, nil)
		}
	}
}

// heldAround warns of a limit of which a group around has a share already: where
// it is a lock, the step would wait for the group's end, and the group for the
// step's.
func (c *compiler) heldAround(n *yamldoc.Node, v *view) {
	own := limitNames(n)
	for s := v.scope; s.outer != nil && s.role != roleUndo && len(own) > 0; s = s.outer.scope {
		around := s.outer.at
		if around == nil || around.node == n { // `finally` of the workflow or group; the items or turns of the step itself
			continue
		}
		if s.role == roleCatch && !heldWhole(around.node) {
			continue
		}
		for _, item := range limitNames(around.node) {
			for _, mine := range own {
				if mine.Text == item.Text {
					c.list.Warnf(mine.Pos, codeHeldAround, "%s has a share of the limit %q from its begin to its end: if there is no other, this step waits for good", c.path(around.scope, around.id), mine.Text).
						WithLength(mine.Length()).WithHint("name it in one of the two places")
				}
			}
		}
	}
}

// heldWhole reports whether a step has its shares from its begin to its end, with
// what handles its failure: scripts and calls have them for each attempt, and
// `foreach` and `repeat` for each item and turn.
func heldWhole(n *yamldoc.Node) bool {
	form := innerForm(n)
	return n.Get("foreach") == nil && n.Get("repeat") == nil && form != "run" && form != "uses"
}

// canBeHad refuses to ask for more shares than a limit of the same files has.
func (c *compiler) canBeHad(at *yamldoc.Entry, uses []workflow.LimitUse) {
	asked := map[string]int64{}
	for i := range uses {
		name, _ := uses[i].Name.Const.Str()
		weight, constant := int64(1), true
		if uses[i].Weight != nil {
			weight, constant = uses[i].Weight.Const.Int()
		}
		o := c.set.Object(kindLimit, c.prog.Namespace, name)
		if !constant || o == nil || o.Limit == nil {
			continue
		}
		asked[name] += weight
		most := int64(max(o.Limit.Capacity, o.Limit.Rate.Count))
		if most > 0 && asked[name] > most && asked[name]-weight <= most {
			c.errorAt(at.Key, descriptor.CodeInvalidValue, "the step asks for %d of the limit %q, which never has more than %d", asked[name], name, most).
				WithHint("it would wait for good: ask for less, or define the limit with more")
		}
	}
}

// limitNames are the names of limits that a step writes down.
func limitNames(n *yamldoc.Node) []*yamldoc.Node {
	limits := n.Get("limits")
	if limits == nil || limits.Kind != yamldoc.List {
		return nil
	}
	var names []*yamldoc.Node
	for _, item := range limits.Items {
		if item.Kind == yamldoc.Map {
			item = item.Get("name")
		}
		if item != nil && item.Kind == yamldoc.String && item.Text != "" && !expr.HasTemplate(item.Text) {
			names = append(names, item)
		}
	}
	return names
}

// conditions compiles the conditions of a step as a whole.
func (c *compiler) conditions(n *yamldoc.Node, v *view, node *workflow.Node) {
	conditions := n.Get("conditions")
	if conditions == nil || conditions.Kind != yamldoc.Map {
		return
	}
	node.Gate = &workflow.Gate{}
	p := placesIn(conditions, c.lang.conditions)
	for _, list := range []struct {
		field string
		to    *[]workflow.ConditionMatch
	}{{"needs", &node.Gate.Needs}, {"delete", &node.Gate.Delete}, {"add", &node.Gate.Add}} {
		c.named(conditions.Get(list.field), p, v, func(name, date *workflow.Data) {
			*list.to = append(*list.to, workflow.ConditionMatch{Name: name, Date: date})
		}, "date")
	}
	if node.Priority == nil {
		node.Priority, _ = c.field(n, c.lang.step, "priority", v)
	}
}

// conditionWait is what a step waits for that waits for a condition.
func conditionWait(name, date *workflow.Data) *workflow.EventWait {
	with := &workflow.Data{Object: []workflow.DataMember{{Key: "name", Data: *name}}}
	if date != nil {
		with.Object = append(with.Object, workflow.DataMember{Key: "date", Data: *date})
	}
	if name.Const.IsUndefined() || date != nil && date.Const.IsUndefined() {
		return &workflow.EventWait{Kind: workflow.EventCondition, With: with}
	}
	members := []value.Member{value.M("name", name.Const)}
	if date != nil {
		members = append(members, value.M("date", date.Const))
	}
	return &workflow.EventWait{Kind: workflow.EventCondition, With: constant(value.Object(members...))}
}

// concurrency compiles how many runs of one key may be live.
func (c *compiler) concurrency(v *view) {
	n := c.doc.Get("concurrency")
	if n == nil || n.Kind != yamldoc.Map {
		return
	}
	desc := c.lang.workflow.Field("concurrency").Type.Object
	con := &workflow.Concurrency{Then: workflow.ConcurrencyThen(scalarText(n.Get("then")))}
	con.Key, _ = c.field(n, desc, "key", v)
	con.Max, _ = c.field(n, desc, "max", v)
	c.prog.Concurrency = con
	if c.cfg.RunOnce {
		c.noEffect(c.doc.Entry("concurrency").Key, "`regie run` makes one run; a server bounds how many there are")
	}
}

package native

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// usesOffer is the connector that offers work to workers outside.
const usesOffer = "activity.offer"

// TaskType is a document of that kind.
type TaskType struct {
	workflow.TaskType

	// Timeout and Heartbeat are what holds for steps that say nothing else:
	// durations, empty for none.
	Timeout    string `json:"timeout,omitempty"`
	Heartbeat  string `json:"heartbeat,omitempty"`
	Idempotent bool   `json:"idempotent,omitempty"`
}

// taskTypeOf reads a task type.
func (c *compiler) taskTypeOf(n *yamldoc.Node, name string) *TaskType {
	t := &TaskType{
		TaskType: workflow.TaskType{Name: name, Input: c.declared(n.Get("input"))},
		Timeout:  scalarText(n.Get("timeout")), Heartbeat: scalarText(n.Get("heartbeat")),
	}
	if n.Entry("output") != nil {
		t.Output = append([]workflow.Input{}, c.declared(n.Get("output"))...)
	}
	for _, field := range []string{"timeout", "heartbeat"} {
		c.notNothing(n, field)
	}
	if c.connectors[name] != nil {
		c.errorAt(n.Get("name"), codeDuplicateObject, "%q is the name of a connector", name).WithHint("`uses` would mean the connector: choose another name")
	}
	t.Idempotent, _ = boolean(n.Get("idempotent"))
	// What workers have to agree with: names, types, and what may be left out.
	data, err := json.Marshal(struct {
		Name          string
		Input, Output []workflow.Input
	}{t.Name, bare(t.Input), bare(t.Output)})
	if err != nil { // of types that we made
		panic("encode task type: " + err.Error())
	}
	sum := sha256.Sum256(data)
	t.Version = hex.EncodeToString(sum[:8])
	return t
}

// bare is what is declared, without what people read.
func bare(in []workflow.Input) []workflow.Input {
	out := slices.Clone(in)
	for i := range out {
		out[i].Description = ""
	}
	return out
}

// declared reads members that are declared, with constants as defaults.
func (c *compiler) declared(n *yamldoc.Node) []workflow.Input {
	var out []workflow.Input
	for _, e := range entries(n) {
		in := workflow.Input{Name: e.Key.Text, Type: c.declaredType(e.Value), Description: scalarText(e.Value.Get("description"))}
		in.Required, _ = boolean(e.Value.Get("required"))
		in.Enum = c.enum(e.Value, in.Type)
		if def := e.Value.Get("default"); def != nil {
			if def.Kind == yamldoc.String && expr.HasTemplate(def.Text) {
				c.errorAt(def, codeInput, "the default of a task type is a constant").WithHint("write the value, or an expression in `with` of the step")
			} else if v, ok := c.checked(def, in.Type, "the default"); ok {
				in.Default = constant(v)
			}
		}
		out = append(out, in)
	}
	return out
}

// taskType finds a task type: among the documents, else among those known.
func (c *compiler) taskType(name string) *TaskType {
	if o := c.set.Object(kindTaskType, c.prog.Namespace, name); o != nil {
		return o.TaskType
	}
	for _, t := range c.cfg.TaskTypes {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// taskTypeNames are the names that `uses` can have beside those of connectors.
func (c *compiler) taskTypeNames() []string {
	names := map[string]bool{}
	for _, o := range c.set.Objects {
		if o.Kind == kindTaskType && o.Namespace == c.prog.Namespace {
			names[o.Name] = true
		}
	}
	for _, t := range c.cfg.TaskTypes {
		names[t.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// offers compiles a step whose work is done by workers outside.
func (c *compiler) offers(n *yamldoc.Node, v *view, node *workflow.Node, t *TaskType) expr.Type {
	if u := n.Get("uses"); c.cfg.RunOnce && !c.idle[t] {
		c.idle[t] = true
		c.list.Warnf(u.Pos, descriptor.CodeIgnored, "the task type %q is done by workers outside, which `regie run` has none of: its steps wait for ever", t.Name).
			WithLength(u.Length()).WithHint("use a mock (--mocks), or a server")
	}
	task := node.Task
	task.Uses, task.Finish, task.Type = usesOffer, workflow.FinishOffer, &t.TaskType
	task.Idempotent = task.Idempotent || t.Idempotent && !task.AtMostOnce
	task.Heartbeat = c.length(n, c.lang.step, "heartbeat", v)
	if task.Heartbeat == nil && t.Heartbeat != "" {
		task.Heartbeat = constant(value.String(t.Heartbeat))
	}
	input, given := c.field(n, c.lang.step, "with", v)
	if input == nil {
		input = constant(value.Object())
	}
	c.fits(n, &t.TaskType, &given)
	task.With = &workflow.Data{Object: []workflow.DataMember{
		{Key: "activity", Data: *constant(value.String(t.Name))}, {Key: "input", Data: *input},
	}}
	if t.Output == nil {
		return expr.Type{}
	}
	return declaredObject(t.Output)
}

// declaredObject is the type of an object with these members.
func declaredObject(members []workflow.Input) expr.Type {
	out := closed()
	for i := range members {
		m := members[i].Type
		m.Nullable = !members[i].Required
		out.Fields = append(out.Fields, expr.Field{Name: members[i].Name, Type: m})
	}
	return out
}

// templated reports whether there is an expression in a value.
func templated(n *yamldoc.Node) bool {
	if n.Kind == yamldoc.String {
		return expr.HasTemplate(n.Text)
	}
	return slices.ContainsFunc(n.Items, templated) ||
		slices.ContainsFunc(n.Entries, func(e yamldoc.Entry) bool { return templated(e.Value) })
}

// fits checks `with` against what the task type takes.
func (c *compiler) fits(n *yamldoc.Node, t *workflow.TaskType, given *expr.Type) {
	with := n.Get("with")
	needs := func(in workflow.Input) bool { return in.Required && in.Default == nil }
	if with != nil && with.Kind != yamldoc.Map && slices.ContainsFunc(t.Input, needs) {
		c.errorAt(with, codeType, "`with` of the task type %q must be a mapping: it needs members by name", t.Name).
			WithHint("write each with its own expression")
		return
	}
	var names []string
	for i := range t.Input {
		in := &t.Input[i]
		names = append(names, in.Name)
		e := with.Entry(in.Name)
		if e == nil {
			if needs(*in) {
				c.errorAt(n.Get("uses"), descriptor.CodeMissingField, "the task type %q needs `with.%s`", t.Name, in.Name)
			}
			continue
		}
		c.fitsMember(e.Value, t, in, given)
	}
	for _, e := range entries(with) {
		if !slices.Contains(names, e.Key.Text) {
			d := c.errorAt(e.Key, descriptor.CodeUnknownField, "the task type %q takes no `with.%s`", t.Name, e.Key.Text)
			if d.Hint = diag.DidYouMean(e.Key.Text, names); d.Hint == "" && len(names) > 0 {
				d.WithHint("it takes %s", strings.Join(names, ", "))
			}
		}
	}
}

// fitsMember checks a constant, or the type of an expression.
func (c *compiler) fitsMember(n *yamldoc.Node, t *workflow.TaskType, in *workflow.Input, given *expr.Type) {
	if !templated(n) {
		if v, ok := c.checked(n, in.Type, "`with."+in.Name+"`"); ok {
			c.amongEnum(n, v, in)
		}
		return
	}
	for _, f := range given.Fields {
		if f.Name == in.Name && !sameType(f.Type, in.Type) {
			c.errorAt(n, codeType, "`with.%s` of the task type %q is %s, this gives %s", in.Name, t.Name, typeWords(in.Type), typeWords(f.Type))
		}
	}
}

package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// language is the set of descriptors of one compiler: what may stand where.
type language struct {
	workflow, calendar, limit, policy, taskType *descriptor.Object
	connections, channels                       map[string]*descriptor.Object // by type
	connection, channel                         *descriptor.Object            // any type

	step, handler, retry, backoff, caseOf *descriptor.Object
	input                                 *descriptor.Object
	approval, wait, repeat, child         *descriptor.Object
	compensation, cache, limitUse         *descriptor.Object
	conditions, condition                 *descriptor.Object
	fail                                  *descriptor.Object
}

// describe builds the descriptors. They are not changed afterwards.
func describe(cfg Config) *language {
	d := &language{step: &descriptor.Object{Name: "step"}}
	d.describeFailures()
	d.describeWaits()
	d.describeBeside()
	d.describeStep()
	d.describeWorkflow()
	d.describeObjects(cfg)
	return d
}

// kinds lists the root objects in the order of the reference page.
func (d *language) kinds() []*descriptor.Object {
	return []*descriptor.Object{d.workflow, d.connection, d.channel, d.taskType, d.calendar, d.limit, d.policy}
}

func text() descriptor.Type                  { return descriptor.Type{Kind: descriptor.String} }
func kind(k descriptor.Kind) descriptor.Type { return descriptor.Type{Kind: k} }
func object(o *descriptor.Object) descriptor.Type {
	return descriptor.Type{Kind: descriptor.Struct, Object: o}
}

func list(elem descriptor.Type) descriptor.Type {
	return descriptor.Type{Kind: descriptor.List, Elem: &elem}
}

func mapOf(key descriptor.Kind, elem descriptor.Type) descriptor.Type {
	return descriptor.Type{Kind: descriptor.Map, KeyKind: key, Elem: &elem}
}

func oneOf(options ...descriptor.Type) descriptor.Type {
	return descriptor.Type{Kind: descriptor.OneOf, Options: options}
}

func word(w string) descriptor.Type { return descriptor.Type{Kind: descriptor.Const, Text: w} }

// ranged bounds an integer, or the length of a list or text.
func ranged(t descriptor.Type, from, to int64) descriptor.Type {
	t.Min = &from
	if to >= from {
		t.Max = &to
	}
	return t
}

// unbounded is the upper bound of ranged that is none.
const unbounded = -1

func atLeast(from int64) descriptor.Type {
	return ranged(kind(descriptor.Integer), from, unbounded)
}

// kindField is the field that says what a document is.
func kindField(name string) descriptor.Field {
	return descriptor.Field{Name: "kind", Type: word(name), Required: true, Doc: "Says what the document is: `" + name + "`."}
}

// objectFields are the fields that every kind of document has.
func objectFields(kindName string) []descriptor.Field {
	return []descriptor.Field{
		kindField(kindName),
		{Name: "name", Type: kind(descriptor.Name), Required: true, Doc: "Name within the namespace; with the kind it names the object. Lower-case letters, digits, `.`, `_` and `-`, at most 63."},
		{Name: "namespace", Type: kind(descriptor.Name), Doc: "Namespace that the object lives in. Without it, the one in which the file is applied."},
		{Name: "description", Type: text(), Doc: "What it is for, in Markdown."},
		{Name: "labels", Type: mapOf(descriptor.String, text()), Doc: "Labels for searching and pruning.", Example: "labels: {team: payments}"},
	}
}

// peopleFields say who answers for something.
func peopleFields() []descriptor.Field {
	return []descriptor.Field{
		{Name: "owner", Type: text(), Doc: "Team or person that answers for it."},
		{Name: "contact", Type: text(), Doc: "How to reach the owner."},
		{Name: "runbook", Type: text(), Doc: "Page that says what to do when it fails."},
		{Name: "criticality", Type: text(), Doc: "How much depends on it, in the words of your organisation."},
	}
}

func str(s string) value.Value { return value.String(s) }

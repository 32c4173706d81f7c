package native

import (
	"slices"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// describeObjects describes the kinds beside Workflow.
func (d *language) describeObjects(cfg Config) {
	d.connection, d.connections = typed("Connection",
		"What connectors connect to: where it is and how they prove who they are. It is applied in each environment, so that workflows are the same everywhere.", cfg.Connections)
	d.channel, d.channels = typed("Channel", "Where messages go.", cfg.Channels)
	d.describeTaskType()
	d.describeCalendar()
	d.describeLimit()
	d.describePolicy()
}

// typed describes a kind whose further fields depend on `type`: the object
// with all types, and one object for each.
func typed(name, doc string, types []ObjectType) (*descriptor.Object, map[string]*descriptor.Object) {
	field := descriptor.Field{Name: "type", Type: text(), Required: true, Doc: "Says which further fields there are."}
	byType := map[string]*descriptor.Object{}
	for _, t := range types {
		field.Enum = append(field.Enum, descriptor.EnumValue{Text: t.Name, Doc: t.Object.Doc})
	}
	base := append(objectFields(name), field)
	if name == kindConnection {
		base = append(base, breakerField())
	}
	for _, t := range types {
		o := *t.Object
		o.Name, o.Fields = name+" of type "+t.Name, append(slices.Clone(base), t.Object.Fields...)
		byType[t.Name] = &o
	}
	return &descriptor.Object{Name: name, Doc: doc, Fields: base}, byType
}

func (d *language) describeTaskType() {
	d.taskType = &descriptor.Object{
		Name: "TaskType", Doc: "A task type of your own program: what it takes and what it gives. Workers register with it, and steps name it in `uses`.",
		Example: "kind: TaskType\nname: risk.revalue\ninput:\n  date: {type: date, required: true}\noutput:\n  total: {type: decimal}\n",
	}
	d.taskType.Fields = append(objectFields("TaskType"),
		descriptor.Field{Name: "input", Type: mapOf(descriptor.Identifier, object(d.input)), Doc: "Members of `with`."},
		descriptor.Field{Name: "output", Type: mapOf(descriptor.Identifier, object(d.input)), Doc: "Members of the output."},
		descriptor.Field{Name: "timeout", Type: kind(descriptor.Duration), Doc: "Longest duration of an attempt, from when a worker takes it, of steps that say nothing else."},
		descriptor.Field{Name: "heartbeat", Type: kind(descriptor.Duration), Doc: "Longest silence of a worker, of steps that say nothing else."},
		descriptor.Field{Name: "idempotent", Type: kind(descriptor.Boolean), Default: value.False, Doc: "Says that doing it twice is harmless."})
}

func (d *language) describeCalendar() {
	dates := list(kind(descriptor.Date))
	weekday := []descriptor.EnumValue{}
	for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		weekday = append(weekday, descriptor.EnumValue{Text: day})
	}
	d.calendar = &descriptor.Object{Name: "Calendar", Doc: "A set of business days.", Example: "kind: Calendar\nname: nl-bank-days\nweekdays: [mon, tue, wed, thu, fri]\nexclude: [2026-12-25, 2026-12-26]\n"}
	d.calendar.Fields = append(objectFields("Calendar"),
		descriptor.Field{Name: "weekdays", Type: ranged(list(text()), 1, 7), Enum: weekday, Doc: "Days of the week that count. Default: all."},
		descriptor.Field{Name: "include", Type: dates, Doc: "Dates that count besides."},
		descriptor.Field{Name: "exclude", Type: dates, Doc: "Dates that do not count. They win over `include`."})
}

func (d *language) describePolicy() {
	rule := &descriptor.Object{Name: "policy rule", Doc: "What one rule demands.", Fields: []descriptor.Field{
		{Name: "name", Type: text(), Required: true, Doc: "Name of the rule, shown to whoever it stops."},
		{Name: "when", Type: kind(descriptor.Expression), Doc: "Condition under which the rule applies. Default: always."},
		{Name: "then", Type: text(), Required: true, Doc: "What the rule does.", Enum: []descriptor.EnumValue{
			{Text: "allow", Doc: "Allows."}, {Text: "deny", Doc: "Refuses."}, {Text: "require_approval", Doc: "Asks somebody first."},
		}},
		{Name: "message", Type: text(), Doc: "What people are told."},
	}}
	d.policy = &descriptor.Object{Name: "Policy", Doc: "Rules that workflows and operators must keep.", Example: "kind: Policy\nname: no-friday-changes\nrules:\n  - {name: freeze, when: 'true', then: deny, message: Nothing changes on Fridays.}\n"}
	d.policy.Fields = append(objectFields("Policy"),
		descriptor.Field{Name: "rules", Type: ranged(list(object(rule)), 1, unbounded), Required: true, Doc: "The rules, in order; the first that applies decides."})
}

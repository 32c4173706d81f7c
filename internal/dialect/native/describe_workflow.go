package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

const workflowExample = `kind: Workflow
name: hello
inputs:
  who: {type: string, default: world}
steps:
  - id: greet
    run: echo "hello $WHO"
    env: {WHO: "${{ inputs.who }}"}
`

func (d *language) describeWorkflow() {
	d.describeInput()
	steps, graph := d.stepsField(), d.graphField()
	steps.Doc = "The steps, each after the one before it. " + steps.Doc
	graph.Doc = "The steps, joined by `needs`. " + graph.Doc
	d.workflow = &descriptor.Object{
		Name: "Workflow",
		Doc: "A workflow: what a run does, in which order, and what it is called with. " +
			"The work stands under `steps` (a list, in order) or `graph` (a mapping, joined by `needs`); groups nest either form in the other.",
		Example: workflowExample,
		OneOfGroups: []descriptor.Group{
			{Fields: []string{"steps", "graph"}, Needed: true, What: "what the workflow does"},
		},
	}
	d.workflow.Fields = append(objectFields("Workflow"), peopleFields()...)
	d.workflow.Fields = append(d.workflow.Fields,
		descriptor.Field{Name: "folder", Type: text(), Doc: "Folder in which lists show it.", Example: "folder: /payments/eod"},
		descriptor.Field{Name: "timezone", Type: text(), Default: str("UTC"), Doc: "IANA name of the zone in which dates are computed.", Example: "timezone: Europe/Amsterdam"},
		descriptor.Field{Name: "business_date", Type: object(businessDate()), Doc: "Which date a run is for. It is fixed when the run is accepted and read as `run.business_date`."},
		descriptor.Field{Name: "triggers", Type: ranged(list(object(trigger())), 0, maxTriggers), Doc: "What starts runs by itself, on a server."},
		descriptor.Field{Name: "deadline", Type: object(deadline()), Doc: "By when a run must have started or ended, and how long it may and must take. A server raises an alert for a run that misses it."},
		descriptor.Field{Name: "files", Type: list(text()), Doc: "Bundle: files beside the workflow that belong to its version, as patterns. `*` and `?` stand for characters within a name, `**` for any folders. " +
			"They are put into the working directory of every `run` step, under the same relative paths.", Example: "files: [scripts/**, sql/*.sql]"},
		descriptor.Field{Name: "inputs", Type: mapOf(descriptor.Identifier, object(d.input)), Doc: "What the workflow is called with, read as `inputs.NAME`."},
		envField("Environment variables of every `run` step."),
		descriptor.Field{Name: "defaults", Type: object(&descriptor.Object{
			Name: "defaults", Doc: "What holds for `run` and `uses` steps that say nothing else.",
			Fields: []descriptor.Field{d.retryField(), timeoutField(), shellField()},
		}), Doc: "What holds for `run` and `uses` steps that say nothing else."},
		steps, graph,
		d.finallyField("Steps that run when the workflow ends, however it ends. They can read `run.state` and `run.error`; that they fail does not undo what the workflow did, but fails the run."),
		outputsField("What the run ends with, when it succeeds. Without it the output is null."),
		descriptor.Field{Name: "on_failure", Type: text(), Default: str("fail"), Doc: "What a failed run does.", Enum: []descriptor.EnumValue{
			{Text: "fail", Doc: "It ends as failed."},
			{Text: "hold", Doc: "It stops and waits for a person; nothing is undone."},
			{Text: "compensate", Doc: "It undoes completed steps that have `compensate`, the last first."},
		}},
		descriptor.Field{Name: "durability", Type: text(), Default: str("strict"), Doc: "How a run is written to disk.", Enum: []descriptor.EnumValue{
			{Text: "strict", Doc: "A step starts when the results before it are on disk."},
			{Text: "pipelined", Doc: "A step may start while the results before it are still being written; after a crash such steps may be started again."},
		}},
		descriptor.Field{Name: "concurrency", Type: object(concurrency()), Doc: "How many runs with the same key may be live at once. One more waits before it begins: it is `queued`, for the reason `concurrency`.", Example: "concurrency: {key: \"${{ inputs.region }}\", then: queue}"},
		descriptor.Field{Name: "effective_from", Type: oneOf(kind(descriptor.Date), kind(descriptor.DateTime)), Doc: "From when new runs use this version: a date, whose first instant in the workflow's zone counts, or an instant. Until then the version before is in force. It is no part of the version itself."},
		descriptor.Field{Name: "expected", Type: kind(descriptor.Duration), Doc: "How long a run usually takes."},
		descriptor.Field{Name: "data", Type: object(&descriptor.Object{
			Name: "data", Doc: "What data the workflow handles.",
			Fields: []descriptor.Field{
				{Name: "classification", Type: text(), Doc: "How sensitive the data is, in the words of your organisation."},
				{Name: "residency", Type: oneOf(text(), list(text())), Later: "rules for where data may be", Doc: "Where the data may be."},
			},
		}), Doc: "What data the workflow handles."},
	)
}

func (d *language) describeInput() {
	d.input = &descriptor.Object{Name: "input", Doc: "A declared value: an input, an item of a list, a property of an object.", Example: "type: date\ndefault: \"${{ run.business_date }}\""}
	d.input.Fields = []descriptor.Field{
		{Name: "type", Type: text(), Required: true, Doc: "Type of the value.", Enum: []descriptor.EnumValue{
			{Text: "string", Doc: "Text."}, {Text: "integer", Doc: "Integer of any size."}, {Text: "number", Doc: "Number."},
			{Text: "decimal", Doc: "Exact decimal number, such as an amount of money; a text in JSON."},
			{Text: "boolean", Doc: "true or false."}, {Text: "date", Doc: "Date: 2006-01-02."},
			{Text: "datetime", Doc: "Instant: RFC 3339."}, {Text: "duration", Doc: "Duration: 90s, 1h30m, 2d."},
			{Text: "list", Doc: "List of `items`."}, {Text: "object", Doc: "Object with `properties`."}, {Text: "any", Doc: "Anything."},
		}},
		{Name: "default", Type: kind(descriptor.Any), Template: true, Doc: "Value of an input that is not given. An expression can read `run` and `vars`."},
		{Name: "required", Type: kind(descriptor.Boolean), Default: value.False, Doc: "Refuse to start, or to accept the object, without it. Otherwise a missing value is its default, else null."},
		{Name: "enum", Type: ranged(list(kind(descriptor.Any)), 1, unbounded), Doc: "The values allowed."},
		{Name: "description", Type: text(), Doc: "What it means."},
		{Name: "items", Type: object(d.input), Doc: "Type of a list's items."},
		{Name: "properties", Type: mapOf(descriptor.String, object(d.input)), Doc: "Members of an object. An object without it may have any."},
	}
}

func businessDate() *descriptor.Object {
	return &descriptor.Object{
		Name: "business_date", Doc: "Which date a run is for, computed in the workflow's zone.",
		Example: "calendar: weekdays\noffset: -1",
		Fields: []descriptor.Field{
			{Name: "calendar", Type: kind(descriptor.Name), Default: str("every-day"), Doc: "Calendar of business days: the built-in `every-day` or `weekdays`, or one of kind Calendar."},
			{Name: "offset", Type: ranged(kind(descriptor.Integer), -10_000, 10_000), Default: value.Int(0), Doc: "Business days to add."},
			{Name: "day_starts", Type: text(), Default: str("00:00"), Doc: "Time at which the day begins: a run accepted before it belongs to the day before.", Example: `day_starts: "06:00"`},
		},
	}
}

func concurrency() *descriptor.Object {
	return &descriptor.Object{
		Name: "concurrency", Doc: "How many runs with the same key may run at once.",
		Fields: []descriptor.Field{
			{Name: "key", Type: text(), Template: true, Doc: "Runs with the same key count together. Default: all runs of the workflow."},
			{Name: "max", Type: atLeast(1), Default: value.Int(1), Template: true, Doc: "How many may run at once."},
			{Name: "then", Type: text(), Default: str("queue"), Doc: "What becomes of one more.", Enum: []descriptor.EnumValue{
				{Text: "queue", Doc: "It waits."}, {Text: "skip", Doc: "It is skipped, for the reason `concurrency`."}, {Text: "cancel_running", Doc: "The oldest is canceled, and it begins when that has ended."},
			}},
		},
	}
}

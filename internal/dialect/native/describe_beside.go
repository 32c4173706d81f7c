package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/value"
)

// dateField is the business date of what a step refers to.
func dateField() descriptor.Field {
	return descriptor.Field{Name: "date", Type: kind(descriptor.Date), Template: true, Doc: "Business date. Default: that of the run."}
}

// describeWaits describes what steps wait for.
func (d *language) describeWaits() {
	date := dateField()
	d.child = &descriptor.Object{Name: "child workflow", Doc: "Workflow to run as a child.", Fields: []descriptor.Field{
		{Name: "name", Type: text(), Required: true, Doc: "`NAME` or `NAMESPACE/NAME`."}, date,
		{Name: "version", Type: text(), Doc: "Version. Default: the one in force."},
		{Name: "detach", Type: kind(descriptor.Boolean), Default: value.False, Doc: "Do not wait for its end: the output is `{run: ID}` as soon as the run is accepted."},
		{Name: "cancel", Type: text(), Default: str("cancel"), Doc: "What becomes of the child when the step is stopped: by a cancel of the run, by its timeout, or by a failure beside it.", Enum: []descriptor.EnumValue{
			{Text: "cancel", Doc: "It is canceled, and the step waits until it has ended."}, {Text: "abandon", Doc: "It goes on."},
		}},
	}}
	d.wait = &descriptor.Object{
		Name: "wait", Doc: "What to wait for.", Example: "for: 10m",
		Fields: []descriptor.Field{
			{Name: "for", Type: kind(descriptor.Duration), Template: true, Doc: "A duration."},
			{Name: "until", Type: kind(descriptor.DateTime), Template: true, Doc: "An instant, RFC 3339."},
			{Name: "workflow", Type: text(), Doc: "A run of another workflow, `NAME` or `NAMESPACE/NAME`: one that has ended in this way already, or the next that does. The output is `{run, state, business_date, output}`; `output` is null if the run is of another namespace, which must name this one among its callers."},
			{Name: "condition", Type: text(), Template: true, Doc: "A condition: a named fact with a date. The output is null."},
			{Name: "file", Type: object(&descriptor.Object{Name: "file", Doc: "A file that arrives.", Fields: []descriptor.Field{
				{Name: "connection", Type: text(), Template: true, Doc: "The object store where it arrives: a connection of type `folder` or `s3`."},
				{Name: "bucket", Type: text(), Template: true, Doc: "The bucket; in a folder, a folder below it."},
				{Name: "glob", Type: text(), Required: true, Template: true, Doc: "Pattern of its key: `*` is any text without `/`, `?` one character."},
				{Name: "min_size", Type: atLeast(0), Template: true, Doc: "Bytes that it must have."},
				{Name: "stable_for", Type: kind(descriptor.Duration), Template: true, Doc: "How long it must not have changed."},
			}}), Doc: "A file that arrives."},
			{Name: "signal", Type: text(), Template: true, Doc: "Name of a signal sent to the run; its data is the output. One that came before is kept for the wait."},
			{Name: "asset", Type: text(), Template: true, Later: "assets", Doc: "An asset that is updated."},
			date,
			{Name: "state", Type: text(), Default: str("succeeded"), Doc: "State of the other workflow's run.", Enum: []descriptor.EnumValue{
				{Text: "succeeded", Doc: "It succeeded."}, {Text: "failed", Doc: "It failed."}, {Text: "ended", Doc: "It ended, whatever how."},
			}},
			{Name: "which", Type: text(), Default: str("same_date"), Doc: "Which of the other workflow's runs.", Enum: []descriptor.EnumValue{
				{Text: "same_date", Doc: "Those of the business date."},
				{Text: "previous", Doc: "Those of the closest business date before it on which the workflow has a run when the wait begins; without one the step fails with `run_not_found`."},
			}},
			timeoutField(),
			{Name: "every", Type: kind(descriptor.Duration), Default: str("10s"), Template: true, Doc: "How often is looked for a file."},
		},
		OneOfGroups: []descriptor.Group{{Fields: []string{"for", "until", "workflow", "condition", "file", "signal", "asset"}, Needed: true, What: "what is waited for"}},
	}
	d.approval = &descriptor.Object{Name: "approval", Doc: "Asks people.", Example: "roles: [treasurer]\ncount: 2\nfour_eyes: true\nmessage: Pay ${{ inputs.total }}?\ntimeout: 4h", Fields: []descriptor.Field{
		{Name: "roles", Type: list(text()), Doc: "Roles or groups of whose people one may decide. Without `roles` and `users`: everybody with the role approver."},
		{Name: "users", Type: list(text()), Doc: "Users who may decide as well."},
		{Name: "count", Type: atLeast(1), Default: value.Int(1), Template: true, Doc: "How many different people must approve, at most 100. One who rejects is enough to fail the step, with `approval_rejected`."},
		{Name: "four_eyes", Type: kind(descriptor.Boolean), Default: value.False, Doc: "Neither who started the run nor who applied this version of the workflow may decide."},
		{Name: "message", Type: text(), Template: true, Doc: "What is asked."},
		timeoutField(),
		{Name: "on_timeout", Type: text(), Default: str("fail"), Doc: "What no answer means.", Enum: []descriptor.EnumValue{
			{Text: "fail", Doc: "The step fails with `timeout`."}, {Text: "approve", Doc: "It counts as approved."}, {Text: "reject", Doc: "It counts as rejected."},
		}},
	}}
	d.repeat = &descriptor.Object{
		Name: "repeat", Doc: "Does the step again and again, in turns.", Example: "until: result.done\ndelay: 30s\nmax: 20",
		Fields: []descriptor.Field{
			{Name: "while", Type: kind(descriptor.Expression), Doc: "Condition, judged before each turn, the first too, and before the wait for it: `turn` is the number of the turn that would begin, `previous` the output of the one before. If it does not hold, the step has succeeded."},
			{Name: "until", Type: kind(descriptor.Expression), Doc: "Condition, judged after each turn: `turn` is its number, `result` its output. If it holds, the step has succeeded."},
			{Name: "delay", Type: kind(descriptor.Duration), Template: true, Doc: "Wait between turns, from the end of one. It may read `turn` and `result` of that turn."},
			{Name: "max", Type: atLeast(1), Template: true, Doc: "Most turns. A step that would go on beyond them fails with the error `too_many_turns`. Without it: no bound."},
			{Name: "timeout", Type: kind(descriptor.Duration), Template: true, Doc: "Longest duration of all turns and waits together; then the step fails with the error `timeout`."},
			{Name: "continue_on_error", Type: kind(descriptor.Boolean), Default: value.False, Doc: "Goes on after a turn that failed, as if its output were null. Otherwise the step fails with the error of the turn."},
		},
		OneOfGroups: []descriptor.Group{{Fields: []string{"while", "until"}, Needed: true, What: "when it ends"}},
	}
}

// describeBeside describes what steps can say beside what they do.
func (d *language) describeBeside() {
	date := dateField()
	d.compensation = &descriptor.Object{
		Name: "compensate", Doc: "Undoes a step. It reads what the step can read, and the output of the step as `result`: null where nobody knows what the step did. It has the path of the step and `/compensate`.",
		Example: "uses: http.request\nwith: {connection: hotel, method: DELETE, path: \"/bookings/${{ result.body.id }}\"}\nretry: {max_attempts: 5}",
		Fields: []descriptor.Field{
			{Name: "run", Type: oneOf(text(), ranged(list(kind(descriptor.Any)), 1, unbounded)), Template: true, Doc: "As in a step."},
			{Name: "uses", Type: text(), Doc: "As in a step."},
			{Name: "with", Type: mapOf(descriptor.String, kind(descriptor.Any)), Template: true, Doc: "As in a step."},
			d.stepsField(), d.graphField(), envField("Environment variables."), d.retryField(), timeoutField(),
			{Name: "on_unknown", Type: text(), Default: str("ask"), Doc: "What is done when nobody knows whether the step did something: it was lost, or stopped in the middle.", Enum: []descriptor.EnumValue{
				{Text: "run", Doc: "It is undone."}, {Text: "ask", Doc: "A person is asked."},
			}},
		},
		OneOfGroups: []descriptor.Group{{Fields: []string{"run", "uses", "steps", "graph"}, Needed: true, What: "what undoes the step"}},
	}
	d.cache = &descriptor.Object{Name: "cache", Doc: "Reuses an earlier output.", Fields: []descriptor.Field{
		{Name: "key", Type: kind(descriptor.Any), Required: true, Template: true, Doc: "What the output depends on: outputs of the step with the same key are the same. Null: the step is done."},
		{Name: "for", Type: kind(descriptor.Duration), Template: true, Doc: "How long an output is good. Without it: until its place is needed."},
	}}
	d.limitUse = &descriptor.Object{Name: "limit use", Doc: "A share of a limit.", Fields: []descriptor.Field{
		{Name: "name", Type: text(), Required: true, Template: true, Doc: "Name of the limit."},
		{Name: "weight", Type: atLeast(1), Default: value.Int(1), Template: true, Doc: "How much of it."},
	}}
	d.condition = &descriptor.Object{Name: "condition", Doc: "A named fact with a date.", Fields: []descriptor.Field{
		{Name: "name", Type: text(), Required: true, Template: true, Doc: "Name of the condition."}, date,
	}}
	conditions := ranged(list(oneOf(text(), object(d.condition))), 1, gate.MaxNeeds)
	d.conditions = &descriptor.Object{Name: "conditions", Doc: "Named facts with a date.", Fields: []descriptor.Field{
		{Name: "needs", Type: conditions, Template: true, Doc: "Must hold when the step begins. Without a date it is that of the run."},
		{Name: "delete", Type: conditions, Template: true, Doc: "Cease to hold when the step has succeeded."},
		{Name: "add", Type: conditions, Template: true, Doc: "Hold when the step has succeeded, after the deletions."},
	}}
}

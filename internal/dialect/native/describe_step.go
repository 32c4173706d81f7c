package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// maxRules bounds the rules of one `retry`.
const maxRules = 20

// forms are the fields that say what a step does.
var forms = []string{"run", "uses", "steps", "graph", "switch", "parallel", "workflow", "wait", "approval", "assign", "fail", "return"}

func envField(doc string) descriptor.Field {
	return descriptor.Field{
		Name: "env", Type: mapOf(descriptor.Identifier, kind(descriptor.Any)), Template: true, Secrets: true,
		Doc:     doc + " A value that is no text is passed as text: numbers without exponent, lists and objects as JSON, null as nothing. Inner ones win over outer ones.",
		Example: "env: {DATE: \"${{ inputs.date }}\", TOKEN: \"${{ secrets.BANK_TOKEN }}\"}",
	}
}

func timeoutField() descriptor.Field {
	return descriptor.Field{Name: "timeout", Type: kind(descriptor.Duration), Template: true, Doc: "Longest duration of an attempt, or of a group; then it fails with the error `timeout`.", Example: "timeout: 10m"}
}

func shellField() descriptor.Field {
	return descriptor.Field{Name: "shell", Type: oneOf(text(), ranged(list(text()), 1, unbounded)), Default: str("/bin/sh -e"), Doc: "Interpreter of the script with its arguments; the file with the script is the last one.", Example: "shell: bash -euo pipefail"}
}

func (d *language) retryField() descriptor.Field {
	return descriptor.Field{Name: "retry", Type: oneOf(word("none"), object(d.retry), ranged(list(object(d.retry)), 1, maxRules)), Doc: "What is tried again, how often, after which wait. A list of rules is tried in order, each with a counter of its own. `none` switches `defaults.retry` off for the step."}
}

func (d *language) stepsField() descriptor.Field {
	return descriptor.Field{Name: "steps", Type: ranged(list(object(d.step)), 1, unbounded), Doc: "A step starts when the one before it has succeeded or was skipped. A step without `id` has the path `step1`, `step2`, … by its place."}
}

func (d *language) graphField() descriptor.Field {
	return descriptor.Field{Name: "graph", Type: ranged(mapOf(descriptor.Identifier, object(d.step)), 1, unbounded), Doc: "The keys are the IDs of the steps. A step starts when its `needs` are satisfied, or at once if it has none."}
}

func (d *language) finallyField(doc string) descriptor.Field {
	return descriptor.Field{Name: "finally", Type: ranged(list(object(d.step)), 1, unbounded), Doc: doc}
}

func outputsField(doc string) descriptor.Field {
	return descriptor.Field{Name: "outputs", Type: oneOf(text(), mapOf(descriptor.Identifier, kind(descriptor.Any))), Template: true, Doc: doc, Example: "outputs: {total: \"${{ steps.sum.output.total }}\"}"}
}

func (d *language) describeStep() {
	d.caseOf = &descriptor.Object{
		Name: "case", Doc: "A case of `switch`: `if` with what then runs, or, as the last one, `else` with its steps.",
		Fields: []descriptor.Field{
			{Name: "if", Type: kind(descriptor.Expression), Doc: "Condition. The first case whose condition holds is taken."},
			d.stepsField(), d.graphField(),
			{Name: "else", Type: ranged(list(object(d.step)), 1, unbounded), Doc: "Steps that run when no condition holds."},
		},
		OneOfGroups: []descriptor.Group{
			{Fields: []string{"if", "else"}, Needed: true, What: "when the case is taken"},
			{Fields: []string{"steps", "graph", "else"}, Needed: true, What: "what the case does"},
		},
	}
	d.fail = &descriptor.Object{Name: "fail", Doc: "The error that the step fails with.", Fields: []descriptor.Field{
		{Name: "name", Type: text(), Template: true, Default: str("failed"), Doc: "What `on_error` and `retry` match."},
		{Name: "message", Type: text(), Template: true, Doc: "What happened, for people."},
		{Name: "details", Type: kind(descriptor.Any), Template: true, Doc: "Anything else, for programs."},
	}}
	d.step.Doc = "A step. One field says what it does: `run`, `uses`, `steps`, `graph`, `switch`, `parallel`, `workflow`, `wait`, `approval`, `assign`, `fail` or `return`. The others say when and how."
	d.step.Example = "id: fetch\nrun: scripts/fetch.sh \"$DATE\"\nenv: {DATE: \"${{ inputs.date }}\"}\nretry: {max_attempts: 3}"
	d.step.OneOfGroups = []descriptor.Group{{Fields: forms, Needed: true, What: "what the step does"}}
	var f []descriptor.Field
	f = append(f, d.stepForms()...)
	f = append(f, d.stepOrder()...)
	f = append(f, d.stepMap()...)
	f = append(f, d.stepTask()...)
	f = append(f, d.stepFailure()...)
	f = append(f, d.gateFields()...)
	f = append(f, d.stepLater()...)
	f = append(f, descriptor.Field{Name: "description", Type: text(), Doc: "What the step is for."})
	f = append(f, peopleFields()...)
	f = append(f,
		descriptor.Field{Name: "labels", Type: mapOf(descriptor.String, text()), Doc: "Labels for searching."},
		descriptor.Field{Name: "expected", Type: kind(descriptor.Duration), Doc: "How long the step usually takes."})
	d.step.Fields = f
}

func (d *language) stepForms() []descriptor.Field {
	return []descriptor.Field{
		{Name: "run", Type: oneOf(ranged(text(), 1, unbounded), ranged(list(kind(descriptor.Any)), 1, unbounded)), Template: true, Doc: "Script, or a list: a program with its arguments, which no shell sees. " +
			"Expressions cannot stand in a script: values reach it through `env`, or as items of a list. " +
			"What the script writes to the file `$REGIE_OUTPUT` (a JSON value, or lines `key=value`) is the step's output.",
			Example: "run: scripts/fetch.sh \"$DATE\""},
		{Name: "uses", Type: text(), Doc: "Connector or task type to call, with `with`.", Example: "uses: http.request\nwith: {method: GET, url: \"https://example.com\"}"},
		{Name: "with", Type: mapOf(descriptor.String, kind(descriptor.Any)), Template: true, Doc: "Input of `uses` or `workflow`."},
		d.stepsField(), d.graphField(),
		{Name: "switch", Type: ranged(list(object(d.caseOf)), 1, unbounded), Doc: "Cases: the first whose condition holds runs, and its last step's output is the step's output. If none holds, the step succeeds with null.",
			Example: "switch:\n  - if: inputs.amount > 1000\n    steps: [{run: scripts/large.sh}]\n  - else: [{run: scripts/small.sh}]"},
		{Name: "parallel", Type: ranged(list(object(d.step)), 1, unbounded), Doc: "Steps that all start at once. The output is an object with their outputs, by ID. After a failure the others go on, unless `fail_fast` is true."},
		{Name: "workflow", Type: oneOf(text(), object(d.child)), Doc: "Workflow to run as a child, `NAME` or `NAMESPACE/NAME`, with the inputs in `with`: a run of its own, in the version in force, whose output is the step's. Another namespace must name this one among its callers.", Example: "workflow: {name: payments/settle, cancel: abandon}\nwith: {batch: \"${{ inputs.batch }}\"}"},
		{Name: "wait", Type: object(d.wait), Doc: "What to wait for."},
		{Name: "approval", Type: object(d.approval), Doc: "Asks people."},
		{Name: "assign", Type: ranged(mapOf(descriptor.Identifier, kind(descriptor.Any)), 1, unbounded), Template: true, Doc: "Sets variables, one after the other. Steps that follow read them by their bare names. " +
			"A variable that is first set within a `foreach` belongs to the item. The output is an object with the values.", Example: "assign: {total: \"${{ total + item.amount }}\"}"},
		{Name: "fail", Type: oneOf(text(), object(d.fail)), Template: true, Doc: "Fails with an error: a message, or `name`, `message` and `details`."},
		{Name: "return", Type: kind(descriptor.Any), Template: true, Doc: "Ends the run at once as succeeded, with this output."},
	}
}

func (d *language) stepOrder() []descriptor.Field {
	return []descriptor.Field{
		{Name: "id", Type: kind(descriptor.Identifier), Doc: "Name of a step in a list, by which others read it. Steps of a `graph` have their key."},
		{Name: "needs", Type: oneOf(list(kind(descriptor.Identifier)), mapOf(descriptor.Identifier, oneOf(text(), ranged(list(text()), 1, unbounded)))), Doc: "Steps of the same `graph` that come before. " +
			"A list is satisfied by steps that succeeded or were skipped; a mapping says for each which ends satisfy it: `succeeded`, `skipped`, `failed`, `canceled`, `not_run`.", Example: "needs: {load: [failed]}"},
		{Name: "join", Type: kind(descriptor.Expression), Default: str("all"), Doc: "When the needs satisfy the step: `all` of them, `any` of them, `done` (all have ended, whatever how), or an expression such as `needs.a.succeeded || needs.b.failed`. " +
			"If that can no longer hold, the step does not run."},
		{Name: "if", Type: kind(descriptor.Expression), Doc: "Condition, judged when the step could start. The step is skipped if it does not hold.", Example: "if: steps.fetch.output.total > 1000000"},
		{Name: "default", Type: kind(descriptor.Any), Doc: "Output of the step when it is skipped, a constant. Without it: null."},
		outputsField("Output of the step. In a group it reads the steps of the group; elsewhere it reads `result`, which would be the output otherwise. Without it a group of `steps` has the output of the last one, a `graph` has null."),
	}
}

func (d *language) stepMap() []descriptor.Field {
	return []descriptor.Field{
		{Name: "foreach", Type: oneOf(kind(descriptor.Expression), list(kind(descriptor.Any))), Template: true, Doc: "Does the step once for each item of a list. The output is the list of the outputs, in the order of the items, with null for tolerated failures.",
			Example: "foreach: steps.fetch.output.files\nas: file"},
		{Name: "as", Type: kind(descriptor.Identifier), Default: str("item"), Doc: "Name by which expressions read the item. Its position, from 0, is `index`."},
		{Name: "max_parallel", Type: atLeast(1), Template: true, Doc: "How many items run at once. Without it: 1,000."},
		{Name: "fail_fast", Type: kind(descriptor.Boolean), Doc: "Whether a failure that is not tolerated cancels what else runs in the `foreach` or `parallel`. Default: true for `foreach`, false for `parallel`."},
		{Name: "max_failures", Type: atLeast(0), Template: true, Doc: "How many items may fail without failing the step."},
		{Name: "max_failed_percent", Type: ranged(kind(descriptor.Number), 0, 100), Template: true, Doc: "How many percent of the items may fail. With `max_failures`, both must hold."},
		{Name: "repeat", Type: object(d.repeat), Doc: "Does the step again and again, one turn after the other. The output is that of the last turn, null if there was none. `retry`, `timeout` and `outputs` of the step are those of each turn; " +
			"with `foreach`, each item is repeated by itself. Turns are numbered from 1: those of a step `poll` have the paths `poll[1]`, `poll[2]`, … Expressions in the step read the number as `turn`, and as `previous` the output of the turn before, null in the first.",
			Example: "steps: [{id: ask, uses: http.request, with: {connection: bank, path: /batch}}]\nrepeat: {until: result.body.done, delay: 30s, max: 60}"},
	}
}

func (d *language) stepTask() []descriptor.Field {
	return []descriptor.Field{
		envField("Environment variables of the `run` step, or of those in the group."),
		shellField(),
		{Name: "grace", Type: kind(descriptor.Duration), Default: str("10s"), Doc: "Time between asking a `run` step to end (TERM) and making it end (KILL)."},
		{Name: "success", Type: object(&descriptor.Object{Name: "success", Doc: "What counts as success of a `run` step.", Fields: []descriptor.Field{
			{Name: "exit_codes", Type: ranged(list(ranged(kind(descriptor.Integer), 0, 255)), 1, unbounded), Required: true, Doc: "Exit codes that count as success. Those beside 0 show as a warning."},
		}}), Doc: "What counts as success of a `run` step.", Example: "success: {exit_codes: [0, 4]}"},
		{Name: "run_as", Type: text(), Doc: "User of the machine as whom a `run` step runs: an exact name, no number. It needs a server whose supervisor may change to that user for the workflow's namespace; otherwise the step fails with the error `run_as`."},
		{Name: "artifacts", Type: ranged(list(text()), 1, unbounded), Doc: "Files of the working directory of a `run` step that are kept when its process has ended, well or not: patterns, in which `*` stands for characters within a name and `**` for any folders. " +
			"Only regular files are kept; a link or device makes the step fail. Files of the workflow's bundle are kept if they changed. Expressions read the list as `steps.NAME.artifacts`.",
			Example: "artifacts: [\"reports/**\", result.csv]"},
		{Name: "cache", Type: object(d.cache), Doc: "Uses the output of an earlier run in place of doing the step again, which has to be the same step of the same workflow with the same key. Of a `foreach` or `repeat` it is that of each item or turn.",
			Example: "cache: {key: \"${{ inputs.date }}\", for: 24h}"},
		{Name: "files_from", Type: ranged(list(kind(descriptor.Identifier)), 1, unbounded), Doc: "Earlier steps whose artifacts are put into the working directory of a `run` step, 64 MiB at most.", Example: "files_from: [build]"},
		timeoutField(),
		{Name: "idempotent", Type: kind(descriptor.Boolean), Doc: "Says that doing the step twice is harmless, so that it is repeated early when contact to it is lost."},
	}
}

func (d *language) stepFailure() []descriptor.Field {
	return []descriptor.Field{
		d.retryField(),
		{Name: "on_error", Type: oneOf(object(d.handler), ranged(list(object(d.handler)), 1, unbounded)), Doc: "Handles errors: the first handler that matches runs its steps, which can read `error`; the step then counts as succeeded, with their output."},
		{Name: "continue_on_error", Type: kind(descriptor.Boolean), Default: value.False, Doc: "Records a failure and goes on: the step then satisfies both needs that want it succeeded and needs that want it failed. Its output is null."},
		d.finallyField("Steps that run when the group ends, however it ends. They can read `group.state` and `group.error`."),
	}
}

func (d *language) stepLater() []descriptor.Field {
	return []descriptor.Field{
		{Name: "compensate", Type: object(d.compensation), Doc: "Undoes the step: with `on_failure: compensate` when the run fails or is canceled later, or when an operator asks for it. Steps are undone one after the other, the last first. A group with `compensate` that has ended well is undone as a whole, and the steps in it are not."},
		{Name: "at_most_once", Type: kind(descriptor.Boolean), Doc: "Makes one attempt and never repeats it; when nobody knows whether it ran, the step waits until a person says so. `retry` excludes it, and `defaults.retry` does not apply."},
		{Name: "heartbeat", Type: kind(descriptor.Duration), Template: true, Doc: "Longest silence of an attempt, from its begin on; then it is ended and fails with the error `heartbeat`. A script is heard of whenever it changes the file `$REGIE_HEARTBEAT` or `$REGIE_CHECKPOINT`; a worker outside says so itself.", Example: "run: |\n  for f in *.csv; do\n    ./load \"$f\"\n    touch \"$REGIE_HEARTBEAT\"\n  done\nheartbeat: 5m"},
		{Name: "image", Type: text(), Template: true, Later: "containers", Doc: "Container image in which the script runs."},
		{Name: "runs_on", Type: object(&descriptor.Object{Name: "runs_on", Doc: "Where the step runs.", Fields: []descriptor.Field{
			{Name: "pool", Type: kind(descriptor.Name), Doc: "Worker pool."},
			{Name: "labels", Type: mapOf(descriptor.String, text()), Template: true, Doc: "Labels that the worker must have."},
			{Name: "cpu", Type: ranged(kind(descriptor.Number), 0, unbounded), Template: true, Doc: "Processors."},
			{Name: "memory", Type: text(), Template: true, Doc: "Memory, such as `512Mi`."},
		}}), Later: "workers", Doc: "Where the step runs."},
		{Name: "on_disconnect", Type: text(), Later: "workers", Doc: "What becomes of the step when its worker loses contact.", Enum: []descriptor.EnumValue{
			{Text: "continue", Doc: "It runs on."}, {Text: "stop", Doc: "It is ended."},
		}},
		{Name: "lost_after", Type: kind(descriptor.Duration), Later: "workers", Doc: "How long after losing contact the step counts as lost."},
	}
}

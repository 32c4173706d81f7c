package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// What a retry means that does not say otherwise.
const (
	defaultMaxAttempts = 3
	defaultInitial     = "1s"
	defaultFactor      = 2
	defaultMax         = "5m"
)

// describeFailures describes retry and on_error.
func (d *language) describeFailures() {
	match := descriptor.Field{
		Name: "match", Type: oneOf(text(), ranged(list(text()), 1, unbounded)),
		Doc:     "Names of errors, with `*` for any characters. Without it: all errors.",
		Example: "match: [http.5*, timeout]",
	}
	d.backoff = &descriptor.Object{
		Name: "backoff", Doc: "The wait before an attempt: `initial`, then `factor` times as long each time, at most `max`. A longer wait that the other side asked for is kept.",
		Example: "initial: 2s\nfactor: 2\nmax: 5m\njitter: full",
		Fields: []descriptor.Field{
			{Name: "initial", Type: kind(descriptor.Duration), Template: true, Default: str(defaultInitial), Doc: "First wait."},
			{Name: "factor", Type: ranged(kind(descriptor.Number), 1, unbounded), Template: true, Default: value.Int(defaultFactor), Doc: "By what the wait grows."},
			{Name: "max", Type: kind(descriptor.Duration), Template: true, Default: str(defaultMax), Doc: "Longest wait."},
			{Name: "jitter", Type: text(), Default: str("none"), Doc: "Whether waits differ.", Enum: []descriptor.EnumValue{
				{Text: "none", Doc: "They do not."}, {Text: "full", Doc: "Each is drawn from nothing to the computed wait."},
			}},
		},
	}
	d.retry = &descriptor.Object{
		Name: "retry", Doc: "What is tried again, how often, after which wait.",
		Example: "max_attempts: 4\nbackoff: {initial: 2s}\nmatch: [http.5*, timeout]",
		Fields: []descriptor.Field{
			{Name: "max_attempts", Type: atLeast(1), Template: true, Default: value.Int(defaultMaxAttempts), Doc: "How many attempts are made, the first one too."},
			{Name: "backoff", Type: object(d.backoff), Doc: "The wait before an attempt."},
			match,
			{Name: "if", Type: kind(descriptor.Expression), Doc: "Condition over `error` and `attempt`, the number of the attempt that failed.", Example: "if: error.details.transient == true"},
			{Name: "max_lost", Type: atLeast(0), Default: value.Int(3), Doc: "How many attempts with unknown outcome are repeated; they do not count as failed. Belongs to `run` and `uses` steps."},
		},
	}
	d.handler = &descriptor.Object{
		Name: "on_error", Doc: "Handles errors of a step.",
		Example: "match: [http.404]\nsteps:\n  - uses: log\n    with: {message: \"${{ error.message }}\"}",
		Fields: []descriptor.Field{
			match,
			{Name: "if", Type: kind(descriptor.Expression), Doc: "Condition over `error`."},
			d.stepsField(), d.graphField(),
		},
		OneOfGroups: []descriptor.Group{{Fields: []string{"steps", "graph"}, Needed: true, What: "what handles the error"}},
	}
}

// describeLater describes what steps can say beside, most of it parsed and
// checked only.
func (d *language) describeLater() {
	date := descriptor.Field{Name: "date", Type: kind(descriptor.Date), Template: true, Doc: "Business date. Default: that of the run."}
	d.child = &descriptor.Object{Name: "child workflow", Doc: "Workflow to run as a child.", Fields: []descriptor.Field{
		{Name: "name", Type: text(), Required: true, Doc: "`NAME` or `NAMESPACE/NAME`."}, date,
		{Name: "version", Type: text(), Doc: "Version. Default: the one in force."},
		{Name: "detach", Type: kind(descriptor.Boolean), Default: value.False, Doc: "Do not wait for its end."},
	}}
	d.wait = &descriptor.Object{
		Name: "wait", Doc: "What to wait for.", Example: "for: 10m",
		Fields: []descriptor.Field{
			{Name: "for", Type: kind(descriptor.Duration), Template: true, Doc: "A duration."},
			{Name: "until", Type: kind(descriptor.DateTime), Template: true, Doc: "An instant, RFC 3339."},
			{Name: "workflow", Type: text(), Later: "waits for other workflows", Doc: "A run of another workflow, `NAME` or `NAMESPACE/NAME`."},
			{Name: "condition", Type: text(), Template: true, Later: "conditions", Doc: "A condition: a named fact with a date."},
			{Name: "file", Type: object(&descriptor.Object{Name: "file", Doc: "A file that arrives.", Fields: []descriptor.Field{
				{Name: "glob", Type: text(), Required: true, Template: true, Doc: "Pattern of its path."},
				{Name: "min_size", Type: atLeast(0), Template: true, Doc: "Bytes that it must have."},
				{Name: "stable_for", Type: kind(descriptor.Duration), Template: true, Doc: "How long it must not have grown."},
			}}), Later: "waits for files", Doc: "A file that arrives."},
			{Name: "signal", Type: text(), Template: true, Later: "signals", Doc: "A signal sent to the run."},
			{Name: "asset", Type: text(), Template: true, Later: "assets", Doc: "An asset that is updated."},
			date,
			{Name: "state", Type: text(), Default: str("succeeded"), Doc: "State of the other workflow's run.", Enum: []descriptor.EnumValue{
				{Text: "succeeded", Doc: "It succeeded."}, {Text: "failed", Doc: "It failed."}, {Text: "ended", Doc: "It ended, whatever how."},
			}},
			timeoutField(),
		},
		OneOfGroups: []descriptor.Group{{Fields: []string{"for", "until", "workflow", "condition", "file", "signal", "asset"}, Needed: true, What: "what is waited for"}},
	}
	d.approval = &descriptor.Object{Name: "approval", Doc: "Asks people.", Fields: []descriptor.Field{
		{Name: "roles", Type: list(text()), Doc: "Roles of which somebody may approve."},
		{Name: "users", Type: list(text()), Doc: "Users who may approve."},
		{Name: "count", Type: atLeast(1), Default: value.Int(1), Template: true, Doc: "How many must approve."},
		{Name: "four_eyes", Type: kind(descriptor.Boolean), Default: value.False, Doc: "Whoever started the run may not approve."},
		{Name: "message", Type: text(), Template: true, Doc: "What is asked."},
		timeoutField(),
		{Name: "on_timeout", Type: text(), Default: str("fail"), Doc: "What no answer means.", Enum: []descriptor.EnumValue{
			{Text: "fail", Doc: "The step fails with `timeout`."}, {Text: "approve", Doc: "It counts as approved."}, {Text: "reject", Doc: "It counts as rejected."},
		}},
	}}
	d.repeat = &descriptor.Object{
		Name: "repeat", Doc: "Does the step again and again.", Example: "until: result.done\ndelay: 30s\nmax: 20",
		Fields: []descriptor.Field{
			{Name: "while", Type: kind(descriptor.Expression), Doc: "Condition, judged before each turn."},
			{Name: "until", Type: kind(descriptor.Expression), Doc: "Condition over `result`, judged after each turn."},
			{Name: "delay", Type: kind(descriptor.Duration), Template: true, Doc: "Wait between turns."},
			{Name: "max", Type: atLeast(1), Template: true, Doc: "Most turns."},
		},
		OneOfGroups: []descriptor.Group{{Fields: []string{"while", "until"}, Needed: true, What: "when it ends"}},
	}
	d.compensation = &descriptor.Object{
		Name: "compensate", Doc: "Undoes a step.",
		Fields: []descriptor.Field{
			{Name: "run", Type: oneOf(text(), ranged(list(kind(descriptor.Any)), 1, unbounded)), Template: true, Doc: "As in a step."},
			{Name: "uses", Type: text(), Doc: "As in a step."},
			{Name: "with", Type: mapOf(descriptor.String, kind(descriptor.Any)), Template: true, Doc: "As in a step."},
			d.stepsField(), d.graphField(), envField("Environment variables."), d.retryField(), timeoutField(),
			{Name: "on_unknown", Type: text(), Default: str("ask"), Doc: "What is done when nobody knows whether the step ran.", Enum: []descriptor.EnumValue{
				{Text: "run", Doc: "It is undone."}, {Text: "ask", Doc: "A person is asked."},
			}},
		},
		OneOfGroups: []descriptor.Group{{Fields: []string{"run", "uses", "steps", "graph"}, Needed: true, What: "what undoes the step"}},
	}
	d.cache = &descriptor.Object{Name: "cache", Doc: "Reuses an earlier output.", Fields: []descriptor.Field{
		{Name: "key", Type: text(), Required: true, Template: true, Doc: "Outputs with the same key are the same."},
		{Name: "for", Type: kind(descriptor.Duration), Template: true, Doc: "How long an output is good."},
	}}
	d.limitUse = &descriptor.Object{Name: "limit use", Doc: "A share of a limit.", Fields: []descriptor.Field{
		{Name: "name", Type: text(), Required: true, Template: true, Doc: "Name of the limit."},
		{Name: "weight", Type: atLeast(1), Default: value.Int(1), Template: true, Doc: "How much of it."},
	}}
	d.condition = &descriptor.Object{Name: "condition", Doc: "A named fact with a date.", Fields: []descriptor.Field{
		{Name: "name", Type: text(), Required: true, Template: true, Doc: "Name of the condition."}, date,
	}}
	conditions := list(oneOf(text(), object(d.condition)))
	d.conditions = &descriptor.Object{Name: "conditions", Doc: "Named facts with a date.", Fields: []descriptor.Field{
		{Name: "needs", Type: conditions, Template: true, Doc: "Must hold before the step starts."},
		{Name: "delete", Type: conditions, Template: true, Doc: "Cease to hold when the step has succeeded."},
		{Name: "add", Type: conditions, Template: true, Doc: "Hold when the step has succeeded, after the deletions."},
	}}
}

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

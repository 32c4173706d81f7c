package history

import (
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// Document is the run as the one JSON document that `regie run --output json`
// and `regie show --output json` print: {"run": {…}, "steps": […]}.
func (r *Run) Document() value.Value {
	steps := make([]value.Value, len(r.Steps))
	for i, s := range r.Steps {
		members := []value.Member{
			value.M("path", value.String(s.Path)),
			value.M("kind", value.String(s.Kind)),
			value.M("state", value.String(string(s.State))),
			value.M("reason", text(string(s.Reason))),
			value.M("attempts", value.Int(int64(s.Tries))),
			value.M("input", orNull(s.Input)),
			value.M("output", orNull(s.Output)),
			value.M("error", errorValue(s.Error)),
			value.M("warning", text(s.Warning)),
			value.M("started_at", instant(s.StartedAt)),
			value.M("ended_at", instant(s.EndedAt)),
		}
		if len(s.Artifacts) > 0 {
			members = append(members, value.M("artifacts", engine.ArtifactsValue(s.Artifacts)))
		}
		steps[i] = value.Object(members...)
		if s.Undone {
			steps[i] = steps[i].With("undone", value.True)
		}
	}
	return value.Object(
		value.M("run", value.Object(
			value.M("id", value.String(r.ID)),
			value.M("workflow", value.String(r.Workflow)),
			value.M("state", value.String(string(r.State))),
			value.M("reason", text(string(r.Reason))),
			value.M("business_date", text(r.BusinessDate)),
			value.M("input", orNull(r.Input)),
			value.M("output", orNull(r.Output)),
			value.M("error", errorValue(r.Error)),
			value.M("started_at", instant(r.StartedAt)),
			value.M("ended_at", instant(r.EndedAt)))),
		value.M("steps", value.List(steps...)))
}

// text is a string, or null for an empty one.
func text(s string) value.Value {
	if s == "" {
		return value.Null
	}
	return value.String(s)
}

func orNull(v value.Value) value.Value {
	if v.IsUndefined() {
		return value.Null
	}
	return v
}

func errorValue(e *engine.Error) value.Value { return e.Value() }

// instant is RFC 3339 in UTC, or null for the zero time.
func instant(t time.Time) value.Value {
	if t.IsZero() {
		return value.Null
	}
	return value.String(t.UTC().Format(time.RFC3339Nano))
}

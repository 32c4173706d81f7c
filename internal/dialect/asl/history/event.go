package history

import (
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/value"
)

// Event is an event of an execution's history.
type Event struct {
	// ID numbers the events from 1. Previous is the event that led to this one:
	// in a Map or Parallel, the one before it in the same iteration or branch;
	// 0 for the first.
	ID, Previous int
	Type         string // HistoryEventType: PassStateEntered
	At           time.Time
	// Details is an object with what the type tells; undefined where it tells
	// nothing. Inputs and outputs are texts that hold JSON.
	Details value.Value
}

// DetailsKey is the name of the member that holds the details.
func (e *Event) DetailsKey() string {
	name := e.Type
	switch {
	case strings.HasSuffix(name, "StateEntered"):
		name = "StateEntered"
	case strings.HasSuffix(name, "StateExited"):
		name = "StateExited"
	}
	return strings.ToLower(name[:1]) + name[1:] + "EventDetails"
}

// Value is the event as AWS's command line shows it.
func (e *Event) Value() value.Value {
	members := []value.Member{
		value.M("timestamp", value.String(e.At.UTC().Format("2006-01-02T15:04:05.000Z07:00"))),
		value.M("type", value.String(e.Type)),
		value.M("id", value.Int(int64(e.ID))),
		value.M("previousEventId", value.Int(int64(e.Previous))),
	}
	if !e.Details.IsUndefined() {
		members = append(members, value.M(e.DetailsKey(), e.Details))
	}
	return value.Object(members...)
}

// Failure is the error and the cause of an execution that failed, timed out or
// was aborted, as its last event tells them; both are empty for any other, and
// each where AWS tells none.
func Failure(events []Event) (name, cause string) {
	if len(events) == 0 {
		return "", ""
	}
	last := &events[len(events)-1]
	switch last.Type {
	case "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted":
		return last.Details.Get("error").Text(), last.Details.Get("cause").Text()
	}
	return "", ""
}

// details make an object of the members that are there.
func details(members ...value.Member) value.Value {
	present := make([]value.Member, 0, len(members))
	for _, m := range members {
		if !m.Value.IsUndefined() {
			present = append(present, m)
		}
	}
	return value.Object(present...)
}

// text is a text, undefined if it is empty.
func text(name, s string) value.Member {
	if s == "" {
		return value.M(name, value.Undefined)
	}
	return value.M(name, value.String(s))
}

// seconds is a length of time, undefined if it is none.
func seconds(name string, d time.Duration) value.Member {
	if d <= 0 {
		return value.M(name, value.Undefined)
	}
	return value.M(name, value.Int(int64(d/time.Second)))
}

// asText is a value as the JSON of it; undefined where the values of the run
// were erased.
func asText(name string, v value.Value) value.Member {
	if v.IsUndefined() {
		return value.M(name, value.Undefined)
	}
	return value.M(name, value.String(v.String()))
}

// data are the two members that hold a value as text, such as input and
// inputDetails. Nothing is ever truncated here.
func data(name string, v value.Value) []value.Member {
	if v.IsUndefined() {
		return nil
	}
	return []value.Member{asText(name, v), value.M(name+"Details", value.Object(value.M("truncated", value.Bool(false))))}
}

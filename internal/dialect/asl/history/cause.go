package history

import (
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// failure is an error as AWS tells it.
type failure struct{ name, cause string }

func (f failure) members() []value.Member {
	return []value.Member{text("error", f.name), text("cause", f.cause)}
}

func (f failure) details() value.Value { return details(f.members()...) }

// errorOf is the error of an event; an empty one where it was erased.
func errorOf(ev *engine.Event) *engine.Error {
	if ev.Error == nil {
		return &engine.Error{}
	}
	return ev.Error
}

// detail is what is wrong, without the place. Nothing more is said of a
// timeout than its name.
func detail(e *engine.Error) string {
	switch e.Engine {
	case engine.ErrTimeout, engine.ErrHeartbeat:
		return ""
	}
	return e.Message
}

// failed is an error that a state ended with by itself: that of an expression
// is told with the state.
func (a *act) failed(e *engine.Error) failure {
	cause := detail(e)
	if a = a.partOf(); e.Engine == engine.ErrEvaluation && !a.in.hidden {
		cause = fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). %s", a.name, a.entered, cause)
	}
	return failure{e.Name, cause}
}

// location is the field whose expression failed, as the message names it;
// empty if it does not.
func location(message string) string {
	_, after, found := strings.Cut(message, "specified for the field '")
	if !found {
		return ""
	}
	field, _, _ := strings.Cut(after, "'")
	return field
}

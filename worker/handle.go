package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// Error is an error with a name, which retries and handlers of the workflow match.
type Error struct {
	Name    string
	Message string
	Details any // what can be JSON; nil: none
}

// Error is the message with the name.
func (e *Error) Error() string { return e.Name + ": " + e.Message }

// Names of errors that the worker itself gives.
const (
	NameFailed        = "failed" // an error without a name
	NamePanic         = "panic"
	NameInputInvalid  = "input_invalid"  // the input is not what the Go type takes
	NameOutputInvalid = "output_invalid" // the output is not what the task type gives
)

// Option says more about a handler.
type Option func(*handler)

// Version says for which version of the task type the handler was made, as
// `regie apply` prints it. Work of another version is not taken, and Run ends with
// an error that says so. Without it work of any version is taken.
func Version(version string) Option { return func(h *handler) { h.version = version } }

// handler does work of one type.
type handler struct {
	name, version string
	do            func(ctx context.Context, input string) (output string, err error)

	// asking is held for reading while new work is asked for, and whole while it is
	// asked for what was taken before: the answer to one is no loss to the other.
	asking sync.RWMutex
	mu     sync.Mutex
	// holding are the tokens of what is done; again says that there may be more
	// that the server believes to be done here.
	holding map[string]bool
	again   bool
}

// Handle has the worker do work of a task type. In and Out are written as JSON by
// package encoding/json. Call it before Run, once for each type.
func Handle[In, Out any](w *Worker, taskType string, do func(ctx context.Context, in In) (Out, error), options ...Option) {
	h := &handler{name: taskType, holding: map[string]bool{}, again: true}
	for _, o := range options {
		o(h)
	}
	h.do = func(ctx context.Context, input string) (string, error) {
		var in In
		if err := json.Unmarshal([]byte(input), &in); err != nil {
			return "", &Error{Name: NameInputInvalid, Message: fmt.Sprintf("the input is no %T: %v", in, err)}
		}
		out, err := do(ctx, in)
		if err != nil {
			return "", err
		}
		data, err := json.Marshal(out)
		if err != nil {
			return "", &Error{Name: NameOutputInvalid, Message: fmt.Sprintf("the output cannot be written as JSON: %v", err)}
		}
		return string(data), nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handlers = append(w.handlers, h)
}

// lost reports whether the server may believe that work is done here of which
// nobody knows.
func (h *handler) lost() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.again
}

// tokens are those of what is done.
func (h *handler) tokens() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.holding))
}

// took notes what came of a question for work.
func (h *handler) took(task *regiev1.TakenTask, err error, again bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err != nil:
		h.again = true // the answer may have been lost
	case task != nil:
		h.holding[task.GetToken()] = true
	case again:
		h.again = false
	}
}

// letGo notes that work is not done any more.
func (h *handler) letGo(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.holding, token)
}

package engine_test

import (
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// outside tells the run that what the activation at a path waits for has come:
//
//	happened PATH JSON           the result
//	missed PATH                  there is no earlier output
//	happened-error PATH NAME     it will not come
//	child PATH STATE [JSON|NAME] its child run ended
//	found PATH STATE [JSON]      the awaited run ended
//	pinned PATH DATE             which date the closest earlier run has
func (w *world) outside(word, path, arg string) {
	w.t.Helper()
	for id, p := range w.paths {
		a := w.run.Acts[id]
		if p != path || a == nil || a.Awaits == nil {
			continue
		}
		w.input(w.happened(word, a, arg))
		return
	}
	w.t.Fatalf("nothing waits at %q", path)
}

func (w *world) happened(word string, a *engine.Activation, arg string) engine.Input {
	state, rest, _ := strings.Cut(arg, " ")
	end := engine.RunEnded{State: engine.State(state)}
	if rest != "" && end.State == engine.Succeeded {
		end.Output = value.MustParse(rest)
	}
	var h engine.Happened
	switch word {
	case "happened":
		h = engine.Happened{Wait: a.Awaits.ID, Output: value.MustParse(arg)}
	case "missed":
		h = engine.Happened{Wait: a.Awaits.ID, Missed: true}
	case "happened-error":
		h = engine.Happened{Wait: a.Awaits.ID, Error: &engine.Error{Name: arg, Engine: arg, Message: "it will not come"}}
	case "child":
		if end.State == engine.Failed {
			end.Error = &engine.Error{Name: rest, Message: "it broke"}
		}
		h = engine.ChildEnded(a.Awaits, end, 10)
	case "found":
		h = engine.RunFound(a.Awaits, "r7", a.Awaits.Date, end, a.Awaits.Namespace == "")
	case "pinned":
		return engine.Pinned{Act: a.ID, Wait: a.Awaits.ID, Date: arg}
	}
	h.Act = a.ID
	return h
}

// await writes what a run asks for that waits for something outside it.
func (w *world) await(c engine.Await) {
	what := c.Awaits
	fmt.Fprintf(&w.trace, "  await %s %s/%s", what.Kind, what.Namespace, what.Name)
	for _, more := range []string{what.Date, string(what.State), what.Which, what.Version, what.Run} {
		if more != "" {
			fmt.Fprintf(&w.trace, " %s", more)
		}
	}
	if what.Known > 0 {
		fmt.Fprintf(&w.trace, " beyond event %d", what.Known)
	}
	if what.Kind == engine.AwaitChild {
		fmt.Fprintf(&w.trace, " with %s", c.Input)
	}
	fmt.Fprintln(&w.trace)
}

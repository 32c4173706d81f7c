package sim

import (
	"fmt"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
)

// onAct changes what runs are asked for.
func onAct(change func(engine.Input) engine.Input) func(*product) {
	return onRuntime(func(r *brokenRuntime) {
		r.before = func(m runtime.Message) (runtime.Message, []runtime.Effect) {
			act, ok := m.(runtime.Act)
			if !ok {
				return m, nil
			}
			act.Action = change(act.Action)
			return act, nil
		}
	})
}

// dropKey has a signal come as often as it is sent.
func dropKey(in engine.Input) engine.Input {
	if s, ok := in.(engine.Signal); ok {
		s.Key = ""
		return s
	}
	return in
}

// otherNames makes somebody else of a person with each decision.
func otherNames() func(engine.Input) engine.Input {
	n := 0
	return func(in engine.Input) engine.Input {
		if v, ok := in.(engine.Vote); ok && v.Actor != starter && v.Actor != author {
			n++
			v.Actor += fmt.Sprint(".", n)
			return v
		}
		return in
	}
}

// noAuthor forgets who made the version.
func noAuthor(in engine.Input) engine.Input {
	if v, ok := in.(engine.Vote); ok {
		v.Authors = nil
		return v
	}
	return in
}

func forgetSignals(run *engine.Run) { run.Signals = nil }

func forgetVotes(run *engine.Run) {
	for _, a := range run.Acts {
		a.Votes = nil
	}
}

package engine_test

import (
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/value"
)

// orderOf reads the words of an operator's action: paths, then what belongs to
// the action.
func orderOf(word, rest string) engine.Input {
	output := value.Undefined
	if i := strings.IndexAny(rest, "{\""); i >= 0 && word == "set-succeeded" {
		output, rest = value.MustParse(rest[i:]), rest[:i]
	}
	var steps []string
	var failed *engine.Error
	for w := range strings.FieldsSeq(rest) {
		if name, ok := strings.CutPrefix(w, "!"); ok {
			failed = &engine.Error{Name: name}
			continue
		}
		steps = append(steps, w)
	}
	a := engine.Action{Actor: "ada", Reason: "because", Steps: steps}
	switch word {
	case "set-succeeded":
		return engine.Settle{Action: a, As: engine.Succeeded, Output: output}
	case "set-failed":
		return engine.Settle{Action: a, As: engine.Failed, Error: failed}
	case "leave-out":
		return engine.Settle{Action: a, As: engine.Skipped}
	case "rerun":
		return engine.Rerun{Action: a}
	case "redo":
		return engine.Rerun{Action: a, Redo: true}
	case "force":
		in := engine.Force{Action: a}
		if failed != nil {
			in.Prerequisites = []string{failed.Name}
		}
		return in
	case "set-priority": // the number comes last, * for that of the workflow
		in := engine.SetPriority{Action: a}
		last := len(steps) - 1
		if n, err := strconv.Atoi(steps[last]); err == nil {
			in.Priority = &n
		}
		in.Steps = steps[:last]
		return in
	case "add-wait", "drop-wait": // the condition comes last
		last := len(steps) - 1
		name, date, _ := strings.Cut(steps[last], "@")
		a.Steps = steps[:last]
		facts := []gate.Fact{{Name: name, Date: date}}
		if word == "add-wait" {
			return engine.AddWait{Action: a, Conditions: facts}
		}
		return engine.DropWait{Action: a, Conditions: facts}
	case "set-deadline": // * for none
		at, _ := time.Parse(time.RFC3339, steps[0])
		a.Steps = nil
		return engine.SetDeadline{Action: a, FinishBy: at}
	case "kill":
		return engine.Kill{Action: a}
	case "run-now":
		return engine.RunNow{Action: a}
	case "comment":
		return engine.Comment{Action: a}
	}
	return actionOf(word, steps)
}

// withPast gives a rerun of an ended run what the run was around its steps.
func (w *world) withPast(in engine.Input) engine.Input {
	r, ok := in.(engine.Rerun)
	if !ok || !w.run.State.Final() {
		return in
	}
	r.Past = w.folded(engine.NewPast("r", r.Steps))
	return r
}

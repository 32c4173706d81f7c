package engine_test

import (
	"strings"

	"github.com/regie-dev/regie/internal/engine"
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
	case "kill":
		return engine.Kill{Action: a}
	case "run-now":
		return engine.RunNow{Action: a}
	case "comment":
		return engine.Comment{Action: a}
	}
	return actionOf(word, steps)
}

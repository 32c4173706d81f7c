package teststate

import (
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// loneName is the name of a state that is defined alone.
const loneName = "StateName"

// state reads the state under test.
func (r *Request) state(cfg Config) (*asl.State, error) {
	text, reading := []byte(r.Definition), asl.Config{JSONata: cfg.JSONata}
	docs, problems := yamldoc.Parse(r.File, text)
	lone := len(problems) == 0 && len(docs) == 1 && docs[0].Get("States") == nil && docs[0].Get("Type") != nil
	var machine *asl.Machine
	var faults []asl.Diagnostic
	if lone {
		machine, faults = asl.ReadState(reading, r.File, loneName, text)
		faults = slices.DeleteFunc(faults, elsewhere)
	} else {
		machine, faults = asl.Read(reading, r.File, text)
	}
	if asl.HasErrors(faults) {
		return nil, &Error{Code: CodeDefinition, Message: asl.InvalidDefinition(faults), Diagnostics: faults}
	}
	return r.named(machine, lone)
}

// elsewhere reports whether a finding is about states that a state alone does
// not have beside it.
func elsewhere(d asl.Diagnostic) bool {
	if d.Code == asl.CodeMissingEnd {
		return true
	}
	rest, ok := strings.CutPrefix(d.Location, "/States/"+loneName+"/")
	return d.Code == asl.CodeMissingTarget && ok && !strings.Contains(rest, "/States/")
}

// named is the state that the request names.
func (r *Request) named(machine *asl.Machine, lone bool) (*asl.State, error) {
	name := r.StateName
	switch {
	case lone && name != "":
		return nil, refuse(CodeValidation, "The definition is a single state; only a state machine has states to name").
			withHint("leave the name out, or give the whole state machine")
	case lone:
		name = loneName
	}
	var names []string
	var state *asl.State
	machine.Each(func(s *asl.State) {
		names = append(names, s.Name)
		if s.Name == name {
			state = s
		}
	})
	switch {
	case state != nil:
		return state, nil
	case name == "":
		return nil, refuse(CodeValidation, "A state must be named when the definition is a state machine").
			withHint("there are: " + strings.Join(names, ", "))
	}
	return nil, refuse(CodeValidation, "The definition has no state '%s'", name).withHint("there are: " + strings.Join(names, ", "))
}

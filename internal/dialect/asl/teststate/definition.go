package teststate

import (
	"path"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// loneName is the name of a state that is defined alone.
const loneName = "StateName"

// Of a state that is defined alone, the machine around it is this text, and the
// state begins on the line behind it.
const (
	jsonBefore = `{"StartAt": "` + loneName + `", "States": {"` + loneName + `":` + "\n"
	jsonBehind = "\n}}"
	yamlBefore = "StartAt: " + loneName + "\nStates:\n  " + loneName + ":\n"
	yamlIndent = "    "
)

// state reads the state under test.
func (r *Request) state(cfg Config) (*asl.State, error) {
	text, lone, shift := r.Definition, false, diag.Pos{}
	docs, problems := yamldoc.Parse(r.File, []byte(text))
	if len(problems) == 0 && len(docs) == 1 && docs[0].Get("States") == nil && docs[0].Get("Type") != nil {
		text, shift = alone(r.File, text)
		lone = true
	}
	machine, found := asl.Read(asl.Config{JSONata: cfg.JSONata}, r.File, []byte(text))
	var faults []asl.Diagnostic
	for _, d := range found {
		if lone && elsewhere(d) {
			continue
		}
		d.Pos.Line, d.Pos.Column = max(1, d.Pos.Line-shift.Line), max(1, d.Pos.Column-shift.Column)
		faults = append(faults, d)
	}
	if asl.HasErrors(faults) {
		return nil, &Error{Code: CodeDefinition, Message: asl.InvalidDefinition(faults), Diagnostics: faults}
	}
	return r.named(machine, lone)
}

// alone is the text of a machine with the one state, and by how much positions
// in it are off.
func alone(file, text string) (string, diag.Pos) {
	var off diag.Pos
	ext := path.Ext(file)
	if strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") && ext != ".yaml" && ext != ".yml" {
		off.Line = strings.Count(jsonBefore, "\n")
		return jsonBefore + text + jsonBehind, off
	}
	off.Line, off.Column = strings.Count(yamlBefore, "\n"), len(yamlIndent)
	return yamlBefore + yamlIndent + strings.ReplaceAll(text, "\n", "\n"+yamlIndent), off
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

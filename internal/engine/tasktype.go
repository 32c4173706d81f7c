package engine

import (
	"fmt"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// typedInput fills defaults into the input of a task of a user's own type, and
// checks it, before anybody gets it.
func (d *decider) typedInput(a *Activation, t *workflow.TaskType, input value.Value) (value.Value, error) {
	given := input.Get("input")
	if given.IsNull() {
		given = value.Object()
	}
	given, err := d.inline(given)
	if err != nil {
		return input, err
	}
	filled, fault := declared(t.Input, given, true)
	if fault != "" {
		return input, d.m.engineError(ErrInputInvalid, fmt.Sprintf("the input of %s (task type %s) is wrong: %s", a.Path, t.Name, fault))
	}
	if filled, err = d.kept(filled); err != nil {
		return input, err
	}
	members := make([]value.Member, 0, input.Len())
	for _, m := range input.Members() {
		if m.Key == "input" {
			m.Value = filled
		}
		members = append(members, m)
	}
	return value.Object(members...), nil
}

// wrongOutput says why the output of a task of a user's own type is none, or "".
func wrongOutput(t *workflow.TaskType, output value.Value) string {
	if t == nil || t.Output == nil {
		return ""
	}
	_, fault := declared(t.Output, output, false)
	return fault
}

// declared checks an object against its declared members. With fill, those that
// are missing are there afterwards: with their default, else null.
func declared(members []workflow.Input, v value.Value, fill bool) (filled value.Value, fault string) {
	if v.Kind() != value.KindObject {
		return v, "want an object, got " + short(v)
	}
	names := make([]string, len(members))
	out := make([]value.Member, 0, len(members))
	for i := range members {
		in := &members[i]
		names[i] = in.Name
		given, there := v.Lookup(in.Name)
		switch {
		case !there && fill && in.Default != nil:
			given = in.Default.Const
		case !there && in.Required:
			return v, fmt.Sprintf("%q is missing", in.Name)
		case !there || given.IsNull() && !in.Required:
			given = value.Null
		default:
			msg := mismatch(given, &in.Type)
			if msg == "" {
				msg = notIn(given, in.Enum)
			}
			if msg != "" {
				return v, fmt.Sprintf("%q: %s", in.Name, msg)
			}
		}
		out = append(out, value.M(in.Name, given))
	}
	for _, m := range v.Members() {
		if !contains(names, m.Key) {
			fault = fmt.Sprintf("%q is not known", m.Key)
			if hint := diag.DidYouMean(m.Key, names); hint != "" {
				fault += "; " + hint
			}
			return v, fault
		}
	}
	if !fill {
		return v, ""
	}
	return value.Object(out...), ""
}

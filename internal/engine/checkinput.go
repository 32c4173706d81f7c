package engine

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// InputFault is one thing wrong with a run's input.
type InputFault struct {
	Name    string // of the input, with the path inside it
	Message string
}

func (f InputFault) String() string {
	if f.Name == "" { // the input as a whole
		return "input: " + f.Message
	}
	return fmt.Sprintf("input %q: %s", f.Name, f.Message)
}

// CheckInput fills in defaults and checks the run's input against the
// program's declarations: type, enum, required, unknown names. All faults come
// at once. A default may read the run's facts and namespace variables, which
// accept will record.
func (m *Machine) CheckInput(runID string, accept Accept, now time.Time) (value.Value, []InputFault) {
	in := accept.Input
	if m.prog.Inputs == nil {
		if in.IsUndefined() {
			return value.Object(), nil
		}
		return in, nil
	}
	if in.IsNull() {
		in = value.Object()
	}
	if in.Kind() != value.KindObject {
		return in, []InputFault{{Name: "", Message: "want an object with the workflow's inputs, got " + in.Kind().String()}}
	}
	var faults []InputFault
	names := make([]string, len(m.prog.Inputs))
	for i := range m.prog.Inputs {
		names[i] = m.prog.Inputs[i].Name
	}
	for _, member := range in.Members() {
		if !contains(names, member.Key) {
			msg := "the workflow has no such input"
			if hint := diag.DidYouMean(member.Key, names); hint != "" {
				msg += "; " + hint
			}
			faults = append(faults, InputFault{member.Key, msg})
		}
	}
	members := make([]value.Member, 0, len(names))
	for i := range m.prog.Inputs {
		decl := &m.prog.Inputs[i]
		v, given := in.Lookup(decl.Name)
		if !given && decl.Default != nil {
			var err error
			if v, err = m.inputDefault(runID, decl, accept, now); err != nil {
				faults = append(faults, InputFault{decl.Name, "default: " + err.Error()})
				continue
			}
		} else if !given {
			if decl.Required {
				faults = append(faults, InputFault{decl.Name, "is required"})
			}
			members = append(members, value.M(decl.Name, value.Null))
			continue
		}
		if msg := mismatch(v, &decl.Type); msg != "" {
			faults = append(faults, InputFault{decl.Name, msg})
		} else if msg := notIn(v, decl.Enum); msg != "" {
			faults = append(faults, InputFault{decl.Name, msg})
		}
		members = append(members, value.M(decl.Name, v))
	}
	return value.Object(members...), faults
}

func contains(names []string, name string) bool {
	return slices.Contains(names, name)
}

func (m *Machine) inputDefault(runID string, decl *workflow.Input, accept Accept, now time.Time) (value.Value, error) {
	run := NewRun(runID)
	run.BusinessDate, run.Vars, run.AcceptedAt, run.Seed = accept.BusinessDate, accept.Vars, now, accept.Seed
	d := &decider{m: m, run: run, ctx: Context{Now: now, InlineCost: expr.PoolCost}, aside: true}
	return d.value(decl.Default, &place{f: &Frame{}})
}

func notIn(v value.Value, enum []value.Value) string {
	if len(enum) == 0 {
		return ""
	}
	texts := make([]string, len(enum))
	for i, e := range enum {
		if value.Equal(v, e) {
			return ""
		}
		texts[i] = e.String()
	}
	return fmt.Sprintf("%s is not one of %s", v, strings.Join(texts, ", "))
}

// mismatch says in what the value does not have the type, or "".
func mismatch(v value.Value, t *expr.Type) string {
	want := func(what string) string { return fmt.Sprintf("want %s, got %s", what, short(v)) }
	text, isText := v.Str()
	switch t.Kind {
	case expr.Any:
		return ""
	case expr.Bool:
		if _, ok := v.Bool(); !ok {
			return want("true or false")
		}
	case expr.Int:
		if _, ok := v.BigInt(); !ok {
			return want("an integer")
		}
	case expr.Number:
		if _, ok := v.Float(); !ok {
			return want("a number")
		}
	case expr.Decimal:
		if _, ok := v.BigInt(); ok {
			return ""
		}
		if _, ok := new(big.Rat).SetString(text); !isText || !ok || strings.ContainsAny(text, "/eE") {
			return want(`a decimal in quotes, such as "12.50"`)
		}
	case expr.String:
		if !isText {
			return want("a string")
		}
		if strings.ContainsRune(text, 0) {
			return "has a NUL character"
		}
	case expr.Date:
		if _, err := calendar.ParseDate(text); err != nil {
			return want("a date such as 2026-03-01")
		}
	case expr.DateTime:
		if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
			return want("a date and time such as 2026-03-01T06:30:00Z")
		}
	case expr.Duration:
		if _, err := duration.Parse(text); err != nil {
			return want("a duration such as 90s or 1h30m")
		}
	case expr.ListOf:
		return mismatchList(v, t)
	case expr.ObjectOf:
		return mismatchObject(v, t)
	case expr.NullType:
		if !v.IsNull() {
			return want("null")
		}
	}
	return ""
}

func mismatchList(v value.Value, t *expr.Type) string {
	if v.Kind() != value.KindList {
		return "want a list, got " + short(v)
	}
	if t.Elem == nil {
		return ""
	}
	for i, item := range v.Items() {
		if msg := mismatch(item, t.Elem); msg != "" {
			return fmt.Sprintf("item %d: %s", i, msg)
		}
	}
	return ""
}

func mismatchObject(v value.Value, t *expr.Type) string {
	if v.Kind() != value.KindObject {
		return "want an object, got " + short(v)
	}
	known := make([]string, len(t.Fields))
	for i := range t.Fields {
		f := &t.Fields[i]
		known[i] = f.Name
		member, ok := v.Lookup(f.Name)
		if !ok || member.IsNull() && f.Type.Nullable {
			if !f.Type.Nullable {
				return fmt.Sprintf("member %q is missing", f.Name)
			}
			continue
		}
		if msg := mismatch(member, &f.Type); msg != "" {
			return fmt.Sprintf("member %q: %s", f.Name, msg)
		}
	}
	if t.Closed {
		for _, member := range v.Members() {
			if !contains(known, member.Key) {
				return fmt.Sprintf("member %q is not known", member.Key)
			}
		}
	}
	return ""
}

const shortLength = 60

// short shows a value in a message.
func short(v value.Value) string {
	text := v.String()
	if len(text) > shortLength {
		text = strings.ToValidUTF8(text[:shortLength], "") + "…"
	}
	return text
}

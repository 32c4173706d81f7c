package suite

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/value"
)

func text() descriptor.Type { return descriptor.Type{Kind: descriptor.String} }

func list(elem descriptor.Type) descriptor.Type {
	return descriptor.Type{Kind: descriptor.List, Elem: &elem}
}

func mapOf(elem descriptor.Type) descriptor.Type {
	return descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: &elem}
}

func object(o *descriptor.Object) descriptor.Type {
	return descriptor.Type{Kind: descriptor.Struct, Object: o}
}

var anything = descriptor.Type{Kind: descriptor.Any}

// Describe returns the descriptor of a test file.
func Describe() *descriptor.Object {
	return &descriptor.Object{
		Name: "test",
		Doc:  "A file `*.test.yaml`: cases that `regie test` runs and compares with what is expected.",
		Fields: []descriptor.Field{
			{Name: "workflow", Type: text(), Doc: "Name of the workflow that is tested, or the file of a state machine; needed if there are several in `files`."},
			{
				Name: "files", Type: list(text()),
				Doc: "Files and folders with the definitions, relative to the test file. By default the folder of the test file.",
			},
			{Name: "vars", Type: mapOf(anything), Doc: "Variables (`vars.NAME`) of all cases."},
			{Name: "secrets", Type: mapOf(text()), Doc: "Secrets of all cases, by name: made-up ones."},
			{Name: "mocks", Type: mock.Type(), Doc: "Stand-ins for steps in all cases; those of a case go before."},
			{Name: "cases", Type: withMin(list(object(describeCase())), 1), Required: true, Doc: "The cases."},
		},
		Example: "workflow: eod\ncases:\n  - name: settles everything\n    mocks:\n      \"settle[*]\": {output: done}\n    expect:\n      ran: [publish]\n",
	}
}

func withMin(t descriptor.Type, n int64) descriptor.Type {
	t.Min = descriptor.Bound(n)
	return t
}

func describeCase() *descriptor.Object {
	return &descriptor.Object{
		Name: "case",
		Doc:  "One run, with what must come of it.",
		Fields: []descriptor.Field{
			{Name: "name", Type: text(), Required: true, Doc: "Says what the case is about; unique in the file."},
			{Name: "input", Type: anything, Doc: "Input of the run."},
			{Name: "date", Type: descriptor.Type{Kind: descriptor.Date}, Doc: "Business date."},
			{
				Name: "at", Type: descriptor.Type{Kind: descriptor.DateTime}, Default: value.String(defaultStart),
				Doc: "When the run is accepted, in virtual time.",
			},
			{
				Name: "time", Type: text(), Default: value.String(timeVirtual), Doc: "How time passes.",
				Enum: []descriptor.EnumValue{
					{Text: timeVirtual, Doc: "waits, retries and timeouts pass at once"},
					{Text: timeReal, Doc: "as on the wall"},
				},
			},
			{Name: "vars", Type: mapOf(anything), Doc: "Variables, beside those of the file."},
			{Name: "secrets", Type: mapOf(text()), Doc: "Secrets, beside those of the file."},
			{Name: "mocks", Type: mock.Type(), Doc: "Stand-ins for steps. Steps without one really run."},
			{Name: "allow_hosts", Type: list(text()), Doc: "HOST:PORT that steps may call though it is local or private."},
			{Name: "expect", Type: object(describeExpect()), Doc: "What must come of it. Without it, the run must succeed."},
		},
	}
}

func describeExpect() *descriptor.Object {
	state := descriptor.Field{
		Name: "state", Type: text(), Doc: "State in which it ends.",
		Enum: []descriptor.EnumValue{{Text: "succeeded"}, {Text: "failed"}, {Text: "canceled"}, {Text: "skipped"}},
	}
	reason := descriptor.Field{Name: "reason", Type: text(), Doc: "Reason of the state, such as `timed_out`."}
	output := descriptor.Field{Name: "output", Type: anything, Doc: "The output, exactly."}
	fault := descriptor.Field{Name: "error", Type: object(&descriptor.Object{
		Name: "expected_error",
		Doc:  "The error.",
		Fields: []descriptor.Field{
			{Name: "name", Type: text(), Doc: "Its name, such as `exit.1`."},
			{Name: "message", Type: text(), Doc: "A part of its message."},
		},
	}), Doc: "The error it ends with."}
	step := &descriptor.Object{
		Name: "expected_step",
		Doc:  "What must have become of a step.",
		Fields: []descriptor.Field{
			state, reason, output, fault,
			{Name: "input", Type: anything, Doc: "The effective input, exactly."},
			{Name: "attempts", Type: descriptor.Type{Kind: descriptor.Integer, Min: descriptor.Bound(0)}, Doc: "How many attempts were made."},
			{Name: "warning", Type: text(), Doc: "A part of its warning."},
		},
	}
	runState := state
	runState.Enum = state.Enum[:3]
	runState.Default = value.String("succeeded")
	return &descriptor.Object{
		Name: "expect",
		Doc:  "What must come of a run.",
		Fields: []descriptor.Field{
			runState, reason, output, fault,
			{Name: "ran", Type: list(text()), Doc: "Paths of steps that must have run; `*` stands for any text."},
			{Name: "not_run", Type: list(text()), Doc: "Paths of steps that must not have run."},
			{Name: "steps", Type: mapOf(object(step)), Doc: "By path, what must have become of single steps."},
			{
				Name: "check", Type: list(descriptor.Type{Kind: descriptor.Expression}),
				Doc:     "Expressions that must hold. They read `run` and `steps` as `regie show --output json` prints them, `steps` by path.",
				Example: "check: ['run.output.total > 10', 'steps[\"fetch\"].attempts == 2']",
			},
		},
	}
}

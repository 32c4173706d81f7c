package engine

import (
	"errors"
	"strings"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// RenderObject evaluates data that stands outside every run, such as the
// fields of a connection: it may read namespace variables and nothing else.
// Texts with secrets become *** and a slot.
func RenderObject(data *workflow.Data, vars value.Value, languages map[string]expr.Language) (value.Value, []SecretSlot, error) {
	if data == nil {
		return value.Object(), nil, nil
	}
	l := &linker{languages: languages, where: "object", m: &Machine{prog: &workflow.Program{}, exprs: map[*workflow.Expr]*linked{}}}
	l.data(data)
	if len(l.faults) > 0 {
		return value.Undefined, nil, errors.Join(l.faults...)
	}
	run := NewRun("")
	run.Vars = vars
	d := &decider{m: l.m, run: run, ctx: Context{InlineCost: expr.PoolCost}, aside: true}
	return d.render(data, &place{f: &Frame{}}, nil)
}

// Reveal puts secrets where the slots say: lookup gives each by name.
func Reveal(input value.Value, slots []SecretSlot, lookup func(name string) (string, error)) (value.Value, error) {
	for _, slot := range slots {
		var text strings.Builder
		for _, part := range slot.Parts {
			if part.Secret == "" {
				text.WriteString(part.Text)
				continue
			}
			plain, err := lookup(part.Secret)
			if err != nil {
				return value.Undefined, err
			}
			text.WriteString(plain)
		}
		next, ok := setAt(input, slot.Path, value.String(text.String()))
		if !ok {
			return value.Undefined, errors.New("a secret's place is not there")
		}
		input = next
	}
	return input, nil
}

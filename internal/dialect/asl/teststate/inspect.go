package teststate

import (
	"slices"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// inspect gathers the data on its way through the state, as far as the state
// came. Which fields are there follows AWS: of a Parallel or Map, and of a Pass
// with a Result, what went in is not shown.
func (t *test) inspect(found *outcome) (*Inspection, error) {
	s := t.state
	out := &Inspection{Input: t.input}
	p := &prober{test: t, found: found}
	shows := s.Parallel == nil && s.Map == nil && (s.Pass == nil || s.Pass.Result == nil)
	works := s.Task != nil || s.Pass != nil || s.Parallel != nil || s.Map != nil
	done := s.Pass != nil || found.answered
	if s.Language == asl.JSONPath {
		if shows {
			out.AfterInputPath = p.after(t.before(func(b *asl.State) { b.InputPath = s.InputPath }))
		}
		switch {
		case s.Task != nil && !found.task.IsUndefined():
			out.AfterParameters = found.task.Get(inArguments)
		case shows && works:
			out.AfterParameters = p.after(t.before(func(b *asl.State) { b.InputPath, b.Parameters = s.InputPath, s.Parameters }))
		}
		if works && done {
			out.AfterResultSelector = p.after(t.behind(func(b *asl.State) { b.ResultPath, b.OutputPath = nil, nil }))
			out.AfterResultPath = p.after(t.behind(func(b *asl.State) { b.OutputPath = nil }))
		}
	}
	switch {
	case s.Task != nil:
		t.inspectTask(found, out)
	case s.Pass != nil && s.Pass.Result != nil:
		out.Result = s.Pass.Result.ToValue()
	case s.Map != nil:
		t.inspectMap(found, out, p)
	}
	if variables := value.Object(slices.Concat(t.variables.Members(), found.assigned)...); variables.Len() > 0 {
		out.Variables = variables
	}
	if found.details != (ErrorDetails{}) {
		out.Error = &found.details
	}
	return out, p.err
}

func (t *test) inspectTask(found *outcome, out *Inspection) {
	if t.state.Arguments != nil {
		out.AfterArguments = found.task.Get(inArguments)
	}
	if found.answered {
		out.Result = found.result
	}
}

func (t *test) inspectMap(found *outcome, out *Inspection, p *prober) {
	s := t.state
	out.MaxConcurrency = value.Int(0)
	if n := found.task.Get(inMax); !n.IsUndefined() {
		out.MaxConcurrency = n
	}
	out.ToleratedFailureCount = found.task.Get(inCount)
	out.ToleratedFailurePercentage = found.task.Get(inPercentage)
	if s.Language == asl.JSONPath && s.Map.Items != nil {
		out.AfterItemsPath = found.task.Get(inItems)
	}
	p.real = true
	selected := t.behind(func(b *asl.State) {
		b.ResultSelector, b.ResultPath, b.OutputPath, b.Output = nil, nil, nil, nil
		m := *s.Map
		m.Batcher = nil
		b.Map = &m
	})
	if _, read := t.items(); s.Map.ItemSelector != nil && (s.Map.Reader == nil || read) {
		out.AfterItemSelector = p.after(selected)
	}
	if s.Map.Batcher != nil && s.Map.Reader == nil {
		selected.Map.Batcher = s.Map.Batcher
		out.AfterItemBatcher = p.after(selected)
	}
}

// items are those that an ItemReader has read; ok is false when there are none,
// or they are not in one JSON text.
func (t *test) items() (items value.Value, ok bool) {
	m := t.state.Map
	if m == nil || m.Reader == nil || t.request.Configuration.MapItemReaderData == "" {
		return value.Undefined, false
	}
	items, err := value.Parse([]byte(t.request.Configuration.MapItemReaderData))
	return items, err == nil && items.Kind() == value.KindList
}

// before is a Pass with fields that shape what goes into the state.
func (t *test) before(set func(*asl.State)) asl.State {
	b := asl.State{Name: t.state.Name, Type: asl.Pass, Language: t.state.Language, Pass: &asl.PassState{}, End: true}
	set(&b)
	return b
}

// behind is the state without what follows on its result.
func (t *test) behind(take func(*asl.State)) asl.State {
	b := *t.state
	b.Next, b.End, b.Assign, b.Retry, b.Catch = asl.Text{}, true, nil, nil, nil
	take(&b)
	return b
}

// prober runs variants of the state.
type prober struct {
	*test
	found *outcome // of the state itself; nothing is called again
	real  bool     // a Map goes over its items
	err   error
}

// after is the output of a variant; undefined when it fails.
func (p *prober) after(s asl.State) value.Value {
	found, err := p.run(s, !p.real, func(value.Value) (value.Value, *engine.Error) { return p.found.result, nil })
	if err != nil {
		p.err = err
		return value.Undefined
	}
	return found.output
}

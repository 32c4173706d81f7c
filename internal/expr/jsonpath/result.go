package jsonpath

import (
	"fmt"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// ResultPathMatchFailure is the error of a result that cannot be put where
// ResultPath says.
const ResultPathMatchFailure = "States.ResultPathMatchFailure"

// ApplyResultPath puts a result into the input of a state at a path of
// [ParseResultPath]; $ gives the result itself. Objects that are missing on the
// way are made. A list takes a result in place of one of its items only. Where
// the way leads through anything else, the error has the code
// [ResultPathMatchFailure].
func ApplyResultPath(q *Query, input, result value.Value) (value.Value, *expr.Error) {
	if q.root.path == nil || q.root.path.root != Input {
		return value.Undefined, conflict(q, input)
	}
	out, ok := put(q.root.path.steps, input, result)
	if !ok {
		return value.Undefined, conflict(q, input)
	}
	return out, nil
}

func conflict(q *Query, input value.Value) *expr.Error {
	return &expr.Error{
		Code: ResultPathMatchFailure, Message: fmt.Sprintf("Unable to apply ReferencePath %s to input %s", q.src, shown(input)), Offset: 0,
	}
}

func put(steps []step, at, result value.Value) (value.Value, bool) {
	if len(steps) == 0 {
		return result, true
	}
	s := &steps[0]
	switch {
	case s.kind == stepName && !s.scan && (at.Kind() == value.KindObject || at.IsUndefined()):
		inner, ok := put(steps[1:], at.Get(s.names[0]), result)
		if !ok {
			return value.Undefined, false
		}
		return at.With(s.names[0], inner), true
	case s.kind == stepIndex && !s.scan && !at.At(s.indexes[0]).IsUndefined():
		inner, ok := put(steps[1:], at.At(s.indexes[0]), result)
		if !ok {
			return value.Undefined, false
		}
		items := append([]value.Value{}, at.Items()...)
		items[s.indexes[0]] = inner
		return value.List(items...), true
	}
	return value.Undefined, false
}

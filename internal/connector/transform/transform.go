package transform

import (
	"context"
	"errors"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/value"
)

// Transform is the connector json.transform.
type Transform struct{ descriptor *connector.Descriptor }

var _ connector.Connector = (*Transform)(nil)

// New returns the connector.
func New() *Transform { return &Transform{describe()} }

// Describe returns the descriptor of json.transform.
func (t *Transform) Describe() *connector.Descriptor { return t.descriptor }

// Call applies the operations.
func (t *Transform) Call(ctx context.Context, call connector.Call) (connector.Result, error) {
	in, err := connector.Prepare(ctx, t.descriptor, call)
	if err != nil {
		return connector.Result{}, err
	}
	v := in.Get("input")
	for i, op := range in.Get("operations").Items() {
		if err := connector.FromContext(ctx); err != nil {
			return connector.Result{}, err
		}
		changed, err := apply(op, v)
		if err != nil {
			return connector.Result{}, operationError(i, op, err)
		}
		if changed.Size() > MaxOutputBytes {
			return connector.Result{}, connector.Errorf("json.too_large", "operation %d: the result is larger than %d bytes", i+1, MaxOutputBytes)
		}
		v = changed
	}
	return connector.Result{Output: value.Object(value.M("result", orNull(v)))}, nil
}

func operationError(i int, op value.Value, err error) *connector.Error {
	name := connector.InvalidInput
	switch {
	case errors.Is(err, errKind):
		name = "json.wrong_kind"
	case errors.Is(err, errSyntax):
		name = "json.syntax"
	}
	e := connector.Errorf(name, "operation %d, %s: %v", i+1, op.Members()[0].Key, err)
	e.Details = value.Object(value.M("operation", value.Int(int64(i))), value.M("name", value.String(op.Members()[0].Key)))
	return e
}

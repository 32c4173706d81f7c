package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// OwnCall is a call of a connector that Regie makes for itself, such as a
// message about an alert.
type OwnCall struct {
	// Namespace is that whose connections, channels and secrets are used.
	Namespace string
	Uses      string // name of the connector
	Input     value.Value
	// Key is the same whenever the call is repeated.
	Key string
}

// Call makes a call that belongs to no run, and waits for its end. Secrets are
// masked in what it returns, the error too.
func (w *Worker) Call(ctx context.Context, q OwnCall) (value.Value, error) {
	c := w.cfg.Connectors[q.Uses]
	if c == nil {
		return value.Undefined, fmt.Errorf("there is no connector %s", q.Uses)
	}
	s := &session{w: w, input: q.Input, task: &engine.Task{Uses: q.Uses, Program: &workflow.Program{Namespace: q.Namespace}}}
	if err := s.objects(); err != nil {
		return value.Undefined, err
	}
	masker, _ := secret.NewMasker(s.secrets...)
	result, err := c.Call(ctx, connector.Call{
		Input: q.Input, Connection: s.connection, Channel: s.channel, IdempotencyKey: q.Key,
		Log: func(string) {}, Now: w.cfg.Clock.Now,
	})
	if err != nil {
		return value.Undefined, errors.New(masker.String(err.Error()))
	}
	return masker.Value(result.Output), nil
}

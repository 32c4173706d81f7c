package server

import (
	"context"

	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// Kinds of definitions that lead to a connection.
const (
	kindConnection = "Connection"
	kindChannel    = "Channel"
)

// heldOpen is a breaker that a person opened; what opened by itself is not
// remembered.
type heldOpen struct {
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
}

// breakers are the circuit breakers of connections: their policies from the
// catalog, their state from the dispatcher.
type breakers struct {
	catalog  *catalog.Catalog
	dispatch *dispatch.Service
	registry *registry.Registry
	table    *registry.Table[heldOpen]
}

var _ api.Breakers = (*breakers)(nil)

// via finds the connection that a task uses, if it is a call.
func (s *Server) via(t *engine.Task) dispatch.Via {
	if t.Program == nil || s.crew.connectors[t.Uses] == nil {
		return dispatch.Via{}
	}
	namespace := t.Program.Namespace
	name, ok := t.Input.Get("connection").Str()
	if channel, named := t.Input.Get("channel").Str(); !ok && named {
		o, _ := s.catalog.Object(kindChannel, namespace, channel)
		name = o.Text("connection")
	}
	if name == "" {
		return dispatch.Via{}
	}
	v := dispatch.Via{Connection: namespace + "/" + name}
	if o, _ := s.catalog.Object(kindConnection, namespace, name); o.Breaker != nil {
		v.Breaker = *o.Breaker
	}
	return v
}

// begin opens those again that people opened before the restart.
func (b *breakers) begin() {
	for _, i := range b.table.All() {
		b.dispatch.SetBreaker(dispatch.SetBreaker{Connection: i.Namespace + "/" + i.Name, Open: true, By: i.Value.By, Reason: i.Value.Reason})
	}
}

// List lists the breakers of a namespace by connection: those that definitions
// name, and those that are open.
func (b *breakers) List(namespace string) []api.Breaker {
	states := map[string]dispatch.Breaker{}
	for _, s := range b.dispatch.Breakers() {
		states[s.Connection] = s
	}
	var out []api.Breaker
	for _, i := range b.catalog.Objects(namespace) {
		if i.Value.Kind != kindConnection {
			continue
		}
		name := i.Name[len(kindConnection)+1:]
		state, known := states[namespace+"/"+name]
		switch {
		case known:
		case i.Value.Breaker != nil:
			state = dispatch.Breaker{View: breaker.View{State: breaker.Closed}}
		default:
			continue
		}
		out = append(out, api.Breaker{Namespace: namespace, Name: name, State: state})
	}
	return out
}

// Blocked is the breaker that an attempt waits for.
func (b *breakers) Blocked(run store.RunID, act engine.ActID) (dispatch.Breaker, bool) {
	return b.dispatch.Blocked(run, act)
}

// Set opens or closes the breaker of a connection, and remembers it.
func (b *breakers) Set(ctx context.Context, namespace, connection string, open bool, by store.Entry) (uint64, error) {
	if _, ok := b.catalog.Object(kindConnection, namespace, connection); !ok {
		return 0, store.ErrNotFound
	}
	by.Action, by.Namespace, by.Object = "breaker.close", namespace, "connection/"+connection
	if open {
		by.Action = "breaker.open"
	}
	position, err := b.registry.Update(ctx, func(tx *registry.Tx) error {
		if open {
			b.table.Put(tx, namespace, connection, heldOpen{By: by.Actor, Reason: by.Reason})
		} else if _, held := b.table.Get(namespace, connection); held {
			b.table.Delete(tx, namespace, connection)
		}
		tx.Record(by)
		return nil
	})
	if err != nil {
		return 0, err
	}
	b.dispatch.SetBreaker(dispatch.SetBreaker{Connection: namespace + "/" + connection, Open: open, By: by.Actor, Reason: by.Reason})
	return position, nil
}

// tripped says in the log what became of a breaker.
func (s *Server) tripped(b dispatch.Breaker) {
	s.metrics.BreakerTripped(string(b.State))
	about := []any{"connection", b.Connection, "failures", b.Failures, "last_failure", b.Last, "waiting", b.Waiting, "by", b.By}
	switch b.State {
	case breaker.Open:
		s.cfg.Log.Warn("the circuit breaker of a connection has opened", about...)
	case breaker.HalfOpen:
		s.cfg.Log.Info("the circuit breaker of a connection lets probes through", about...)
	case breaker.Closed:
		s.cfg.Log.Info("the circuit breaker of a connection has closed", about...)
	}
}

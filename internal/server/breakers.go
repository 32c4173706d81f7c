package server

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// Kinds of definitions that lead to a connection.
const (
	kindConnection = "Connection"
	kindChannel    = "Channel"
)

// heldOpen is a breaker that a person opened; what opened by itself its alert
// remembers.
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
	alerts   *registry.Table[notify.Alert]

	told    atomic.Pointer[notify.Service] // set when there are alerts
	setting sync.Mutex                     // held while what people say is remembered and done
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
	return s.breakers.viaOf(namespace, name)
}

// viaOf is a connection with the policy that its definition gives.
func (b *breakers) viaOf(namespace, name string) dispatch.Via {
	v := dispatch.Via{Connection: namespace + "/" + name}
	if o, _ := b.catalog.Object(kindConnection, namespace, name); o.Breaker != nil {
		v.Breaker = *o.Breaker
	}
	return v
}

// begin opens those again that people opened before the restart, and those that
// opened by themselves, as long as their alerts are not closed.
func (b *breakers) begin() {
	for _, i := range b.table.All() {
		b.dispatch.SetBreaker(dispatch.SetBreaker{Connection: i.Namespace + "/" + i.Name, Open: true, By: i.Value.By, Reason: i.Value.Reason})
	}
	for _, i := range b.alerts.All() {
		if a := &i.Value; a.Cause == notify.CauseBreaker && a.State != notify.Closed {
			b.dispatch.ReopenBreaker(dispatch.ReopenBreaker{
				Via: b.viaOf(a.Namespace, a.Connection), Opened: a.OpenedAt, Last: "before the restart",
			})
		}
	}
}

// follow closes the breakers that definitions name no more, whenever definitions
// change, until ctx ends.
func (b *breakers) follow(ctx context.Context) {
	for {
		changed := b.catalog.ObjectsChanged()
		b.closeUndefined()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// closeUndefined closes the breakers that opened by themselves and that no
// definition names. Those that people opened, people close.
func (b *breakers) closeUndefined() {
	b.setting.Lock()
	defer b.setting.Unlock()
	for _, s := range b.dispatch.Breakers() {
		namespace, name, _ := strings.Cut(s.Connection, "/")
		if s.State != breaker.Closed && s.By == "" && b.viaOf(namespace, name).Breaker.Failures == 0 {
			b.dispatch.SetBreaker(dispatch.SetBreaker{Connection: s.Connection})
		}
	}
}

// open lists the breakers that are not closed, for alerts.
func (b *breakers) open() []notify.Breaker {
	var out []notify.Breaker
	for _, s := range b.dispatch.Breakers() {
		namespace, name, _ := strings.Cut(s.Connection, "/")
		if s.State != breaker.Closed {
			out = append(out, notify.Breaker{
				Namespace: namespace, Connection: name, OpenedAt: s.Opened, Failures: s.Failures, Last: s.Last, Held: s.By != "",
			})
		}
	}
	return out
}

// List lists the breakers of a namespace by connection: those that definitions
// name, and those that are not closed, whether or not their connection is defined
// still.
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
		delete(states, namespace+"/"+name)
		out = append(out, api.Breaker{Namespace: namespace, Name: name, State: state})
	}
	for connection, state := range states {
		if name, ours := strings.CutPrefix(connection, namespace+"/"); ours && state.State != breaker.Closed {
			out = append(out, api.Breaker{Namespace: namespace, Name: name, State: state})
		}
	}
	slices.SortFunc(out, func(a, b api.Breaker) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Blocked is the breaker that an attempt waits for.
func (b *breakers) Blocked(run store.RunID, act engine.ActID) (dispatch.Breaker, bool) {
	return b.dispatch.Blocked(run, act)
}

// isOpen reports whether there is a breaker to close, also of a connection that is
// not defined any more.
func (b *breakers) isOpen(namespace, connection string) bool {
	if _, held := b.table.Get(namespace, connection); held {
		return true
	}
	name := namespace + "/" + connection
	return slices.ContainsFunc(b.dispatch.Breakers(), func(s dispatch.Breaker) bool { return s.Connection == name && s.State != breaker.Closed })
}

// Set opens or closes the breaker of a connection, and remembers it. One that is
// open can be closed when its connection is not defined any more. Errors:
// store.ErrNotFound, and those of the registry.
func (b *breakers) Set(ctx context.Context, namespace, connection string, open bool, by store.Entry) (uint64, error) {
	b.setting.Lock()
	defer b.setting.Unlock()
	_, defined := b.catalog.Object(kindConnection, namespace, connection)
	if !defined && (open || !b.isOpen(namespace, connection)) {
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

// tripped says in the log what became of a breaker, and has alerts follow.
func (s *Server) tripped(b dispatch.Breaker) {
	if alerts := s.breakers.told.Load(); alerts != nil { // what was before, they ask for when they start
		alerts.BreakersChanged()
	}
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

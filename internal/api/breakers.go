package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// Breakers are the circuit breakers of connections.
type Breakers interface {
	// List lists those of a namespace by connection.
	List(namespace string) []Breaker
	// Blocked is the one that the current attempt of an activation waits for.
	Blocked(run store.RunID, act engine.ActID) (dispatch.Breaker, bool)
	// Set opens or closes one. store.ErrNotFound: there is no such connection.
	Set(ctx context.Context, namespace, connection string, open bool, by store.Entry) (uint64, error)
}

// Breaker is the breaker of a connection.
type Breaker struct {
	Namespace, Name string
	State           dispatch.Breaker
}

func (b *Breaker) shown() *regiev1.Breaker {
	s := &b.State
	return &regiev1.Breaker{
		Namespace: b.Namespace, Connection: b.Name, State: string(s.State), Since: timeOf(s.Since), Failures: uint32(s.Failures),
		LastFailure: s.Last, ProbeAt: timeOf(s.ProbeAt), OpenedBy: s.By, Reason: s.Reason, Waiting: uint32(s.Waiting),
	}
}

// ListBreakers lists the circuit breakers of connections.
func (a *API) ListBreakers(ctx context.Context, m *regiev1.ListBreakersRequest) (*regiev1.ListBreakersResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	var all []Breaker
	a.each(ctx, m.GetNamespace(), access.RunsRead, func(namespace string) { all = append(all, a.cfg.Breakers.List(namespace)...) })
	all, next, err := page(all, func(b Breaker) string { return b.Namespace + "\x00" + b.Name }, m.GetPageToken(), "breakers\n"+m.GetNamespace(), m.GetPageSize())
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListBreakersResponse{NextPageToken: next}
	for i := range all {
		out.Breakers = append(out.Breakers, all[i].shown())
	}
	return out, nil
}

// SetBreaker opens or closes the breaker of a connection.
func (a *API) SetBreaker(ctx context.Context, m *regiev1.SetBreakerRequest) (*regiev1.SetBreakerResponse, error) {
	if err := checkReason(m.GetReason()); err != nil {
		return nil, err
	}
	position, err := a.cfg.Breakers.Set(ctx, m.GetNamespace(), m.GetConnection(), m.GetOpen(), a.by(ctx, m.GetReason()))
	if errors.Is(err, store.ErrNotFound) {
		return nil, refuse(connect.CodeNotFound, "connection_not_found", "there is no connection "+m.GetConnection(), "`regie breakers list` lists those with a breaker")
	}
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.SetBreakerResponse{Position: position, Breaker: &regiev1.Breaker{
		Namespace: m.GetNamespace(), Connection: m.GetConnection(), State: string(breaker.Closed),
	}}
	for _, b := range a.cfg.Breakers.List(m.GetNamespace()) {
		if b.Name == m.GetConnection() {
			out.Breaker = b.shown()
		}
	}
	return out, nil
}

// blocked says that an attempt waits for a breaker, and reports whether it does.
func (a *API) blocked(run store.RunID, act engine.ActID, attempt int, c *regiev1.Condition) bool {
	b, ok := a.cfg.Breakers.Blocked(run, act)
	if !ok {
		return false
	}
	_, name, _ := strings.Cut(b.Connection, "/")
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	c.Kind, c.On, c.Since, c.Expected = "breaker", "connection "+name, timeOf(b.Since), timeOf(b.ProbeAt)
	c.Text = fmt.Sprintf("Attempt %d waits: the circuit breaker of connection %s is open since %s", attempt, name, stamp(b.Since))
	switch {
	case b.State == breaker.HalfOpen:
		c.Text = fmt.Sprintf("Attempt %d waits: probes of connection %s are on their way, whose circuit breaker was open; more go at %s.", attempt, name, stamp(b.ProbeAt))
	case b.By != "":
		c.Text += ", because " + b.By + " opened it"
		if b.Reason != "" {
			c.Text += " (" + b.Reason + ")"
		}
		c.Text += fmt.Sprintf("; `regie breakers close %s` closes it.", name)
	default:
		c.Text += fmt.Sprintf(" after the failure %s; a probe goes at %s.", b.Last, stamp(b.ProbeAt))
	}
	return true
}

package runtime

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/store"
)

// gatePage is how many objects of the gate are read at once.
const gatePage = 500

// ReadGate reads what is stored of the gate.
func ReadGate(ctx context.Context, s store.Reader) ([]store.Object, error) {
	var all []store.Object
	for _, kind := range []string{KindCondition, KindRate, KindCached, KindNamespaceHold} {
		after := store.ObjectID{Kind: kind}
		for {
			page, err := s.Objects(ctx, kind, after, gatePage)
			if err != nil {
				return nil, fmt.Errorf("read objects of kind %s: %w", kind, err)
			}
			all = append(all, page...)
			if len(page) < gatePage {
				break
			}
			after = page[len(page)-1].ObjectID
		}
	}
	return all, nil
}

// SetLimits replaces the definitions of all limits, quotas of namespaces too. They
// are in force when it returns: what a bigger capacity lets begin begins at once,
// and what is held beyond a smaller one stays. Before Start, and when the runtime
// starts over, they are in force before anything is granted. They are kept in
// memory alone: whoever defines them stores them. Errors: a definition that makes
// no sense, after which all is as it was; ErrBusy, ErrStopping.
func (s *Service) SetLimits(ctx context.Context, defs []gate.Limit) error {
	for i := range defs {
		if err := defs[i].Check(); err != nil {
			return fmt.Errorf("set limits: %w", err)
		}
	}
	defs = slices.Clone(defs)
	s.mu.Lock()
	s.limits = defs
	began := s.leading
	s.mu.Unlock()
	if !began {
		return nil
	}
	_, err := s.call(ctx, func(c Caller) Message { return SetLimits{Limits: defs, Caller: c} })
	return err
}

// Limits shows all limits that are defined or used, with who holds and who waits,
// in order of kind, namespace and name, as of a durable state.
func (s *Service) Limits(ctx context.Context) ([]gate.View, error) {
	return lookAtGate(ctx, s, func(g *gate.State, now time.Time) []gate.View { return g.Limits(now) })
}

// Limit shows one limit; false if nobody defined or uses it.
func (s *Service) Limit(ctx context.Context, id gate.ID) (gate.View, bool, error) {
	type found struct {
		view gate.View
		ok   bool
	}
	f, err := lookAtGate(ctx, s, func(g *gate.State, now time.Time) found {
		v, ok := g.Limit(id, now)
		return found{v, ok}
	})
	return f.view, f.ok, err
}

// Conditions lists the conditions that hold, in order of namespace, name and date.
func (s *Service) Conditions(ctx context.Context) ([]gate.Fact, error) {
	return lookAtGate(ctx, s, func(g *gate.State, _ time.Time) []gate.Fact { return g.Facts() })
}

func lookAtGate[T any](ctx context.Context, s *Service, look func(*gate.State, time.Time) T) (T, error) {
	reply, err := s.call(ctx, func(c Caller) Message {
		return LookGate{Look: func(g *gate.State, now time.Time) any { return look(g, now) }, Caller: c}
	})
	seen, _ := reply.Seen.(T)
	return seen, err
}

// ConditionChange asks for a condition to hold, or to hold no more.
type ConditionChange struct {
	Fact  gate.Fact
	Holds bool
	// Entries are the audit records, committed with the change, and not if all is
	// so already.
	Entries []store.Entry
}

// SetCondition changes a condition and returns once that is durable: whether it
// was a change, and the batch from which on readers see it. What it lets begin
// begins in the same batch. Errors: gate.ErrFact for a name or date that cannot
// be; ErrBusy, ErrStopping; ErrUnknown, and the error of ctx, mean that it may have
// been done.
func (s *Service) SetCondition(ctx context.Context, m ConditionChange) (changed bool, position uint64, err error) {
	if err := m.Fact.Check(); err != nil {
		return false, 0, err
	}
	if err := s.checkEntries(m.Entries); err != nil {
		return false, 0, err
	}
	reply, err := s.call(ctx, func(c Caller) Message {
		return SetCondition{Fact: m.Fact, Holds: m.Holds, Entries: slices.Clone(m.Entries), Caller: c}
	})
	changed, _ = reply.Seen.(bool)
	return changed, reply.Position, err
}

package api

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// MaxShares is how many holders of a limit are shown at once, and how many of
// those who wait.
const MaxShares = 1000

// Limits puts definitions of limits in force.
type Limits interface {
	// Refresh has those hold at once that are stored.
	Refresh(ctx context.Context) error
}

// refreshLimits has limits hold at once after a change that is stored. What fails
// here is done again by the server.
func (a *API) refreshLimits(ctx context.Context) {
	if err := a.cfg.Limits.Refresh(ctx); err != nil && ctx.Err() == nil {
		a.cfg.Log.WarnContext(ctx, "limits could not be put in force at once", "error", err)
	}
}

func limitOf(v *gate.View) *regiev1.Limit {
	out := &regiev1.Limit{
		Namespace: v.ID.Namespace, Name: v.ID.Name, Kind: string(v.ID.Kind), Capacity: uint32(v.Capacity), Used: uint32(v.Used),
		Queued: uint32(len(v.Queue)), Defined: v.Defined || v.ID.Kind != gate.Named,
	}
	if v.Rate.Count > 0 {
		out.Rate = &regiev1.Rate{Count: uint32(v.Rate.Count), Per: duration.Format(v.Rate.Per)}
		out.RateLeft, out.RateFullAt = uint32(v.Tokens), timeOf(v.Full)
	}
	return out
}

// ListLimits lists limits.
func (a *API) ListLimits(ctx context.Context, m *regiev1.ListLimitsRequest) (*regiev1.ListLimitsResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	views, err := a.cfg.Runtime.Limits(ctx)
	if err != nil {
		return nil, failure(err)
	}
	var names []string
	a.each(ctx, m.GetNamespace(), access.RunsRead, func(namespace string) { names = append(names, namespace) })
	views = slices.DeleteFunc(views, func(v gate.View) bool { return !slices.Contains(names, v.ID.Namespace) })
	views, next, err := page(views, func(v gate.View) string {
		return string(v.ID.Kind) + "\x00" + v.ID.Namespace + "\x00" + v.ID.Name
	}, m.GetPageToken(), "limits\n"+m.GetNamespace(), m.GetPageSize())
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListLimitsResponse{NextPageToken: next}
	for i := range views {
		out.Limits = append(out.Limits, limitOf(&views[i]))
	}
	return out, nil
}

// GetLimit shows a limit with who holds shares of it and who waits.
func (a *API) GetLimit(ctx context.Context, m *regiev1.GetLimitRequest) (*regiev1.GetLimitResponse, error) {
	id := gate.ID{Kind: gate.Kind(m.GetKind()), Namespace: m.GetNamespace(), Name: m.GetLimit()}
	v, ok, err := a.cfg.Runtime.Limit(ctx, id)
	if err != nil {
		return nil, failure(err)
	}
	if !ok {
		return nil, noLimit(m.GetLimit())
	}
	out := &regiev1.GetLimitResponse{Limit: limitOf(&v)}
	for _, h := range v.Holders[:min(len(v.Holders), MaxShares)] {
		out.Holders = append(out.Holders, &regiev1.LimitHolder{Run: h.Ref.Run, Step: h.Path, Weight: uint32(h.Weight), Since: timeOf(h.Since)})
	}
	for i := range v.Queue[:min(len(v.Queue), MaxShares)] {
		w := &v.Queue[i]
		shown := &regiev1.LimitWaiting{
			Position: uint32(w.Position), Run: w.Ref.Run, Step: w.Path, Weight: uint32(w.Weight), Priority: int32(w.Priority),
			Since: timeOf(w.Since), Why: string(w.Why), NextAt: timeOf(w.Next),
		}
		for _, f := range w.Lacks {
			name := f.Name
			if f.Date != "" {
				name += " of " + f.Date
			}
			shown.Lacks = append(shown.Lacks, name)
		}
		out.Queue = append(out.Queue, shown)
	}
	return out, nil
}

func noLimit(name string) error {
	return refuse(connect.CodeNotFound, "limit_not_found", fmt.Sprintf("nobody defined or uses a limit %q", name), "`regie limits list` lists them; `kind: Limit` defines one")
}

// SetLimit changes how much there is of a limit.
func (a *API) SetLimit(ctx context.Context, m *regiev1.SetLimitRequest) (*regiev1.SetLimitResponse, error) {
	if err := checkReason(m.GetReason()); err != nil {
		return nil, err
	}
	if m.GetCapacity() == 0 || m.GetCapacity() > gate.MaxCapacity {
		return nil, invalid("capacity", "it is %d; it lies between 1 and %d", m.GetCapacity(), gate.MaxCapacity)
	}
	position, err := a.cfg.Catalog.SetLimit(ctx, m.GetNamespace(), m.GetLimit(),
		func(l *gate.Limit) { l.Capacity = int(m.GetCapacity()) }, a.by(ctx, m.GetReason()))
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return nil, noLimit(m.GetLimit())
	case errors.Is(err, catalog.ErrLimit):
		return nil, refuse(connect.CodeInvalidArgument, problem.CodeInvalid, err.Error(), "")
	case err != nil:
		return nil, failure(err)
	}
	a.refreshLimits(ctx)
	v, _, err := a.cfg.Runtime.Limit(ctx, gate.ID{Namespace: m.GetNamespace(), Name: m.GetLimit()})
	if err != nil {
		return nil, failure(err)
	}
	return &regiev1.SetLimitResponse{Limit: limitOf(&v), Position: position}, nil
}

// ListConditions lists the conditions that hold.
func (a *API) ListConditions(ctx context.Context, m *regiev1.ListConditionsRequest) (*regiev1.ListConditionsResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	facts, err := a.cfg.Runtime.Conditions(ctx)
	if err != nil {
		return nil, failure(err)
	}
	var names []string
	a.each(ctx, m.GetNamespace(), access.RunsRead, func(namespace string) { names = append(names, namespace) })
	facts = slices.DeleteFunc(facts, func(f gate.Fact) bool {
		return !slices.Contains(names, f.Namespace) || m.GetName() != "" && f.Name != m.GetName()
	})
	facts, next, err := page(facts, func(f gate.Fact) string { return f.Namespace + "\x00" + f.Name + "\x00" + f.Date },
		m.GetPageToken(), "conditions\n"+m.GetNamespace()+"\n"+m.GetName(), m.GetPageSize())
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListConditionsResponse{NextPageToken: next}
	for _, f := range facts {
		out.Conditions = append(out.Conditions, &regiev1.HoldingCondition{Namespace: f.Namespace, Name: f.Name, Date: f.Date})
	}
	return out, nil
}

// AddCondition says that a condition holds.
func (a *API) AddCondition(ctx context.Context, m *regiev1.AddConditionRequest) (*regiev1.AddConditionResponse, error) {
	fact := gate.Fact{Namespace: m.GetNamespace(), Name: m.GetName(), Date: m.GetDate()}
	changed, position, err := a.setCondition(ctx, fact, true, m.GetReason())
	if err != nil {
		return nil, err
	}
	return &regiev1.AddConditionResponse{Changed: changed, Position: position}, nil
}

// DeleteCondition says that a condition holds no more.
func (a *API) DeleteCondition(ctx context.Context, m *regiev1.DeleteConditionRequest) (*regiev1.DeleteConditionResponse, error) {
	fact := gate.Fact{Namespace: m.GetNamespace(), Name: m.GetName(), Date: m.GetDate()}
	changed, position, err := a.setCondition(ctx, fact, false, m.GetReason())
	if err != nil {
		return nil, err
	}
	return &regiev1.DeleteConditionResponse{Changed: changed, Position: position}, nil
}

func (a *API) setCondition(ctx context.Context, fact gate.Fact, holds bool, reason string) (changed bool, position uint64, err error) {
	if err := checkReason(reason); err != nil {
		return false, 0, err
	}
	if err := a.namespaceThere(fact.Namespace); err != nil {
		return false, 0, err
	}
	act := access.Act{Action: "condition.delete", Namespace: fact.Namespace, Object: "condition/" + fact.Name, Reason: reason}
	if holds {
		act.Action = "condition.add"
	}
	if fact.Date != "" {
		act.Detail = map[string]any{"date": fact.Date}
	}
	change := runtime.ConditionChange{Fact: fact, Holds: holds, Entries: []store.Entry{identityOf(ctx).Done(act)}}
	changed, position, err = a.cfg.Runtime.SetCondition(ctx, change)
	if errors.Is(err, gate.ErrFact) {
		return false, 0, refuse(connect.CodeInvalidArgument, problem.CodeInvalid, err.Error(), "")
	}
	return changed, position, failure(err)
}

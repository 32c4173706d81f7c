package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// explained is what the engine says about a run, as it stands.
type explained struct {
	state  engine.State
	reason engine.Reason
	all    []engine.Explanation
	acts   map[string]engine.ActID
	awaits map[string]engine.Awaited
	err    error
}

// Explain says why a run, or a step of it, is where it is.
func (a *API) Explain(ctx context.Context, m *regiev1.ExplainRequest) (*regiev1.ExplainResponse, error) {
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return nil, err
	}
	why, err := a.why(ctx, &row, m.GetStep())
	if err != nil {
		return nil, err
	}
	if why.showsErrors() {
		if err := a.record(ctx, "payload.read", row.Namespace, "run/"+string(row.ID)); err != nil {
			return nil, failure(err)
		}
	}
	out := &regiev1.ExplainResponse{Run: string(row.ID), State: string(why.state), Reason: string(why.reason)}
	for i := range why.all {
		e := &why.all[i]
		conditions := a.conditions(ctx, &row, why, e)
		if slices.ContainsFunc(conditions, func(c *regiev1.Condition) bool { return c.GetKind() == "breaker" }) {
			e.Reason = "breaker"
		}
		if e.State == engine.Queued && slices.ContainsFunc(conditions, func(c *regiev1.Condition) bool { return c.GetKind() == "worker" }) {
			e.State = engine.Running // that an attempt has begun is no event: its worker says so
		}
		if e.Path == "" {
			out.Conditions = conditions
			out.Text = explanationText("the run", string(e.State), conditions)
			continue
		}
		out.Steps = append(out.Steps, &regiev1.Explanation{
			Path: e.Path, State: string(e.State), Reason: string(e.Reason), Conditions: conditions,
			Text: explanationText(e.Path, string(e.State), conditions),
		})
	}
	if parent := parentOf(&row); parent != "" && m.GetStep() == "" {
		out.Conditions = append(out.Conditions, &regiev1.Condition{Kind: "parent", Met: true, On: parent, Text: "Run " + parent + " started it as its child."})
	}
	if reason := a.cfg.Runtime.Quarantine(row.ID); reason != nil {
		out.Conditions = append(out.Conditions, &regiev1.Condition{
			Kind: "quarantine", Text: fmt.Sprintf("Regie set the run aside, because %v.", reason), On: "restart",
		})
		out.Text = explanationText("the run", string(why.state), out.Conditions)
	}
	if row.Erased > 0 {
		out.Conditions = append(out.Conditions, &regiev1.Condition{
			Kind: "erased", Met: true, Text: "Its data and logs were erased: what it was about cannot be told any more.",
		})
		out.Text = explanationText("the run", string(why.state), out.Conditions)
	}
	if out.Text == "" {
		out.Text = explanationText("the run", string(why.state), out.Conditions)
	}
	return out, nil
}

// why asks the engine, about the state in memory if the run lives there.
func (a *API) why(ctx context.Context, row *store.RunRow, step string) (*explained, error) {
	now := a.cfg.Now()
	if !row.Ended() {
		seen, err := a.cfg.Runtime.Inspect(ctx, row.ID, func(v runtime.View) any {
			why := explain(v.Machine, v.Run, step, now)
			why.inGate(&v, now)
			return why
		})
		if why, ok := seen.(*explained); ok && err == nil {
			return why, whyFailure(why.err)
		}
		if err != nil && !errors.Is(err, runtime.ErrNotLive) && !errors.Is(err, runtime.ErrQuarantined) {
			return nil, failure(err)
		}
	}
	machine, err := a.cfg.Machines.Stored(ctx, a.cfg.Store, row.Program)
	if err != nil {
		return nil, failure(err)
	}
	run, err := runtime.Fold(ctx, a.cfg.Store, machine, row.ID)
	if err != nil {
		return nil, failure(err)
	}
	why := explain(machine, run, step, now)
	return why, whyFailure(why.err)
}

func explain(m *engine.Machine, run *engine.Run, step string, now time.Time) *explained {
	out := &explained{acts: map[string]engine.ActID{}, awaits: map[string]engine.Awaited{}}
	out.state, out.reason = run.Status()
	out.all, out.err = m.Why(run, step, now)
	for id, act := range run.Acts {
		if act.Phase == engine.PhaseEvent {
			out.awaits[act.Path] = *act.Awaits
		}
		if out.acts[act.Path] < id { // the last one at a path counts
			out.acts[act.Path] = id
		}
	}
	return out
}

// maxInGate is of how many steps it is said how their limits and conditions stand:
// each costs time in proportion to those who wait.
const maxInGate = 100

// inGate says of what waits for limits and conditions how these stand.
func (e *explained) inGate(v *runtime.View, now time.Time) {
	for i, left := 0, maxInGate; i < len(e.all) && left > 0; i++ {
		x := &e.all[i]
		act := e.acts[x.Path]
		if act == 0 && x.Path != "" {
			continue // it was not entered
		}
		st, waits := v.Standing(act)
		if !waits || st.Granted {
			continue
		}
		left--
		x.Conditions = slices.DeleteFunc(x.Conditions, func(c engine.Condition) bool {
			return c.Kind == engine.ConditionLimit || c.Kind == engine.ConditionFact
		})
		x.Conditions = append(engine.InGateConditions(&st, now), x.Conditions...)
	}
}

// showsErrors reports whether messages of errors are in it, which are payload.
func (e *explained) showsErrors() bool {
	for i := range e.all {
		for _, c := range e.all[i].Conditions {
			if c.Error != nil {
				return true
			}
		}
	}
	return false
}

func whyFailure(err error) error {
	var refused *engine.Refusal
	if errors.As(err, &refused) {
		return refuse(connect.CodeNotFound, "step_not_found", err.Error(), "`regie show RUN` lists the steps")
	}
	return failure(err)
}

// conditions adds to what the engine says where an attempt is.
func (a *API) conditions(ctx context.Context, row *store.RunRow, why *explained, e *engine.Explanation) []*regiev1.Condition {
	var out []*regiev1.Condition
	for i := range e.Conditions {
		c := &e.Conditions[i]
		shown := &regiev1.Condition{
			Kind: string(c.Kind), Met: c.Met, Text: c.Text, On: c.Subject, Since: timeOf(c.Since), Expected: timeOf(c.Due),
		}
		if c.Kind == engine.ConditionAttempt {
			a.place(row.ID, why.acts[e.Path], c.Attempt, shown)
		}
		switch c.Kind {
		case engine.ConditionChildRun:
			a.childState(ctx, c.Subject, shown)
		case engine.ConditionRun:
			a.closestRun(ctx, why.awaits[e.Path], shown)
		default:
		}
		out = append(out, shown)
	}
	return out
}

// place says where an attempt is: with a worker, in the queue for a slot, or
// with the breaker of its connection.
func (a *API) place(run store.RunID, act engine.ActID, attempt int, c *regiev1.Condition) {
	worker, place := a.cfg.Workers.Place(run, act)
	switch {
	case place > 0:
		c.Kind, c.Place, c.On = "slot", uint32(place), "a free slot"
		c.Text = fmt.Sprintf("Attempt %d waits for a free slot, at place %d of the queue.", attempt, place)
	case worker != "":
		c.Kind, c.On = "worker", worker
		c.Text = fmt.Sprintf("Attempt %d runs on worker %s.", attempt, worker)
	default:
		a.blocked(run, act, attempt, c)
	}
}

// explanationText says it in one line: what is not met, or else everything.
func explanationText(what, state string, conditions []*regiev1.Condition) string {
	var open, met []string
	for _, c := range conditions {
		if c.GetMet() {
			met = append(met, c.GetText())
		} else {
			open = append(open, c.GetText())
		}
	}
	if len(open) == 0 {
		open = met
	}
	text := what + " is " + state
	if len(open) > 0 {
		text += ": " + strings.Join(open, " ")
	}
	return text
}

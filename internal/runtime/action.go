package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// Act asks for an operator's action on a run. One that reopens ended runs may
// name a run that is not live: it is read from the store first.
type Act struct {
	Run store.RunID
	// Action is one of the inputs of the engine that are operators' actions.
	Action engine.Input
	// DryRun only says what the action would do.
	DryRun bool
	// Entries are committed with what the action does, and not if it does
	// nothing.
	Entries []store.Entry
	// Wanted: only if a step waits for the run as its child.
	Wanted bool
	Caller Caller
}

// Reloaded answers a Reload.
type Reloaded struct {
	Incarnation uint64
	Loaded      Loaded
}

// Survey looks at all runs in memory, in the order of their IDs, until Look
// returns false. What holds for Inspect holds here.
type Survey struct {
	Look   func(View) bool
	Caller Caller
}

func (Act) message()      {}
func (Reloaded) message() {}
func (Survey) message()   {}

// Reload asks for an ended run to be read from the store. The answer is
// Reloaded with the same incarnation.
type Reload struct {
	Incarnation uint64
	Run         store.RunID
	// Past are the paths of the steps around which its past is wanted too; nil: not.
	Past []string
}

func (Reload) effect() {}

// act does an action, or has it wait: until a run that has just ended is on
// disk, then until it is read again. Nothing else can change the run meanwhile.
func (r *Reactor) act(m Act) {
	reopens := reopens(m.Action)
	l := r.live[m.Run]
	switch {
	case reopens && l != nil && l.ended && l.quarantine == nil:
		r.waiting[m.Run] = append(r.waiting[m.Run], m)
	case reopens && l == nil && r.draining && !m.Wanted:
		r.reply(Reply{Caller: m.Caller, Run: m.Run, Err: ErrStopping})
	case reopens && l == nil && r.removing(m.Run):
		r.building.after(m.Run, Reply{Caller: m.Caller, Run: m.Run, Err: ErrErased})
	case reopens && l == nil:
		if len(r.waiting[m.Run]) == 0 {
			r.do(Reload{Incarnation: r.lease.Incarnation, Run: m.Run, Past: pastOf(m.Action)})
		}
		r.waiting[m.Run] = append(r.waiting[m.Run], m)
	case l == nil:
		r.building.after(m.Run, Reply{Caller: m.Caller, Run: m.Run, Err: ErrNotLive})
	case l.quarantine != nil:
		r.building.after(m.Run, Reply{Caller: m.Caller, Run: m.Run, Err: l.quarantine})
	default:
		r.actOn(l, m)
	}
}

// actOn does an action on a run in memory.
func (r *Reactor) actOn(l *live, m Act) {
	reply := Reply{Caller: m.Caller, Run: m.Run}
	if m.Wanted && r.unwanted(m.Run) != nil {
		reply.Err = ErrUnwanted
		r.building.after(m.Run, reply)
		return
	}
	affected, stack, err := r.plan(l, m.Action)
	switch {
	case errors.Is(err, engine.ErrRefused):
		reply.Err = err
	case err != nil:
		r.quarantine(l, fmt.Errorf("plan %T: %w", m.Action, err), stack)
		reply.Err = l.quarantine
	default:
		reply.Affected = affected
		if m.DryRun || len(affected) == 0 {
			break
		}
		// It may end at once again, or be quarantined.
		l.ended = false
		if !r.decide(l, m.Action) {
			reply.Affected, reply.Err = nil, l.quarantine
			break
		}
		r.building.note(m.Run, m.Entries)
	}
	r.building.after(m.Run, reply)
}

// plan asks the engine what an action would do; a panic of it is an error here.
func (r *Reactor) plan(l *live, in engine.Input) (affected []engine.Affected, stack []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			affected, stack, err = nil, debug.Stack(), fmt.Errorf("panic: %v", p)
		}
		r.mark("")
	}()
	r.mark(l.id)
	affected, err = l.machine.Plan(l.run, in)
	return affected, nil, err
}

// reloaded does the actions that waited for an ended run to be read. A run that
// stays as it was leaves memory again.
func (r *Reactor) reloaded(m Reloaded) {
	id := m.Loaded.Row.ID
	acts := r.waiting[id]
	if m.Incarnation != r.lease.Incarnation || len(acts) == 0 {
		return
	}
	delete(r.waiting, id)
	l := r.live[id]
	if l == nil {
		if m.Loaded.Err != nil {
			for _, a := range acts {
				r.building.after(id, Reply{Caller: a.Caller, Run: id, Err: m.Loaded.Err})
			}
			return
		}
		l = &live{
			id: id, machine: m.Loaded.Machine, run: m.Loaded.Run, row: m.Loaded.Row,
			durable: true, ended: true, timers: map[engine.TimerID]bool{},
		}
		r.live[id] = l
		r.programs[l.row.Program] = true
	}
	for _, a := range acts {
		if l.quarantine != nil {
			r.building.after(id, Reply{Caller: a.Caller, Run: id, Err: l.quarantine})
			continue
		}
		if in, ok := a.Action.(engine.Rerun); ok {
			if m.Loaded.Past.IsPast(in.Steps) {
				in.Past = m.Loaded.Past
				a.Action = in
			} else if l.ended && len(in.Steps) > 0 {
				r.backlog = append(r.backlog, a) // what was read is what another asked for
				continue
			}
		}
		r.actOn(l, a)
	}
	r.countRun(l)
	if l.ended && l.quarantine == nil && r.building.parts[id] == nil {
		delete(r.live, id)
	}
}

// pastOf are the paths around which an action looks at the past of a run.
func pastOf(in engine.Input) []string {
	if rerun, ok := in.(engine.Rerun); ok {
		return rerun.Steps
	}
	return nil
}

// onDisk goes on with what waited for the end of a run to be on disk.
func (r *Reactor) onDisk(run store.RunID) {
	for _, m := range r.waiting[run] {
		r.backlog = append(r.backlog, m)
	}
	delete(r.waiting, run)
}

// turnAwayWaiting answers those whose actions will not be done.
func (r *Reactor) turnAwayWaiting(err error) {
	for _, run := range slices.Sorted(maps.Keys(r.waiting)) {
		for _, m := range r.waiting[run] {
			r.turnAway(m, err)
		}
	}
	clear(r.waiting)
}

func (r *Reactor) survey(m Survey) {
	reply := Reply{Caller: m.Caller}
	for _, id := range slices.Sorted(maps.Keys(r.live)) {
		l := r.live[id]
		more, err := looked(m.Look, View{Row: l.row, Machine: l.machine, Run: l.run, Quarantine: l.quarantine})
		if err != nil {
			reply.Err = err
			break
		}
		if !more {
			break
		}
	}
	r.building.after("", reply)
}

// looked looks. A panic ends the look alone: it changes nothing.
func looked[T any](look func(View) T, v View) (seen T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("look at run %s: panic: %v\n%s", v.Row.ID, p, debug.Stack())
		}
	}()
	return look(v), nil
}

// Order is an operator's action on one run.
type Order struct {
	Run store.RunID
	// Action has the actor, the reason and the steps.
	engine.Action

	// DryRun only says what would be done.
	DryRun bool
	// Entries are the audit records of the action: they are committed in the
	// batch that has what it does, and not if it does nothing.
	Entries []store.Entry
}

// Done is what an action did.
type Done struct {
	// Affected is empty if all was so already.
	Affected []engine.Affected
	// Position is the batch from which on readers see it.
	Position uint64
}

// Hold keeps a run, or steps of it, from starting anything, and returns once
// that is recorded. Errors: *engine.Refusal, which says why it cannot be done;
// ErrNotLive, ErrQuarantined, ErrBusy, ErrStopping; ErrUnknown, and the error of
// ctx, mean that it may have been done.
func (s *Service) Hold(ctx context.Context, o Order) (Done, error) {
	return s.act(ctx, o, engine.Hold{Action: o.Action})
}

// Release takes a hold back. Errors: those of Hold.
func (s *Service) Release(ctx context.Context, o Order) (Done, error) {
	return s.act(ctx, o, engine.Release{Action: o.Action})
}

// Retry gives failed steps new attempts, also in a run that has ended, which
// then goes on. Errors: those of Hold; store.ErrNotFound for a run that does not
// exist, ErrErased for one whose data is gone.
func (s *Service) Retry(ctx context.Context, o Order) (Done, error) {
	return s.act(ctx, o, engine.Retry{Action: o.Action})
}

// Cancel asks a run to end and returns once that is recorded. It takes no steps
// and has no dry run. Errors: ErrNotLive, ErrQuarantined, ErrBusy, ErrStopping;
// ErrUnknown, and the error of ctx, mean that it may have been recorded.
func (s *Service) Cancel(ctx context.Context, o Order) (Done, error) {
	if err := s.checkEntries(o.Entries); err != nil {
		return Done{}, err
	}
	reply, err := s.call(ctx, func(c Caller) Message {
		return Cancel{Run: o.Run, Actor: o.Actor, Reason: o.Reason, Entries: slices.Clone(o.Entries), Caller: c}
	})
	return Done{Position: reply.Position}, err
}

// Callback gives a run a message for the work that its token names, and returns
// once what it does is recorded. Errors: *engine.Refusal, which is
// engine.ErrNoWork also for a run that is not live; ErrQuarantined, ErrBusy,
// ErrStopping; ErrUnknown, and the error of ctx, mean that it may have been done.
func (s *Service) Callback(ctx context.Context, run store.RunID, in engine.Callback, entries []store.Entry) (Done, error) {
	done, err := s.act(ctx, Order{Run: run, Entries: entries}, in)
	if errors.Is(err, ErrNotLive) {
		err = engine.ErrNoWork
	}
	return done, err
}

// checkEntries refuses entries that no store takes.
func (s *Service) checkEntries(entries []store.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	alone := store.Batch{Sequence: 1, Incarnation: 1, At: s.clock.Now(), Entries: entries}
	if err := alone.Check(); err != nil {
		return fmt.Errorf("record an action: %w", err)
	}
	return nil
}

func (s *Service) act(ctx context.Context, o Order, in engine.Input) (Done, error) {
	if err := s.checkEntries(o.Entries); err != nil {
		return Done{}, err
	}
	reply, err := s.call(ctx, func(c Caller) Message {
		return Act{Run: o.Run, Action: in, DryRun: o.DryRun, Entries: slices.Clone(o.Entries), Caller: c}
	})
	return Done{Affected: reply.Affected, Position: reply.Position}, err
}

// Survey calls look with every run in memory, on the loop, until it returns
// false: it must be quick, change nothing and keep nothing. It returns once all
// that was seen is durable. A panic of look is an error.
func (s *Service) Survey(ctx context.Context, look func(View) bool) error {
	_, err := s.call(ctx, func(c Caller) Message { return Survey{Look: look, Caller: c} })
	return err
}

// reload reads an ended run.
func (s *Service) reload(e Reload) {
	s.clock.Begin()
	job := func() {
		ctx, cancel := context.WithTimeout(context.Background(), CommitTimeout)
		defer cancel()
		s.box.Post(Reloaded{Incarnation: e.Incarnation, Loaded: LoadEnded(ctx, s.cfg.Store, s.machines, e)})
		s.clock.End()
	}
	if s.cfg.Inline {
		job()
		return
	}
	s.pool.do(job)
}

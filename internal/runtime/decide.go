package runtime

import (
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow"
)

// decideMessage handles one message of the backlog.
func (r *Reactor) decideMessage(m Message) {
	switch m := m.(type) {
	case Loaded:
		r.loaded(m)
	case Submit:
		r.submit(m)
	case Cancel:
		r.cancel(m)
	case Act:
		r.act(m)
	case Reloaded:
		r.reloaded(m)
	case Survey:
		r.survey(m)
	case Inspect:
		r.inspect(m)
	case Write:
		r.write(m)
	case Remove:
		r.remove(m)
	case SetLimits:
		r.setLimits(m)
	case SetCondition:
		r.setCondition(m)
	case LookGate:
		r.lookGate(m)
	case QuiesceNamespace:
		r.quiesce(m)
	case LookQuiet:
		r.lookQuiet(m)
	case LookCache:
		r.lookCache(m)
	case ClearCache:
		r.clearCache(m)
	case TaskEnded:
		r.taskEnded(m)
	case TaskBeat:
		r.taskBeat(m)
	case TaskFound:
		r.taskFound(m)
	case Outside:
		r.outside(m)
	case SeekAgain:
		r.seekAgain(m)
	case Evaluated:
		if l := r.live[m.Run]; l != nil && m.Incarnation == r.lease.Incarnation && l.takes() {
			r.decide(l, m.Result)
		}
	}
}

// takes reports whether inputs are decided for the run.
func (l *live) takes() bool { return l.quarantine == nil && !l.ended }

func (r *Reactor) loaded(m Loaded) {
	r.door.loading--
	l := &live{
		id: m.Row.ID, machine: m.Machine, run: m.Run, row: m.Row,
		durable: true, timers: map[engine.TimerID]bool{},
	}
	r.live[l.id] = l
	if m.Err != nil {
		r.retake(l, m.Run)
		r.countRun(l)
		r.quarantine(l, m.Err, nil)
		return
	}
	r.programs[m.Row.Program] = true
	if r.quiet.of(l.row.Namespace) != nil {
		r.align(l) // a crash came between the hold of the namespace and this
	}
	if !r.decide(l, engine.Recover{}) {
		r.retake(l, m.Run)
	}
	r.quiet.sweep = append(r.quiet.sweep, l.id) // or before its release
	r.countRun(l)
}

func (r *Reactor) submit(m Submit) {
	if r.draining && !m.Wanted {
		r.reply(Reply{Caller: m.Caller, Err: ErrStopping})
		return
	}
	if m.Wanted && r.unwanted(m.Run) != nil {
		r.reply(Reply{Caller: m.Caller, Run: m.Run, Err: ErrUnwanted})
		return
	}
	program := m.Machine.Program()
	name := keyName{program.Namespace, m.Key}
	if m.Key != "" {
		if taken := r.keys[name]; taken != nil {
			r.replySubmit(m, taken.run, sameKey(m, taken.run, taken.hash))
			return
		}
		if k := m.Known; k != nil && (k.Expires.IsZero() || k.Expires.After(r.now)) {
			r.reply(sameKey(m, k.Run, k.BodyHash))
			return
		}
	}
	if r.live[m.Run] != nil {
		r.reply(Reply{Caller: m.Caller, Run: m.Run, Err: ErrRunExists})
		return
	}
	l := &live{
		id: m.Run, machine: m.Machine, run: engine.NewRun(string(m.Run)), timers: map[engine.TimerID]bool{},
		row: store.RunRow{
			ID: m.Run, Namespace: program.Namespace, Workflow: program.Name, Program: m.Program.Hash,
			BusinessDate: m.Accept.BusinessDate, AcceptedAt: r.now,
			Actor: m.Accept.Actor, Trigger: m.Accept.Trigger, Due: store.Time(m.Due),
		},
	}
	r.live[l.id] = l
	if !r.decide(l, m.Accept) {
		delete(r.live, l.id)
		r.reply(Reply{Caller: m.Caller, Err: l.quarantine})
		return
	}
	b := r.building
	b.parts[l.id].accepted = true
	b.note(m.Run, m.Entries)
	r.addProgram(m.Program)
	if m.Key != "" {
		r.keys[name] = &keyTaken{run: m.Run, hash: m.BodyHash}
		b.keys = append(b.keys, store.Key{
			Namespace: name.namespace, Key: m.Key, Run: m.Run, BodyHash: m.BodyHash, Expires: m.KeyExpires,
		})
	}
	r.replySubmit(m, m.Run, Reply{Caller: m.Caller, Run: m.Run})
}

// sameKey answers a request whose key names a run already.
func sameKey(m Submit, run store.RunID, hash [32]byte) Reply {
	if hash != m.BodyHash {
		return Reply{Caller: m.Caller, Run: run, Err: ErrConflict}
	}
	return Reply{Caller: m.Caller, Run: run, Existing: true}
}

// replySubmit answers once the run that the answer is about is durable.
func (r *Reactor) replySubmit(m Submit, run store.RunID, reply Reply) {
	if m.Caller != 0 {
		r.building.out = append(r.building.out, output{run: run, effect: reply, submit: true, hash: m.BodyHash})
	}
}

func (r *Reactor) cancel(m Cancel) {
	l := r.live[m.Run]
	reply := Reply{Caller: m.Caller, Run: m.Run}
	switch {
	case l == nil || l.ended:
		reply.Err = ErrNotLive
	case l.quarantine != nil:
		reply.Err = l.quarantine
	default:
		before := l.run.Sequence
		switch {
		case !r.decide(l, engine.Cancel{Actor: m.Actor, Reason: m.Reason}):
			reply.Err = l.quarantine
		case l.run.Sequence > before:
			r.building.note(m.Run, m.Entries)
		}
	}
	if m.Caller != 0 {
		r.building.after(m.Run, reply)
	}
}

func (r *Reactor) inspect(m Inspect) {
	l := r.live[m.Run]
	reply := Reply{Caller: m.Caller, Run: m.Run}
	switch {
	case l == nil:
		reply.Err = ErrNotLive
	case l.quarantine != nil:
		reply.Err = l.quarantine
	default:
		reply.Seen, reply.Err = looked(m.Look, View{Row: l.row, Machine: l.machine, Run: l.run, Standing: func(act engine.ActID) (gate.Standing, bool) {
			return r.door.state.Standing(l.ref(act), r.now)
		}})
		if l.durable && !r.changing(m.Run) { // who looks need not wait for others
			r.reply(reply)
			return
		}
	}
	r.building.after(m.Run, reply)
}

// changing reports whether a batch that is not durable has something of the run.
func (r *Reactor) changing(run store.RunID) bool {
	return r.building.parts[run] != nil || r.inflight != nil && r.inflight.parts[run] != nil
}

// taskEnded applies the result of an attempt if it is the current one.
func (r *Reactor) taskEnded(m TaskEnded) {
	l := r.live[m.Run]
	if l != nil && l.quarantine != nil {
		return // whoever has the result keeps it
	}
	settled := Settled{Run: m.Run, Act: m.End.Act, Attempt: m.End.Attempt, Fence: m.Fence, Refused: true}
	if l != nil && l.takes() && current(l.run, m.End.Act, m.End.Attempt, m.Fence) {
		if !r.decide(l, m.End) {
			return
		}
		settled.Refused = false
	}
	// A refusal waits too: it may rest on what is not durable yet.
	r.building.after(m.Run, settled)
}

// taskBeat takes a sign of life of an attempt.
func (r *Reactor) taskBeat(m TaskBeat) {
	l := r.live[m.Run]
	if l != nil && l.takes() && current(l.run, m.Beat.Act, m.Beat.Attempt, m.Fence) {
		r.decide(l, m.Beat)
	}
}

// taskFound judges an attempt that runs somewhere. One that is wanted has been
// asked for by the recovery.
func (r *Reactor) taskFound(m TaskFound) {
	l := r.live[m.Run]
	if l != nil && (l.quarantine != nil || l.takes() && current(l.run, m.Act, m.Attempt, m.Fence)) {
		return
	}
	r.building.after(m.Run, Settled{Run: m.Run, Act: m.Act, Attempt: m.Attempt, Fence: m.Fence, Refused: true})
}

// current reports whether the attempt is out and has not ended for the run.
func current(run *engine.Run, act engine.ActID, attempt int, fence engine.Fence) bool {
	a := run.Acts[act]
	return a != nil && a.Phase == engine.PhaseAttempt && a.Attempt == attempt && a.Fence == fence
}

func (r *Reactor) fire(t *timer) {
	l := r.live[t.Run]
	delete(l.timers, engine.TimerID(t.ID))
	if t.row {
		r.building.clearTimer(t.TimerID)
	}
	r.decide(l, engine.TimerDue{Timer: engine.TimerID(t.ID)})
}

// decide lets the engine decide, and puts what follows into the batch. It
// reports false if the run had to be quarantined.
func (r *Reactor) decide(l *live, in engine.Input) bool {
	before := l.run.Sequence
	decision, stack, err := r.ask(l, in)
	if n := before + uint64(len(decision.Events)); err == nil && l.run.Sequence != n {
		err = fmt.Errorf("state is at event %d, want %d", l.run.Sequence, n)
	}
	if err != nil {
		r.quarantine(l, fmt.Errorf("decide %T: %w", in, err), stack)
		return false
	}
	r.moveDeadline(l, decision.Events)
	_, recovering := in.(engine.Recover)
	var ended *engine.RunEnded
	for _, c := range decision.Commands {
		if end, ok := c.(engine.RunEnded); ok {
			ended = &end
			continue
		}
		r.command(l, c, recovering)
	}
	if len(decision.Events) > 0 {
		r.keepRow(l, decision.Events)
		p := r.building.add(l, before+1, decision.Events)
		p.ended = ended
		for _, c := range decision.Commands {
			if keep, ok := c.(engine.KeepCached); ok {
				r.keepCached(l, keep, p.first)
			}
		}
		p.offers = p.offers || offers(l, decision.Events)
	}
	r.keepWaits(l, decision.Events)
	if ended != nil {
		l.ended = true
		r.dropTimers(l, true)
		r.leaveGate(l, false)
		r.dropWaits(l)
	}
	return true
}

// offers reports whether the events may have left work that can be taken: an
// attempt that ended by offering it, or a hold that was taken back.
func offers(l *live, events []engine.Event) bool {
	for i := range events {
		switch ev := &events[i]; ev.Kind {
		case engine.EvReleased, engine.EvCancelAsked:
			return true
		case engine.EvAttemptEnded:
			if a := l.run.Acts[ev.Act]; a != nil && l.machine.Offered(l.run, a) {
				return true
			}
		default:
		}
	}
	return false
}

// ask calls the engine; a panic of it is an error here.
func (r *Reactor) ask(l *live, in engine.Input) (d engine.Decision, stack []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			d, stack, err = engine.Decision{}, debug.Stack(), fmt.Errorf("panic: %v", p)
		}
		r.mark("")
	}()
	r.mark(l.id)
	runs, steps := r.bounds(l)
	d, err = l.machine.Decide(l.run, in, engine.Context{
		Now:       r.now,
		Fence:     engine.Fence{Incarnation: r.lease.Incarnation, Sequence: r.building.sequence},
		BoundRuns: runs, BoundSteps: steps, NamespaceHold: r.quiet.of(l.row.Namespace),
		MapBytes: r.limits.MapBytes,
	})
	return d, nil, err
}

// moveDeadline brings the row up to a deadline that an operator sets, before the
// gate is asked with it.
func (r *Reactor) moveDeadline(l *live, events []engine.Event) {
	for i := range events {
		if ev := &events[i]; ev.Kind == engine.EvDeadlineSet && !l.row.Due.Equal(ev.Due) {
			l.row.Due, l.rowNew = store.Time(ev.Due), true
		}
	}
}

// keepRow brings the row up to the state.
func (r *Reactor) keepRow(l *live, events []engine.Event) {
	row := l.row
	state, reason := l.run.Status()
	row.State, row.Reason, row.Held = string(state), string(reason), l.run.Held()
	switch state {
	case engine.Pending, engine.Queued, engine.Skipped:
	default:
		if row.StartedAt.IsZero() {
			row.StartedAt = r.now
		}
	}
	row.EndedAt = time.Time{}
	if state.Final() {
		row.EndedAt = r.now
	}
	for i := range events {
		if ev := &events[i]; ev.Kind == engine.EvAttempt {
			row.Attempts = max(row.Attempts, uint32(min(ev.Attempt, math.MaxInt32)))
		}
	}
	l.rowNew = l.rowNew || row != l.row
	l.row = row
}

func (r *Reactor) command(l *live, c engine.Command, recovering bool) {
	b := r.building
	switch c := c.(type) {
	case engine.Dispatch:
		if l.durable && mayOvertake(l.machine.Program(), &c.Task) && !l.passes(c.Task.Act) {
			r.do(Dispatch{Task: c.Task})
			return
		}
		b.after(l.id, Dispatch{Task: c.Task})
	case engine.Reattach:
		// The attempt is on disk, and no later one may overtake the question.
		r.do(Reattach{Task: c.Task})
	case engine.CancelTask:
		b.after(l.id, CancelTask{Run: l.id, Act: c.Act, Attempt: c.Attempt})
	case engine.SetTimer:
		id := store.TimerID{Run: l.id, ID: uint64(c.Timer)}
		// A timer that is set again by a recovery may have a row, and needs none.
		far := c.At.Sub(r.now) > TimerRowAfter && c.At.UTC().Year() <= store.MaxYear
		if far && !recovering {
			b.setTimer(id, c.At)
		}
		r.timers.put(id, c.At, far || recovering)
		l.timers[c.Timer] = true
	case engine.ClearTimer:
		r.clearTimer(l, c.Timer)
	case engine.AskGate, engine.HoldGate, engine.LeaveGate, engine.SetFacts:
		r.gateCommand(l, c)
	case engine.Await:
		r.await(l, &c)
		r.gateCommand(l, c)
	case engine.CancelChild:
		r.cancelChild(l, &c)
	case engine.NeedEval:
		r.do(Evaluate{Incarnation: r.lease.Incarnation, Run: l.id, Need: c})
	}
}

func (r *Reactor) clearTimer(l *live, id engine.TimerID) {
	delete(l.timers, id)
	if t := r.timers.take(store.TimerID{Run: l.id, ID: uint64(id)}); t != nil && t.row {
		r.building.clearTimer(t.TimerID)
	}
}

// dropTimers forgets the timers of the run; their rows only if asked to.
func (r *Reactor) dropTimers(l *live, rows bool) {
	ids := make([]engine.TimerID, 0, len(l.timers))
	for id := range l.timers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if rows {
			r.clearTimer(l, id)
		} else {
			r.timers.take(store.TimerID{Run: l.id, ID: uint64(id)})
		}
	}
	clear(l.timers) // an action that waits may reopen the run
}

// mayOvertake reports whether the task may leave before the batch that records
// it is durable: only in pipelined programs, and only if starting it again
// after a crash is what the program agreed to.
func mayOvertake(p *workflow.Program, t *engine.Task) bool {
	if !p.Pipelined || t.AtMostOnce {
		return false
	}
	if exactly, _ := t.Input.Get("exactly_once").Bool(); exactly {
		return false
	}
	return t.Node == nil || len(t.Node.Limits) == 0 && t.Node.Compensate == nil && t.Node.Gate == nil
}

// quarantine sets the run aside: nothing more is decided for it. What was
// decided before stays in its batches.
func (r *Reactor) quarantine(l *live, reason error, stack []byte) {
	r.dropTimers(l, false)
	r.leaveGate(l, true)
	r.dropWaits(l)
	l.run = nil
	l.quarantine = fmt.Errorf("%w: %w", ErrQuarantined, reason)
	r.do(Quarantined{Run: l.id, Reason: l.quarantine, Stack: stack})
}

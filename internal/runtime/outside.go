package runtime

import (
	"errors"
	"slices"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// Seek asks what has become of a run that an activation waits for: of its child,
// which is started or retried if need be, or of a run of another workflow. It
// leaves once the wait is durable, so that a run which ends later finds it. See
// [Seeker]; the answer is Outside, SeekAgain, or the Submit or Act that is to be
// done.
type Seek struct {
	Incarnation uint64
	// Run waits, and Namespace, Actor and Depth are its: who started it, and how
	// many runs stand above.
	Run       store.RunID
	Namespace string
	Actor     string
	Depth     int
	Act       engine.ActID
	// Path is the step's, and Attempt the number of its try.
	Path    string
	Attempt int
	Awaits  engine.Awaited
	Input   value.Value // of a child
	// Refused is why the child could not be retried as it was looked for before:
	// somebody else may have retried it meanwhile.
	Refused *engine.Refusal
}

// Post gives a message back to the reactor.
type Post struct{ Message Message }

func (Seek) effect() {}
func (Post) effect() {}

// Outside tells a run what has happened outside it: an engine.Happened or
// engine.Pinned. If the run is not live it is dropped.
type Outside struct {
	Run store.RunID
	In  engine.Input
}

// SeekAgain asks for a Seek again, since nothing could be learnt.
type SeekAgain struct{ Seek Seek }

func (Outside) message()   {}
func (SeekAgain) message() {}

// ErrUnwanted: nobody waits for the child run any more that should be started or
// retried.
var ErrUnwanted = errors.New("nobody waits for the run")

// waiter is an activation in memory that waits for a run.
type waiter struct {
	run      store.RunID
	act      engine.ActID
	what     engine.Awaited
	canceled bool // of a child: it was told to stop
}

type workflowName struct{ namespace, name string }

// waits are the activations in memory that wait for runs: by the run that they
// started, or by the workflow, in the order in which they began.
type waits struct {
	children map[store.RunID]*waiter
	runs     map[workflowName][]*waiter
}

// await notes what an activation waits for, and asks what is known of it.
func (r *Reactor) await(l *live, c *engine.Await) {
	w := &waiter{run: l.id, act: c.Act, what: c.Awaits}
	switch c.Awaits.Kind {
	case engine.AwaitChild:
		r.dropWait(l, c.Act)
		r.waits.children[store.RunID(w.what.Run)] = w
	case engine.AwaitRun:
		r.dropWait(l, c.Act)
		name := workflowName{w.what.Namespace, w.what.Name}
		r.waits.runs[name] = append(r.waits.runs[name], w)
	default:
		return
	}
	if l.waits == nil {
		l.waits = map[engine.ActID]*waiter{}
	}
	l.waits[c.Act] = w
	seek := Seek{
		Incarnation: r.lease.Incarnation, Run: l.id, Namespace: l.row.Namespace, Actor: l.row.Actor, Act: c.Act, Awaits: c.Awaits, Input: c.Input,
	}
	if a := l.run.Acts[c.Act]; a != nil {
		seek.Path, seek.Attempt = a.Path, a.Attempt
	}
	if p := l.run.Parent; p != nil {
		seek.Depth = p.Depth
	}
	r.building.after(l.id, seek)
}

// cancelChild has a child stopped: it is not started or retried any more, or is
// asked to end.
func (r *Reactor) cancelChild(l *live, c *engine.CancelChild) {
	child := store.RunID(c.Run)
	if w := r.waits.children[child]; w != nil {
		w.canceled = true
	}
	r.building.after(l.id, Post{Cancel{Run: child, Actor: parentActor(l.id), Reason: c.Reason}})
}

// parentActor is who cancels or retries the children of a run, and what starts
// them.
func parentActor(run store.RunID) string { return TriggerRun + string(run) }

// TriggerRun begins the trigger of a run that another one started.
const TriggerRun = "run/"

// unwanted is an error if nobody waits for the run.
func (r *Reactor) unwanted(child store.RunID) error {
	if w := r.waits.children[child]; w == nil || w.canceled {
		return ErrUnwanted
	}
	return nil
}

// keepWaits forgets the waits that the events have ended.
func (r *Reactor) keepWaits(l *live, events []engine.Event) {
	if len(l.waits) == 0 && len(l.gated.waits) == 0 {
		return
	}
	over := func(act engine.ActID, wait uint64) bool {
		a := l.run.Acts[act]
		return a == nil || a.Phase != engine.PhaseEvent || a.Awaits.ID != wait
	}
	for i := range events {
		act := events[i].Act
		if w := l.waits[act]; w != nil && over(act, w.what.ID) {
			r.dropWait(l, act)
		}
		if wait, ok := l.gated.waits[act]; ok && over(act, wait) {
			delete(l.gated.waits, act)
			r.door.state.Leave(l.ref(act|waitRef), r.now)
		}
	}
}

func (r *Reactor) dropWait(l *live, act engine.ActID) {
	w := l.waits[act]
	if w == nil {
		return
	}
	delete(l.waits, act)
	if w.what.Kind == engine.AwaitChild {
		delete(r.waits.children, store.RunID(w.what.Run))
		return
	}
	name := workflowName{w.what.Namespace, w.what.Name}
	rest := slices.DeleteFunc(r.waits.runs[name], func(x *waiter) bool { return x == w })
	if r.waits.runs[name] = rest; len(rest) == 0 {
		delete(r.waits.runs, name)
	}
}

// dropWaits forgets all that a run waits for.
func (r *Reactor) dropWaits(l *live) {
	for act := range l.waits {
		r.dropWait(l, act)
	}
}

// tellWaiting tells those who wait for a run that it has ended. They are told once that
// is durable, not in the same batch: runs share nothing within one.
func (r *Reactor) tellWaiting(p *part) {
	row := &p.live.row
	if w := r.waits.children[row.ID]; w != nil && !w.what.Detach {
		h := engine.ChildEnded(&w.what, *p.ended, p.first+uint64(len(p.events))-1)
		h.Act = w.act
		r.backlog = append(r.backlog, Outside{Run: w.run, In: h})
	}
	for _, w := range r.waits.runs[workflowName{row.Namespace, row.Workflow}] {
		if w.what.Which != "" || w.what.Date != row.BusinessDate || !w.what.State.Meets(p.ended.State) {
			continue
		}
		h := engine.RunFound(&w.what, string(row.ID), row.BusinessDate, *p.ended, r.namespaceOf(w.run) == row.Namespace)
		h.Act = w.act
		r.backlog = append(r.backlog, Outside{Run: w.run, In: h})
	}
}

func (r *Reactor) namespaceOf(run store.RunID) string {
	if l := r.live[run]; l != nil {
		return l.row.Namespace
	}
	return ""
}

func (r *Reactor) outside(m Outside) {
	if l := r.live[m.Run]; l != nil && l.takes() {
		r.decide(l, m.In)
	}
}

func (r *Reactor) seekAgain(m SeekAgain) {
	l := r.live[m.Seek.Run]
	if l == nil || m.Seek.Incarnation != r.lease.Incarnation {
		return
	}
	if w := l.waits[m.Seek.Act]; w != nil && w.what.ID == m.Seek.Awaits.ID {
		r.do(m.Seek)
	}
}

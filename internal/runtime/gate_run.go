package runtime

import (
	"fmt"
	"slices"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow"
)

// gated is what a live run has to do with the gate.
type gated struct {
	// asks wait until the acceptance of the run is durable: until then nothing of
	// it may bear on others.
	asks []engine.AskGate
	// acts have asked; waits are waits for conditions, by activation.
	acts  map[engine.ActID]bool
	waits map[engine.ActID]uint64
	// skips: the run ends instead of waiting.
	skips bool
	// countsRun: the run itself has asked for a share of the quota of its namespace.
	countsRun bool
}

// An activation may be in the gate twice: with what it holds and with a condition
// that it waits for. A run is there once more for the quota of its namespace, if
// that was set after it began.
const (
	waitRef  = 1 << 62
	quotaRef = 1 << 61
)

func (l *live) ref(act engine.ActID) gate.Ref { return gate.Ref{Run: string(l.id), Act: uint64(act)} }

// passes reports whether an activation, or its run, had to ask the gate.
func (l *live) passes(act engine.ActID) bool {
	a := l.run.Acts[act]
	return a != nil && a.Queue != nil || l.run.Queue != nil
}

// gateCommand does what a decision asks of the gate.
func (r *Reactor) gateCommand(l *live, c engine.Command) {
	switch c := c.(type) {
	case engine.AskGate:
		r.askGate(l, c)
	case engine.HoldGate:
		for i := range l.gated.asks {
			if l.gated.asks[i].Act == c.Act {
				l.gated.asks[i].Held = c.Held
			}
		}
		r.door.state.Hold(l.ref(c.Act), c.Held, r.now)
		r.door.look(l, c.Act)
	case engine.LeaveGate:
		l.gated.asks = slices.DeleteFunc(l.gated.asks, func(a engine.AskGate) bool { return a.Act == c.Act })
		delete(l.gated.acts, c.Act)
		l.gated.countsRun = l.gated.countsRun && c.Act != 0
		r.door.state.Leave(l.ref(c.Act), r.now)
	case engine.SetFacts:
		for _, f := range c.Delete {
			r.setFact(f, false)
		}
		for _, f := range c.Add {
			r.setFact(f, true)
		}
	case engine.Await:
		if c.Awaits.Kind == engine.AwaitCache {
			r.recall(l, &c)
		}
		if c.Awaits.Kind == engine.AwaitCondition {
			if l.gated.waits == nil {
				l.gated.waits = map[engine.ActID]uint64{}
			}
			l.gated.waits[c.Act] = c.Awaits.ID
			r.door.state.Ask(gate.Request{Ref: l.ref(c.Act | waitRef), Needs: []gate.Fact{c.Awaits.Fact()}, Since: r.now}, r.now)
		}
	}
}

func (r *Reactor) askGate(l *live, c engine.AskGate) {
	if !l.durable && !c.Granted {
		l.gated.asks = append(l.gated.asks, c)
		return
	}
	q := gate.Request{
		Ref: l.ref(c.Act), Path: c.Path, Uses: c.Queue.Uses, Needs: c.Queue.Needs, Priority: c.Queue.Priority, Since: c.Since, Held: c.Held,
	}
	if due := l.row.Due; !due.IsZero() {
		q.Latest = due.Add(-c.Queue.Remaining)
	}
	if l.gated.acts == nil {
		l.gated.acts = map[engine.ActID]bool{}
	}
	l.gated.acts[c.Act] = true
	if c.Act == 0 && slices.ContainsFunc(c.Queue.Uses, func(u gate.Use) bool { return u.ID.Kind == gate.Runs }) {
		l.gated.countsRun = true
		r.door.state.Leave(l.ref(quotaRef), r.now)
	}
	if c.Granted {
		r.door.state.Retake(q, r.now)
		return
	}
	r.door.state.Ask(q, r.now)
	if c.Act == 0 {
		l.gated.skips = c.Then == workflow.ConcurrencySkip
		if c.Then == workflow.ConcurrencyCancelRunning {
			r.door.crowded = append(r.door.crowded, l.id)
		}
		r.door.look(l, 0)
	}
}

// look sees to it that a run which does not wait is looked at after the grants.
func (d *door) look(l *live, act engine.ActID) {
	if act == 0 && l.gated.skips {
		d.skips = append(d.skips, l.id)
	}
}

// askNow asks what waited for the acceptance to be durable.
func (r *Reactor) askNow(l *live) {
	asks := l.gated.asks
	l.gated.asks = nil
	if l.quarantine != nil {
		return
	}
	for _, c := range asks {
		r.askGate(l, c)
	}
}

// grant lets begin what may, as long as the batch has room. Until all runs are
// loaded, nobody knows what is free.
func (r *Reactor) grant() {
	d := r.door
	if d.loading > 0 || r.stopping || r.halted || !r.sweepQuiet() {
		return
	}
	for len(d.crowded) > 0 && r.room() {
		id := d.crowded[0]
		d.crowded = d.crowded[1:]
		r.makeRoom(r.live[id])
	}
	for r.room() {
		g, ok := d.state.Next(r.now)
		if ok {
			r.granted(g)
			continue
		}
		if len(d.skips) == 0 {
			return
		}
		l := r.live[d.skips[0]]
		d.skips = d.skips[1:]
		if l != nil && l.takes() && l.run.State == engine.Queued && l.run.HoldOf("") == nil && d.state.Crowded(l.ref(0), gate.Concurrency) {
			r.decide(l, engine.Granted{Skip: true})
		}
	}
}

func (r *Reactor) granted(g gate.Grant) {
	for _, spent := range g.Spent {
		if spent.ID.Kind == gate.Named {
			r.keep(store.ObjectID{Kind: KindRate, Namespace: spent.ID.Namespace, Name: spent.ID.Name}, rateData{Full: spent.Full})
		}
	}
	l := r.live[store.RunID(g.Ref.Run)]
	if l == nil || !l.takes() {
		r.door.state.Leave(g.Ref, r.now)
		return
	}
	act := engine.ActID(g.Ref.Act)
	if act == 0 && l.gated.skips { // those that only waited for a quota have no place now
		for _, use := range l.run.Queue.Uses {
			if use.ID.Kind == gate.Concurrency {
				r.lookAgain(use.ID)
			}
		}
	}
	if act&waitRef != 0 {
		act &^= waitRef
		wait := l.gated.waits[act]
		delete(l.gated.waits, act)
		r.door.state.Leave(g.Ref, r.now)
		r.decide(l, engine.Happened{Act: act, Wait: wait})
		return
	}
	r.decide(l, engine.Granted{Act: act})
	if act == 0 {
		r.countRun(l) // it may have asked before there was a quota
	}
}

// lookAgain has those looked at that do not wait for a share of a limit.
func (r *Reactor) lookAgain(id gate.ID) {
	for _, ref := range r.door.state.Members(id) {
		if l := r.live[store.RunID(ref.Run)]; l != nil {
			r.door.look(l, 0)
		}
	}
}

// makeRoom cancels the oldest runs of the same key until there is room for a run
// that waits. Those that are being canceled count no more.
func (r *Reactor) makeRoom(l *live) {
	if l == nil || !l.takes() || l.run.State != engine.Queued {
		return
	}
	for _, use := range l.run.Queue.Uses {
		if use.ID.Kind != gate.Concurrency {
			continue
		}
		var others []*live
		for _, ref := range r.door.state.Members(use.ID) {
			if ref.Run == string(l.id) {
				break // who asked later makes room itself
			}
			if o := r.live[store.RunID(ref.Run)]; o != nil && o.takes() && o.run.CancelReason == "" {
				others = append(others, o)
			}
		}
		for len(others) >= max(use.Capacity, 1) {
			r.decide(others[0], engine.Cancel{Actor: "regie", Reason: fmt.Sprintf("run %s takes its place", l.id)})
			others = others[1:]
		}
	}
}

// bounds says what the namespace of a run bounds.
func (r *Reactor) bounds(l *live) (runs, steps bool) {
	s, space := r.door.state, l.row.Namespace
	return s.Defined(gate.ID{Kind: gate.Runs, Namespace: space}), s.Defined(gate.ID{Kind: gate.Steps, Namespace: space})
}

// countRun counts a run for the quota of its namespace, if it began without asking.
func (r *Reactor) countRun(l *live) {
	if bounded, _ := r.bounds(l); !bounded || l.ended || l.gated.countsRun || !l.begun() {
		return
	}
	ref := l.ref(quotaRef)
	if !r.door.state.Granted(ref) {
		r.door.state.Retake(gate.Request{
			Ref: ref, Uses: []gate.Use{{ID: gate.ID{Kind: gate.Runs, Namespace: l.row.Namespace}}}, Since: l.row.AcceptedAt,
		}, r.now)
	}
}

// begun is engine.Run.Begun, also of a run that is set aside.
func (l *live) begun() bool {
	if l.run == nil {
		return !l.row.StartedAt.IsZero() && l.row.State != string(engine.Queued)
	}
	return l.run.Begun()
}

// leaveGate takes a run out of the gate: one that has ended, or never was. One that
// is quarantined keeps what it holds, since its attempts may go on.
func (r *Reactor) leaveGate(l *live, keeps bool) {
	acts := make([]engine.ActID, 0, len(l.gated.acts)+len(l.gated.waits)+1)
	for act := range l.gated.acts {
		acts = append(acts, act)
	}
	for act := range l.gated.waits {
		acts = append(acts, act|waitRef)
	}
	slices.Sort(acts)
	if !keeps {
		acts = append(acts, quotaRef)
	}
	for _, act := range acts {
		if ref := l.ref(act); !keeps || !r.door.state.Granted(ref) {
			r.door.state.Leave(ref, r.now)
		}
	}
	if !keeps {
		l.gated = gated{}
	}
}

// retake gives a run that is quarantined as it is loaded what it held.
func (r *Reactor) retake(l *live, run *engine.Run) {
	if run == nil {
		return
	}
	again := func(act engine.ActID, path string, g *engine.InGate) {
		if !g.GrantedAt.IsZero() {
			r.askGate(l, engine.AskGate{Act: act, Path: path, Queue: *g.Queue, Since: g.GrantedAt, Granted: true})
		}
	}
	again(0, "", &run.InGate)
	ids := make([]engine.ActID, 0, len(run.Acts))
	for id := range run.Acts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		again(id, run.Acts[id].Path, &run.Acts[id].InGate)
	}
}

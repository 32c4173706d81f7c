package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// KindNamespaceHold is the kind of the objects that say whether a namespace is held
// as a whole, and by whom. They are never deleted.
const KindNamespaceHold = "namespace-hold"

// nameNamespaceHold is the name of the one object of that kind in a namespace.
const nameNamespaceHold = "all"

// NamespaceHold says whether a namespace is held, and who did that last.
type NamespaceHold struct {
	Held   bool      `json:"held,omitempty"`
	Actor  string    `json:"actor,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// QuiesceNamespace holds a namespace, or releases it: its live runs, and those that
// are accepted, or go on after their end, as long as it is held.
type QuiesceNamespace struct {
	Namespace string
	// Hold says by whom and why it is held, or, if not Held, released.
	Hold NamespaceHold
	// DryRun only says how many runs it would be.
	DryRun bool
	// Entries are committed with the change, and not if there is none.
	Entries []store.Entry
	Caller  Caller
}

func (QuiesceNamespace) message() {}

// Quiesced is what a QuiesceNamespace did.
type Quiesced struct {
	// Changed is false if all was so already.
	Changed bool
	// Runs are the live runs that it is about.
	Runs int
	// Hold is how the namespace stands.
	Hold NamespaceHold
	// Position is the batch from which on readers see it.
	Position uint64
}

// quiet is what is known of namespaces that are held.
type quiet struct {
	holds map[string]NamespaceHold
	// sweep are the runs that are to be brought in line, callers those who wait for
	// that.
	sweep   []store.RunID
	callers []Reply
}

func newQuiet(stored []store.Object) (quiet, error) {
	q := quiet{holds: map[string]NamespaceHold{}}
	for i := range stored {
		o := &stored[i]
		if o.Kind != KindNamespaceHold {
			continue
		}
		var h NamespaceHold
		if err := json.Unmarshal(o.Data, &h); err != nil {
			return q, fmt.Errorf("read %s of %s: %w", o.Kind, o.Namespace, err)
		}
		q.holds[o.Namespace] = h
	}
	return q, nil
}

// of is the hold of a namespace as the engine has it, nil for none.
func (q *quiet) of(namespace string) *engine.Holding {
	h := q.holds[namespace]
	if !h.Held {
		return nil
	}
	return &engine.Holding{Namespace: namespace, Actor: h.Actor, Reason: h.Reason, At: h.At}
}

// quiesce holds or releases a namespace. Who asks is answered once all its runs
// are in line with that.
func (r *Reactor) quiesce(m QuiesceNamespace) {
	q := &r.quiet
	was := q.holds[m.Namespace]
	done := Quiesced{Changed: was.Held != m.Hold.Held, Hold: was}
	var runs []store.RunID
	for _, id := range slices.Sorted(maps.Keys(r.live)) {
		if l := r.live[id]; l.row.Namespace == m.Namespace && done.Changed && l.takes() && l.outOfLine(m.Hold.Held) {
			runs = append(runs, id)
		}
	}
	if done.Runs = len(runs); !done.Changed || m.DryRun {
		r.building.after("", Reply{Caller: m.Caller, Seen: done})
		return
	}
	m.Hold.At = r.now
	q.holds[m.Namespace], done.Hold = m.Hold, m.Hold
	r.keep(store.ObjectID{Kind: KindNamespaceHold, Namespace: m.Namespace, Name: nameNamespaceHold}, m.Hold)
	for i := range m.Entries {
		r.building.entries = append(r.building.entries, entry{Entry: m.Entries[i], caller: m.Caller})
	}
	q.sweep = append(q.sweep, runs...)
	q.callers = append(q.callers, Reply{Caller: m.Caller, Seen: done})
}

// outOfLine reports whether a run is not as it should be in a namespace that is
// held, or is not.
func (l *live) outOfLine(held bool) bool {
	if held {
		return l.run.HoldsWithNamespace()
	}
	return l.run.NamespaceHold != nil
}

// sweepQuiet brings runs in line with their namespaces, as long as the batch has
// room. It reports whether all are.
func (r *Reactor) sweepQuiet() bool {
	q := &r.quiet
	for len(q.sweep) > 0 && r.door.loading == 0 && r.room() {
		r.align(r.live[q.sweep[0]])
		q.sweep = q.sweep[1:]
	}
	if len(q.sweep) > 0 {
		return false
	}
	for _, reply := range q.callers {
		r.building.after("", reply)
	}
	q.callers = nil
	return true
}

// align tells a run that its namespace is held, or is not, unless it knows. One
// that is gone needs not know.
func (r *Reactor) align(l *live) {
	if l == nil || !l.takes() {
		return
	}
	h := r.quiet.holds[l.row.Namespace]
	by := engine.Action{Actor: h.Actor, Reason: h.Reason}
	switch {
	case !l.outOfLine(h.Held):
	case h.Held:
		r.decide(l, engine.HoldNamespace{Action: by})
	default:
		r.decide(l, engine.ReleaseNamespace{Action: by})
	}
}

// turnAwayQuiet answers those who wait for runs that will not be told any more.
func (r *Reactor) turnAwayQuiet() {
	for _, reply := range r.quiet.callers {
		r.reply(Reply{Caller: reply.Caller, Err: ErrUnknown})
	}
	r.quiet.callers = nil
}

// Quiesce holds a namespace as a whole, or releases it, and returns once that is
// recorded, and its live runs hold, or go on. What is held beside that stays held.
// Doing it again changes nothing. Errors: ErrBusy, ErrStopping; ErrUnknown, and the
// error of ctx, mean that it may have been done.
func (s *Service) Quiesce(ctx context.Context, m QuiesceNamespace) (Quiesced, error) {
	if err := s.checkEntries(m.Entries); err != nil {
		return Quiesced{}, err
	}
	m.Entries = slices.Clone(m.Entries)
	reply, err := s.call(ctx, func(c Caller) Message {
		m.Caller = c
		return m
	})
	done, _ := reply.Seen.(Quiesced)
	done.Position = reply.Position
	return done, err
}

// NamespaceHolds tells which namespaces are held, and by whom, as of a durable
// state. Errors: those of Quiesce.
func (s *Service) NamespaceHolds(ctx context.Context) (map[string]NamespaceHold, error) {
	reply, err := s.call(ctx, func(c Caller) Message { return LookQuiet{Caller: c} })
	holds, _ := reply.Seen.(map[string]NamespaceHold)
	return holds, err
}

// LookQuiet asks which namespaces are held.
type LookQuiet struct{ Caller Caller }

func (LookQuiet) message() {}

func (r *Reactor) lookQuiet(m LookQuiet) {
	held := maps.Clone(r.quiet.holds)
	maps.DeleteFunc(held, func(_ string, h NamespaceHold) bool { return !h.Held })
	r.building.after("", Reply{Caller: m.Caller, Seen: held})
}

package engine

// HoldNamespace tells a run that its namespace is held: it starts nothing, as with
// a hold of the whole run, which it leaves alone. Runs that are accepted or go on
// after their end meanwhile learn of it by [Context.NamespaceHold].
type HoldNamespace struct{ Action }

// ReleaseNamespace takes that back. What somebody holds in the run stays held.
type ReleaseNamespace struct{ Action }

func (HoldNamespace) input()    {}
func (ReleaseNamespace) input() {}

// ByNamespace is the trigger of the events of holds that are those of a namespace.
const ByNamespace = "namespace"

// wholeHold is what keeps the run as a whole from starting anything, nil if nothing
// does.
func (r *Run) wholeHold() *Holding {
	if r.Hold != nil {
		return r.Hold
	}
	return r.NamespaceHold
}

// HoldsWithNamespace reports whether the run would be held with its namespace.
func (r *Run) HoldsWithNamespace() bool {
	return !r.State.Final() && r.CancelReason == "" && r.NamespaceHold == nil
}

func (d *decider) holdNamespace(in *HoldNamespace) error {
	if !d.run.HoldsWithNamespace() {
		return nil
	}
	if err := d.emit(Event{Kind: EvHeld, Trigger: ByNamespace, Actor: in.Actor, Text: in.Reason}); err != nil {
		return err
	}
	d.holdGate()
	return nil
}

func (d *decider) releaseNamespace(in *ReleaseNamespace) error {
	if d.run.NamespaceHold == nil {
		return nil
	}
	if err := d.emit(Event{Kind: EvReleased, Trigger: ByNamespace, Actor: in.Actor, Text: in.Reason}); err != nil {
		return err
	}
	return d.resume()
}

// heldFromStart holds a run that begins, or goes on after its end, while its
// namespace is held.
func (d *decider) heldFromStart() error {
	h := d.ctx.NamespaceHold
	if h == nil {
		return nil
	}
	return d.emit(Event{Kind: EvHeld, Trigger: ByNamespace, Actor: h.Actor, Text: h.Reason})
}

// applyNamespaceHold folds the holds of a namespace.
func (m *Machine) applyNamespaceHold(run *Run, ev *Event) {
	run.NamespaceHold = nil
	if ev.Kind == EvHeld {
		run.NamespaceHold = &Holding{Namespace: m.prog.Namespace, Actor: ev.Actor, Reason: ev.Text, At: ev.At}
	}
}

package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Bounds of signals. A run keeps those that nothing waits for yet.
const (
	// MaxSignalName is the longest name of a signal, in bytes.
	MaxSignalName = workflow.MaxSignalName
	// MaxSignalData is the largest data of a signal, in bytes as JSON.
	MaxSignalData = 256 << 10
	// MaxSignals and MaxSignalsData are how many signals a run keeps, and how
	// many bytes of data they have together.
	MaxSignals     = 100
	MaxSignalsData = 1 << 20
	// MaxSignalKeys is how many of the last idempotency keys a run knows.
	MaxSignalKeys = 1000
)

// Signal is a message to a run. The wait for its name that began first gets it;
// without one the run keeps it for the next one. Decide refuses it for a run
// that has ended, and one too many to be kept.
type Signal struct {
	Name string
	Data value.Value // null: none
	// Key is an idempotency key, empty for none: a second signal with it does
	// nothing.
	Key   string
	Actor string
}

func (Signal) input() {}

// KeptSignal is one that nothing has waited for yet.
type KeptSignal struct {
	// ID is the number of the event that it came with.
	ID    uint64
	Name  string
	Data  value.Value
	Bytes int
	Actor string
	At    time.Time
}

// CheckSignalName refuses what cannot be the name of a signal.
func CheckSignalName(name string) error {
	if err := workflow.CheckSignalName(name); err != nil {
		return err
	}
	return nil
}

// planSignal finds what a signal is for: an activation that waits, or nil if it
// is to be kept. Nothing is affected if it came before.
func (m *Machine) planSignal(run *Run, in *Signal) (*Activation, []Affected, error) {
	if run.State.Final() {
		return nil, nil, refusef("", "run %s has ended: it is %s", run.ID, run.State)
	}
	if in.Key != "" && slices.Contains(run.SignalKeys, in.Key) {
		return nil, nil, nil
	}
	if err := CheckSignalName(in.Name); err != nil {
		return nil, nil, refusef("", "%s", err)
	}
	bytes := len(in.Data.String())
	if bytes > MaxSignalData {
		return nil, nil, refusef("", "the data of signal %s has %d bytes, more than %d", in.Name, bytes, MaxSignalData)
	}
	if a := run.awaitsSignal(in.Name); a != nil {
		return a, []Affected{{Path: a.Path, Does: DoesSignal}}, nil
	}
	kept := 0
	for i := range run.Signals {
		kept += run.Signals[i].Bytes
	}
	switch {
	case len(run.Signals) >= MaxSignals:
		return nil, nil, refusef("", "nothing waits for signal %s, and run %s keeps %d signals already, as many as it may", in.Name, run.ID, len(run.Signals))
	case kept+bytes > MaxSignalsData:
		return nil, nil, refusef("", "nothing waits for signal %s, and its %d bytes with the %d of the signals that run %s keeps are more than %d",
			in.Name, bytes, kept, run.ID, MaxSignalsData)
	}
	return nil, []Affected{{Does: DoesKeep}}, nil
}

// awaitsSignal is the activation whose wait for the signal began first, nil if
// there is none.
func (r *Run) awaitsSignal(name string) *Activation {
	var first *Activation
	for _, id := range inOrder(r.Acts) {
		a := r.Acts[id]
		if a.Phase == PhaseEvent && a.Awaits.Kind == AwaitSignal && a.Awaits.Name == name &&
			(first == nil || a.Awaits.ID < first.Awaits.ID) {
			first = a
		}
	}
	return first
}

// signal hands a signal to what waits for it, or keeps it.
func (d *decider) signal(in Signal) error {
	a, affected, err := d.m.planSignal(d.run, &in)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	if len(affected) == 0 {
		return nil
	}
	ev := Event{Kind: EvSignaled, Key: in.Key, Actor: in.Actor, Text: in.Name, Output: nullIfUndefined(in.Data)}
	if a != nil {
		ev.Act = a.ID
	}
	if err := d.emit(ev); err != nil || a == nil {
		return err
	}
	d.clearTimers(a)
	d.goOnAfter(a)
	return nil
}

// awaitSignal takes the oldest signal of the name that the run keeps, or waits
// for one.
func (d *decider) awaitSignal(a *Activation, n *workflow.Node, p *place) error {
	v, err := d.plain(n.Wait.Event.With, p)
	if err != nil {
		return err
	}
	name := v.Text()
	if err := CheckSignalName(name); err != nil || v.Kind() != value.KindString {
		return d.m.engineError(ErrEvaluation, fmt.Sprintf("wait for signal: %s cannot be its name", v))
	}
	timeout, err := d.duration(n.Timeout, p, "timeout")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(d.run.Signals, func(s KeptSignal) bool { return s.Name == name })
	if i < 0 {
		return d.await(a, Awaited{Kind: AwaitSignal, Name: name}, p.input, timeout)
	}
	if err := d.emit(Event{Kind: EvSignalTaken, Act: a.ID, Signal: d.run.Signals[i].ID, Input: p.input}); err != nil {
		return err
	}
	d.goOnAfter(a)
	return nil
}

// applySignaled ends the wait of an activation, or keeps the signal.
func applySignaled(run *Run, a *Activation, ev *Event) error {
	if ev.Key != "" {
		run.SignalKeys = append(run.SignalKeys, ev.Key)
		if n := len(run.SignalKeys) - MaxSignalKeys; n > 0 {
			run.SignalKeys = slices.Delete(run.SignalKeys, 0, n)
		}
	}
	if ev.Act == 0 {
		run.Signals = append(run.Signals, KeptSignal{
			ID: run.Sequence, Name: ev.Text, Data: ev.Output, Bytes: len(ev.Output.String()), Actor: ev.Actor, At: ev.At,
		})
		return nil
	}
	if a == nil || a.Phase != PhaseEvent {
		return fmt.Errorf("%w: signal for activation %d, which does not wait", ErrProtocol, ev.Act)
	}
	a.dropped, a.Since = nil, ev.At
	applyHappened(run, a, ev)
	return nil
}

// applySignalTaken gives an activation a signal that was kept.
func applySignalTaken(run *Run, a *Activation, ev *Event) error {
	i := slices.IndexFunc(run.Signals, func(s KeptSignal) bool { return s.ID == ev.Signal })
	if i < 0 {
		return fmt.Errorf("%w: signal %d, which is not kept", ErrProtocol, ev.Signal)
	}
	a.Result, a.Phase, a.State, a.Reason = run.Signals[i].Data, PhaseResult, Running, ReasonNone
	run.Signals = slices.Delete(run.Signals, i, i+1)
	return nil
}

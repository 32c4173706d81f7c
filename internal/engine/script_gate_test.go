package engine_test

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/gate"
)

// doors is the gate of a script's world, which does what the runtime does.
type doors struct {
	state  *gate.State
	limits []gate.Limit
	others map[gate.Ref]gate.Request // what another run holds
	waits  map[engine.ActID]uint64   // for conditions
}

func (w *world) door() *doors {
	if w.gate == nil {
		w.gate = &doors{state: gate.New(gate.Config{}), others: map[gate.Ref]gate.Request{}, waits: map[engine.ActID]uint64{}}
	}
	return w.gate
}

// onGate does a command of a script about limits and conditions:
//
//	limit NAME CAPACITY    defines a limit, or changes it
//	taken NAME, freed NAME another run takes a share, or gives it back
//	fact NAME, unfact NAME a condition of 2026-03-02 holds, or no longer
//	bound runs, bound steps the namespace bounds them
//	skip                   the run is not to wait
func (w *world) onGate(word, name, arg string) {
	w.t.Helper()
	d := w.door()
	other := gate.Ref{Run: "other " + name}
	switch word {
	case "limit":
		n, err := strconv.Atoi(arg)
		if err != nil {
			w.t.Fatal(err)
		}
		def := gate.Limit{ID: gate.ID{Name: name}, Capacity: n}
		if name == "runs" || name == "steps" {
			def.ID = gate.ID{Kind: gate.Kind(name)}
			w.boundRuns, w.boundSteps = w.boundRuns || name == "runs", w.boundSteps || name == "steps"
		}
		at := 0
		for at < len(d.limits) && d.limits[at].ID != def.ID {
			at++
		}
		d.limits = append(d.limits[:at:at], append([]gate.Limit{def}, d.limits[min(at+1, len(d.limits)):]...)...)
		d.state.SetLimits(d.limits, w.now)
	case "taken":
		id := gate.ID{Name: name}
		if arg != "" {
			id = gate.ID{Kind: gate.Kind(arg), Name: name}
		}
		d.others[other] = gate.Request{Ref: other, Uses: []gate.Use{{ID: id}}, Since: w.now}
		d.state.Retake(d.others[other], w.now)
	case "freed":
		delete(d.others, other)
		d.state.Leave(other, w.now)
	case "fact", "unfact":
		d.state.Set(gate.Fact{Name: name, Date: "2026-03-02"}, word == "fact", w.now)
	case "skip":
		w.input(engine.Granted{Skip: true})
	}
	w.grant()
}

// grant lets begin what may.
func (w *world) grant() {
	for w.gate != nil {
		g, ok := w.gate.state.Next(w.now)
		if !ok {
			return
		}
		act := engine.ActID(g.Ref.Act)
		if wait, waits := w.gate.waits[act]; waits {
			delete(w.gate.waits, act)
			w.gate.state.Leave(g.Ref, w.now)
			w.input(engine.Happened{Act: act, Wait: wait})
			continue
		}
		w.input(engine.Granted{Act: act})
	}
}

// gateCommand does what the engine asks of the gate.
func (w *world) gateCommand(c engine.Command) {
	d := w.door()
	ref := func(act engine.ActID) gate.Ref { return gate.Ref{Run: w.run.ID, Act: uint64(act)} }
	path := func(act engine.ActID) string { return cmp.Or(w.paths[act], "run") }
	switch c := c.(type) {
	case engine.AskGate:
		q := gate.Request{
			Ref: ref(c.Act), Path: c.Path, Uses: c.Queue.Uses, Needs: c.Queue.Needs, Priority: c.Queue.Priority, Since: c.Since, Held: c.Held,
		}
		if c.Granted {
			fmt.Fprintf(&w.trace, "  retakes %s\n", path(c.Act))
			d.state.Retake(q, w.now)
			return
		}
		fmt.Fprintf(&w.trace, "  asks %s held=%v remaining=%s\n", path(c.Act), c.Held, c.Queue.Remaining)
		d.state.Ask(q, w.now)
	case engine.HoldGate:
		fmt.Fprintf(&w.trace, "  gate hold %s %v\n", path(c.Act), c.Held)
		d.state.Hold(ref(c.Act), c.Held, w.now)
	case engine.LeaveGate:
		fmt.Fprintf(&w.trace, "  leaves %s\n", path(c.Act))
		d.state.Leave(ref(c.Act), w.now)
	case engine.SetFacts:
		for _, f := range c.Delete {
			fmt.Fprintf(&w.trace, "  deletes %s %s\n", f.Name, f.Date)
			d.state.Set(f, false, w.now)
		}
		for _, f := range c.Add {
			fmt.Fprintf(&w.trace, "  adds %s %s\n", f.Name, f.Date)
			d.state.Set(f, true, w.now)
		}
	case engine.Await:
		if c.Awaits.Kind == engine.AwaitCondition {
			d.waits[c.Act] = c.Awaits.ID
			d.state.Ask(gate.Request{Ref: ref(c.Act), Needs: []gate.Fact{c.Awaits.Fact()}, Since: w.now}, w.now)
		}
	}
}

// crashGate makes the gate anew from what is durable of it.
func (w *world) crashGate() {
	if w.gate == nil {
		return
	}
	old := w.gate
	w.gate = nil
	d := w.door()
	d.limits, d.others = old.limits, old.others
	d.state.SetLimits(d.limits, w.now)
	for _, f := range old.state.Facts() {
		d.state.Set(f, true, w.now)
	}
	for _, q := range d.others {
		d.state.Retake(q, w.now)
	}
}

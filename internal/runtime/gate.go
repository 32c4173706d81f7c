package runtime

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/store"
)

// GateConfig is what a reactor's gate is made with.
type GateConfig struct {
	// Ageing is that of gate.Config.
	Ageing time.Duration
	Limits []gate.Limit
	// Stored are the objects of the kinds KindCondition, KindRate, KindCached and
	// KindNamespaceHold.
	Stored []store.Object
}

// The kinds of objects that the gate keeps: of each name of a condition the dates
// for which it holds, of each rate when all of it is there again. A condition that
// holds for no date is deleted, a rate never.
const (
	KindCondition = "condition"
	KindRate      = "rate"
)

// MaxDates is for how many dates one condition holds at most: beyond it, the
// earliest ceases to hold. MaxConditions is how many names hold in a namespace:
// beyond it, that ceases to hold which changed longest ago.
const (
	MaxDates      = 4_000
	MaxConditions = 10_000
)

// conditionData and rateData are the data of the objects.
type conditionData struct {
	Dates []string `json:"dates"` // in order; "" is no date
}

type rateData struct {
	Full time.Time `json:"full"`
}

// door is the gate with what is stored of it.
type door struct {
	state *gate.State
	// revisions are those of the objects as the batches so far have them.
	revisions map[store.ObjectID]uint64
	// conditions are those that hold, by namespace and name.
	conditions map[string]map[string]*condition
	// loading is how many runs are to be taken in before anything is granted.
	loading int
	// crowded are runs that others make room for, skips those that do not wait;
	// both are looked at before, and after, the next grants.
	crowded, skips []store.RunID
}

// condition is the dates for which one holds, in order, and when it last changed.
type condition struct {
	dates   []string
	changed time.Time
}

func newDoor(cfg GateConfig, now time.Time) (*door, error) {
	d := &door{
		state:     gate.New(gate.Config{Ageing: cfg.Ageing}),
		revisions: map[store.ObjectID]uint64{}, conditions: map[string]map[string]*condition{},
	}
	d.state.SetLimits(cfg.Limits, now)
	for i := range cfg.Stored {
		o := &cfg.Stored[i]
		d.revisions[o.ObjectID] = o.Revision
		var err error
		switch o.Kind {
		case KindCondition:
			var data conditionData
			if err = json.Unmarshal(o.Data, &data); err == nil {
				*d.condition(o.Namespace, o.Name) = condition{dates: data.Dates, changed: o.At}
				for _, date := range data.Dates {
					d.state.Set(gate.Fact{Namespace: o.Namespace, Name: o.Name, Date: date}, true, now)
				}
			}
		case KindRate:
			var data rateData
			if err = json.Unmarshal(o.Data, &data); err == nil {
				d.state.Restore(gate.Spent{ID: gate.ID{Namespace: o.Namespace, Name: o.Name}, Full: data.Full}, now)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("read %s %s/%s: %w", o.Kind, o.Namespace, o.Name, err)
		}
	}
	return d, nil
}

// SetLimits replaces the definitions of limits.
type SetLimits struct {
	Limits []gate.Limit
	Caller Caller
}

// SetCondition says whether a condition holds from now on.
type SetCondition struct {
	Fact  gate.Fact
	Holds bool
	// Entries are committed with the change, and not if there is none.
	Entries []store.Entry
	Caller  Caller
}

// LookGate looks at the gate. What holds for Inspect holds here.
type LookGate struct {
	Look   func(s *gate.State, now time.Time) any
	Caller Caller
}

func (SetLimits) message()    {}
func (SetCondition) message() {}
func (LookGate) message()     {}

func (r *Reactor) setLimits(m SetLimits) {
	r.door.state.SetLimits(m.Limits, r.now)
	for _, id := range slices.Sorted(maps.Keys(r.live)) {
		r.countRun(r.live[id])
	}
	r.reply(Reply{Caller: m.Caller})
}

func (r *Reactor) setCondition(m SetCondition) {
	changed := r.setFact(m.Fact, m.Holds)
	if changed {
		for i := range m.Entries {
			r.building.entries = append(r.building.entries, entry{Entry: m.Entries[i], caller: m.Caller})
		}
	}
	r.building.after("", Reply{Caller: m.Caller, Seen: changed})
}

func (r *Reactor) lookGate(m LookGate) {
	reply := Reply{Caller: m.Caller}
	reply.Seen, reply.Err = looked(func(View) any { return m.Look(r.door.state, r.now) }, View{})
	r.building.after("", reply)
}

// condition finds one, or makes it.
func (d *door) condition(namespace, name string) *condition {
	names := d.conditions[namespace]
	if names == nil {
		names = map[string]*condition{}
		d.conditions[namespace] = names
	}
	c := names[name]
	if c == nil {
		c = &condition{}
		names[name] = c
	}
	return c
}

// setFact changes a condition, in memory and in the batch.
func (r *Reactor) setFact(f gate.Fact, holds bool) bool {
	d := r.door
	if !d.state.Set(f, holds, r.now) {
		return false
	}
	c := d.condition(f.Namespace, f.Name)
	c.changed = r.now
	at, there := slices.BinarySearch(c.dates, f.Date)
	switch {
	case holds && !there:
		c.dates = slices.Insert(c.dates, at, f.Date)
	case !holds && there:
		c.dates = slices.Delete(c.dates, at, at+1)
	}
	for len(c.dates) > MaxDates {
		oldest := 0
		if c.dates[0] == "" {
			oldest = 1
		}
		d.state.Set(gate.Fact{Namespace: f.Namespace, Name: f.Name, Date: c.dates[oldest]}, false, r.now)
		c.dates = slices.Delete(c.dates, oldest, oldest+1)
	}
	id := store.ObjectID{Kind: KindCondition, Namespace: f.Namespace, Name: f.Name}
	if len(c.dates) == 0 {
		delete(d.conditions[f.Namespace], f.Name)
		r.forget(id)
		return true
	}
	r.keep(id, conditionData{Dates: c.dates})
	if holds && len(d.conditions[f.Namespace]) > MaxConditions {
		r.dropCondition(f.Namespace, f.Name)
	}
	return true
}

// dropCondition has the condition of a namespace cease to hold that changed longest
// ago, but for one.
func (r *Reactor) dropCondition(namespace, but string) {
	names, oldest := r.door.conditions[namespace], ""
	for name, c := range names {
		if name == but {
			continue
		}
		if o := names[oldest]; o == nil || c.changed.Before(o.changed) || c.changed.Equal(o.changed) && name < oldest {
			oldest = name
		}
	}
	for _, date := range names[oldest].dates {
		r.door.state.Set(gate.Fact{Namespace: namespace, Name: oldest, Date: date}, false, r.now)
	}
	delete(names, oldest)
	r.forget(store.ObjectID{Kind: KindCondition, Namespace: namespace, Name: oldest})
}

// keep puts an object of the gate into the batch, in its last state.
func (r *Reactor) keep(id store.ObjectID, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Errorf("encode %s %s/%s: %w", id.Kind, id.Namespace, id.Name, err))
	}
	o := r.object(id)
	r.building.bytes += len(text) - len(o.Data)
	o.Data, o.Deleted = text, false
}

// forget deletes an object of the gate in the batch. One that the batch would make
// is not made.
func (r *Reactor) forget(id store.ObjectID) {
	o := r.object(id)
	r.building.bytes -= len(o.Data)
	if o.Revision > 1 {
		o.Data, o.Deleted = nil, true
		return
	}
	b := r.building
	at, last := b.gateAt[id], len(b.gate)-1
	b.gate[at] = b.gate[last]
	b.gateAt[b.gate[at].ObjectID] = at
	b.gate = b.gate[:last]
	delete(b.gateAt, id)
	delete(r.door.revisions, id)
}

// object finds an object of the gate in the batch, or puts its next revision there.
func (r *Reactor) object(id store.ObjectID) *store.Object {
	b := r.building
	at, there := b.gateAt[id]
	if !there {
		at = len(b.gate)
		r.door.revisions[id]++
		b.gateAt[id] = at
		b.gate = append(b.gate, store.Object{ObjectID: id, Revision: r.door.revisions[id]})
		b.events++
	}
	return &b.gate[at]
}

// forgotten lets go of the revisions of objects that a batch has deleted, which the
// store remembers.
func (r *Reactor) forgotten(b *batch) {
	for i := range b.gate {
		if o := &b.gate[i]; o.Deleted && r.door.revisions[o.ObjectID] == o.Revision {
			delete(r.door.revisions, o.ObjectID)
		}
	}
}

// followDeletion numbers an object of the batch in flight anew that was deleted
// once, of which only the store knows the revision.
func (r *Reactor) followDeletion(refused *store.RevisionError) bool {
	at, there := r.inflight.gateAt[refused.ID]
	if !there || !refused.Deleted || r.inflight.gate[at].Revision > refused.Have {
		return false
	}
	further := refused.Have + 1 - r.inflight.gate[at].Revision
	for _, b := range []*batch{r.inflight, r.building} {
		if at, there := b.gateAt[refused.ID]; there {
			b.gate[at].Revision += further
		}
	}
	r.door.revisions[refused.ID] += further
	return true
}

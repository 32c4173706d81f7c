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
	// Stored are the objects of the kinds KindCondition, KindRate and KindCached.
	Stored []store.Object
}

// The kinds of objects that the gate keeps: of each name of a condition the dates
// for which it holds, of each rate when all of it is there again. They are never
// deleted.
const (
	KindCondition = "condition"
	KindRate      = "rate"
)

// MaxDates is for how many dates one condition holds at most: beyond it, the
// earliest ceases to hold.
const MaxDates = 4_000

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
	dates     map[store.ObjectID][]string
	// loading is how many runs are to be taken in before anything is granted.
	loading int
	// crowded are runs that others make room for, skips those that do not wait;
	// both are looked at before, and after, the next grants.
	crowded, skips []store.RunID
}

func newDoor(cfg GateConfig, now time.Time) (*door, error) {
	d := &door{
		state:     gate.New(gate.Config{Ageing: cfg.Ageing}),
		revisions: map[store.ObjectID]uint64{}, dates: map[store.ObjectID][]string{},
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
				d.dates[o.ObjectID] = data.Dates
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

// setFact changes a condition, in memory and in the batch.
func (r *Reactor) setFact(f gate.Fact, holds bool) bool {
	d := r.door
	if !d.state.Set(f, holds, r.now) {
		return false
	}
	id := store.ObjectID{Kind: KindCondition, Namespace: f.Namespace, Name: f.Name}
	dates := slices.Clone(d.dates[id])
	at, there := slices.BinarySearch(dates, f.Date)
	switch {
	case holds && !there:
		dates = slices.Insert(dates, at, f.Date)
	case !holds && there:
		dates = slices.Delete(dates, at, at+1)
	}
	for len(dates) > MaxDates {
		oldest := 0
		if dates[0] == "" {
			oldest = 1
		}
		d.state.Set(gate.Fact{Namespace: f.Namespace, Name: f.Name, Date: dates[oldest]}, false, r.now)
		dates = slices.Delete(dates, oldest, oldest+1)
	}
	d.dates[id] = dates
	r.keep(id, conditionData{Dates: dates})
	return true
}

// keep puts an object of the gate into the batch, in its last state.
func (r *Reactor) keep(id store.ObjectID, data any) {
	b := r.building
	text, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Errorf("encode %s %s/%s: %w", id.Kind, id.Namespace, id.Name, err))
	}
	for i := range b.gate {
		if b.gate[i].ObjectID == id {
			b.gate[i].Data = text
			return
		}
	}
	r.door.revisions[id]++
	b.gate = append(b.gate, store.Object{ObjectID: id, Revision: r.door.revisions[id], Data: text})
	b.events++
	b.bytes += len(text)
}

package runtime

import (
	"fmt"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// batch is what was decided since the batch before was sent off.
type batch struct {
	sequence uint64
	parts    map[store.RunID]*part
	order    []*part // as they came
	programs []store.Program
	keys     []store.Key
	timers   []timerChange
	writes   []write
	entries  []entry
	// gate are the gate's objects, and gateAt where each is among them.
	gate   []store.Object
	gateAt map[store.ObjectID]int
	erase  []store.RunID
	prune  []store.Pruned
	// out leaves once the batch is durable, in order.
	out    []output
	events int
	bytes  int
	// sealed is what is sent to the store, nil before.
	sealed *store.Batch
}

// part is what a batch says of one run.
type part struct {
	live     *live
	row      *store.RunRow // nil if nothing changed that lists need
	first    uint64
	events   []engine.Event
	accepted bool
	ended    *engine.RunEnded
	offers   bool // see Publish
}

// stored is the row of a new run as readers see it once the batch is durable.
func (p *part) stored(sequence uint64) *store.RunRow {
	row := *p.row
	row.Batch, row.Events = sequence, p.first+uint64(len(p.events))-1
	return &row
}

// output is an effect that waits for its batch. If it answers a Submit, hash is
// what was asked for.
type output struct {
	run    store.RunID
	effect Effect
	submit bool
	hash   [32]byte
}

func newBatch(sequence uint64) *batch {
	return &batch{sequence: sequence, parts: map[store.RunID]*part{}, gateAt: map[store.ObjectID]int{}}
}

// empty reports whether there is nothing to write.
func (b *batch) empty() bool {
	return len(b.order) == 0 && len(b.programs) == 0 && len(b.keys) == 0 && len(b.timers) == 0 &&
		len(b.writes) == 0 && len(b.entries) == 0 && len(b.gate) == 0 && len(b.erase) == 0 && len(b.prune) == 0
}

// add puts the events of a decision into the batch.
func (b *batch) add(l *live, first uint64, events []engine.Event) *part {
	p := b.parts[l.id]
	if p == nil {
		p = &part{live: l, first: first}
		b.parts[l.id] = p
		b.order = append(b.order, p)
	}
	if p.events == nil {
		p.events = events // events are large; most runs have one decision a batch
	} else {
		p.events = append(p.events, events...)
	}
	if l.rowNew {
		row := l.row
		p.row, l.rowNew = &row, false
	}
	b.events += len(events)
	for i := range events {
		b.bytes += size(&events[i])
	}
	return p
}

// size estimates the bytes of users' data in an event.
func size(ev *engine.Event) int {
	n := len(ev.Checkpoint) + len(ev.Text) + len(ev.Warning)
	for _, v := range []value.Value{ev.Input, ev.Vars, ev.Output, ev.Items} {
		if !v.IsUndefined() {
			n += v.Size()
		}
	}
	for i := range ev.Ops {
		n += ev.Ops[i].Value.Size()
	}
	if ev.Error != nil {
		n += len(ev.Error.Message) + ev.Error.Details.Size()
	}
	return n
}

// after lets an effect leave once everything decided so far is durable.
func (b *batch) after(run store.RunID, e Effect) {
	b.out = append(b.out, output{run: run, effect: e})
}

// timerChange sets the row of a timer, or clears it.
type timerChange struct {
	store.Timer
	clear bool
}

func (b *batch) setTimer(id store.TimerID, at time.Time) {
	b.timers = append(b.timers, timerChange{Timer: store.Timer{TimerID: id, At: at}})
}

func (b *batch) clearTimer(id store.TimerID) {
	b.timers = append(b.timers, timerChange{Timer: store.Timer{TimerID: id}, clear: true})
}

// timerRows splits the changes; of several for one timer the last one counts.
func (b *batch) timerRows() (sets []store.Timer, clears []store.TimerID) {
	last := make(map[store.TimerID]int, len(b.timers))
	for i, c := range b.timers {
		last[c.TimerID] = i
	}
	for i, c := range b.timers {
		switch {
		case last[c.TimerID] != i:
		case c.clear:
			clears = append(clears, c.TimerID)
		default:
			sets = append(sets, c.Timer)
		}
	}
	return sets, clears
}

// remove takes everything of a run out of the batch, its outputs excepted.
func (b *batch) remove(run store.RunID) {
	p := b.parts[run]
	if p != nil {
		delete(b.parts, run)
		b.order = slices.DeleteFunc(b.order, func(q *part) bool { return q == p })
		b.events -= len(p.events)
	}
	b.keys = slices.DeleteFunc(b.keys, func(k store.Key) bool { return k.Run == run })
	b.timers = slices.DeleteFunc(b.timers, func(c timerChange) bool { return c.Run == run })
	b.entries = slices.DeleteFunc(b.entries, func(e entry) bool { return e.run == run && e.caller == 0 })
	b.sealed = nil
	if len(b.order) == 0 {
		b.bytes = 0
	}
}

// seal encodes the batch. If the events of a run cannot be stored, it returns
// that run and the error.
func (b *batch) seal(incarnation uint64, now time.Time, recordBytes int) (*live, error) {
	sealed := &store.Batch{Sequence: b.sequence, Incarnation: incarnation, At: now, Programs: b.programs, Keys: b.keys, Erase: b.erase, Prune: b.prune}
	sealed.SetTimers, sealed.ClearTimers = b.timerRows()
	b.sealWrites(sealed)
	for _, p := range b.order {
		control, payload, err := engine.EncodeEvents(p.events)
		if err != nil {
			return p.live, err
		}
		if n := len(control) + len(payload); n > recordBytes {
			return p.live, fmt.Errorf("%d events of %d bytes, more than a record may have (%d)", len(p.events), n, recordBytes)
		}
		if p.row != nil {
			sealed.Runs = append(sealed.Runs, *p.row)
		}
		sealed.Records = append(sealed.Records, store.Record{
			Run: p.live.id, First: p.first, Count: uint64(len(p.events)), Control: control, Payload: payload,
		})
	}
	b.sealed = sealed
	return nil, nil
}

// shareOf is what a batch says of one run.
func shareOf(b *store.Batch, run store.RunID) *store.Batch {
	share := &store.Batch{Sequence: b.Sequence, Incarnation: b.Incarnation, At: b.At}
	for i := range b.Runs {
		if b.Runs[i].ID == run {
			share.Runs = b.Runs[i : i+1]
		}
	}
	for i := range b.Records {
		if b.Records[i].Run == run {
			share.Records = b.Records[i : i+1]
		}
	}
	for _, k := range b.Keys {
		if k.Run == run {
			share.Keys = append(share.Keys, k)
		}
	}
	for _, t := range b.SetTimers {
		if t.Run == run {
			share.SetTimers = append(share.SetTimers, t)
		}
	}
	return share
}

package engine

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Bounds of maps.
const (
	// MapParallel is how many items of a map are open at once, if it does not say
	// how many.
	MapParallel = 1000
	// MapBytes is how much of the outputs of ended items a map has in memory, as
	// [value.Value.Size] estimates it; what is more is put away.
	MapBytes = 256 << 10
	// smallOutput is the size of an output that is not put away: it takes no more
	// than to say where it is.
	smallOutput = 64
)

// MapOutputs are the outputs of the items of a map that ended well: in memory, or
// in parts that were put away, each a list of outputs in the order in which the
// items ended.
type MapOutputs struct {
	// Inline are those in memory, by item; undefined: there is none, or it is in a
	// part.
	Inline []value.Value
	// Held are the items whose outputs can be put away, in the order in which they
	// ended, Bytes the size of these outputs.
	Held  []int
	Bytes int
	// Parts are references to what was put away; Places say of each item where in
	// them it is, nil as long as there are none.
	Parts  []value.Value
	Places []MapPlace

	// writing is how many of Held are being put away, as number writes of such
	// work; never says that nothing here keeps values. Neither is a fold of events.
	writing int
	write   uint64
	never   bool
}

// MapPlace is where an output is: in part Part, from 1 (0: in none), at At.
type MapPlace struct{ Part, At int32 }

// add takes the output of an item.
func (o *MapOutputs) add(item int, v value.Value) {
	o.Inline[item] = v
	if size := v.Size(); size > smallOutput {
		o.Held, o.Bytes = append(o.Held, item), o.Bytes+size
	}
}

// drop forgets the output of an item, which will have another.
func (o *MapOutputs) drop(item int) {
	if at := slices.Index(o.Held, item); at >= 0 {
		o.Held, o.Bytes = slices.Delete(o.Held, at, at+1), o.Bytes-o.Inline[item].Size()
	}
	o.Inline[item] = value.Undefined
	if o.Places != nil {
		o.Places[item] = MapPlace{}
	}
}

// of is the output of an item, or a reference to it; null if it has none.
func (o *MapOutputs) of(item int) value.Value {
	if len(o.Places) > 0 && o.Places[item].Part > 0 {
		at := o.Places[item]
		return o.Parts[at.Part-1].Within(strconv.Itoa(int(at.At)))
	}
	return nullIfUndefined(o.Inline[item])
}

// kept notes that the first of the outputs that were held are in a part now. Of
// an erased run nobody knows what it was.
func (o *MapOutputs) kept(n int, part value.Value) error {
	if part.IsUndefined() {
		return nil
	}
	if n > len(o.Held) {
		return fmt.Errorf("%w: %d outputs put away of %d", ErrProtocol, n, len(o.Held))
	}
	if o.Places == nil {
		o.Places = make([]MapPlace, len(o.Inline))
	}
	o.Parts = append(o.Parts, part)
	for at, item := range o.Held[:n] {
		o.Bytes -= o.Inline[item].Size()
		o.Inline[item] = value.Undefined
		o.Places[item] = MapPlace{Part: int32(len(o.Parts)), At: int32(at)}
	}
	o.Held = slices.Clone(o.Held[n:])
	return nil
}

// keepOutputs begins to put outputs of a map away once there are too many bytes of
// them, one part at a time. It does not where the end of the map is near, which
// does it itself, or where one output is all that is wanted.
func (d *decider) keepOutputs(a *Activation, n *workflow.Node) {
	o, most := &a.Map.Outputs, d.ctx.MapBytes
	if most == 0 {
		most = MapBytes
	}
	if o.never || o.writing > 0 || o.Bytes <= most || n.Map.Rule.FirstSuccess || a.living() == 0 && a.full(n) {
		return
	}
	for size := 0; size <= most; o.writing++ {
		size += o.Inline[o.Held[o.writing]].Size()
	}
	d.run.lastWrite++
	o.write = d.run.lastWrite
	d.add(task{kind: taskKeep, act: a.ID, write: o.write})
}

// putAway puts outputs of a map away. If that cannot be done they stay, and the
// next end of an item tries it again.
func (d *decider) putAway(id ActID, write uint64) error {
	a := d.run.Acts[id]
	if a == nil || a.Map == nil || a.Map.Outputs.write != write {
		return nil
	}
	o := &a.Map.Outputs
	if a.Phase != PhaseFrames {
		o.writing = 0
		return nil
	}
	items := make([]value.Value, o.writing)
	for i := range items {
		items[i] = o.Inline[o.Held[i]]
	}
	part, err := d.keptList(value.List(items...))
	_, stay := asError(err)
	if err != nil && !stay {
		return err
	}
	o.writing, o.never = 0, !stay && part.Kind() != value.KindRef
	if stay || o.never {
		return nil
	}
	if err := d.emit(Event{Kind: EvOutputsKept, Act: a.ID, Count: len(items), Output: part}); err != nil {
		return err
	}
	d.keepOutputs(a, d.m.node(d.run.Frames[a.Frame], a.Node))
	return nil
}

// keptList puts a list away, with what references in it lead to inside of
// something.
func (d *decider) keptList(list value.Value) (value.Value, error) {
	return d.work(&Evaluation{list: true, make: func([]value.Value) (value.Value, error) { return list, nil }})
}

// gatherMap makes one list of the outputs of the items of a map.
func gatherMap(n *workflow.Node, m *MapState) value.Value {
	if m.Ends != nil {
		return outcomes(m)
	}
	out := make([]value.Value, 0, m.Count)
	for i := range m.Count {
		if m.Ok[i] || n.Map.Gather != workflow.GatherPresent {
			out = append(out, m.Outputs.of(i))
		}
	}
	return value.List(out...)
}

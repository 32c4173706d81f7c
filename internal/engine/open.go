package engine

import (
	"cmp"
	"slices"
)

// OpenFrames is a set of an activation's frames, in the order in which they
// were opened, which is that of their numbers. Taking one out costs the same
// however many there are; so does putting one in behind the others.
type OpenFrames struct {
	IDs  []FrameID // ascending; those that were taken out have the gone bit
	Live int
}

const gone FrameID = 1 << 63

func (o *OpenFrames) add(id FrameID) {
	o.Live++
	at, found := o.find(id)
	if found {
		o.IDs[at] = id
		return
	}
	o.IDs = slices.Insert(o.IDs, at, id)
}

func (o *OpenFrames) find(id FrameID) (at int, found bool) {
	if n := len(o.IDs); n == 0 || o.IDs[n-1]&^gone < id {
		return n, false
	}
	return slices.BinarySearchFunc(o.IDs, id, func(a, b FrameID) int { return cmp.Compare(a&^gone, b) })
}

func (o *OpenFrames) remove(id FrameID) {
	i, ok := o.find(id)
	if !ok || o.IDs[i]&gone != 0 {
		return
	}
	o.IDs[i] |= gone
	if o.Live--; o.Live*2 < len(o.IDs) {
		o.IDs = o.all()
	}
}

// all lists the open frames in order.
func (o *OpenFrames) all() []FrameID {
	ids := make([]FrameID, 0, o.Live)
	for _, id := range o.IDs {
		if id&gone == 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

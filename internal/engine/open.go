package engine

import (
	"cmp"
	"slices"
)

// OpenFrames is the set of an activation's open frames, in the order in which
// they were opened, which is that of their numbers. Taking one out costs the
// same however many there are.
type OpenFrames struct {
	IDs  []FrameID // ascending; those that were taken out have the gone bit
	Live int
}

const gone FrameID = 1 << 63

func (o *OpenFrames) add(id FrameID) {
	o.IDs = append(o.IDs, id)
	o.Live++
}

func (o *OpenFrames) remove(id FrameID) {
	i, ok := slices.BinarySearchFunc(o.IDs, id, func(a, b FrameID) int { return cmp.Compare(a&^gone, b) })
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

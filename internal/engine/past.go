package engine

import "slices"

// NewPast returns a state before the first event that keeps what it folds of the
// frames around the paths, also once they have ended: what a rerun inside a
// group that is over goes on from. It is for reading alone.
func NewPast(id string, paths []string) *Run {
	r := NewRun(id)
	r.past = slices.Clone(paths)
	return r
}

// IsPast reports whether the state is one of [NewPast] with these paths.
func (r *Run) IsPast(paths []string) bool { return r != nil && slices.Equal(r.past, paths) }

// recalls reports whether what is at the path lies around one that is looked for.
func (r *Run) recalls(path string) bool {
	return slices.ContainsFunc(r.past, func(p string) bool { return covers(path, p) })
}

// recallsFrame reports whether a frame that ended is kept: it lies around what is
// looked for, or is one beside that did not end well.
func (r *Run) recallsFrame(f *Frame) bool {
	if len(r.past) == 0 {
		return false
	}
	if f.Path != "" && r.recalls(f.Path) {
		return true
	}
	a := r.Acts[f.Owner]
	return a != nil && a.Loop == nil && f.Role == RoleBody && f.Outcome != nil && f.Outcome.State != Succeeded && r.recalls(a.Path)
}

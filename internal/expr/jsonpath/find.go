package jsonpath

import (
	"fmt"

	"github.com/regie-dev/regie/internal/value"
)

// missKind says why a path leads nowhere.
type missKind uint8

const (
	hit         missKind = iota // it leads somewhere
	missRoot                    // its root has no value
	missLast                    // the last name is not there
	missName                    // a name on the way is not there
	missObject                  // a name is looked for in what is no object
	missObjects                 // several are
	missList                    // an index is looked for in what is no list
)

// found is what a path leads to.
type found struct {
	v value.Value
	// beyond means that a single index lies beyond the end of its list. Fields
	// then hold null, arguments of functions are missing.
	beyond bool
	miss   missKind
	step   int         // that leads nowhere
	at     value.Value // what it was applied to
}

// search is one walk along a path.
type search struct {
	m     *machine
	p     *path
	item  value.Value // what @ is, within a filter
	doc   value.Value // what the path starts from
	out   []value.Value
	first found // why a single path leads nowhere
}

// find follows a path. What it leads to is a list unless the path is definite.
// Within a filter, at is its item and doc what the filtered path starts from.
func (m *machine) find(p *path, at, doc value.Value) found {
	switch {
	case p.root == item:
		doc = at
	case p.root != Input || doc.IsUndefined():
		doc = m.start(p)
	}
	if doc.IsUndefined() {
		return found{miss: missRoot}
	}
	if p.plain {
		if v, ok := m.direct(p, doc); ok {
			return found{v: v}
		}
	}
	from := p.fold
	if from > 0 {
		// The function takes all that the steps before it find.
		s := &search{m: m, p: p, item: at, doc: doc}
		s.walk(doc, 0, from-1, true)
		doc = m.call(&p.steps[from-1], value.List(s.out...), at, doc)
	}
	s := &search{m: m, p: p, item: at, doc: doc}
	s.walk(doc, from, len(p.steps), true)
	switch {
	case !p.definite:
		return found{v: value.List(s.out...)}
	case len(s.out) == 0:
		return s.first
	}
	return found{v: s.out[0], beyond: s.first.beyond}
}

// direct follows a path of names and single indexes as long as they lead
// somewhere.
func (m *machine) direct(p *path, at value.Value) (value.Value, bool) {
	m.spend(1 + len(p.steps))
	for i := range p.steps {
		if s := &p.steps[i]; s.kind == stepName {
			at = at.Get(s.names[0])
		} else {
			at = at.At(position(s.indexes[0], at.Len()))
		}
		if at.IsUndefined() {
			return at, false
		}
	}
	return at, true
}

// why says why a path leads nowhere, as the JSONPath library of AWS does.
func (f *found) why(p *path) string {
	switch f.miss {
	case missLast:
		return "No results for path: " + p.upto(f.step+1)
	case missName:
		return "Missing property in path " + p.upto(f.step+1)
	case missObject:
		return fmt.Sprintf("Expected to find an object with property %s in path %s but found '%s'.", p.steps[f.step].text(), p.upto(f.step), f.at.Kind())
	case missObjects:
		return fmt.Sprintf("Expected to find an object with properties %s in path %s but found '%s'.", p.steps[f.step].text(), p.upto(f.step), f.at.Kind())
	case missList:
		return fmt.Sprintf("Filter: %s can only be applied to arrays. Current context is: %s", p.steps[f.step].text(), shown(f.at))
	case missRoot, hit:
	}
	switch p.root {
	case Variable:
		return fmt.Sprintf("The variable '$%s' has no value", p.variable)
	case Context:
		return "There is no Context Object here"
	case Input, item, NoRoot:
	}
	return "Unable to apply Path transformation to null or empty input."
}

// walk follows the steps from i to end. As long as strict, there is one way
// only, and what is missing is said.
func (s *search) walk(at value.Value, i, end int, strict bool) {
	s.m.step()
	if i == end {
		s.m.allocate(itemBytes)
		s.out = append(s.out, at)
		return
	}
	if s.p.steps[i].scan {
		s.scan(at, i, end, 0)
		return
	}
	s.apply(at, i, end, strict)
}

// scan applies a step to a value and to all below it.
func (s *search) scan(at value.Value, i, end, depth int) {
	s.m.deep(depth)
	s.m.step()
	switch at.Kind() {
	case value.KindList:
		if s.p.steps[i].kind != stepFilter {
			s.apply(at, i, end, false)
		}
		for _, v := range at.Items() {
			s.scan(v, i, end, depth+1)
		}
	case value.KindObject:
		s.apply(at, i, end, false)
		for _, member := range at.Members() {
			s.scan(member.Value, i, end, depth+1)
		}
	default:
	}
}

// apply takes one step.
func (s *search) apply(at value.Value, i, end int, strict bool) {
	st := &s.p.steps[i]
	switch st.kind {
	case stepName:
		s.name(at, i, end, strict)
	case stepNames:
		s.names(at, i, end, strict)
	case stepIndex:
		s.index(at, i, end, strict)
	case stepIndexes:
		for _, index := range st.indexes {
			if at.Kind() == value.KindList {
				s.walk(nth(at, index), i+1, end, false)
			}
		}
	case stepSlice:
		from, to := st.bounds(at.Len())
		for j := from; at.Kind() == value.KindList && j < to; j++ {
			s.walk(at.At(j), i+1, end, false)
		}
	case stepWildcard:
		for _, v := range at.Items() {
			s.walk(v, i+1, end, false)
		}
		for _, member := range at.Members() {
			s.walk(member.Value, i+1, end, false)
		}
	case stepFilter:
		s.filter(at, i, end)
	case stepFunction:
		s.walk(s.m.call(st, at, s.item, s.doc), i+1, end, strict)
	}
}

func (s *search) name(at value.Value, i, end int, strict bool) {
	name := s.p.steps[i].names[0]
	v, ok := at.Lookup(name)
	switch {
	case ok:
		s.walk(v, i+1, end, strict)
	case !strict:
	case at.Kind() != value.KindObject:
		s.miss(missObject, i, at)
	case i+1 == end:
		s.miss(missLast, i, at)
	default:
		s.miss(missName, i, at)
	}
}

// names makes an object of those members that are there.
func (s *search) names(at value.Value, i, end int, strict bool) {
	if at.Kind() != value.KindObject {
		if strict {
			s.miss(missObjects, i, at)
		}
		return
	}
	s.m.spend(len(s.p.steps[i].names))
	var members []value.Member
	for _, name := range s.p.steps[i].names {
		if v, ok := at.Lookup(name); ok {
			s.m.allocate(2 * itemBytes)
			members = append(members, value.M(name, v))
		}
	}
	if st := &s.p.steps[i]; st.scan && len(members) < len(st.names) {
		return
	}
	s.walk(value.Object(members...), i+1, end, strict)
}

func (s *search) index(at value.Value, i, end int, strict bool) {
	if at.Kind() != value.KindList {
		if strict {
			s.miss(missList, i, at)
		}
		return
	}
	v := at.At(position(s.p.steps[i].indexes[0], at.Len()))
	if v.IsUndefined() {
		v = value.Null
		s.first.beyond = strict && i+1 == end
	}
	s.walk(v, i+1, end, strict)
}

func (s *search) filter(at value.Value, i, end int) {
	st := &s.p.steps[i]
	switch at.Kind() {
	case value.KindList:
		for _, v := range at.Items() {
			if s.m.holds(st.filter, v, s.doc) {
				s.walk(v, i+1, end, false)
			}
		}
	case value.KindObject:
		if s.m.holds(st.filter, at, s.doc) {
			s.walk(at, i+1, end, false)
		}
	default:
	}
}

func (s *search) miss(kind missKind, step int, at value.Value) {
	s.first = found{miss: kind, step: step, at: at}
}

// position is the place of an index that counts from the end if negative.
func position(index, length int) int {
	if index < 0 {
		return index + length
	}
	return index
}

// nth is an item of a list, null beyond its ends.
func nth(list value.Value, index int) value.Value {
	v := list.At(position(index, list.Len()))
	if v.IsUndefined() {
		return value.Null
	}
	return v
}

// bounds are the first place of a slice and the one behind its last.
func (s *step) bounds(length int) (from, to int) {
	to = length
	if !s.open[0] {
		from = max(0, min(length, position(s.indexes[0], length)))
	}
	if !s.open[1] {
		to = max(0, min(length, position(s.indexes[1], length)))
	}
	return from, to
}

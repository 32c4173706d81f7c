package jsonpath

import (
	"fmt"

	"github.com/regie-dev/regie/internal/value"
)

// found is what a path leads to.
type found struct {
	v value.Value
	// beyond means that a single index lies beyond the end of its list. Fields
	// then hold null, arguments of functions are missing.
	beyond bool
	// why is set when there is nothing, and says why; leak marks a reason that
	// AWS shows as it is in place of its usual sentence.
	why  string
	leak bool
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
func (m *machine) find(p *path, at value.Value) found {
	doc := m.start(p)
	if p.root == item {
		doc = at
	}
	if doc.IsUndefined() {
		return found{why: missingRoot(p)}
	}
	steps, definite := p.steps, p.definite()
	from := 0
	if n := afterScan(steps); n > 0 {
		// The function takes all that the steps before it find.
		s := &search{m: m, p: p, item: at, doc: doc}
		s.walk(doc, 0, n-1, true)
		doc = m.call(&steps[n-1], value.List(s.out...), at)
		from = n
	}
	s := &search{m: m, p: p, item: at, doc: doc}
	s.walk(doc, from, len(steps), true)
	switch {
	case !definite:
		return found{v: value.List(s.out...)}
	case len(s.out) == 0:
		return s.first
	}
	return found{v: s.out[0], beyond: s.first.beyond}
}

// afterScan is the place behind the first function that follows a scan, or 0.
func afterScan(steps []step) int {
	scanned := false
	for i := range steps {
		scanned = scanned || steps[i].scan
		if scanned && steps[i].kind == stepFunction {
			return i + 1
		}
	}
	return 0
}

func missingRoot(p *path) string {
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
		s.walk(s.m.call(st, at, s.item), i+1, end, strict)
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
		s.miss(found{why: fmt.Sprintf("Expected to find an object with property ['%s'] in path %s but found '%s'.", name, s.p.upto(i), at.Kind())})
	case i+1 == end:
		s.miss(found{why: "No results for path: " + s.p.upto(i+1)})
	default:
		s.miss(found{why: "Missing property in path " + s.p.upto(i+1)})
	}
}

// names makes an object of those members that are there.
func (s *search) names(at value.Value, i, end int, strict bool) {
	if at.Kind() != value.KindObject {
		if strict {
			s.miss(found{why: fmt.Sprintf("Expected to find an object with properties %s in path %s but found '%s'.", s.p.steps[i].text(), s.p.upto(i), at.Kind())})
		}
		return
	}
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
			s.miss(found{leak: true, why: fmt.Sprintf("Filter: %s can only be applied to arrays. Current context is: %s", s.p.steps[i].text(), shown(at))})
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

func (s *search) miss(f found) {
	if s.first.why == "" {
		s.first = f
	}
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

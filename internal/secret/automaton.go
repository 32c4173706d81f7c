package secret

// automaton finds all occurrences of many patterns in one pass (Aho and
// Corasick, 1975). States are the prefixes of the patterns; state 0 is the
// empty one. Most states have one child, so children are a linked list: dense
// tables would take a megabyte for each thousand states.
type automaton struct {
	states []state
	// first is the child of the root for each byte, 0 if none. Most bytes of
	// most texts are seen in this table only.
	first [256]int32
	// longest is the length of the longest pattern.
	longest int
}

type state struct {
	child, sibling int32 // 0: none
	fail           int32 // the longest proper suffix that is a state
	depth          int32
	match          int32 // length of the longest pattern that ends here, 0 if none
	last           byte
}

func newAutomaton(patterns []string) automaton {
	a := automaton{states: make([]state, 1)}
	for _, p := range patterns {
		if p != "" {
			a.add(p)
		}
	}
	a.link()
	return a
}

func (a *automaton) empty() bool { return len(a.states) == 1 }

func (a *automaton) add(pattern string) {
	at := int32(0)
	for i := 0; i < len(pattern); i++ {
		next := a.child(at, pattern[i])
		if next == 0 {
			next = int32(len(a.states))
			a.states = append(a.states, state{depth: int32(i + 1), last: pattern[i]})
			if at == 0 {
				a.first[pattern[i]] = next
			} else {
				a.states[next].sibling = a.states[at].child
				a.states[at].child = next
			}
		}
		at = next
	}
	a.states[at].match = int32(len(pattern))
	a.longest = max(a.longest, len(pattern))
}

func (a *automaton) child(at int32, b byte) int32 {
	if at == 0 {
		return a.first[b]
	}
	for c := a.states[at].child; c != 0; c = a.states[c].sibling {
		if a.states[c].last == b {
			return c
		}
	}
	return 0
}

// link sets fail and match of all states, breadth first.
func (a *automaton) link() {
	var queue []int32
	for _, c := range a.first {
		if c != 0 {
			queue = append(queue, c)
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for c := a.states[at].child; c != 0; c = a.states[c].sibling {
			fail := a.next(a.states[at].fail, a.states[c].last)
			a.states[c].fail = fail
			if a.states[c].match == 0 {
				a.states[c].match = a.states[fail].match
			}
			queue = append(queue, c)
		}
	}
}

// next is the state after byte b in the state at.
func (a *automaton) next(at int32, b byte) int32 {
	for at != 0 {
		if c := a.child(at, b); c != 0 {
			return c
		}
		at = a.states[at].fail
	}
	return a.first[b]
}

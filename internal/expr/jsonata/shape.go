package jsonata

// shaper turns what the parser read into what is evaluated: paths are flat
// lists of steps, parents are tied to the steps where they are bound, and
// calls in tail position become thunks.
type shaper struct {
	slots int
}

// slot is where a parent operator finds its value: the step that level steps
// up leads to binds its context under the label. Slots that meet at one step
// share the label.
type slot struct {
	label string
	level int
}

// shape prepares a parsed expression.
func shape(n *node) *node {
	var s shaper
	out := s.node(n)
	if out.kind == kindParent || len(out.seeking) > 0 {
		panic(newFault("S0217", out.pos, "%"))
	}
	return out
}

func (s *shaper) node(n *node) *node {
	out := s.shaped(n)
	out.keepArray = out.keepArray || n.keepArray
	return out
}

func (s *shaper) shaped(n *node) *node {
	switch n.kind {
	case kindBinary:
		return s.binary(n)
	case kindFilter:
		return s.filter(n)
	case kindGroup:
		out := s.node(n.left)
		if out.hasGroup {
			panic(newFault("S0210", n.pos))
		}
		out.hasGroup, out.group = true, s.pairs(out, n.pairs, false)
		return out
	case kindSort:
		return s.sort(n)
	case kindFocus:
		return s.focus(n)
	case kindIndex:
		return s.index(n)
	case kindName:
		return &node{kind: kindPath, pos: n.pos, list: []*node{n}, keepOne: n.keepArray}
	case kindOperator:
		n.kind = kindName
		return s.node(n)
	case kindParent:
		s.slots++
		label := "!" + formatFloat(float64(s.slots))
		n.slot = &slot{label: label, level: 1}
		return n
	case kindObject:
		n.pairs = s.pairs(n, n.pairs, true)
		return n
	case kindNegate:
		n.left = s.node(n.left)
		if f, ok := n.left.value.(float64); ok && n.left.kind == kindLiteral {
			n.left.value = -f
			return n.left
		}
		pass(n, n.left)
		return n
	default:
	}
	return s.parts(n)
}

// parts prepares the nodes below one of the remaining kinds.
func (s *shaper) parts(n *node) *node {
	for i := range n.list {
		if n.kind == kindLambda {
			break
		}
		n.list[i] = s.node(n.list[i])
		pass(n, n.list[i])
	}
	for _, part := range []**node{&n.left, &n.right, &n.third} {
		if *part != nil {
			*part = s.node(*part)
			if n.kind == kindCondition {
				pass(n, *part)
			}
		}
	}
	switch n.kind {
	case kindBind:
		pass(n, n.right)
	case kindApply:
		n.keepArray = n.left.keepArray || n.right.keepArray
	case kindLambda:
		n.left = tail(n.left)
	case kindBlock:
		for _, part := range n.list {
			if part.cons || part.kind == kindPath && part.list[0].cons {
				n.cons = true
			}
		}
	default:
	}
	return n
}

func (s *shaper) pairs(owner *node, pairs [][2]*node, up bool) [][2]*node {
	out := make([][2]*node, len(pairs))
	for i, pair := range pairs {
		for j := range pair {
			out[i][j] = s.node(pair[j])
			if up {
				pass(owner, out[i][j])
			}
		}
	}
	return out
}

func (s *shaper) binary(n *node) *node {
	if n.text != "." {
		n.left, n.right = s.node(n.left), s.node(n.right)
		pass(n, n.left)
		pass(n, n.right)
		return n
	}
	out := s.node(n.left)
	if out.kind != kindPath {
		first := out
		out = &node{kind: kindPath, pos: n.pos, list: []*node{first}}
		if first.kind == kindParent {
			out.seeking = []*slot{first.slot}
		}
	}
	rest := s.node(n.right)
	if rest.kind == kindPath {
		out.list = append(out.list, rest.list...)
	} else {
		rest.stages, rest.predicate = append(rest.stages, rest.predicate...), nil
		out.list = append(out.list, rest)
	}
	for _, step := range out.list {
		if step.kind == kindString {
			step.kind = kindName
		}
		if step.kind == kindLiteral {
			panic(newFault("S0213", step.pos, show(step.value)))
		}
		out.keepOne = out.keepOne || step.keepArray
	}
	if first := out.list[0]; first.kind == kindArray {
		first.cons = true
	}
	if last := out.list[len(out.list)-1]; last.kind == kindArray {
		last.cons = true
	}
	resolve(out)
	return out
}

func lastStep(n *node) *node {
	if n.kind == kindPath {
		return n.list[len(n.list)-1]
	}
	return n
}

func (s *shaper) filter(n *node) *node {
	out := s.node(n.left)
	step := lastStep(out)
	if step.hasGroup {
		panic(newFault("S0209", n.pos))
	}
	by := s.node(n.right)
	if by.kind == kindParent || len(by.seeking) > 0 {
		for _, sl := range by.seeking {
			if sl.level == 1 {
				seek(step, sl)
			} else {
				sl.level--
			}
		}
		pass(step, by)
	}
	if out.kind == kindPath {
		step.stages = append(step.stages, stage{filter: by})
	} else {
		step.predicate = append(step.predicate, stage{filter: by})
	}
	return out
}

func (s *shaper) sort(n *node) *node {
	out := s.node(n.left)
	if out.kind != kindPath {
		out = &node{kind: kindPath, pos: n.pos, list: []*node{out}}
	}
	step := &node{kind: kindSort, pos: n.pos}
	for _, t := range n.terms {
		t.expr = s.node(t.expr)
		pass(step, t.expr)
		step.terms = append(step.terms, t)
	}
	out.list = append(out.list, step)
	resolve(out)
	return out
}

func (s *shaper) focus(n *node) *node {
	out := s.node(n.left)
	step := lastStep(out)
	if len(step.stages) > 0 || len(step.predicate) > 0 {
		panic(newFault("S0215", n.pos))
	}
	if step.kind == kindSort {
		panic(newFault("S0216", n.pos))
	}
	step.keepArray = step.keepArray || n.keepArray
	step.focus, step.tuple = n.right.text, true
	return out
}

func (s *shaper) index(n *node) *node {
	out := s.node(n.left)
	if out.kind != kindPath {
		first := out
		out = &node{kind: kindPath, pos: n.pos, list: []*node{first}}
		first.stages, first.predicate = append(first.stages, first.predicate...), nil
	}
	step := lastStep(out)
	if len(step.stages) == 0 {
		step.index = n.right.text
	} else {
		step.stages = append(step.stages, stage{index: n.right.text})
	}
	step.tuple = true
	return out
}

// pass hands the parents that part seeks on to the node around it.
func pass(around, part *node) {
	around.seeking = append(around.seeking, part.seeking...)
	if part.kind == kindParent {
		around.seeking = append(around.seeking, part.slot)
	}
}

// resolve looks for the parents that the last step seeks among the steps
// before it; those not found are sought around the path.
func resolve(path *node) {
	last := path.list[len(path.list)-1]
	slots := append([]*slot(nil), last.seeking...)
	if last.kind == kindParent {
		slots = append(slots, last.slot)
	}
	for _, sl := range slots {
		i := len(path.list) - 2
		for sl.level > 0 {
			if i < 0 {
				path.seeking = append(path.seeking, sl)
				break
			}
			step := path.list[i]
			i--
			for i >= 0 && step.focus != "" && path.list[i].focus != "" {
				step = path.list[i]
				i--
			}
			seek(step, sl)
		}
	}
}

// seek goes one step up for a parent, and binds it where it is found.
func seek(n *node, sl *slot) {
	switch n.kind {
	case kindName, kindWildcard:
		sl.level--
		if sl.level > 0 {
			return
		}
		if n.ancestor == nil {
			n.ancestor = sl
		} else {
			sl.label = n.ancestor.label
			n.ancestor = sl
		}
		n.tuple = true
	case kindParent:
		sl.level++
	case kindBlock:
		if len(n.list) > 0 {
			n.tuple = true
			seek(n.list[len(n.list)-1], sl)
		}
	case kindPath:
		n.tuple = true
		i := len(n.list) - 1
		seek(n.list[i], sl)
		for i--; sl.level > 0 && i >= 0; i-- {
			seek(n.list[i], sl)
		}
	default:
		panic(newFault("S0217", n.pos, "%"))
	}
}

// tail turns calls in tail position into thunks, which the caller runs in a
// loop instead of nesting.
func tail(n *node) *node {
	switch n.kind {
	case kindCall:
		if len(n.predicate) == 0 { // a grouping is lost, as in the reference
			return &node{kind: kindLambda, pos: n.pos, thunk: true, left: n}
		}
	case kindCondition:
		n.right = tail(n.right)
		if n.third != nil {
			n.third = tail(n.third)
		}
	case kindBlock:
		if len(n.list) > 0 && len(n.predicate) == 0 && !n.hasGroup {
			n.list[len(n.list)-1] = tail(n.list[len(n.list)-1])
		}
	default:
	}
	return n
}

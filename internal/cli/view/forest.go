package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
)

// Frame says for when and for what size a picture is drawn.
type Frame struct {
	Now time.Time
	// Columns and Rows are the size of the terminal; 0 means without bound.
	Columns, Rows int
	Color         bool
	// Whole shows every item of a foreach.
	Whole bool
}

// forest is steps within steps.
type forest struct {
	children map[string][]*node // by the path of the step around them
	byPath   map[string]*history.Step
	label    int // the widest name drawn, so that columns do not jump
}

func newForest() forest {
	return forest{children: map[string][]*node{}, byPath: map[string]*history.Step{}}
}

// node is a step with its place among its siblings: the branch and index of
// its frame, its place in the body, the visit.
type node struct {
	step  *history.Step
	place [4]int
}

func byPlace(a, b *node) int { return slices.Compare(a.place[:], b.place[:]) }

// put adds a step behind its siblings with the same place.
func (t *forest) put(n *node) {
	t.byPath[n.step.Path] = n.step
	siblings := t.children[n.step.Parent]
	at, _ := slices.BinarySearchFunc(siblings, n, byPlace)
	for at < len(siblings) && byPlace(siblings[at], n) == 0 {
		at++
	}
	t.children[n.step.Parent] = slices.Insert(siblings, at, n)
}

// drop takes out steps, but not what lies within them.
func (t *forest) drop(gone func(s *history.Step) bool) {
	for parent, nodes := range t.children {
		t.children[parent] = slices.DeleteFunc(nodes, func(n *node) bool {
			if !gone(n.step) {
				return false
			}
			if t.byPath[n.step.Path] == n.step {
				delete(t.byPath, n.step.Path)
			}
			return true
		})
	}
}

// line is one line of a picture before it is drawn: a step, or how many steps
// are not shown.
type line struct {
	depth int
	// weight says how much the line matters: those of the least weight are
	// folded first.
	weight int
	tally  tally
	fold   bool // not a step

	state engine.State
	label string
	facts []string
}

// tally counts steps by what became of them.
type tally struct{ live, failed, done, pending int }

func (t *tally) add(u tally) {
	t.live, t.failed, t.done, t.pending = t.live+u.live, t.failed+u.failed, t.done+u.done, t.pending+u.pending
}

func tallyOf(s *history.Step) tally {
	switch {
	case s.State == engine.Pending:
		return tally{pending: 1}
	case !s.State.Final():
		return tally{live: 1}
	case bad(s):
		return tally{failed: 1}
	}
	return tally{done: 1}
}

func (t tally) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{t.live, "in progress"}, {t.failed, "failed"}, {t.done, "done"}, {t.pending, "to come"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return "… " + strings.Join(parts, ", ")
}

// The weights of lines.
const (
	weightPendingBelow = iota
	weightDoneBelow
	weightPending
	weightDone
	weightWarned
	weightFailed
	weightLive
)

// draw draws the picture of a run; pending is what is still to come.
func (t *forest) draw(run *history.Run, f Frame, pending map[string][]*node) []string {
	paint := Painter(f.Color)
	lines := t.lines(f, pending)
	if f.Rows > 0 {
		lines = foldTo(lines, f.Rows-2) // the head, and the line of the cursor
	}
	out := make([]string, 0, len(lines)+1)
	head := fmt.Sprintf("%s  run %s", oneLine(run.Workflow), run.ID)
	if run.BusinessDate != "" {
		head += "  for " + oneLine(run.BusinessDate)
	}
	head = Clip(head, columns(f))
	out = append(out, paint(StyleBold, head))
	t.label = max(t.label, widestLabel(lines))
	label := min(t.label, max(columns(f)*3/5, 1))
	for i := range lines {
		out = append(out, lines[i].draw(label, f, paint))
	}
	return out
}

// columns is the usable width: one less than the terminal has, since some wrap
// when the last column is written.
func columns(f Frame) int {
	if f.Columns <= 0 {
		return 1 << 20
	}
	return max(f.Columns-1, 1)
}

// widestLabel is the width that the column of names wants.
func widestLabel(lines []line) int {
	widest := 0
	for i := range lines {
		if !lines[i].fold {
			widest = max(widest, 2*lines[i].depth+2+Width(lines[i].label))
		}
	}
	return widest
}

// draw draws the line; label is the width of the column of names.
func (l *line) draw(label int, f Frame, paint Paint) string {
	indent := strings.Repeat("  ", l.depth)
	if l.fold {
		return paint(StyleFaint, Clip(indent+l.tally.String(), columns(f)))
	}
	mark, style := sign(l.state, f.Now)
	if Width(indent)+2 > columns(f) {
		return Clip(indent, columns(f))
	}
	head := indent + paint(style, mark)
	room := columns(f) - Width(indent) - 1
	name := Clip(" "+l.label, min(label-Width(indent)-1, room))
	if len(l.facts) == 0 {
		return head + textStyle(l.state, paint)(name)
	}
	name = pad(name, label-Width(indent)-1)
	room -= Width(name)
	about, style := Clip("  "+strings.Join(l.facts, "  "), room), StyleFaint
	if l.state == engine.Failed {
		style = StyleBad
	}
	return head + textStyle(l.state, paint)(name) + paint(style, about)
}

func textStyle(state engine.State, paint Paint) func(string) string {
	return func(text string) string {
		if state == engine.Pending || state == engine.Skipped {
			return paint(StyleFaint, text)
		}
		return text
	}
}

// lines lists all lines of the picture in order.
func (t *forest) lines(f Frame, pending map[string][]*node) []line {
	w := walk{forest: t, now: f.Now, whole: f.Whole, pending: pending}
	w.below("", 0)
	return w.out
}

type walk struct {
	forest  *forest
	now     time.Time
	whole   bool
	pending map[string][]*node
	out     []line
}

// maxItems is how many failed items of a foreach, or turns of a repeat, are shown;
// the others that have ended are counted.
const maxItems = 5

// below adds the lines of the steps within a step.
func (w *walk) below(parent string, depth int) {
	nodes := w.forest.children[parent]
	if more := w.pending[parent]; len(more) > 0 {
		nodes = append(slices.Clone(nodes), more...)
		slices.SortStableFunc(nodes, byPlace)
	}
	var rest tally
	failed := 0
	owner := w.forest.byPath[parent]
	items := !w.whole && len(nodes) > maxItems && owner != nil && owner.Items+owner.Done > 0
	for _, n := range nodes {
		s := n.step
		if bad(s) {
			failed++
		}
		if items && s.State.Final() && (!bad(s) || failed > maxItems) {
			rest.add(tallyOf(s))
			continue
		}
		w.out = append(w.out, line{
			depth: depth, state: s.State, label: label(s, parent), facts: facts(s, w.now), weight: weight(s, depth), tally: tallyOf(s),
		})
		w.below(s.Path, depth+1)
	}
	if parent := w.forest.byPath[parent]; rest.failed > 0 || rest.done > 0 && !parent.State.Final() {
		w.out = append(w.out, line{depth: depth, fold: true, tally: rest, weight: weightDone})
	}
}

func bad(s *history.Step) bool { return s.State == engine.Failed || s.State == engine.Canceled }

// label is the name of a step below another one: the path as far as the parent
// does not say it, but with the name of a foreach before the index.
func label(s *history.Step, parent string) string {
	rest := strings.TrimPrefix(s.Path, parent)
	if strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, "~") {
		rest = parent[strings.LastIndexByte(parent, '/')+1:] + rest
	}
	return oneLine(strings.TrimPrefix(rest, "/"))
}

func weight(s *history.Step, depth int) int {
	switch {
	case s.State == engine.Pending && depth > 0:
		return weightPendingBelow
	case s.State == engine.Pending:
		return weightPending
	case !s.State.Final():
		return weightLive
	case bad(s):
		return weightFailed
	case s.Warning != "":
		return weightWarned
	case depth > 0:
		return weightDoneBelow
	}
	return weightDone
}

// foldTo folds lines until there are at most rows, those of the least weight
// first, and of equal weight the earlier first; of what is in progress the
// later first, so that what is around it stays. What is folded leaves one line
// in its place that counts it.
func foldTo(lines []line, rows int) []line {
	rows = max(rows, 1)
	if len(lines) <= rows {
		return lines
	}
	order := make([]int, len(lines))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if lines[a].weight == weightLive && lines[b].weight == weightLive {
			return cmp.Or(cmp.Compare(lines[b].depth, lines[a].depth), cmp.Compare(b, a))
		}
		return cmp.Or(cmp.Compare(lines[a].weight, lines[b].weight), cmp.Compare(a, b))
	})
	folded := make([]bool, len(lines))
	shown, groups := len(lines), 0
	for _, i := range order {
		if shown+groups <= rows {
			break
		}
		before, after := i > 0 && folded[i-1], i+1 < len(lines) && folded[i+1]
		switch {
		case before && after:
			groups--
		case !before && !after:
			groups++
		}
		folded[i] = true
		shown--
	}
	var out []line
	for i := 0; i < len(lines); i++ {
		if !folded[i] {
			out = append(out, lines[i])
			continue
		}
		from := i
		for i+1 < len(lines) && folded[i+1] {
			i++
		}
		group := line{depth: lines[from].depth, fold: true}
		for _, l := range lines[from : i+1] {
			group.tally.add(l.tally)
		}
		out = append(out, group)
	}
	return out
}

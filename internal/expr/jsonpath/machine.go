package jsonpath

import (
	"fmt"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Bounds of one evaluation beside its cost.
const (
	maxDataDepth = 1000     // lists and objects within each other
	maxMemory    = 64 << 20 // bytes, estimated, of all that an evaluation makes
	itemBytes    = 32
	stepBytes    = 1 << 10 // of text that cost as much as one step
	maxShown     = 8 << 10 // bytes of an input that an error shows
)

// Scope is what paths read.
type Scope struct {
	Input     value.Value            // $
	Context   value.Value            // $$
	Variables map[string]value.Value // $name
}

// Budget bounds and seeds an [Evaluator].
type Budget struct {
	Cost uint64 // in cost units for all that it evaluates; 0 means expr.InlineCost
	Seed uint64 // of MathRandom and UUID
}

// fault is how an error travels from where it is found to the exported
// functions, which recover it; no panic leaves the package.
type fault struct {
	code    string
	message string
	pos     int
}

// machine is the state of evaluations that share a budget.
type machine struct {
	scope  Scope
	random *expr.Random
	left   uint64
	memory int
}

func newMachine(scope Scope, budget Budget) *machine {
	m := &machine{scope: scope, random: expr.NewRandom(budget.Seed), left: budget.Cost, memory: maxMemory}
	if m.left == 0 {
		m.left = expr.InlineCost
	}
	return m
}

func (m *machine) step() { m.spend(1) }

func (m *machine) spend(n int) {
	if uint64(n) > m.left {
		m.left = 0
		panic(&fault{code: expr.CostExceeded, message: "the evaluation used up its budget of steps", pos: -1})
	}
	m.left -= uint64(n)
}

// allocate counts bytes of what is made; nothing is given back.
func (m *machine) allocate(n int) {
	if n > m.memory {
		panic(&fault{code: expr.CostExceeded, message: "the evaluation used up its budget of memory", pos: -1})
	}
	m.memory -= n
}

// text counts a string that was or will be made.
func (m *machine) text(size int) {
	m.allocate(size)
	m.spend(size / stepBytes)
}

// deep refuses data that nests too deep.
func (m *machine) deep(depth int) {
	if depth > maxDataDepth {
		panic(&fault{code: expr.CostExceeded, message: fmt.Sprintf("the data nests more than %d lists and objects", maxDataDepth), pos: -1})
	}
}

// limit is one more than what is left to spend, so that counting can stop.
func (m *machine) limit() int { return int(min(m.left, 1<<30)) + 1 }

// nodes is what looking at all values in v costs, up to limit.
func nodes(v value.Value, limit int) int {
	n := 1
	if s, ok := v.Str(); ok {
		n += len(s) / stepBytes
	}
	for _, item := range v.Items() {
		if n >= limit {
			return limit
		}
		n += nodes(item, limit-n)
	}
	for _, member := range v.Members() {
		if n >= limit {
			return limit
		}
		n += nodes(member.Value, limit-n)
	}
	return n
}

// measure counts what writing all of v costs, before it is written.
func (m *machine) measure(v value.Value, depth int) {
	m.deep(depth)
	m.step()
	if k := v.Kind(); k != value.KindList && k != value.KindObject {
		m.text(v.Size())
	}
	for _, item := range v.Items() {
		m.measure(item, depth+1)
	}
	for _, member := range v.Members() {
		m.text(len(member.Key))
		m.measure(member.Value, depth+1)
	}
}

// json is the compact JSON of v.
func (m *machine) json(v value.Value) string {
	m.measure(v, 0)
	return v.String()
}

// shown is a value in a message, as AWS writes it.
func shown(v value.Value) string {
	if v.IsUndefined() {
		return ""
	}
	text := v.String()
	if len(text) > maxShown {
		text = text[:maxShown]
	}
	return value.String(text).Text()
}

// recovered turns what was recovered into an error.
func recovered(r any) *expr.Error {
	if f, ok := r.(*fault); ok {
		return &expr.Error{Code: f.code, Message: f.message, Offset: f.pos}
	}
	return expr.InternalError(r)
}

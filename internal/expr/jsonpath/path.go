package jsonpath

import (
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// Root says what a path starts from.
type Root uint8

// Roots of paths.
const (
	NoRoot   Root = iota // of a call of an intrinsic function
	Input                // $, the state's input
	Context              // $$, the context object
	Variable             // $name, a workflow variable
	item                 // @, the item that a filter looks at
)

type stepKind uint8

const (
	stepName     stepKind = iota // .name
	stepNames                    // ['a','b']
	stepIndex                    // [0]
	stepIndexes                  // [0,1]
	stepSlice                    // [1:3]
	stepWildcard                 // .* and [*]
	stepFilter                   // [?(…)]
	stepFunction                 // .length()
)

// step is one step of a path.
type step struct {
	kind    stepKind
	scan    bool // after .., so that it applies to everything below
	pos     int
	names   []string // one or more
	indexes []int    // one or more; of a slice its bounds
	open    [2]bool  // which bounds of a slice are left out
	filter  *condition
	fn      *pathFunction
	args    []operand
}

// path is a parsed path.
type path struct {
	text     string // as written
	root     Root
	variable string
	steps    []step
	pos      int

	// What close finds out about the steps.
	plain    bool // they are names and single indexes only
	definite bool // they lead to one value at most, so that the result is no list
	fold     int  // the place behind the first function that follows a scan, or 0
}

// single reports whether a step leads to at most one value.
func (s *step) single() bool {
	return !s.scan && (s.kind == stepName || s.kind == stepNames || s.kind == stepIndex || s.kind == stepFunction)
}

// close sets what the steps say of the path. A function behind a scan takes all
// that was found as one list; any other takes each value that was found.
func (p *path) close() {
	p.plain, p.definite = true, true
	scanned := false
	for i := range p.steps {
		s := &p.steps[i]
		scanned = scanned || s.scan
		p.plain = p.plain && !s.scan && (s.kind == stepName || s.kind == stepIndex)
		p.definite = p.definite && s.single()
		if s.kind == stepFunction && scanned && p.fold == 0 {
			p.definite, p.fold = true, i+1
		}
	}
}

// reference reports whether a path is a reference path, and why not. Names
// and indexes only.
func (p *path) reference() (reason string, pos int) {
	for i := range p.steps {
		s := &p.steps[i]
		switch {
		case s.scan:
			return "'..' can lead to more than one value", s.pos
		case s.kind == stepName, s.kind == stepIndex:
		case s.kind == stepFunction:
			return "functions are not allowed", s.pos
		default:
			return "only names and single indexes are allowed, which lead to one value", s.pos
		}
	}
	return "", 0
}

// rootText is how a path starts in messages.
func (p *path) rootText() string {
	if p.root == Variable {
		return "$" + p.variable
	}
	return "$"
}

// upto is the canonical text of the first n steps, which are single.
func (p *path) upto(n int) string {
	var b strings.Builder
	b.WriteString(p.rootText())
	for i := range p.steps[:n] {
		b.WriteString(p.steps[i].text())
	}
	return b.String()
}

func (s *step) text() string {
	switch s.kind {
	case stepName, stepNames:
		return "['" + strings.Join(s.names, "','") + "']"
	case stepIndex, stepIndexes:
		var b strings.Builder
		for i, index := range s.indexes {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Itoa(index))
		}
		return "[" + b.String() + "]"
	case stepFunction:
		return "." + s.fn.name + "()"
	case stepSlice, stepWildcard, stepFilter:
	}
	return "[*]"
}

// reads is the root of a path and the names behind it as far as they are
// single.
func (p *path) reads() []string {
	out := []string{p.binding()}
	for i := range p.steps {
		if p.steps[i].kind != stepName || p.steps[i].scan {
			break
		}
		out = append(out, p.steps[i].names[0])
	}
	return out
}

// binding is the name of the root in an environment.
func (p *path) binding() string {
	switch p.root {
	case Context:
		return contextRoot
	case Variable:
		return p.variable
	case Input, item, NoRoot:
	}
	return inputRoot
}

// start is the value of the root; undefined if it has none.
func (m *machine) start(p *path) value.Value {
	switch p.root {
	case Context:
		return m.scope.Context
	case Variable:
		return m.scope.Variables[p.variable]
	case Input, item, NoRoot:
	}
	return m.scope.Input
}

package descriptor

import (
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// pick returns the option of a OneOf against which the node is checked, or nil
// when none has its shape. It looks at the node itself and, in a mapping or
// list, one level down, so its cost does not grow with the depth.
func (c *checker) pick(n *yamldoc.Node, t *Type, u use) *Type {
	options := flatten(t, nil)
	switch n.Kind {
	case yamldoc.List:
		return c.pickList(n, options, u)
	case yamldoc.Map:
		return c.pickMapping(n, options, u)
	}
	var kind *Type // the only one whose kind fits
	kinds := 0
	for _, option := range options {
		if option.Kind == List || option.Kind == Map || option.Kind == Struct {
			continue
		}
		if option.Kind == Any {
			return option
		}
		fault := c.scalar(n, option, u)
		if fault == nil {
			return option
		}
		if !fault.kind {
			kind = option
			kinds++
		}
	}
	if kinds == 1 {
		return kind
	}
	return nil
}

// flatten lists the options, those of options that are OneOf themselves too.
func flatten(t *Type, out []*Type) []*Type {
	for i := range t.Options {
		if option := &t.Options[i]; option.Kind == OneOf {
			out = flatten(option, out)
		} else {
			out = append(out, option)
		}
	}
	return out
}

func (c *checker) pickList(n *yamldoc.Node, options []*Type, u use) *Type {
	var best *Type
	bestScore := 0
	for _, option := range options {
		if option.Kind == Any {
			return option
		}
		if option.Kind != List {
			continue
		}
		score := 0
		for _, item := range n.Items {
			if option.Elem == nil || c.shallow(item, option.Elem, u) {
				score++
			}
		}
		if best == nil || score > bestScore {
			best, bestScore = option, score
		}
	}
	return best
}

func (c *checker) pickMapping(n *yamldoc.Node, options []*Type, u use) *Type {
	var best *Type
	bestScore := 0
	for _, option := range options {
		var score int
		switch option.Kind {
		case Any:
			return option
		case Map:
			score = c.mapScore(n, option, u)
		case Struct:
			score = c.structScore(n, option.Object, u)
		default:
			continue
		}
		if best == nil || score > bestScore {
			best, bestScore = option, score
		}
	}
	return best
}

// The weights of a mapping's fit: what speaks for an object, and against it.
const (
	knownField   = 4
	unknownField = -6
	missingField = -3
	wrongShape   = -5
	wrongMark    = -1000 // a Const or an enum that tells the options apart
)

func (c *checker) structScore(n *yamldoc.Node, o *Object, u use) int {
	if o == nil {
		return 0
	}
	score := 0
	for _, e := range n.Entries {
		f := o.Field(e.Key.Text)
		if f == nil {
			score += unknownField
			continue
		}
		score += knownField
		inner := use{template: u.template || f.Template, enum: f.Enum}
		if c.shallow(e.Value, &f.Type, inner) || c.absent(f, e.Value) {
			continue
		}
		score += wrongShape
		if f.Type.Kind == Const || len(f.Enum) > 0 {
			score += wrongMark
		}
	}
	for i := range o.Fields {
		if f := &o.Fields[i]; f.Required && n.Entry(f.Name) == nil {
			score += missingField
		}
	}
	for _, g := range o.OneOfGroups {
		count := 0
		for _, name := range g.Fields {
			if n.Entry(name) != nil {
				count++
			}
		}
		if count > 1 || count == 0 && g.Needed {
			score += missingField
		}
	}
	return score
}

func (c *checker) mapScore(n *yamldoc.Node, t *Type, u use) int {
	score := 0
	for _, e := range n.Entries {
		if t.KeyKind != Any && c.scalar(e.Key, &Type{Kind: t.KeyKind}, use{}) != nil ||
			t.Elem != nil && !c.shallow(e.Value, t.Elem, u) {
			score += wrongShape
		}
	}
	return score
}

// shallow reports whether a node fits a type as far as its own level shows.
func (c *checker) shallow(n *yamldoc.Node, t *Type, u use) bool {
	if !c.computed && u.template && n.Kind == yamldoc.String && expr.HasTemplate(n.Text) {
		return true
	}
	switch t.Kind {
	case Any, List, Map, Struct:
		return kindFits(n.Kind, t.Kind)
	case OneOf:
		for _, option := range flatten(t, nil) {
			if c.shallow(n, option, u) {
				return true
			}
		}
		return false
	}
	return c.scalar(n, t, u) == nil
}

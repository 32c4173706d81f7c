package asl

import (
	"regexp"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// block is a list of steps that is being written.
type block struct {
	steps []*step
	// notes are comments for the next step.
	notes []string
}

// step is a step of the workflow.
type step struct {
	id     string
	notes  []string
	fields []field
	// keeps is the variable that the step is there for, if it only keeps a value.
	keeps string
}

type field struct {
	name string
	node *yamldoc.Draft
}

// add adds a step to the block.
func (b *block) add(s *step) *step {
	s.notes = append(b.notes, s.notes...)
	b.notes = nil
	b.steps = append(b.steps, s)
	return s
}

func (s *step) set(name string, n *yamldoc.Draft) {
	for i := range s.fields {
		if s.fields[i].name == name {
			s.fields[i].node = n
			return
		}
	}
	s.fields = append(s.fields, field{name, n})
}

func (s *step) get(name string) *yamldoc.Draft {
	for _, f := range s.fields {
		if f.name == name {
			return f.node
		}
	}
	return nil
}

// last is the last step, nil for an empty block.
func (b *block) last() *step {
	if len(b.steps) == 0 {
		return nil
	}
	return b.steps[len(b.steps)-1]
}

// ids adds the IDs of all steps of nodes to a set: what is not seen from
// outside.
func (b *block) ids(into map[string]bool) {
	for _, s := range b.steps {
		into[s.id], into[s.keeps] = true, true
	}
}

// node is the list of the steps.
func (b *block) node() *yamldoc.Draft {
	if last := b.last(); last != nil { // of a state behind it that does nothing
		last.notes = append(last.notes, b.notes...)
		b.notes = nil
	}
	out := &yamldoc.Draft{Kind: yamldoc.List}
	for _, s := range b.steps {
		out.Items = append(out.Items, s.node())
	}
	return out
}

func (s *step) node() *yamldoc.Draft {
	out := &yamldoc.Draft{Kind: yamldoc.Map, Comment: comment(s.notes)}
	if s.id != "" {
		out.Put("id", plain(s.id))
	}
	for _, f := range s.fields {
		out.Put(f.name, f.node)
	}
	return out
}

func comment(notes []string) string { return strings.Join(notes, "\n") }

// plain is a text in which nothing is evaluated.
func plain(s string) *yamldoc.Draft { return &yamldoc.Draft{Kind: yamldoc.String, Text: s} }

func number(n string) *yamldoc.Draft { return &yamldoc.Draft{Text: n} }

func mapping(fields ...field) *yamldoc.Draft {
	out := &yamldoc.Draft{Kind: yamldoc.Map}
	for _, f := range fields {
		out.Put(f.name, f.node)
	}
	return out
}

func sequence(items ...*yamldoc.Draft) *yamldoc.Draft {
	return &yamldoc.Draft{Kind: yamldoc.List, Items: items}
}

// maxFlow is the length up to which data without structure inside stands on one
// line.
const maxFlow = 70

// compact writes small data on one line.
func compact(n *yamldoc.Draft) *yamldoc.Draft {
	size := 0
	parts := slices.Clone(n.Items)
	for _, e := range n.Entries {
		size += len(e.Key) + 2
		parts = append(parts, e.Value)
	}
	for _, part := range parts {
		if len(part.Items)+len(part.Entries) > 0 || strings.Contains(part.Text, "\n") || strings.Contains(part.Text, "${{") {
			return n
		}
		size += len(part.Text) + 2
	}
	if size <= maxFlow {
		n.Style = yamldoc.Flow
	}
	return n
}

// node is the value as YAML. Overlays have to be settled before.
func (c *converter) node(d data) *yamldoc.Draft {
	switch d.kind {
	case constant:
		return valueNode(d.value)
	case object:
		out := &yamldoc.Draft{Kind: yamldoc.Map}
		for _, m := range d.members {
			out.Put(m.key, c.node(m.data))
		}
		return compact(out)
	case list:
		out := &yamldoc.Draft{Kind: yamldoc.List}
		for _, item := range d.items {
			out.Items = append(out.Items, c.node(item))
		}
		return compact(out)
	case text:
		if len(d.items) == 1 {
			return template(c.textSource(d.items[0]))
		}
		var b strings.Builder
		for _, item := range d.items {
			if item.kind == constant && item.value.Kind() == value.KindString {
				b.WriteString(escape(item.value.Text()))
			} else {
				b.WriteString("${{ " + c.source(item) + " }}")
			}
		}
		return plain(b.String())
	case computed, root, overlay:
	}
	return template(c.source(d))
}

func template(source string) *yamldoc.Draft { return plain("${{ " + source + " }}") }

// escape keeps a text from being taken for a template.
func escape(s string) string { return strings.ReplaceAll(s, "${{", "$${{") }

// valueNode is a constant as YAML.
func valueNode(v value.Value) *yamldoc.Draft {
	switch v.Kind() {
	case value.KindObject:
		out := &yamldoc.Draft{Kind: yamldoc.Map}
		for _, m := range v.Members() {
			out.Put(m.Key, valueNode(m.Value))
		}
		return compact(out)
	case value.KindList:
		out := &yamldoc.Draft{Kind: yamldoc.List}
		for _, item := range v.Items() {
			out.Items = append(out.Items, valueNode(item))
		}
		return compact(out)
	case value.KindString:
		return plain(escape(v.Text()))
	}
	return number(v.String())
}

// outputs is the value as the field `outputs`, which is a mapping or an
// expression that is not known to give anything else.
func (c *converter) outputs(d data) *yamldoc.Draft {
	if d.kind == constant && d.value.Kind() == value.KindObject {
		members := make([]member, 0, d.value.Len())
		for _, m := range d.value.Members() {
			members = append(members, member{m.Key, fixed(m.Value)})
		}
		d = data{kind: object, members: members}
	}
	if d.kind == object {
		names := true
		for _, m := range d.members {
			names = names && identifier.MatchString(m.key)
		}
		if names {
			return c.node(d)
		}
		return template(c.source(d))
	}
	if d.shape != nil && (d.shape.kind == object || d.shape.kind == constant && d.shape.value.Kind() == value.KindObject) {
		return template(c.source(d))
	}
	return template(c.untyped(d))
}

// untypedForm are sources of which the checker knows no type.
var untypedForm = regexp.MustCompile(`^(inputs\.[\w.]+|steps\.\w+\.output|result)$`)

// untyped is the source of a value whose type is not checked before it runs.
func (c *converter) untyped(d data) string {
	source := c.source(d)
	if d.untyped || d.shape == nil && untypedForm.MatchString(source) || strings.HasPrefix(source, "dyn(") && strings.HasSuffix(source, ")") && strings.Count(source, "(") == 1 {
		return source
	}
	return "dyn(" + source + ")"
}

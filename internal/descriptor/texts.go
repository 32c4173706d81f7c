package descriptor

import (
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// A Text is a place in a file where an expression stands.
type Text struct {
	Node *yamldoc.Node
	Path string // such as "with.headers.Accept"
	Type *Type  // what the place expects
	// Bare says that the whole text is an expression; otherwise it holds ${{ }}
	// or the escape for it.
	Bare bool
	// Secrets says that the expression may read secrets.
	Secrets bool
}

// Texts calls visit for every expression of a mapping, in the order of the
// file. What [Check] refuses is left out.
func Texts(n *yamldoc.Node, o *Object, visit func(Text)) {
	w := &walker{check: &checker{}, visit: visit}
	w.object(n, o, scope{}, nil)
}

type walker struct {
	check *checker
	visit func(Text)
}

type scope struct {
	template, secrets bool
	enum              []EnumValue
}

func (w *walker) object(n *yamldoc.Node, o *Object, s scope, p *path) {
	if n == nil || o == nil {
		return
	}
	for _, e := range n.Entries {
		if f := o.Field(e.Key.Text); f != nil {
			inner := scope{template: s.template || f.Template, secrets: s.secrets || f.Secrets, enum: f.Enum}
			w.typ(e.Value, &f.Type, inner, &path{parent: p, key: f.Name})
		}
	}
}

func (w *walker) typ(n *yamldoc.Node, t *Type, s scope, p *path) {
	if n.Kind == yamldoc.String && expr.HasTemplate(n.Text) {
		if s.template && t.Kind != Expression {
			w.visit(Text{Node: n, Path: p.String(), Type: t, Secrets: s.secrets})
		}
		return
	}
	switch t.Kind {
	case Expression:
		if kindFits(n.Kind, Expression) && n.Text != "" {
			w.visit(Text{Node: n, Path: p.String(), Type: t, Bare: true, Secrets: s.secrets})
		}
	case Struct:
		w.object(n, t.Object, s, p)
	case OneOf:
		if option := w.check.pick(n, t, use{template: s.template, enum: s.enum}); option != nil {
			w.typ(n, option, s, p)
		}
	case Any, List, Map:
		elem := t.elem()
		if t.Kind == Any {
			elem = t
		}
		for i, item := range n.Items {
			w.typ(item, elem, s, &path{parent: p, item: true, index: i})
		}
		for _, e := range n.Entries {
			w.typ(e.Value, elem, s, &path{parent: p, key: e.Key.Text})
		}
	}
}

package descriptor

import (
	"fmt"
	"strconv"
	"strings"
)

// Markdown returns a reference section for the object and every object that it
// reaches, each once under a heading of level 2: doc, fields, allowed texts,
// rules between fields, examples. Objects refer to each other by links.
func Markdown(o *Object) string {
	m := &markdown{anchors: map[*Object]string{}, used: map[string]int{}}
	m.anchor(o)
	var b strings.Builder
	for i := 0; i < len(m.queue); i++ { // section adds to the queue
		if i > 0 {
			b.WriteByte('\n')
		}
		m.section(&b, m.queue[i])
	}
	return b.String()
}

type markdown struct {
	anchors map[*Object]string
	used    map[string]int
	queue   []*Object
}

// heading is the title of an object's section.
func heading(o *Object) string {
	if o.Name == "" {
		return "mapping"
	}
	return o.Name
}

// anchor returns the fragment of an object's section, as renderers of GitHub's
// Markdown make it from the heading: repeated ones get a number.
func (m *markdown) anchor(o *Object) string {
	if a, ok := m.anchors[o]; ok {
		return a
	}
	slug := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == ' ':
			return '-'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_':
			return r
		}
		return -1
	}, heading(o))
	count := m.used[slug]
	m.used[slug]++
	if count > 0 {
		slug = fmt.Sprintf("%s-%d", slug, count)
	}
	m.anchors[o] = slug
	m.queue = append(m.queue, o)
	return slug
}

func (m *markdown) section(b *strings.Builder, o *Object) {
	fmt.Fprintf(b, "## %s\n", heading(o))
	if o.Doc != "" {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(o.Doc))
	}
	if len(o.Fields) > 0 {
		b.WriteString("\n| field | type | required | default | meaning |\n|---|---|---|---|---|\n")
	}
	for i := range o.Fields {
		f := &o.Fields[i]
		required, standard := "", ""
		if f.Required {
			required = "yes"
		}
		if !f.Default.IsUndefined() {
			standard = "`" + cell(f.Default.String()) + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", f.Name, m.words(&f.Type, f), required, standard, meaning(f))
	}
	for _, g := range o.OneOfGroups {
		rule := "at most one"
		if g.Needed {
			rule = "exactly one"
		}
		what := ""
		if g.What != "" {
			what = " (" + g.What + ")"
		}
		fmt.Fprintf(b, "\nOf %s there is %s%s.\n", and(quoted(g.Fields)), rule, what)
	}
	for i := range o.Fields {
		enumTable(b, &o.Fields[i])
	}
	if o.Example != "" {
		fmt.Fprintf(b, "\n```yaml\n%s\n```\n", strings.Trim(o.Example, "\n"))
	}
	for i := range o.Fields {
		if f := &o.Fields[i]; f.Example != "" {
			fmt.Fprintf(b, "\n`%s`, for example:\n\n```yaml\n%s\n```\n", f.Name, strings.Trim(f.Example, "\n"))
		}
	}
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "`" + n + "`"
	}
	return out
}

// words is the type in words, with links to the sections of objects.
func (m *markdown) words(t *Type, f *Field) string {
	switch t.Kind {
	case Struct:
		if t.Object == nil {
			return "a mapping"
		}
		return fmt.Sprintf("[%s](#%s)", cell(heading(t.Object)), m.anchor(t.Object))
	case List:
		return "a list" + m.each("each item", t, f) + bounds(t, "items")
	case Map:
		keys := ""
		if t.KeyKind == Identifier || t.KeyKind == Name {
			keys = ", each key " + (&Type{Kind: t.KeyKind}).Words()
		}
		return "a mapping" + keys + m.each("each value", t, f) + bounds(t, "keys")
	case OneOf:
		options := make([]string, len(t.Options))
		for i := range t.Options {
			options[i] = m.words(&t.Options[i], f)
		}
		return alternatives(options)
	case String:
		if len(f.Enum) > 0 {
			return cell(enumWords(f.Enum))
		}
		return t.Words() + bounds(t, "characters")
	}
	return cell(t.Words()) + bounds(t, "")
}

func (m *markdown) each(what string, t *Type, f *Field) string {
	if t.Elem == nil || t.Elem.Kind == Any {
		return ""
	}
	return ", " + what + " " + m.words(t.Elem, f)
}

// bounds are Min and Max in words; of is what they count, "" for the number.
func bounds(t *Type, of string) string {
	counted := func(n int64) string {
		if of == "" {
			return strconv.FormatInt(n, 10)
		}
		return count(n, of)
	}
	switch {
	case t.Min != nil && t.Max != nil:
		return fmt.Sprintf(" (%d to %s)", *t.Min, counted(*t.Max))
	case t.Min != nil:
		return " (at least " + counted(*t.Min) + ")"
	case t.Max != nil:
		return " (at most " + counted(*t.Max) + ")"
	}
	return ""
}

// meaning is the doc of a field with what must be known beside it.
func meaning(f *Field) string {
	parts := []string{}
	if f.Doc != "" {
		parts = append(parts, cell(strings.TrimSpace(f.Doc)))
	}
	switch {
	case f.Secrets:
		parts = append(parts, "May hold `${{ }}`, also of secrets.")
	case f.Template:
		parts = append(parts, "May hold `${{ }}`.")
	}
	if f.Later != "" {
		parts = append(parts, "*Not available yet: "+cell(f.Later)+" come with a later release.*")
	}
	if f.Ignored != "" {
		parts = append(parts, "*Has no effect: "+cell(f.Ignored)+".*")
	}
	return strings.Join(parts, " ")
}

// enumTable explains the texts allowed, if any of them has a meaning to tell.
func enumTable(b *strings.Builder, f *Field) {
	explained := false
	for _, e := range f.Enum {
		explained = explained || e.Doc != ""
	}
	if !explained {
		return
	}
	fmt.Fprintf(b, "\n| `%s` | meaning |\n|---|---|\n", f.Name)
	for _, e := range f.Enum {
		fmt.Fprintf(b, "| `%s` | %s |\n", cell(e.Text), cell(e.Doc))
	}
}

// cell makes a text fit into one cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n\n", "<br>", "\n", " ").Replace(s)
}

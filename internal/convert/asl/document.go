package asl

import (
	"bytes"
	"strings"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// document is the whole file.
func (c *converter) document(b *block, end data, live bool) []byte {
	m := c.machine
	doc := &yamldoc.Draft{Kind: yamldoc.Map}
	doc.Put("kind", plain("Workflow"))
	doc.Put("name", plain(c.cfg.Name))
	if m.Comment != "" {
		doc.Put("description", plain(m.Comment))
	}
	outputs := (*yamldoc.Draft)(nil)
	if live {
		outputs = c.outputs(end)
	}
	if inputs := c.inputNodes(); inputs != nil {
		doc.Put("inputs", inputs)
	}
	if c.tasks && c.cfg.Type != asl.Express {
		n := compact(mapping(field{"max_attempts", number("1")}, field{"max_lost", number("0")}))
		doc.Put("defaults", mapping(field{"retry", n}))
	}
	if len(b.steps) == 0 {
		b.add(nothing(c.unique("done"), "the state machine does nothing"))
	}
	steps := b.node()
	if m.TimeoutSeconds != nil {
		group := &step{id: c.unique("machine"), notes: []string{"The whole state machine, for its TimeoutSeconds."}}
		group.set("timeout", plain(m.TimeoutSeconds.Literal.String()+"s"))
		group.set("steps", steps)
		if outputs != nil {
			group.set("outputs", outputs)
			outputs = template("steps." + group.id + ".output")
		}
		steps = sequence(group.node())
	}
	doc.Put("steps", steps)
	if outputs != nil {
		doc.Put("outputs", outputs)
	}
	out, err := yamldoc.Write(doc)
	if err != nil {
		panic("a document cannot be written: " + err.Error()) // it is made of texts
	}
	return airy(out)
}

// airy puts an empty line between the steps at the top.
func airy(text []byte) []byte {
	var out bytes.Buffer
	inSteps, first := false, true
	var notes []string
	for line := range strings.Lines(string(text)) {
		switch {
		case inSteps && strings.HasPrefix(line, "#"):
			notes = append(notes, line)
			continue
		case inSteps && strings.HasPrefix(line, "- "):
			if !first {
				out.WriteString("\n")
			}
			first = false
		case line[0] != ' ' && line[0] != '\n':
			inSteps = line == "steps:\n"
		}
		for _, n := range notes {
			out.WriteString(n)
		}
		notes = nil
		out.WriteString(line)
	}
	for _, n := range notes {
		out.WriteString(n)
	}
	return out.Bytes()
}

// nothing is a step that does nothing, where there must be one.
func nothing(id, why string) *step {
	s := &step{}
	s.set("assign", compact(mapping(field{id, plain(why)})))
	return s
}

func (c *converter) inputNodes() *yamldoc.Draft {
	if c.whole {
		return mapping(field{wholeInput, compact(mapping(field{"type", plain("any")}, field{"required", number("true")}))})
	}
	if len(c.inputs) == 0 {
		return nil
	}
	out := &yamldoc.Draft{Kind: yamldoc.Map}
	for _, name := range c.inputs {
		out.Put(name, compact(mapping(field{"type", plain("any")}, field{"required", number("true")})))
	}
	return out
}

package native

import (
	"strings"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// SchemaID is the $id of the JSON Schema.
const SchemaID = "https://github.com/regie-dev/regie/schema/regie.schema.json"

// Schema returns the JSON Schema (2020-12) of all kinds of documents, with the
// inputs of the connectors. It accepts what [Load] accepts, as far as one
// document by itself can be judged without its expressions.
func Schema(cfg Config) value.Value {
	d := describe(cfg)
	// One made-up object that has everything as its fields brings all
	// definitions into one schema.
	all := &descriptor.Object{Name: "all"}
	add := func(name string, o *descriptor.Object) {
		all.Fields = append(all.Fields, descriptor.Field{Name: name, Type: object(o)})
	}
	for _, o := range d.kinds() {
		add(o.Name, o)
	}
	for _, t := range cfg.Connections {
		add(kindConnection+"/"+t.Name, d.connections[t.Name])
	}
	for _, t := range cfg.Channels {
		add(kindChannel+"/"+t.Name, d.channels[t.Name])
	}
	for _, c := range cfg.Connectors {
		if c.Input != nil {
			add("uses/"+c.Name, c.Input)
		}
	}
	made := descriptor.Schema(all, SchemaID)
	defs := made.Get("$defs")
	refs := defs.Get("all").Get("properties")
	var members []value.Member
	for _, m := range defs.Members() {
		switch m.Key {
		case "all":
			continue
		case "step":
			m.Value = withInputs(m.Value, cfg.Connectors, refs)
		}
		members = append(members, m)
	}
	return value.Object(
		value.M("$schema", made.Get("$schema")),
		value.M("$id", made.Get("$id")),
		value.M("title", str("Regie")),
		value.M("type", str("object")),
		value.M("properties", value.Object(value.M("kind", kindEnum(d)))),
		value.M("required", value.List(str("kind"))),
		value.M("allOf", value.List(kindRules(d, cfg, refs)...)),
		value.M("$defs", value.Object(members...)),
	)
}

func kindEnum(d *language) value.Value {
	var kinds []value.Value
	for _, o := range d.kinds() {
		kinds = append(kinds, str(o.Name))
	}
	return value.Object(value.M("enum", value.List(kinds...)))
}

// kindRules send each kind, and each type of it, to its definition.
func kindRules(d *language, cfg Config, refs value.Value) []value.Value {
	var rules []value.Value
	for _, o := range d.kinds() {
		types := map[string][]ObjectType{kindConnection: cfg.Connections, kindChannel: cfg.Channels}[o.Name]
		if len(types) == 0 {
			rules = append(rules, rule([]value.Member{value.M("kind", str(o.Name))}, refs.Get(o.Name)))
			continue
		}
		var names []value.Value
		for _, t := range types {
			names = append(names, str(t.Name))
			rules = append(rules, rule([]value.Member{value.M("kind", str(o.Name)), value.M("type", str(t.Name))}, refs.Get(o.Name+"/"+t.Name)))
		}
		rules = append(rules, rule([]value.Member{value.M("kind", str(o.Name))}, value.Object(
			value.M("properties", value.Object(value.M("type", value.Object(value.M("enum", value.List(names...)))))),
			value.M("required", value.List(str("type"))),
		)))
	}
	return rules
}

// rule says: where the members have these texts, the schema holds.
func rule(when []value.Member, then value.Value) value.Value {
	var properties []value.Member
	var required []value.Value
	for _, m := range when {
		properties = append(properties, value.M(m.Key, value.Object(value.M("const", m.Value))))
		required = append(required, str(m.Key))
	}
	return value.Object(
		value.M("if", value.Object(value.M("properties", value.Object(properties...)), value.M("required", value.List(required...)))),
		value.M("then", then),
	)
}

// withInputs says what `with` must be for each connector.
func withInputs(step value.Value, connectors []Connector, refs value.Value) value.Value {
	rules := append([]value.Value(nil), step.Get("allOf").Items()...)
	for _, c := range connectors {
		if c.Input == nil {
			continue
		}
		then := value.Object(value.M("properties", value.Object(value.M("with", refs.Get("uses/"+c.Name)))))
		for i := range c.Input.Fields {
			if c.Input.Fields[i].Required {
				then = then.With("required", value.List(str("with")))
			}
		}
		rules = append(rules, rule([]value.Member{value.M("uses", str(c.Name))}, then))
	}
	return step.With("allOf", value.List(rules...))
}

// Reference returns the reference page of the language in Markdown.
func Reference(cfg Config) string {
	d := describe(cfg)
	all := &descriptor.Object{Name: "Documents", Doc: "A file holds one document or several, separated by `---`. Kind and name together name an object; both stand at the top of its document."}
	for _, o := range d.kinds() {
		all.Fields = append(all.Fields, descriptor.Field{Name: o.Name, Type: object(o), Doc: o.Doc})
	}
	for _, t := range cfg.Connections {
		o := d.connections[t.Name]
		all.Fields = append(all.Fields, descriptor.Field{Name: o.Name, Type: object(o), Doc: o.Doc})
	}
	for _, t := range cfg.Channels {
		o := d.channels[t.Name]
		all.Fields = append(all.Fields, descriptor.Field{Name: o.Name, Type: object(o), Doc: o.Doc})
	}
	uses := &descriptor.Object{Name: "Connectors", Doc: "What `uses` can name, with its input (`with`) and its output."}
	for _, c := range cfg.Connectors {
		o := &descriptor.Object{Name: c.Name, Doc: c.Doc}
		if c.Input != nil {
			input := *c.Input
			input.Name = "with of " + c.Name
			o.Fields = append(o.Fields, descriptor.Field{Name: "with", Type: object(&input), Doc: "Its input."})
		}
		if c.Output != nil {
			output := *c.Output
			output.Name = "output of " + c.Name
			o.Fields = append(o.Fields, descriptor.Field{Name: "output", Type: object(&output), Doc: "Its output."})
		}
		uses.Fields = append(uses.Fields, descriptor.Field{Name: c.Name, Type: object(o), Doc: c.Doc})
	}
	all.Fields = append(all.Fields, descriptor.Field{Name: "connectors", Type: object(uses), Doc: uses.Doc})
	return strings.TrimRight(referenceIntro+descriptor.Markdown(all), "\n") + "\n"
}

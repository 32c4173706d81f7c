package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/resources"
	"github.com/regie-dev/regie/internal/suite"
	"github.com/regie-dev/regie/internal/value"
)

func (c *cli) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [KIND]",
		Short: "Print the JSON Schema of definitions",
		Long: `Prints the JSON Schema (2020-12) that editors use to check and complete
definitions: of everything, or of one kind, such as Workflow, Connection, step
or http.request; test is the kind of *.test.yaml, resources that of
resources.yaml.`,
		Example: `  regie schema > regie.schema.json
  regie schema Workflow`,
		GroupID: groupWrite,
		Args:    arguments(0, 1, "KIND"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			names := schemaNames(native.Schema(local.Native(local.Languages())))
			for _, beside := range besideDefinitions() {
				names = append(names, beside.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			schema := native.Schema(local.Native(local.Languages()))
			if len(args) == 0 {
				c.printJSON(schema)
				return nil
			}
			for _, beside := range besideDefinitions() {
				if strings.EqualFold(args[0], beside.Name) {
					c.printJSON(descriptor.Schema(beside, schemaID(beside.Name)))
					return nil
				}
			}
			one, err := schemaOf(schema, args[0])
			if err != nil {
				return err
			}
			c.printJSON(one)
			return nil
		},
	}
}

// besideDefinitions are the files beside definitions that have a schema.
func besideDefinitions() []*descriptor.Object {
	return []*descriptor.Object{suite.Describe(), resources.Describe()}
}

func schemaNames(schema value.Value) []string {
	var names []string
	for _, m := range schema.Get("$defs").Members() {
		names = append(names, m.Key)
	}
	return names
}

// schemaOf is the schema of one definition in it, with what it refers to.
func schemaOf(schema value.Value, kind string) (value.Value, error) {
	names := schemaNames(schema)
	name := ""
	for _, n := range names {
		if strings.EqualFold(n, kind) {
			name = n
		}
	}
	if name == "" {
		f := usagef("there is no schema of %q", kind)
		if meant := diag.Suggest(kind, names); meant != "" {
			return value.Undefined, f.withHint("did you mean %q?", meant)
		}
		return value.Undefined, f.withHint("there are: %s", strings.Join(names, ", "))
	}
	defs := schema.Get("$defs")
	wanted := map[string]bool{}
	reach(defs, defs.Get(name), wanted)
	var members []value.Member
	for _, m := range defs.Members() {
		if wanted[m.Key] || m.Key == name {
			members = append(members, m)
		}
	}
	return value.Object(
		value.M("$schema", schema.Get("$schema")),
		value.M("$id", value.String(schemaID(name))),
		value.M("title", value.String(name)),
		value.M("$ref", value.String("#/$defs/"+name)),
		value.M("$defs", value.Object(members...))), nil
}

// schemaID is the $id of the schema of one kind.
func schemaID(name string) string {
	return strings.TrimSuffix(native.SchemaID, "regie.schema.json") + name + ".schema.json"
}

// reach marks the definitions to which a schema refers, directly or not.
func reach(defs, schema value.Value, wanted map[string]bool) {
	if text, ok := schema.Get("$ref").Str(); ok {
		if name, ok := strings.CutPrefix(text, "#/$defs/"); ok && !wanted[name] {
			wanted[name] = true
			reach(defs, defs.Get(name), wanted)
		}
	}
	for _, m := range schema.Members() {
		reach(defs, m.Value, wanted)
	}
	for _, item := range schema.Items() {
		reach(defs, item, wanted)
	}
}

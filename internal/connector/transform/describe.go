package transform

import (
	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
)

// Bounds of a call.
const (
	// MaxOperations is the longest list of operations.
	MaxOperations = 100
	// MaxDepth is how deep flatten goes.
	MaxDepth = 64
	// MaxOutputBytes is the largest result, as estimated in memory.
	MaxOutputBytes = 256 << 20
)

func kind(k descriptor.Kind) descriptor.Type { return descriptor.Type{Kind: k} }

func listOf(t descriptor.Type) descriptor.Type {
	return descriptor.Type{Kind: descriptor.List, Elem: &t}
}

func mapOf(t descriptor.Type) descriptor.Type {
	return descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: &t}
}

func structOf(o *descriptor.Object) descriptor.Type {
	return descriptor.Type{Kind: descriptor.Struct, Object: o}
}

func describe() *connector.Descriptor {
	return &connector.Descriptor{
		Name: "json.transform",
		Doc: "Reshapes JSON by a list of operations, in order; the result of one is the input of the next.\n\n" +
			"Paths name a place by keys and list indexes with dots between, such as `customer.address.0.city`; `.` is the " +
			"whole. Operations on objects (`pick`, `omit`, `rename`, `set`, `default`, `merge`) apply to each item when they " +
			"meet a list. Errors: `json.wrong_kind` when an operation meets something that it is not for, `json.syntax` " +
			"when a text cannot be parsed, `json.too_large`.",
		Input: &descriptor.Object{
			Name: "json.transform", Doc: "What to reshape, and how.",
			Fields: []descriptor.Field{
				{Name: "input", Doc: "Any value.", Type: kind(descriptor.Any), Required: true, Template: true, Example: `"${{ steps.fetch.output.body }}"`},
				{Name: "operations", Doc: "The operations, at most 100.", Type: descriptor.Type{
					Kind: descriptor.List, Elem: &descriptor.Type{Kind: descriptor.Struct, Object: operation()}, Max: descriptor.Bound(MaxOperations),
				}, Required: true, Template: true},
			},
			Example: "uses: json.transform\nwith:\n  input: ${{ steps.fetch.output.body }}\n  operations:\n" +
				"    - where: {state: settled}\n    - aggregate: {by: [account], sum: {total: amount}, count: payments}\n    - sort_by: [-total]\n    - limit: 10\n",
		},
		Output: &descriptor.Object{
			Name: "json.transform output", Doc: "What became of the input.",
			Fields: []descriptor.Field{{Name: "result", Doc: "The result of the last operation.", Type: kind(descriptor.Any), Required: true}},
		},
		Idempotent: true,
	}
}

func operation() *descriptor.Object {
	text, paths, values := kind(descriptor.String), listOf(kind(descriptor.String)), mapOf(kind(descriptor.Any))
	count := descriptor.Type{Kind: descriptor.Integer, Min: descriptor.Bound(0)}
	o := &descriptor.Object{
		Name: "json.transform operation", Doc: "One operation: exactly one of the fields.",
		Fields: []descriptor.Field{
			{Name: "get", Doc: "Takes the value at a path, null if there is none.", Type: text, Example: "data.items"},
			{Name: "pick", Doc: "Keeps the values at these paths and nothing else.", Type: paths, Example: "[id, customer.name]"},
			{Name: "omit", Doc: "Leaves out the values at these paths.", Type: paths, Example: "[password]"},
			{Name: "rename", Doc: "Gives keys new names: old to new.", Type: mapOf(text), Example: "{cust_nm: customer}"},
			{Name: "set", Doc: "Sets values at paths; objects on the way are made.", Type: values, Example: `{date: "${{ run.business_date }}"}`},
			{Name: "default", Doc: "Sets values at paths where there is nothing, or null.", Type: values, Example: "{currency: EUR}"},
			{Name: "merge", Doc: "Merges an object in: objects within objects too, all else replaces what is there.", Type: values, Example: "{source: {system: ledger}}"},
			{Name: "where", Doc: "Keeps the items of a list that have these values at these paths; a list of values allows each of them.", Type: values, Example: "{state: [open, late]}"},
			{Name: "sort_by", Doc: "Sorts a list by the values at these paths, the first counting most; `-` before a path sorts from the largest. Null comes first, then booleans, numbers, texts. Equal items keep their order.", Type: paths, Example: "[-amount, id]"},
			{Name: "unique_by", Doc: "Keeps the first item of a list of those that have the same values at these paths; with no path, of those that are the same.", Type: paths, Example: "[id]"},
			{Name: "group_by", Doc: "Makes a list of `{key, items}` of the items with the same value at the path, in the order in which they first occur.", Type: text, Example: "account"},
			{Name: "index_by", Doc: "Makes an object of the items of a list, by the text or number at the path, which no two may share.", Type: text, Example: "id"},
			{Name: "aggregate", Doc: "Makes one object of all items of a list with the same values at some paths.", Type: structOf(aggregate())},
			{Name: "flatten", Doc: "Puts the items of lists within a list into it, so many levels deep.", Type: descriptor.Type{Kind: descriptor.Integer, Min: descriptor.Bound(1), Max: descriptor.Bound(MaxDepth)}, Example: "1"},
			{Name: "limit", Doc: "Keeps so many items from the beginning of a list.", Type: count, Example: "10"},
			{Name: "reverse", Doc: "Turns a list round.", Type: kind(descriptor.Boolean), Example: "true"},
			{Name: "parse", Doc: "Reads a text.", Type: text, Enum: formats("Reads")},
			{Name: "format", Doc: "Writes a text.", Type: text, Enum: formats("Writes")},
		},
	}
	group := descriptor.Group{Needed: true, What: "the operation"}
	for _, f := range o.Fields {
		group.Fields = append(group.Fields, f.Name)
	}
	o.OneOfGroups = []descriptor.Group{group}
	return o
}

func formats(verb string) []descriptor.EnumValue {
	return []descriptor.EnumValue{
		{Text: "json", Doc: verb + " one JSON value."},
		{Text: "jsonl", Doc: verb + " a list as one JSON value on each line."},
		{Text: "lines", Doc: verb + " a list of texts as lines."},
		{Text: "csv", Doc: verb + " a list of objects as CSV with a line of column names; all values are texts."},
	}
}

func aggregate() *descriptor.Object {
	paths := mapOf(kind(descriptor.String))
	return &descriptor.Object{
		Name: "json.transform aggregate", Doc: "What to add up.",
		Fields: []descriptor.Field{
			{Name: "by", Doc: "Paths whose values make a group; each is in the result under the last key of its path. Without it all items are one group.", Type: listOf(kind(descriptor.String)), Example: "[account, currency]"},
			{Name: "count", Doc: "The key under which the number of items is put.", Type: kind(descriptor.String), Example: "payments"},
			{Name: "sum", Doc: "Sums: key in the result to path. Decimals written as text are added exactly and give a text; null counts as nothing.", Type: paths, Example: "{total: amount}"},
			{Name: "min", Doc: "The least value, in the order of `sort_by`: key in the result to path. Null does not count.", Type: paths, Example: "{first: at}"},
			{Name: "max", Doc: "The greatest value: key in the result to path. Null does not count.", Type: paths, Example: "{last: at}"},
		},
	}
}

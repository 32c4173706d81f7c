package object

import (
	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

func dataFormats() []descriptor.EnumValue {
	return []descriptor.EnumValue{
		{Text: formatJSON, Doc: "A JSON text: the items of a list, or `{Key, Value}` for each member of an object."},
		{Text: formatJSONL, Doc: "JSON Lines: one value a line."},
		{Text: formatCSV, Doc: "Delimited text: each row an object of texts."},
	}
}

func csvType() descriptor.Type {
	return descriptor.Type{Kind: descriptor.Struct, Object: &descriptor.Object{
		Name: "object.items csv", Doc: "How delimited text is read.", Fields: []descriptor.Field{
			{Name: "header", Doc: "Where the names of the fields are.", Type: text(), Default: value.String("first_row"), Template: true, Enum: []descriptor.EnumValue{
				{Text: "first_row", Doc: "In the first row."}, {Text: "given", Doc: "In `headers`."},
			}},
			{Name: "headers", Doc: "The names of the fields, with `header: given`.", Type: listOf(text()), Template: true, Example: "[user, movie, rating]"},
			{Name: "delimiter", Doc: "What stands between fields.", Type: text(), Default: value.String("COMMA"), Template: true, Enum: []descriptor.EnumValue{
				{Text: "COMMA", Doc: "A comma."}, {Text: "PIPE", Doc: "A vertical bar."}, {Text: "SEMICOLON", Doc: "A semicolon."},
				{Text: "SPACE", Doc: "A space."}, {Text: "TAB", Doc: "A tabulator."},
			}},
		},
	}}
}

func describeItems() *connector.Descriptor {
	key := keyField()
	key.Required = false
	key.Doc = "The key of the object; not with `format: list`."
	return &connector.Descriptor{
		Name: "object.items",
		Doc: "Reads a list of items from objects, as the ItemReader of AWS Step Functions does, for a `foreach` over it. " +
			"Objects that are compressed with gzip are decompressed.\n\n" +
			"In delimited text, a field may be quoted (`\"\"` stands for a quotation mark in it); a backslash before a backslash, quotation mark or delimiter gives " +
			"that character, any other is dropped; missing fields are empty, surplus ones are dropped.\n\n" + errorsDoc,
		Connections: types(), Idempotent: true,
		Input: &descriptor.Object{
			Name: "object.items", Doc: "What to read.",
			Fields: fields(
				key, versionField(),
				prefixField("With `format: list`: how the keys begin; all objects if it is left out."),
				descriptor.Field{
					Name: "format", Doc: "What the object is.", Type: text(), Required: true, Template: true, Example: "csv",
					Enum: append(
						dataFormats(),
						descriptor.EnumValue{Text: formatManifest, Doc: "A list of files, all of which are read; see `manifest`."},
						descriptor.EnumValue{Text: formatList, Doc: "No object: the objects below `prefix` as `{Etag, Key, LastModified, Size, StorageClass}`."},
					),
				},
				descriptor.Field{Name: "csv", Doc: "How delimited text is read.", Type: csvType(), Template: true},
				descriptor.Field{Name: "pointer", Doc: "With JSON: where the items are (JSON pointer).", Type: text(), Template: true, Example: "/orders/open"},
				descriptor.Field{Name: "manifest", Doc: "What kind of manifest it is.", Type: text(), Default: value.String("s3_inventory"), Template: true, Enum: []descriptor.EnumValue{
					{Text: "s3_inventory", Doc: "`manifest.json` of an S3 inventory in CSV; each row of its files is an item."},
					{Text: "athena_data", Doc: "The data manifest of an Athena query: a line `s3://bucket/key` for each file; `data` says what they are."},
				}},
				descriptor.Field{Name: "transformation", Doc: "With `format: list`: what becomes of the objects.", Type: text(), Default: value.String("none"), Template: true, Enum: []descriptor.EnumValue{
					{Text: "none", Doc: "They are the items."},
					{Text: "load_and_flatten", Doc: "They are read, and their items joined; `data` says what they are."},
				}},
				descriptor.Field{Name: "data", Doc: "What the files of a manifest, or the objects of a list, are.", Type: text(), Template: true, Enum: dataFormats()},
				descriptor.Field{Name: "max_items", Doc: "How many items to read, from the first on; 0 reads all. There can be at most 1,000,000.", Type: kind(descriptor.Integer), Default: value.Int(0), Template: true},
				maxBytesField("The most bytes to read in all, decompressed."),
			),
			Example: "uses: object.items\nwith:\n  connection: lake\n  bucket: invoices\n  key: 2026/07/orders.csv\n  format: csv\n  csv: {delimiter: SEMICOLON}\n",
		},
		Output: &descriptor.Object{Name: "object.items output", Doc: "The items.", Fields: []descriptor.Field{
			{Name: "items", Doc: "The items, in order.", Type: listOf(kind(descriptor.Any)), Required: true},
			{Name: "count", Doc: "How many there are.", Type: kind(descriptor.Integer), Required: true},
			{Name: "keyed", Doc: "Whether they are members of a JSON object, as `{Key, Value}`.", Type: kind(descriptor.Boolean), Required: true},
			{Name: "source", Doc: "Where they come from: `S3://bucket/key`, or `S3://bucket` for a list.", Type: text(), Required: true},
		}},
	}
}

func resultType() descriptor.Type {
	return descriptor.Type{Kind: descriptor.Struct, Object: &descriptor.Object{
		Name: "object.results result", Doc: "How one item ended.", Fields: []descriptor.Field{
			{Name: "index", Doc: "The item's position; that in the list if it is left out.", Type: kind(descriptor.Integer)},
			{Name: "name", Doc: "The name of the item's execution; one made of the index if it is left out.", Type: text()},
			{Name: "state", Doc: "How it ended.", Type: text(), Required: true, Enum: []descriptor.EnumValue{
				{Text: "succeeded", Doc: "Well."}, {Text: "failed", Doc: "With an error."}, {Text: "canceled", Doc: "Before its end; among those that failed, as `ABORTED`."},
				{Text: "skipped", Doc: "It never started; among those that are pending."}, {Text: "pending", Doc: "It never started."},
			}},
			{Name: "input", Doc: "The item's input.", Type: kind(descriptor.Any)},
			{Name: "output", Doc: "Its output, if it succeeded.", Type: kind(descriptor.Any)},
			{Name: "error", Doc: "What went wrong, if it failed: `name` and `message`; what else it has is not written.", Type: kind(descriptor.Map)},
			{Name: "started_at", Doc: "When it was started.", Type: text(), Example: "2026-07-01T08:00:00Z"},
			{Name: "ended_at", Doc: "When it ended.", Type: text()},
		},
	}}
}

func describeResults() *connector.Descriptor {
	details := &descriptor.Object{Name: "object.results details", Doc: "Where the manifest is.", Fields: []descriptor.Field{
		{Name: "Bucket", Doc: "The bucket.", Type: text(), Required: true},
		{Name: "Key", Doc: "The key of `manifest.json`.", Type: text(), Required: true},
	}}
	return &connector.Descriptor{
		Name: "object.results",
		Doc: "Writes the results of a map, as the ResultWriter of AWS Step Functions does: below the prefix, in a folder named by the map run's ID, " +
			"`SUCCEEDED_0.json`, `FAILED_0.json` and `PENDING_0.json` as far as there are such results, and `manifest.json`, which names them, last. " +
			"All attempts of a step write the same objects.\n\n" + errorsDoc,
		Connections: types(), Idempotent: true,
		Input: &descriptor.Object{
			Name: "object.results", Doc: "What to write.",
			Fields: fields(
				prefixField("Below which the folder is made; at the top of the bucket if it is left out."),
				descriptor.Field{Name: "machine", Doc: "The name of the state machine, for ARNs; the run's ID if it is left out.", Type: text(), Template: true, Example: "orders"},
				descriptor.Field{Name: "label", Doc: "The name of the map within it.", Type: text(), Default: value.String("Map"), Template: true},
				descriptor.Field{Name: "region", Doc: "The region in ARNs.", Type: text(), Default: value.String("local"), Template: true},
				descriptor.Field{Name: "account", Doc: "The account in ARNs.", Type: text(), Default: value.String("000000000000"), Template: true},
				descriptor.Field{Name: "results", Doc: "How the items ended.", Type: listOf(resultType()), Required: true, Template: true, Example: `[{state: succeeded, input: 1, output: {total: 12}}]`},
				descriptor.Field{Name: "format", Doc: "How results are written.", Type: text(), Default: value.String(formatJSON), Template: true, Enum: []descriptor.EnumValue{
					{Text: formatJSON, Doc: "As a JSON list."}, {Text: formatJSONL, Doc: "As JSON Lines; the files end in `.jsonl`."},
				}},
				descriptor.Field{Name: "transformation", Doc: "What is written of items that succeeded; others are written whole.", Type: text(), Default: value.String("none"), Template: true, Enum: []descriptor.EnumValue{
					{Text: "none", Doc: "All that is known of it."}, {Text: "compact", Doc: "The output alone."},
					{Text: "flatten", Doc: "The output alone, and of a list its items."},
				}},
			),
			Example: "uses: object.results\nwith:\n  connection: lake\n  bucket: reports\n  prefix: settlement\n  results: ${{ steps.settle.output }}\n",
		},
		Output: &descriptor.Object{Name: "object.results output", Doc: "Where the results are.", Fields: []descriptor.Field{
			{Name: "MapRunArn", Doc: "The name of the map run; its last part is the folder's.", Type: text(), Required: true},
			{Name: "ResultWriterDetails", Doc: "Where the manifest is.", Type: descriptor.Type{Kind: descriptor.Struct, Object: details}, Required: true},
		}},
	}
}

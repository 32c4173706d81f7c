package resources

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// The fields of the file and of a resource.
const (
	fieldType      = "type"
	fieldFiles     = "files"
	fieldResources = "resources"
	fieldRun       = "run"
	fieldEnv       = "env"
	fieldHTTP      = "http"
	fieldUses      = "uses"
	fieldWith      = "with"
	fieldMachine   = "machine"
	fieldStore     = "store"
	fieldIdem      = "idempotent"
)

// The types of state machines as the file and the command line write them.
const (
	TypeStandard = "standard"
	TypeExpress  = "express"
)

// Describe returns the descriptor of the file.
func Describe() *descriptor.Object {
	text := descriptor.Type{Kind: descriptor.String}
	return &descriptor.Object{
		Name: "resources",
		Doc: "The file `resources.yaml` beside an Amazon States Language definition, or that of `--resources`: what the " +
			"resources of its tasks are here.",
		Fields: []descriptor.Field{
			{
				Name: fieldType, Type: text, Default: value.String(TypeStandard), Doc: "The guarantee that the state machines run under.",
				Enum: []descriptor.EnumValue{
					{Text: TypeStandard, Doc: "A task whose outcome nobody knows, because Regie was killed, fails with `States.TaskFailed`."},
					{Text: TypeExpress, Doc: "Such a task is repeated, up to 3 times, and the next step may start before the result is on disk."},
				},
			},
			{
				Name: fieldFiles, Type: descriptor.Type{Kind: descriptor.List, Elem: &text},
				Doc: "Files that `run` needs, beside those that its arguments name: patterns relative to this file.", Example: "[lib/**]",
			},
			{
				Name: fieldResources, Required: true,
				Type: descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: &descriptor.Type{Kind: descriptor.Struct, Object: describeResource()}},
				Doc: "By resource: an ARN, or a name that stands in its place; `*` stands for any text. The longest key that fits counts. " +
					"A function that `lambda:invoke` names is found by its name, partial ARN or ARN, with or without version.",
			},
		},
		Example: "resources:\n  \"arn:aws:lambda:*:*:function:charge\": {run: [python3, charge.py]}\n" +
			"  \"arn:aws:states:::sqs:sendMessage\":\n    uses: notify.send\n    with: {channel: ops, text: \"${{ input.MessageBody }}\"}\n",
	}
}

func describeResource() *descriptor.Object {
	anything := descriptor.Type{Kind: descriptor.Any}
	text := descriptor.Type{Kind: descriptor.String}
	return &descriptor.Object{
		Name: "resource",
		Doc:  "What a resource is here: exactly one of `run`, `http`, `uses`, `machine` and `store`.",
		Fields: []descriptor.Field{
			{
				Name: fieldRun, Type: descriptor.Type{Kind: descriptor.List, Elem: &text, Min: descriptor.Bound(1)},
				Doc: "A program with its arguments, which no shell sees. Arguments that name files beside this one are put into its " +
					"working directory. `$REGIE_INPUT` names a file with what the task passes, as JSON; the result is the JSON that it " +
					"writes to the file `$REGIE_OUTPUT` names, null without any. It fails by its exit code: with the error `errorType` of " +
					"an object `{errorType, errorMessage}` in its output, else `Runtime.ExitError`.", Example: "[python3, charge.py]",
			},
			{
				Name: fieldEnv, Type: descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: &anything}, Template: true, Secrets: true,
				Doc: "Environment variables for `run`; expressions read `input` and `secrets`.", Example: `{API_KEY: "${{ secrets.API_KEY }}"}`,
			},
			{
				Name: fieldHTTP, Type: descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: &anything}, Template: true, Secrets: true,
				Doc: "An HTTP endpoint, with the fields of `http.request`. It gets what the task passes by POST as JSON, its answer is the " +
					"result. An object `{errorType, errorMessage}` is an error of that name, whatever the status; other answers than 2xx fail with `http.` and the status.",
				Example: "{url: \"http://localhost:9000/quote\"}",
			},
			{Name: fieldUses, Type: text, Doc: "A connector, such as `notify.send`. Its output is the result.", Example: "sql.query"},
			{
				Name: fieldWith, Type: descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: &anything}, Template: true, Secrets: true,
				Doc: "The input of `uses`. Expressions read `input`, which is what the task passes.",
			},
			{Name: fieldMachine, Type: text, Doc: "The definition of the state machine that `startExecution.sync` starts, relative to this file. It runs as a part of the run.", Example: "child.asl.json"},
			{
				Name: fieldStore, Type: descriptor.Type{Kind: descriptor.Name}, Example: "data",
				Doc: "The connection of an object store, for what reads items (`ItemReader`) and writes results (`ResultWriter`).",
			},
			{Name: fieldIdem, Type: descriptor.Type{Kind: descriptor.Boolean}, Default: value.False, Doc: "Repeating a call is harmless."},
		},
		OneOfGroups: []descriptor.Group{{Fields: []string{fieldRun, fieldHTTP, fieldUses, fieldMachine, fieldStore}, Needed: true, What: "what the resource is"}},
		Example:     "{run: [python3, charge.py]}\n",
	}
}

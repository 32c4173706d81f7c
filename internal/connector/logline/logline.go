package logline

import (
	"context"
	"strings"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// Log is the connector log.
type Log struct{ descriptor *connector.Descriptor }

var _ connector.Connector = (*Log)(nil)

// New returns the connector.
func New() *Log { return &Log{describe()} }

func describe() *connector.Descriptor {
	levels := []descriptor.EnumValue{
		{Text: "debug", Doc: "For who looks for a fault."},
		{Text: "info", Doc: "For everybody."},
		{Text: "warning", Doc: "Something that somebody should look at; the step is marked."},
		{Text: "error", Doc: "Something that went wrong; the step still succeeds, use `fail` to fail the run."},
	}
	text := descriptor.Type{Kind: descriptor.String}
	return &connector.Descriptor{
		Name: "log",
		Doc:  "Writes a text to the log of its step. The output holds the text, too.",
		Input: &descriptor.Object{
			Name: "log", Doc: "What to write.",
			Fields: []descriptor.Field{
				{Name: "message", Doc: "The text; anything else is written as JSON.", Type: descriptor.Type{Kind: descriptor.Any}, Required: true, Template: true, Example: `"Settled ${{ steps.settle.output.count }} payments"`},
				{Name: "level", Doc: "How important it is.", Type: text, Default: value.String("info"), Enum: levels, Template: true},
			},
			Example: "uses: log\nwith:\n  message: Settled ${{ steps.settle.output.count }} payments\n",
		},
		Output: &descriptor.Object{
			Name: "log output", Doc: "What was written.",
			Fields: []descriptor.Field{
				{Name: "message", Doc: "The text.", Type: text, Required: true},
				{Name: "level", Doc: "Its level.", Type: text, Required: true, Enum: levels},
			},
		},
		Idempotent: true,
	}
}

// Describe returns the descriptor of log.
func (l *Log) Describe() *connector.Descriptor { return l.descriptor }

// Call writes each line of the text, with the level before it unless that is
// info.
func (l *Log) Call(ctx context.Context, call connector.Call) (connector.Result, error) {
	in, err := connector.Prepare(ctx, l.descriptor, call)
	if err != nil {
		return connector.Result{}, err
	}
	message, level := in.Get("message"), in.Text("level")
	text, ok := message.Str()
	if !ok {
		text = message.String()
	}
	prefix := ""
	if level != "info" {
		prefix = level + ": "
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		call.Log(prefix + strings.TrimSuffix(line, "\r"))
	}
	result := connector.Result{Output: value.Object(value.M("message", value.String(text)), value.M("level", value.String(level)))}
	if level == "warning" {
		result.Warning = text
	}
	return result, nil
}

package asl

import (
	"time"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Make is a value that the compiler needs and no field of a definition asks
// for, made of $.
type Make string

// What is made.
const (
	// MakeMember is the member Field of an object, undefined where it has none.
	MakeMember Make = "member"
	// MakeBatches joins the items of {items, count, bytes, input} to batches.
	MakeBatches Make = "batches"
	// MakeFlatten joins the lists in a list of outputs.
	MakeFlatten Make = "flatten"
	// MakeInput is the input of another state machine: {Input} of the arguments.
	MakeInput Make = "input"
	// MakeExecution describes an execution of another state machine as
	// DescribeExecution does, of {arguments, run, execution, machine, started,
	// output or error, text}; with text, input and output are the text of their
	// JSON.
	MakeExecution Make = "execution"
	// MakeText is the JSON of a value as text, cut like a Cause.
	MakeText Make = "text"
)

// make makes the value.
func (o *operation) make(v value.Value, now time.Time) (value.Value, error) {
	switch o.Make {
	case MakeMember:
		return v.Get(o.Field), nil
	case MakeBatches:
		return batches(v), nil
	case MakeFlatten:
		var out []value.Value
		for _, item := range v.Items() {
			if item.Kind() == value.KindList {
				out = append(out, item.Items()...)
			} else {
				out = append(out, item)
			}
		}
		return value.List(out...), nil
	case MakeInput:
		return machineInput(v)
	case MakeExecution:
		if out, asText := v.Get("output"), v.Get("text"); value.Equal(asText, value.Bool(true)) && out.Size() > maxOutput {
			return value.Undefined, fail(errDataLimit, "the output of the execution has more than %d MiB as text", maxOutput>>20)
		}
		return execution(v, now), nil
	case MakeText:
		return value.String(cut(v.String(), maxCause)), nil
	}
	return value.Undefined, fail(expr.Internal, "there is nothing like %q to make", o.Make)
}

// batches joins items in order. A batch has at most count of them, and its JSON
// at most bytes; an item that is larger has a batch of its own. Bounds of 0 are
// none.
func batches(v value.Value) value.Value {
	count, _ := v.Get("count").Int()
	bytes, _ := v.Get("bytes").Int()
	input, hasInput := v.Lookup("input")
	empty := value.Object(value.M("Items", value.List()))
	if hasInput {
		empty = empty.With("BatchInput", input)
	}
	overhead := int64(len(empty.Append(nil)))
	var out, batch []value.Value
	size := overhead
	flush := func() {
		if len(batch) == 0 {
			return
		}
		members := []value.Member{}
		if hasInput {
			members = append(members, value.M("BatchInput", input))
		}
		out = append(out, value.Object(append(members, value.M("Items", value.List(batch...)))...))
		batch, size = nil, overhead
	}
	for _, item := range v.Get("items").Items() {
		needs := int64(len(item.Append(nil)))
		if len(batch) > 0 {
			needs++ // the comma
		}
		if count > 0 && int64(len(batch)) >= count || bytes > 0 && size+needs > bytes {
			flush()
		}
		batch = append(batch, item)
		size += needs
	}
	flush()
	return value.List(out...)
}

// machineInput is what another state machine begins with: a text is the JSON in
// it, and null is no input.
func machineInput(arguments value.Value) (value.Value, error) {
	in, ok := arguments.Lookup("Input")
	if !ok || in.IsNull() {
		return value.Object(), nil
	}
	text, isText := in.Str()
	if !isText {
		return in, nil
	}
	parsed, err := value.Parse([]byte(text))
	if err != nil {
		return value.Undefined, fail(errRuntime, "Invalid State Machine Execution Input: %s", err)
	}
	return parsed, nil
}

// maxOutput is the largest output of a nested execution that is given as text, in
// bytes: within a machine that starts itself each quotes the one inside it.
const maxOutput = 4 << 20

// maxCause is the longest Cause of Step Functions, in characters. That of a
// nested execution holds those within it, each of them quoted once more.
const maxCause = 32_768

// cut shortens a text to n characters.
func cut(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

func execution(v value.Value, now time.Time) value.Value {
	name := v.Get("run")
	if named, ok := v.Get("arguments").Get("Name").Str(); ok {
		name = value.String(named)
	}
	in, err := machineInput(v.Get("arguments"))
	if err != nil {
		in = value.Object()
	}
	asText, _ := v.Get("text").Bool()
	shown := func(x value.Value) value.Value {
		if asText {
			return value.String(x.String())
		}
		return x
	}
	included := value.Object(value.M("Included", value.Bool(true)))
	failed, isFailure := v.Lookup("error")
	members := []value.Member{}
	add := func(name string, x value.Value) { members = append(members, value.M(name, x)) }
	if isFailure {
		add("Cause", value.String(cut(failed.Get("message").Text(), maxCause)))
		add("Error", failed.Get("name"))
	}
	add("ExecutionArn", value.String(v.Get("execution").Text()+":"+name.Text()))
	add("Input", shown(in))
	add("InputDetails", included)
	add("Name", name)
	if !isFailure {
		add("Output", shown(v.Get("output")))
		add("OutputDetails", included)
	}
	add("StartDate", v.Get("started"))
	add("StateMachineArn", v.Get("machine"))
	status := "SUCCEEDED"
	if isFailure {
		status = "FAILED"
	}
	add("Status", value.String(status))
	add("StopDate", value.String(now.UTC().Format(time.RFC3339Nano)))
	return value.Object(members...)
}

// member makes data of the member of the value that from gives.
func (c *compiler) member(from workflow.Source, name string) workflow.Data {
	return *c.made(Operation{Make: MakeMember, Field: name}, from)
}

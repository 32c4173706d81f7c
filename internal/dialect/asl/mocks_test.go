package asl_test

import (
	"encoding/csv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/dialect/asl/asltest"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// missing is what a case needs and nobody plays here; empty if it can be run.
// Functions are played by what they do, other services, jobs and workers by what
// they answered.
func missing(c value.Value) string {
	if strings.Contains(c.Get("expect").Get("cause").Text(), "does not exist") {
		return "deleted activity" // here activities need not be created
	}
	return ""
}

// messages play who was handed a token: they say that the work goes on, and how
// it ended, or nothing at all.
func messages(c value.Value, t engine.Task) []engine.Callback {
	var fails bool
	for _, e := range c.Get("history").Items() {
		switch e.Text() {
		case "TaskTimedOut":
			return nil
		case "TaskFailed", "ActivityFailed":
			fails = true
		}
	}
	if fails {
		return []engine.Callback{{Beat: true}, {Error: recordedError(c)}}
	}
	out, _ := replay(c, resourceOf(t))
	return []engine.Callback{{Beat: true}, {Output: out}}
}

func resourceOf(t engine.Task) string {
	if t.Uses == "activity.offer" {
		return t.Input.Get("activity").Text()
	}
	return t.Input.Get("resource").Text()
}

func recordedError(c value.Value) *engine.Error {
	return &engine.Error{Name: c.Get("expect").Get("error").Text(), Message: c.Get("expect").Get("cause").Text()}
}

// service answers a task as the function or service of the case did.
func service(c value.Value, resource string, input value.Value) (value.Value, *engine.Error, time.Duration) {
	if strings.HasSuffix(resource, "lambda:invoke") || strings.Contains(resource, ":function:") {
		return asltest.Lambda(c, resource, input)
	}
	if strings.HasSuffix(resource, ".waitForTaskToken") {
		return value.Object(), nil, 0
	}
	if resource == "object.items" {
		items, err := itemsOf(c, input)
		return value.Object(value.M("items", items)), err, 0
	}
	v, err := replay(c, resource)
	return v, err, 0
}

// replay gives the recorded answer of a service: what left the state that calls
// it, or the error that the execution ended with.
func replay(c value.Value, resource string) (value.Value, *engine.Error) {
	expect := c.Get("expect")
	for _, s := range c.Get("definition").Get("States").Members() {
		if withActivity(s.Value.Get("Resource").Text()) != resource {
			continue
		}
		for _, exit := range expect.Get("exits").Items() {
			if exit.Get("name").Text() != s.Key {
				continue
			}
			out := exit.Get("output")
			if path := s.Value.Get("ResultPath").Text(); path != "" {
				out = out.Get(strings.TrimPrefix(path, "$."))
			}
			if name, ok := out.Lookup("Error"); ok {
				return value.Null, &engine.Error{Name: name.Text(), Message: out.Get("Cause").Text()}
			}
			return out, nil
		}
	}
	return value.Null, recordedError(c)
}

// itemsOf reads the items of an object that the case has put into a bucket.
func itemsOf(c, input value.Value) (value.Value, *engine.Error) {
	if c.Get("expect").Get("status").Text() == "FAILED" {
		return value.Null, recordedError(c)
	}
	var body string
	for _, call := range c.Get("setup").Items() {
		if p := call.Get("params"); value.Equal(p.Get("Bucket"), input.Get("bucket")) && value.Equal(p.Get("Key"), input.Get("key")) {
			body = p.Get("Body").Text()
		}
	}
	var items value.Value
	if input.Get("format").Text() == "csv" {
		items = rows(body)
	} else {
		items = value.MustParse(body)
	}
	if n, ok := input.Get("max_items").Int(); ok && n > 0 && int(n) < items.Len() {
		items = value.List(items.Items()[:n]...)
	}
	return items, nil
}

// rows are the rows of a CSV text as objects by the names in its first.
func rows(text string) value.Value {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	lines, err := r.ReadAll()
	if err != nil || len(lines) == 0 {
		return value.List()
	}
	var out []value.Value
	for _, line := range lines[1:] {
		row := value.Object()
		for i, name := range lines[0] {
			field := ""
			if i < len(line) {
				field = line[i]
			}
			row = row.With(name, value.String(field))
		}
		out = append(out, row)
	}
	return value.List(out...)
}

package asltest

import (
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// Lambda answers a task as the function in the case would, and says how long it
// takes.
func Lambda(c value.Value, resource string, input value.Value) (value.Value, *engine.Error, time.Duration) {
	payload, wrapped := input, strings.HasSuffix(resource, "lambda:invoke")
	name := resource
	if wrapped {
		payload, name = input.Get("Payload"), input.Get("FunctionName").Text()
		if payload.IsNull() { // no payload is an empty event
			payload = value.Object()
		}
	}
	behaviour := "missing"
	for _, l := range c.Get("lambdas").Items() {
		if n := l.Get("name").Text(); n == name || strings.HasSuffix(name, ":"+n) {
			behaviour = l.Get("behaviour").Text()
		}
	}
	if behaviour == "missing" {
		return value.Null, &engine.Error{
			Name: "Lambda.ResourceNotFoundException",
			Message: "Function not found: arn:aws:lambda:us-east-1:111111111111:function:" + name +
				":$LATEST (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; Request ID: r-1; Proxy: null)",
		}, 0
	}
	if behaviour == "return-string-of-263168-a" {
		service := resource
		if wrapped {
			service = "lambda"
		}
		return value.Null, &engine.Error{
			Name:    "States.DataLimitExceeded",
			Message: "The state/task '" + service + "' returned a result with a size exceeding the maximum number of bytes service limit.",
		}, 0
	}
	takes := time.Duration(0)
	if rest, ok := strings.CutPrefix(behaviour, "sleep:"); ok {
		seconds, after, _ := strings.Cut(rest, ";")
		takes, _ = time.ParseDuration(seconds + "s")
		behaviour = after
	}
	out := payload
	if text, ok := strings.CutPrefix(behaviour, "return:"); ok {
		out = value.MustParse(text)
	}
	if rest, ok := strings.CutPrefix(behaviour, "raise:"); ok {
		kind, message, _ := strings.Cut(rest, ":")
		cause := value.Object(value.M("errorMessage", value.String(message)), value.M("errorType", value.String(kind)))
		return value.Null, &engine.Error{Name: kind, Message: cause.String()}, takes
	}
	if text, ok := out.Str(); ok { // a payload that is text is the JSON that it holds
		if parsed, err := value.Parse([]byte(text)); err == nil {
			out = parsed
		}
	}
	if wrapped {
		out = value.Object(value.M("ExecutedVersion", value.String("$LATEST")), value.M("Payload", out), value.M("StatusCode", value.Int(200)))
	}
	return out, nil, takes
}

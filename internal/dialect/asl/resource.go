package asl

import (
	"strings"

	"github.com/regie-dev/regie/internal/diag"
)

// Resource says what a Task calls.
type Resource struct {
	// Text is the resource as it stands: an ARN, or a placeholder of SAM such
	// as ${Function.Arn} that nobody has replaced.
	Text string
	Pos  diag.Pos
	Kind ResourceKind
	// Service and Action are those of an integration: sqs and sendMessage; of
	// the SDK aws-sdk:s3 and getObject.
	Service, Action string
	// Name is the name of a function or activity.
	Name    string
	Pattern Pattern
	// Subject is what the arguments name, and where, see [State.Calls]; empty
	// where they name nothing, or compute it.
	Subject    string
	SubjectPos diag.Pos
}

// ResourceKind is the kind of a [Resource].
type ResourceKind uint8

// The kinds of resources.
const (
	Unknown     ResourceKind = iota // an ARN of another form, or a placeholder
	Function                        // of Lambda
	Activity                        // a worker that asks for work
	Integration                     // arn:aws:states:::service:action
)

// Pattern says when a task that calls a service has ended.
type Pattern string

// The patterns of service integrations.
const (
	RequestResponse  Pattern = ""                  // when the service has answered
	Sync             Pattern = ".sync"             // when the job has ended
	Sync2            Pattern = ".sync:2"           // same, with the output as JSON
	WaitForTaskToken Pattern = ".waitForTaskToken" // when somebody returns the token
)

// ParseResource takes a resource apart; ok is false when it is no ARN.
func ParseResource(text string) (r Resource, ok bool) {
	r.Text = text
	if strings.Contains(text, "${") {
		return r, true
	}
	parts := strings.SplitN(text, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[1] == "" || parts[2] == "" || parts[5] == "" {
		return r, false
	}
	rest := parts[5]
	switch {
	case parts[2] == "lambda" && strings.HasPrefix(rest, "function:"):
		r.Kind, r.Name = Function, strings.TrimPrefix(rest, "function:")
	case parts[2] == "states" && strings.HasPrefix(rest, "activity:"):
		r.Kind, r.Name = Activity, strings.TrimPrefix(rest, "activity:")
	case parts[2] == "states" && parts[3] == "" && parts[4] == "":
		r.Kind = Integration
		for _, p := range []Pattern{Sync2, Sync, WaitForTaskToken} {
			if cut, found := strings.CutSuffix(rest, string(p)); found {
				rest, r.Pattern = cut, p
				break
			}
		}
		i := strings.LastIndexByte(rest, ':')
		if i < 1 || i == len(rest)-1 {
			return r, false
		}
		r.Service, r.Action = rest[:i], rest[i+1:]
	}
	return r, true
}

package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"connectrpc.com/connect"

	"github.com/regie-dev/regie/client"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// What a server takes, in bytes. Names and messages of errors that are longer are
// cut; an output that is larger fails the work with the error output_invalid.
const (
	MaxErrorName    = 256
	MaxErrorMessage = 32 << 10
	MaxOutput       = 16<<20 - 64<<10 // a request has 16 MiB with all else
)

const (
	// completeFor is how long it is tried to tell the end of work: longer than a
	// server takes to be started again.
	completeFor = 10 * time.Minute
	// lastWords is how long it still is once the grace is over.
	lastWords = 5 * time.Second
)

// errorOf is an error as the server takes it.
func errorOf(err error) *regiev1.TaskError {
	var named *Error
	if !errors.As(err, &named) || named.Name == "" {
		return taskError(NameFailed, err.Error())
	}
	out := taskError(named.Name, named.Message)
	if named.Details == nil {
		return out
	}
	data, err := json.Marshal(named.Details)
	if err == nil {
		out.Details, err = jsonOf(named.Name, string(data))
	}
	if err != nil {
		out.Message = cut(fmt.Sprintf("%s (its details cannot be sent as JSON: %v)", out.GetMessage(), err), MaxErrorMessage)
	}
	return out
}

// taskError makes texts such that the server takes them.
func taskError(name, message string) *regiev1.TaskError {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, name)
	return &regiev1.TaskError{Name: cut(name, MaxErrorName), Message: cut(message, MaxErrorMessage)}
}

// cut makes a text valid and at most so many bytes long.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}

// jsonOf is JSON that can be sent, else an error of the name.
func jsonOf(name, text string) (*regiev1.Json, error) {
	switch {
	case len(text) > MaxOutput:
		return nil, &Error{Name: name, Message: fmt.Sprintf("the JSON has %d bytes, more than %d", len(text), MaxOutput)}
	case !utf8.ValidString(text):
		return nil, &Error{Name: name, Message: "the JSON is not valid UTF-8"}
	}
	return &regiev1.Json{Text: text}, nil
}

// less is what can be told instead of an end that the server did not take, nil if
// there is nothing.
func less(in *regiev1.CompleteTaskRequest, said *client.Error) *regiev1.CompleteTaskRequest {
	const bare = "the error of the work could not be told"
	out := &regiev1.CompleteTaskRequest{Namespace: in.GetNamespace(), Token: in.GetToken()}
	switch {
	case in.GetError() == nil:
		out.Error = taskError(NameOutputInvalid, said.Message)
	case in.GetError().GetMessage() != bare:
		out.Error = taskError(NameFailed, bare)
	default:
		return nil
	}
	return out
}

// complete says how work ended, again and again until the server has it, or does
// not want it. Soon after the end of working it gives up.
func (w *Worker) complete(working context.Context, task *regiev1.TakenTask, in *regiev1.CompleteTaskRequest) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(working), completeFor)
	defer cancel()
	defer context.AfterFunc(working, func() { time.AfterFunc(lastWords, cancel) })()
	for pause := time.Duration(0); sleep(ctx, pause); pause = min(max(2*pause, firstPause), longestPause) {
		_, err := w.client.Tasks.CompleteTask(ctx, in)
		var said *client.Error
		switch {
		case err == nil:
			return
		case !errors.As(err, &said), said.Kind == connect.CodeFailedPrecondition && said.Code != codeRefused:
			// The way to the server, or the run is not gone on with now.
		case said.Kind == connect.CodeNotFound:
			return // an answer before was lost, or somebody ended the work
		case said.Kind == connect.CodeInvalidArgument, said.Kind == connect.CodeFailedPrecondition && in.GetError() == nil:
			w.cfg.Log.WarnContext(ctx, "the server does not take the end of work", "run", task.GetRun(), "step", task.GetPath(), "error", err)
			if in = less(in, said); in == nil {
				return
			}
		case hopeless(err):
			w.cfg.Log.ErrorContext(ctx, "the end of work cannot be told", "run", task.GetRun(), "step", task.GetPath(), "error", err)
			return
		}
	}
	w.cfg.Log.ErrorContext(ctx, "the end of work could not be told in time", "run", task.GetRun(), "step", task.GetPath())
}

// codeRefused is the code of what the engine does not take.
const codeRefused = "refused"

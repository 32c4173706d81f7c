package wire

import (
	"errors"
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/value"
)

// The versions of the protocol that this Regie speaks.
const (
	Version = 1
	Oldest  = 1
)

// Hello begins a conversation.
type Hello struct {
	Version int `json:"version"`
	Oldest  int `json:"oldest"`
}

// Welcome answers [Hello] with the version that is spoken from then on.
type Welcome struct {
	Version int    `json:"version,omitempty"`
	Info    Info   `json:"info"`
	Error   *Error `json:"error,omitempty"`
}

// Agree chooses the version; an error says why there is none.
func (h Hello) Agree() (int, error) {
	chosen := min(h.Version, Version)
	if chosen < Oldest || chosen < h.Oldest {
		return 0, fmt.Errorf("the supervisor speaks versions %d to %d of the protocol, the Regie that calls %d to %d; let the older of the two end (a supervisor ends when its tasks have), and start it with the newer program", Oldest, Version, h.Oldest, h.Version)
	}
	return chosen, nil
}

// Info is what a supervisor tells of itself.
type Info struct {
	PID   int    `json:"pid"`
	UID   int    `json:"uid"`
	Build string `json:"build"`
	// Work is the folder below which the directories of attempts are.
	Work string `json:"work"`
	// RunAs are the users that it may run tasks as, as it was told.
	RunAs []string `json:"run_as,omitempty"`
	// Running are tasks that run, Kept those that have ended and whose result
	// was not taken yet.
	Running int `json:"running"`
	Kept    int `json:"kept"`
	// Draining: it takes no new tasks and ends with the last one. Retiring: it
	// takes new ones, and ends as soon as there is none.
	Draining bool `json:"draining,omitempty"`
	Retiring bool `json:"retiring,omitempty"`
}

// Op is what is asked for.
type Op string

// The operations.
const (
	OpStart   Op = "start"
	OpWait    Op = "wait"
	OpStop    Op = "stop"
	OpRelease Op = "release"
	OpInfo    Op = "info"
	OpDrain   Op = "drain"
	OpRetire  Op = "retire"
	OpBeat    Op = "beat" // when the task was last heard of
)

// Request asks for one operation. Attachments of start: the checkpoint, then the
// data of each file.
type Request struct {
	Op     Op     `json:"op"`
	Handle []byte `json:"handle,omitempty"`
	// Offset is where in its log the output is wanted from; below 0 none is.
	Offset int64         `json:"offset,omitempty"`
	Grace  time.Duration `json:"grace,omitempty"`
	Start  *Start        `json:"start,omitempty"`
}

// Start is an [executor.Task]. Texts are bytes because they need not be UTF-8.
type Start struct {
	// Again is set when an earlier request to start the task may have arrived.
	Again bool `json:"again,omitempty"`

	RunID          []byte        `json:"run_id"`
	Step           []byte        `json:"step"`
	Attempt        int           `json:"attempt"`
	Script         []byte        `json:"script,omitempty"`
	Args           [][]byte      `json:"args,omitempty"`
	Shell          [][]byte      `json:"shell,omitempty"`
	Env            []EnvVar      `json:"env,omitempty"`
	Dir            []byte        `json:"dir"`
	RunAs          []byte        `json:"run_as,omitempty"`
	Namespace      []byte        `json:"namespace,omitempty"`
	Files          []File        `json:"files,omitempty"`
	IdempotencyKey []byte        `json:"idempotency_key,omitempty"`
	Timeout        time.Duration `json:"timeout,omitempty"`
	Grace          time.Duration `json:"grace,omitempty"`
	SuccessCodes   []int         `json:"success_codes,omitempty"`
	MaxLogBytes    int64         `json:"max_log_bytes,omitempty"`
	// Silent tasks have no receiver of output.
	Silent bool `json:"silent,omitempty"`
}

// EnvVar is an [executor.EnvVar].
type EnvVar struct {
	Name  []byte `json:"name"`
	Value []byte `json:"value"`
}

// File is an [executor.File] without its data.
type File struct {
	Path []byte `json:"path"`
	Mode uint32 `json:"mode"`
}

// StartOf writes a task as a request with its attachments.
func StartOf(t *executor.Task) (*Start, [][]byte) {
	s := &Start{
		RunID: []byte(t.RunID), Step: []byte(t.Step), Attempt: t.Attempt, Script: []byte(t.Script),
		Args: all(t.Args), Shell: all(t.Shell), Dir: []byte(t.Dir), RunAs: []byte(t.RunAs), Namespace: []byte(t.Namespace),
		IdempotencyKey: []byte(t.IdempotencyKey), Timeout: t.Timeout, Grace: t.Grace, SuccessCodes: t.SuccessCodes,
		MaxLogBytes: t.MaxLogBytes, Silent: t.Output == nil,
	}
	for _, v := range t.Env {
		s.Env = append(s.Env, EnvVar{[]byte(v.Name), []byte(v.Value)})
	}
	attachments := make([][]byte, 1, 1+len(t.Files))
	attachments[0] = t.Checkpoint
	for _, f := range t.Files {
		s.Files = append(s.Files, File{[]byte(f.Path), f.Mode})
		attachments = append(attachments, f.Data)
	}
	return s, attachments
}

// Task is the inverse of [StartOf], without Output.
func (s *Start) Task(attachments [][]byte) (executor.Task, error) {
	if len(attachments) != 1+len(s.Files) {
		return executor.Task{}, fmt.Errorf("read task: %d attachments for %d files", len(attachments), len(s.Files))
	}
	t := executor.Task{
		RunID: string(s.RunID), Step: string(s.Step), Attempt: s.Attempt, Script: string(s.Script),
		Args: texts(s.Args), Shell: texts(s.Shell), Dir: string(s.Dir), RunAs: string(s.RunAs), Namespace: string(s.Namespace),
		Checkpoint: attachments[0], IdempotencyKey: string(s.IdempotencyKey), Timeout: s.Timeout, Grace: s.Grace,
		SuccessCodes: s.SuccessCodes, MaxLogBytes: s.MaxLogBytes,
	}
	for _, v := range s.Env {
		t.Env = append(t.Env, executor.EnvVar{Name: string(v.Name), Value: string(v.Value)})
	}
	for i, f := range s.Files {
		t.Files = append(t.Files, executor.File{Path: string(f.Path), Mode: f.Mode, Data: attachments[1+i]})
	}
	return t, nil
}

func all(list []string) [][]byte {
	var out [][]byte
	for _, text := range list {
		out = append(out, []byte(text))
	}
	return out
}

func texts(list [][]byte) []string {
	var out []string
	for _, text := range list {
		out = append(out, string(text))
	}
	return out
}

// Response answers a request; at most one of its fields is set. Attachments of a
// result: its output as JSON, if it has one, and its checkpoint, likewise.
type Response struct {
	Started bool    `json:"started,omitempty"`
	Result  *Result `json:"result,omitempty"`
	Info    *Info   `json:"info,omitempty"`
	// Beat is when the task was last heard of; zero: never.
	Beat  time.Time `json:"beat,omitzero"`
	Error *Error    `json:"error,omitempty"`
}

// Result is an [executor.Result] without its attachments.
type Result struct {
	executor.Head

	HasOutput     bool `json:"has_output,omitempty"`
	HasCheckpoint bool `json:"has_checkpoint,omitempty"`
}

// ResultOf writes a result with its attachments.
func ResultOf(r *executor.Result) (*Result, [][]byte) {
	out := &Result{Head: r.Head()}
	var attachments [][]byte
	if !r.Output.IsUndefined() {
		out.HasOutput = true
		attachments = append(attachments, r.Output.Append(nil))
	}
	if r.Checkpoint != nil {
		out.HasCheckpoint = true
		attachments = append(attachments, r.Checkpoint)
	}
	return out, attachments
}

// Executor is the inverse of [ResultOf].
func (r *Result) Executor(attachments [][]byte) (executor.Result, error) {
	out := r.Result()
	if r.HasOutput {
		if len(attachments) == 0 {
			return out, errors.New("read result: its output is missing")
		}
		var err error
		if out.Output, err = value.Parse(attachments[0]); err != nil {
			return out, fmt.Errorf("read result: output: %w", err)
		}
		attachments = attachments[1:]
	}
	if r.HasCheckpoint {
		if len(attachments) == 0 {
			return out, errors.New("read result: its checkpoint is missing")
		}
		out.Checkpoint = attachments[0]
	}
	return out, nil
}

// Error is an error that keeps its identity over the connection.
type Error struct {
	Code    string `json:"code"`
	Name    string `json:"name,omitempty"` // of an [executor.StartError]
	Message string `json:"message"`
}

// Codes of errors.
const (
	CodeStart    = "start"
	CodeNotFound = "not_found"
	CodeRunning  = "running"
	CodeBusy     = "busy" // ask again, maybe of the next supervisor
	CodeRefused  = "refused"
	CodeInternal = "internal"
)

// ErrBusy says that a supervisor is about to end and did not do what it was
// asked for.
var ErrBusy = errors.New("the supervisor is ending")

// ErrorOf writes an error.
func ErrorOf(err error) *Error {
	var start *executor.StartError
	switch {
	case errors.As(err, &start):
		return &Error{CodeStart, start.Name, start.Err.Error()}
	case errors.Is(err, executor.ErrNotFound):
		return &Error{Code: CodeNotFound, Message: err.Error()}
	case errors.Is(err, executor.ErrRunning):
		return &Error{Code: CodeRunning, Message: err.Error()}
	case errors.Is(err, ErrBusy):
		return &Error{Code: CodeBusy, Message: err.Error()}
	}
	return &Error{Code: CodeInternal, Message: err.Error()}
}

// remote is an error of the other side that is one that we know, too.
type remote struct {
	message string
	is      error
}

func (e *remote) Error() string { return e.message }

func (e *remote) Unwrap() error { return e.is }

// Err is the inverse of [ErrorOf].
func (e *Error) Err() error {
	switch e.Code {
	case CodeStart:
		return &executor.StartError{Name: e.Name, Err: errors.New(e.Message)}
	case CodeNotFound:
		return &remote{e.Message, executor.ErrNotFound}
	case CodeRunning:
		return executor.ErrRunning
	case CodeBusy:
		return &remote{e.Message, ErrBusy}
	}
	return errors.New(e.Message)
}
